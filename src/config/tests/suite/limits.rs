//! Every declared limit: what is at it loads, one more is told. (Upstreams, depth, values and
//! problems have theirs among the fixtures and properties.)

use std::fmt::Write as _;

use crate::world::read;

/// Whether a configuration with this `server` section and these lines in its upstream loads.
fn told(top: &str, upstream: &str) -> Option<String> {
    let text = format!(
        "version: 1\n{top}\nchains:\n  a:\n    chain_id: 1\n    upstreams:\n      - name: x\n        http: https://x.example.org/\n{upstream}"
    );
    read("limit.yaml", &text)
        .err()
        .map(|problems| problems.to_text())
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{}", line(number));
        text
    })
}

#[test]
fn addresses() {
    let listen = |count| {
        let items = lines(count, |number| {
            format!("    - 127.0.0.1:{}", 10_000 + number)
        });
        told(&format!("server:\n  listen:\n{items}"), "")
    };
    assert_eq!(listen(16), None);
    assert!(listen(17).unwrap().contains("more than 16 addresses"));
}

#[test]
fn headers() {
    let headers = |count| {
        let items = lines(count, |number| format!("          x-{number}: value"));
        told("", &format!("        headers:\n{items}"))
    };
    assert_eq!(headers(32), None);
    assert!(headers(33).unwrap().contains("more than 32 headers"));
}

#[test]
fn bytes_of_a_header_value() {
    let header = |length| {
        told(
            "",
            &format!("        headers: {{ x-key: {} }}\n", "v".repeat(length)),
        )
    };
    assert_eq!(header(4096), None);
    assert!(header(4097).unwrap().contains("cannot go into a header"));
}

#[test]
fn chains() {
    let chains = |count: usize| {
        let items = lines(count, |number| {
            format!(
                "  c{number}: {{ chain_id: {}, upstreams: [{{ name: x, http: 'http://x/' }}] }}",
                number + 1
            )
        });
        read("limit.yaml", &format!("version: 1\nchains:\n{items}"))
            .err()
            .map(|problems| problems.to_text())
    };
    assert_eq!(chains(1_000), None);
    assert!(chains(1_001).unwrap().contains("more than 1000 chains"));
}

#[test]
fn keys_of_a_mapping() {
    let keys = |count| {
        told(
            &format!(
                "x-mine:\n{}",
                lines(count, |number| format!("  key{number}: 1"))
            ),
            "",
        )
    };
    assert_eq!(keys(2_000), None);
    assert!(keys(2_001).unwrap().contains("more than 2000 keys"));
}

#[test]
fn bytes_of_a_file() {
    let filled = |length: usize| {
        let text = "version: 1\nchains: { a: { chain_id: 1, upstreams: [{ name: x, http: 'http://x/' }] } }\n#";
        read(
            "limit.yaml",
            &format!("{text}{}", " ".repeat(length - text.len())),
        )
        .err()
        .map(|problems| problems.to_text())
    };
    assert_eq!(filled(1 << 20), None);
    assert!(filled((1 << 20) + 1).unwrap().contains("too large"));
}

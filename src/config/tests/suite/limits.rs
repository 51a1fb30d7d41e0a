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

#[test]
fn accounts() {
    let accounts = |count| {
        let items = lines(count, |number| format!("  a{number}: {{}}"));
        told(&format!("accounts:\n{items}"), "")
    };
    assert_eq!(accounts(1_024), None);
    assert!(accounts(1_025).unwrap().contains("more than 1024 accounts"));
}

#[test]
fn networks() {
    let networks = |count| {
        let items = lines(count, |number| {
            format!("      10.0.{}.{}/32: eu", number / 256, number % 256)
        });
        told(
            &format!("server:\n  client_region:\n    networks:\n{items}"),
            "        region: eu\n",
        )
    };
    assert_eq!(networks(1_024), None);
    assert!(networks(1_025).unwrap().contains("more than 1024 networks"));
}

#[test]
fn entries_of_compute_units() {
    // Patterns of one method each: `eth_call*` and its longer and longer beginnings are not enough, so of all of the table.
    let names: Vec<&str> = engine::method::all().map(|(_, name, _)| name).collect();
    let patterns: Vec<String> = names
        .iter()
        .flat_map(|name| (4..=name.len()).map(move |end| format!("{}*", &name[..end])))
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    assert!(patterns.len() > 513, "{}", patterns.len());
    let units = |count: usize| {
        let items = lines(count, |number| {
            format!("            {:?}: 1", patterns[number])
        });
        told(
            "",
            &format!("        price:\n          compute_units:\n{items}"),
        )
    };
    assert_eq!(units(512), None);
    assert!(units(513).unwrap().contains("more than 512 entries"));
}

//! How problems look to people and to programs.

use config::{Config, GivenEnvironment, Problems, report_json, report_text};
use std::path::Path;

use crate::world::{catalog, environment, read};

const TEXT: &str = "version: 1
server:
  explian: true
chains:
  ethereum:
    chain_id: one
    upstreams:
      - { name: a, http: \"ftp://node.example.org/SECRETKEY\", timeout: 5 }  # SECRETKEY
";

fn problems(text: &str) -> Problems {
    read("node.yaml", text).unwrap_err()
}

#[test]
fn a_terminal_sees_the_line_with_a_caret_and_without_secrets() {
    let expected = "\
node.yaml:3:3: server.explian: unknown key `explian`
 3 |   explian: …
   |   ^
   = did you mean `explain`?

node.yaml:6:15: chains.ethereum.chain_id: `one` is not a whole number
 6 |     chain_id: one
   |               ^
   = write digits alone, as in `10`

node.yaml:8:26: chains.ethereum.upstreams[0].http: the URL's scheme is neither `https` nor `http`
 8 |       - { name: a, http: …, timeout: 5 }  …
   |                          ^
   = write `https://…` or `http://…`

node.yaml:8:71: chains.ethereum.upstreams[0].timeout: `5` is not a duration
 8 |       - { name: a, http: …, timeout: 5 }  …
   |                                      ^
   = write a number with its unit, as in `250ms`, `10s` or `1m30s`

4 problems
";
    assert_eq!(problems(TEXT).to_text(), expected);
}

#[test]
fn a_program_sees_the_same_as_json() {
    let json = report_json(&Err(problems(TEXT)));
    assert_eq!(json["ok"], false);
    assert_eq!(json["problems"].as_array().unwrap().len(), 4);
    let first = serde_json::json!({
        "file": "node.yaml",
        "line": 3,
        "column": 3,
        "path": "server.explian",
        "message": "unknown key `explian`",
        "remedy": "did you mean `explain`?",
    });
    assert_eq!(json["problems"][0], first);
}

#[test]
fn success_is_one_line() {
    let text = "version: 1\nchains: { a: { chain_id: 1, upstreams: [{ name: x, http: 'http://x/' }, { name: y, http: 'http://y/' }] } }\n";
    let result = read("node.yaml", text);
    assert_eq!(report_text(&result), "ok: 1 chain, 2 upstreams\n");
    assert_eq!(report_json(&result)["ok"], true);
}

#[test]
fn the_host_of_a_wrong_url_may_be_seen() {
    let text = "version: 1\nchains: { a: { chain_id: 1, upstreams: [{ name: x, http: 'https://node.example.org:1/SECRETKEY#' }] } }\n";
    let shown = problems(text).to_text();
    assert!(
        shown.contains("https://node.example.org:1…") && !shown.contains("SECRETKEY"),
        "{shown}"
    );
}

#[test]
fn line_ends_of_every_kind_keep_places_right() {
    for end in ["\n", "\r\n", "\r"] {
        let text = TEXT.replace('\n', end);
        let found: Vec<_> = problems(&text)
            .as_slice()
            .iter()
            .map(|p| (p.line, p.column))
            .collect();
        assert_eq!(found, [(3, 3), (6, 15), (8, 26), (8, 71)], "{end:?}");
        let excerpt = problems(&text).as_slice()[1].excerpt.clone().unwrap();
        assert_eq!(
            (excerpt.text.as_str(), excerpt.caret),
            ("    chain_id: one", 14),
            "{end:?}"
        );
    }
}

#[test]
fn columns_count_characters() {
    let text = "version: 1\nserver: { \"ä\": 1, explian: true }\nchains: {}\n";
    let places: Vec<_> = problems(text)
        .as_slice()
        .iter()
        .map(|p| (p.line, p.column))
        .collect();
    assert_eq!(places, [(2, 11), (2, 19), (3, 1)]);
}

#[test]
fn problems_are_bounded() {
    let keys: String = (0..1_000).map(|n| format!("  key{n}: 1\n")).collect();
    let problems = problems(&format!("version: 1\nserver:\n{keys}chains: {{}}\n"));
    assert_eq!(problems.as_slice().len(), 200);
    assert!(problems.to_text().contains("more than 200 problems"));
}

#[test]
fn a_file_that_is_not_text_or_not_there_is_told() {
    let mut given = environment();
    given.files.insert(
        "/fixtures/binary.yaml".into(),
        b"version: 1\nchains: \xff".to_vec(),
    );
    let load = |name: &str, given: &GivenEnvironment| {
        config::load(Path::new(name), given, &catalog()).unwrap_err()
    };
    let problems = load("/fixtures/binary.yaml", &given);
    assert_eq!(
        (problems.as_slice()[0].line, problems.as_slice()[0].column),
        (2, 9)
    );
    let problems = load("/fixtures/missing.yaml", &given);
    assert_eq!(problems.as_slice()[0].line, 0);
    assert!(
        problems.to_text().starts_with(
            "/fixtures/missing.yaml: the file cannot be read: there is no such file\n"
        )
    );
}

#[test]
fn a_loaded_file_means_files_beside_it() {
    let mut given = environment();
    let text = "version: 1\nchains: { a: { chain_id: 1, upstreams: [{ name: x, http_file: url.txt }] } }\n";
    given
        .files
        .insert("/fixtures/node.yaml".into(), text.as_bytes().to_vec());
    let config = config::load(Path::new("/fixtures/node.yaml"), &given, &catalog()).unwrap();
    assert_eq!(config.files(), [Path::new("/fixtures/url.txt")]);
    assert_eq!(
        config.chains[0].upstreams[0].url.target.expose(),
        "/SECRETKEY"
    );
}

#[test]
fn upstreams_without_a_file_are_named_by_host() {
    let urls = [
        "https://a.example.org/SECRETKEY",
        "http://127.0.0.1:8546",
        "http://127.0.0.1:8547",
        "https://a.example.org/2",
        "http://[::1]:1",
    ];
    let config = Config::from_upstreams(&urls.map(str::to_owned), &catalog()).unwrap();
    let names: Vec<&str> = config.chains[0]
        .upstreams
        .iter()
        .map(|upstream| upstream.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "a.example.org",
            "127.0.0.1-8546",
            "127.0.0.1-8547",
            "a.example.org-2",
            "--1-1"
        ]
    );
    assert_eq!(
        (
            config.chains[0].chain_id,
            config.chains[0].strategy.name.as_str()
        ),
        (None, "leaderboard")
    );

    let urls = [
        "wss://a.example.org/SECRETKEY",
        "http://169.254.169.254/",
        "http://localhost:8545/",
        "https://fine.example.org",
    ];
    let problems = Config::from_upstreams(&urls.map(str::to_owned), &catalog()).unwrap_err();
    assert_eq!(problems.as_slice().len(), 3);
    let text = problems.to_text();
    assert!(
        text.starts_with("--upstream[0]: WebSocket upstreams") && !text.contains("SECRETKEY"),
        "{text}"
    );
    assert!(Config::from_upstreams(&[], &catalog()).is_err());
}

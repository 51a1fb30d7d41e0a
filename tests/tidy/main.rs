//! The rules about absence, executed: each reads the source and says where it is broken. A rule that would hold of
//! nothing fails too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod source;

use source::{Source, files, has_word, root, rust};

/// Fails with every place at once.
fn none(rule: &str, places: Vec<String>) {
    assert!(places.is_empty(), "{rule}\n  {}", places.join("\n  "));
}

/// Lines of the product's code, tests aside, below `folder` that have one of these words.
fn product_lines(folder: &str, words: &[&str]) -> Vec<String> {
    let product = rust(folder).into_iter().filter(|file| !file.is_test());
    product.flat_map(|file| file.lines_with(words)).collect()
}

#[test]
fn the_engine_has_no_clock_socket_thread_or_log() {
    let words = [
        "std",
        "Instant::now",
        "SystemTime",
        "println",
        "eprintln",
        "dbg",
        "tracing",
        "log",
        "thread",
        "libc",
        "tokio",
        "rt",
    ];
    let paths: Vec<_> = words.iter().map(|word| format!("{word}::")).collect();
    let paths: Vec<_> = paths
        .iter()
        .map(String::as_str)
        .chain(["println!", "eprintln!", "dbg!"])
        .collect();
    let broken = rust("src/engine")
        .into_iter()
        .filter(|file| !file.is_test())
        .flat_map(|file| {
            let code = file.code();
            let lines: Vec<_> = code
                .lines()
                .enumerate()
                .filter(|(_, line)| paths.iter().any(|path| starts_path(line, path)))
                .map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim()))
                .collect();
            lines
        });
    none(
        "`engine` is given the time, and does nothing else with the world:",
        broken.collect(),
    );
    let lib = read("src/engine/lib.rs");
    assert!(lib.contains("no_std"), "the compiler is to say so too");
}

/// Whether a line has `path` as the start of a path, as `std::` in `use std::net` but not in `my_std::`.
fn starts_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn only_rt_names_the_runtime_and_the_ring() {
    let words = ["glommio", "io_uring"];
    let found = product_lines("src", &words);
    assert!(
        found.iter().any(|line| line.starts_with("src/rt/")),
        "the rule holds of nothing"
    );
    let elsewhere = found
        .into_iter()
        .filter(|line| !line.starts_with("src/rt/"));
    none(
        "glommio and io_uring are `rt`'s alone:",
        elsewhere.collect(),
    );
    let manifests = files("src")
        .into_iter()
        .filter(|file| file.path.ends_with("Cargo.toml") && !file.path.starts_with("src/rt/"));
    let named =
        manifests.filter(|file| file.text.contains("glommio") || file.text.contains("io-uring"));
    none(
        "only `rt` depends on them:",
        named.map(|file| file.path).collect(),
    );
}

#[test]
fn no_lock_on_a_requests_path() {
    let words = ["Mutex", "RwLock", "Condvar", "OnceLock", "LazyLock"];
    let mut found = product_lines("src/engine", &words);
    found.extend(product_lines("src/data_plane", &words));
    found.extend(product_lines("src/wire", &words));
    none("a shard shares nothing:", found);
}

#[test]
fn unsafe_is_rts_alone() {
    for folder in ["src", "perf", "tests", "benches"] {
        if !root().join(folder).exists() {
            continue;
        }
        let found = files(folder)
            .into_iter()
            .filter(|file| file.path.ends_with(".rs"))
            .flat_map(|file| file.lines_with(&["unsafe"]));
        // An allocator that counts cannot be written without it; it is linked into one test binary.
        let may = ["src/rt/", "tests/allocations/counting.rs:"];
        let elsewhere = found.filter(|line| !may.iter().any(|place| line.starts_with(place)));
        none("`unsafe` outside `rt`:", elsewhere.collect());
    }
}

#[test]
fn the_planes_do_not_know_each_other() {
    none(
        "the data plane names the control plane:",
        product_lines("src/data_plane", &["control_plane"]),
    );
    none(
        "the control plane names the data plane:",
        product_lines("src/control_plane", &["data_plane"]),
    );
}

#[test]
fn the_policies_of_the_engine_do_not_import_each_other() {
    let policies = [
        "account", "strategy", "score", "breaker", "retry", "throttle", "head",
    ];
    let mut broken = Vec::new();
    for policy in policies {
        let others: Vec<_> = policies
            .iter()
            .filter(|other| **other != policy)
            .map(|other| format!("crate::{other}"))
            .collect();
        let others: Vec<_> = others.iter().map(String::as_str).collect();
        broken.extend(product_lines(&format!("src/engine/{policy}"), &others));
    }
    none("siblings that import each other:", broken);
}

#[test]
fn perf_knows_nothing_of_the_product() {
    let manifest = read("perf/Cargo.toml");
    for name in [
        "engine",
        "wire",
        "mailbox",
        "rt",
        "config",
        "telemetry",
        "livechain",
    ] {
        let depends = manifest.lines().any(|line| {
            line.starts_with(&format!("{name}.")) || line.starts_with(&format!("{name} "))
        });
        assert!(!depends, "perf depends on {name}");
    }
}

/// The files of the product whose code has one of these words.
fn product_files_with(words: &[&str]) -> Vec<String> {
    let found = rust("src")
        .into_iter()
        .filter(|file| !file.is_test() && !file.lines_with(words).is_empty());
    found.map(|file| file.path).collect()
}

#[test]
fn one_place_chooses_the_allocator() {
    assert_eq!(product_files_with(&["global_allocator"]), ["src/main.rs"]);
    assert_eq!(product_files_with(&["mimalloc"]), ["src/main.rs"]);
}

#[test]
fn one_place_reads_the_clock() {
    let found = product_files_with(&["Instant::now", "SystemTime::now", "clock_gettime"]);
    assert_eq!(found, ["src/rt/clock.rs"]);
}

#[test]
fn one_place_names_metrics() {
    let is_name = |line: &str| line.contains("\"livechain_") || line.contains("\"process_");
    let found = rust("src")
        .into_iter()
        .filter(|file| !file.is_test() && file.text.lines().any(is_name));
    let found: Vec<_> = found.map(|file| file.path).collect();
    assert!(!found.is_empty(), "the rule holds of nothing");
    assert!(
        found.iter().all(|path| path.starts_with("src/telemetry/")),
        "metrics are named in {found:?}"
    );
    assert_eq!(found.len(), 1, "metrics are named in {found:?}");
}

#[test]
fn one_place_turns_faults_into_bytes() {
    let found: Vec<_> = product_files_with(&["write_error", "write_error_object"]);
    let found: Vec<_> = found
        .into_iter()
        .filter(|path| !path.starts_with("src/wire/"))
        .collect();
    assert_eq!(found, ["src/data_plane/respond.rs"]);
}

#[test]
fn one_place_maps_what_vendors_say() {
    let found = rust("src").into_iter().filter(|file| !file.is_test());
    let told = found.filter(|file| {
        let text = file.text.to_ascii_lowercase();
        text.contains("compute units per second") || text.contains("missing trie node")
    });
    let elsewhere: Vec<_> = told
        .map(|file| file.path)
        .filter(|path| !path.starts_with("src/engine/dialect"))
        .collect();
    none("vendors' words outside `engine/dialect`:", elsewhere);
}

/// Words that say nothing about what a thing is for.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc", "stuff",
];

#[test]
fn no_name_says_nothing() {
    let mut broken = Vec::new();
    for file in ["src", "perf", "tests"].into_iter().flat_map(rust) {
        let stem = |part: &str| part.trim_end_matches(".rs").to_owned();
        if file
            .path
            .split('/')
            .map(stem)
            .any(|part| EMPTY_NAMES.contains(&part.as_str()))
        {
            broken.push(file.path.clone());
        }
        let code = file.code();
        for (at, line) in code.lines().enumerate() {
            if declared(line).is_some_and(|name| says_nothing(&name)) {
                broken.push(format!("{}:{}: {}", file.path, at + 1, line.trim()));
            }
        }
    }
    none("names that say nothing:", broken);
}

/// The module or type that a line declares.
fn declared(line: &str) -> Option<String> {
    let mut words = line
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    words.find(|word| ["mod", "struct", "enum", "trait", "type", "union"].contains(word))?;
    words.next().map(str::to_owned)
}

fn says_nothing(name: &str) -> bool {
    let mut word = String::new();
    let mut words = Vec::new();
    for c in name.chars() {
        if (c.is_uppercase() || c == '_') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        word.extend(c.to_lowercase().filter(|c| *c != '_'));
    }
    words.push(word);
    words
        .iter()
        .any(|word| EMPTY_NAMES.contains(&word.as_str()))
}

#[test]
fn every_file_opens_with_its_purpose() {
    let broken = ["src", "perf", "tests", "benches"]
        .into_iter()
        .filter(|folder| root().join(folder).exists())
        .flat_map(files);
    let broken = broken.filter(|file| {
        // A page of the manual is its module's documentation too.
        let opens = file.text.starts_with("//!") || file.text.starts_with("#![doc = include_str!");
        file.path.ends_with(".rs") && !opens
    });
    none(
        "files that do not say what they are for:",
        broken.map(|file| file.path).collect(),
    );
}

/// Longest file of code; what is longer is a table.
const MAX_LINES: usize = 600;
/// Tables of data, which may be longer.
const TABLES: [&str; 0] = [];

#[test]
fn no_file_is_longer_than_one_can_hold_in_mind() {
    let long = ["src", "perf", "tests"].into_iter().flat_map(rust);
    let long = long.filter(|file| {
        file.text.lines().count() > MAX_LINES && !TABLES.contains(&file.path.as_str())
    });
    none(
        "split these by meaning:",
        long.map(|file| format!("{} ({} lines)", file.path, file.text.lines().count()))
            .collect(),
    );
}

#[test]
fn nothing_unfinished_is_left() {
    let words = ["todo", "unimplemented", "FIXME", "XXX"];
    let found = ["src", "perf", "tests"]
        .into_iter()
        .flat_map(rust)
        .flat_map(|file| {
            let lines = file.text.lines().enumerate();
            let has = |line: &str| words.iter().any(|word| has_word(line, word));
            let found: Vec<_> = lines
                .filter(|(_, line)| has(line) && file.path != "tests/tidy/main.rs")
                .map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim()))
                .collect();
            found
        });
    none("unfinished by its own words:", found.collect());
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    // In pieces, so that this file does not name them.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/tm", "p/"),
        concat!("registry.", "npmjs"),
        concat!("pypi", ".org"),
        concat!("crates", ".io/"),
        concat!("static.crates", ".io"),
        concat!("deb.", "debian.org"),
        concat!("proxy.", "golang.org"),
        concat!("repo1.", "maven"),
        concat!("pythonhosted", ".org"),
        concat!("yarnpkg", ".com"),
    ];
    let mut all: Vec<Source> = files(".");
    // cargo writes where its registry is; nothing can be done about that.
    all.retain(|file| !file.path.ends_with("Cargo.lock"));
    assert!(all.iter().any(|file| file.path == "Cargo.toml"));
    let found = all.iter().flat_map(|file| {
        let lines = file.text.lines().enumerate();
        lines
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
            .map(|(at, line)| {
                format!(
                    "{}:{}: {}",
                    file.path,
                    at + 1,
                    line.get(..160).unwrap_or(line)
                )
            })
            .collect::<Vec<_>>()
    });
    none("it names a machine or a registry:", found.collect());
}

#[test]
fn the_top_level_is_as_it_was_fixed() {
    let fixed = [
        ".cargo",
        ".ci",
        ".config",
        ".git",
        ".gitattributes",
        ".gitignore",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "benches",
        "clippy.toml",
        "deny.toml",
        "perf",
        "rustfmt.toml",
        "src",
        "target",
        "tests",
    ];
    let present = std::fs::read_dir(root()).expect("the root").map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    none(
        "at the top level, and not in the plan:",
        present
            .filter(|name| !fixed.contains(&name.as_str()))
            .collect(),
    );
    for name in [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "src",
        "tests",
        "perf",
        "benches",
    ] {
        assert!(root().join(name).exists(), "{name} is missing");
    }
}

#[test]
fn links_of_the_manual_lead_somewhere() {
    let mut pages = files("src/manual");
    pages.retain(|file| file.path.ends_with(".md"));
    pages.push(Source {
        path: "README.md".to_owned(),
        text: read("README.md"),
    });
    assert!(pages.len() > 5, "the rule holds of nothing");
    let mut broken = Vec::new();
    for page in &pages {
        let folder = root().join(&page.path);
        let folder = folder.parent().expect("a folder");
        for target in links(&page.text) {
            let is_elsewhere =
                target.starts_with("http") || target.starts_with('#') || target.contains("::");
            let file = target.split('#').next().unwrap_or_default();
            if !is_elsewhere && !folder.join(file).exists() {
                broken.push(format!("{}: {target}", page.path));
            }
        }
    }
    none("links that lead nowhere:", broken);
}

/// The targets of a page's links, code aside.
fn links(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            rest = rest.get(at + 2..).unwrap_or_default();
            let end = rest.find(')').unwrap_or(rest.len());
            targets.push(rest.get(..end).unwrap_or_default().to_owned());
        }
    }
    targets
}

#[test]
fn the_run_command_of_the_readme_names_no_binary_and_needs_none() {
    // Several packages of the workspace have a binary; `cargo run` must still know which one is meant.
    assert!(read("README.md").contains("cargo run --release -- demo"));
    assert!(read("Cargo.toml").contains("default-run = \"livechain\""));
}

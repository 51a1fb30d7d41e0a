//! Every file under `tests/config`: good ones load and survive a dump; bad ones have exactly the
//! problems that stand beside them in `NAME.expected`, and none of them shows a secret.
//! `LIVECHAIN_BLESS=1` writes the expectations anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use config::Problems;

use crate::world::{SECRET, fixtures, read};

fn cases(folder: &str) -> BTreeMap<String, (PathBuf, String)> {
    let entries = std::fs::read_dir(fixtures().join(folder)).unwrap();
    let paths = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"));
    paths
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (name, (path, text))
        })
        .collect()
}

fn expectation(problems: &Problems) -> String {
    let mut text = String::new();
    for problem in problems.as_slice() {
        let at = format!("{}:{}", problem.line, problem.column);
        let path = if problem.path.is_empty() {
            "(file)"
        } else {
            &problem.path
        };
        let _ = writeln!(
            text,
            "{at} {path}: {} -> {}",
            problem.message, problem.remedy
        );
    }
    text
}

#[test]
fn bad_files_have_exactly_the_expected_problems() {
    let cases = cases("bad");
    assert!(
        cases.len() >= 60,
        "only {} bad cases were found",
        cases.len()
    );
    let bless = std::env::var_os("LIVECHAIN_BLESS").is_some();
    let mut wrong = String::new();
    for (name, (path, text)) in &cases {
        let Err(problems) = read(&format!("{name}.yaml"), text) else {
            let _ = writeln!(wrong, "{name}: no problem was found");
            continue;
        };
        let found = expectation(&problems);
        let expected_path = path.with_extension("expected");
        if bless {
            std::fs::write(&expected_path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if found != expected {
            let _ = writeln!(wrong, "{name}: expected\n{expected}found\n{found}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_problem_shows_a_secret() {
    for (name, (_, text)) in cases("bad") {
        let problems = read(&name, &text).unwrap_err();
        for shown in [
            problems.to_text(),
            problems.to_json().to_string(),
            format!("{problems:?}"),
        ] {
            assert!(!shown.contains(SECRET), "{name} shows a secret:\n{shown}");
        }
    }
}

#[test]
fn every_problem_has_a_remedy_and_its_line() {
    for (name, (_, text)) in cases("bad") {
        for problem in read(&name, &text).unwrap_err().as_slice() {
            assert!(!problem.remedy.is_empty(), "{name}: {problem:?}");
            assert!(
                problem.line > 0 && problem.column > 0,
                "{name}: {problem:?}"
            );
            assert!(
                (problem.line as usize) <= text.lines().count().max(1) + 1,
                "{name}: {problem:?}"
            );
        }
    }
}

#[test]
fn expectations_belong_to_a_case() {
    let cases = cases("bad");
    for entry in std::fs::read_dir(fixtures().join("bad")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(cases.contains_key(name), "{} has no case", path.display());
    }
}

#[test]
fn good_files_load() {
    let cases = cases("good");
    assert!(cases.len() >= 6);
    for (name, (_, text)) in &cases {
        if let Err(problems) = read(name, text) {
            panic!("{name}:\n{problems}");
        }
    }
}

#[test]
fn a_dump_loads_to_the_same_configuration_but_for_secrets() {
    for (name, (_, text)) in cases("good") {
        let config = read(&name, &text).unwrap();
        let yaml = config.to_yaml().unwrap();
        assert!(!yaml.contains(SECRET), "{name} shows a secret:\n{yaml}");
        assert!(
            !format!("{config:?}").contains(SECRET),
            "{name}: Debug shows a secret"
        );
        let again = match read(&name, &yaml) {
            Ok(again) => again,
            Err(problems) => panic!("{name}:\n{yaml}\n{problems}"),
        };
        // Another reader of YAML sees the same in it.
        let seen: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(seen, config.to_json(), "{name}");
        // What differs is exactly the secrets, which `Debug` does not show.
        assert_eq!(format!("{again:?}"), format!("{config:?}"), "{name}");
        assert_eq!(again.to_json(), config.to_json(), "{name}");
        let json = config.to_json().to_string();
        assert_eq!(read(&name, &json).unwrap(), again, "{name}: JSON is YAML");
    }
}

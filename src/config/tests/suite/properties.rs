//! Properties over texts that nobody wrote by hand: no panic, bounded work, no secret shown, places
//! inside the text.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::world::{SECRET, fixtures, read};

/// Pieces that YAML and this format give a meaning to.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "version: 1\n",
        "chains:\n",
        "server:\n",
        "  ",
        "- ",
        "\n",
        ": ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a ",
        "*a",
        "<<: *a\n",
        "!t ",
        "|\n",
        ">\n",
        "\"",
        "'",
        "#",
        "\t",
        "---\n",
        "%YAML 1.2\n",
        "? ",
        "${",
        "}",
        "${PORT}",
        "$${",
        "http: ",
        "https://",
        "name: x\n",
        "~",
        "\r",
        "\u{feff}",
        "\u{2028}",
        "ä",
        "\\",
        "limits: ",
        "headers: ",
        "upstreams:\n",
        "strategy: ",
        "leaderboard",
        "null",
        "5s",
        "x-a: ",
    ];
    prop_oneof![9 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn good_text() -> impl Strategy<Value = String> {
    let texts: Vec<String> = std::fs::read_dir(fixtures().join("good"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    proptest::sample::select(texts)
}

/// Whether all that is told about a text keeps what every answer must keep.
fn sound(text: &str) -> Result<(), TestCaseError> {
    let Err(problems) = read("p.yaml", text) else {
        return Ok(());
    };
    prop_assert!(!problems.as_slice().is_empty());
    let lines = text.split(['\n', '\r']).count();
    for problem in problems.as_slice() {
        prop_assert!(problem.line as usize <= lines + 1, "{problem:?}");
        prop_assert!(
            !problem
                .message
                .chars()
                .chain(problem.path.chars())
                .any(char::is_control),
            "{problem:?}"
        );
        if let Some(excerpt) = &problem.excerpt {
            prop_assert!(!excerpt.text.contains(char::is_control), "{problem:?}");
            prop_assert!(excerpt.caret <= excerpt.text.chars().count(), "{problem:?}");
        }
    }
    Ok(())
}

/// The same cases each time: what moves a secret into a name's place by chance is no finding, and a
/// run with another seed is for whoever looks for findings.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(20_261_122),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        sound(&text)?;
    }

    #[test]
    fn no_yaml_panics(pieces in proptest::collection::vec(piece(), 0..60)) {
        sound(&pieces.concat())?;
    }

    #[test]
    fn no_damage_to_a_good_file_panics_or_shows_a_secret(
        text in good_text(),
        cut in any::<prop::sample::Index>(),
        length in 0_usize..20,
        insert in piece(),
    ) {
        let mut characters: Vec<char> = text.chars().collect();
        let start = cut.index(characters.len());
        let end = (start + length).min(characters.len());
        characters.splice(start..end, insert.chars());
        let damaged: String = characters.into_iter().collect();
        sound(&damaged)?;
        if let Err(problems) = read("p.yaml", &damaged) {
            // Damage may move a secret into a key's or a name's place, where nobody can tell it.
            let shown = problems.to_text();
            let moved = problems.as_slice().iter().any(|p| p.message.contains(SECRET) || p.path.contains(SECRET));
            prop_assert!(moved || !shown.contains(SECRET), "{damaged}\n{shown}");
        }
    }
}

#[test]
fn arbitrary_bytes_are_refused_without_a_panic() {
    // Every byte at every position of a short text: what is not UTF-8 is told at its place.
    for byte in 0..=255_u8 {
        let mut given = crate::world::environment();
        given.files.insert(
            "/b.yaml".into(),
            [b"version: 1\nx: ", [byte].as_slice(), b"\n"].concat(),
        );
        let problems = config::load(
            std::path::Path::new("/b.yaml"),
            &given,
            &crate::world::catalog(),
        )
        .unwrap_err();
        assert!(!problems.as_slice().is_empty(), "{byte}");
    }
}

#[test]
fn bombs_are_refused_early() {
    let nested = |open: &str, close: &str, n: usize| {
        format!(
            "version: 1\nserver: {}{}\n",
            open.repeat(n),
            close.repeat(n)
        )
    };
    let mut doubling = String::from("version: 1\nx-0: &a0 [1, 1]\n");
    for level in 1..60 {
        let _ = writeln!(
            doubling,
            "x-{level}: &a{level} [*a{}, *a{}]",
            level - 1,
            level - 1
        );
    }
    let mut merging = String::from("version: 1\nx-0: &a0 { k0: 1 }\n");
    for level in 1..5_000 {
        let _ = writeln!(
            merging,
            "x-{level}: &a{level} {{ <<: *a{}, k{level}: 1 }}",
            level - 1
        );
    }
    let mut deepening = String::from("version: 1\nx-0: &a0 [1]\n");
    for level in 1..100 {
        let _ = writeln!(deepening, "x-{level}: &a{level} [*a{}]", level - 1);
    }
    let wide = format!("version: 1\nserver: [{}]\n", "1,".repeat(60_000));
    for text in [
        nested("[", "]", 100_000),
        nested("{a: ", "}", 100_000),
        "- ".repeat(100_000),
        doubling,
        merging,
        deepening,
        wide,
    ] {
        let problems = read("bomb.yaml", &text).unwrap_err();
        let last = problems.as_slice().last().unwrap();
        let refused = ["more than", "nested deeper", "not YAML"]
            .iter()
            .any(|words| last.message.contains(words));
        assert!(refused, "{last:?}");
    }
}

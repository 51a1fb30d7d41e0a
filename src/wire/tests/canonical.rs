//! Canonical params: one spelling for what means the same, never one for what may not; and the edges of the bounds of
//! what is read of params and results.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use serde_json::Value;
use wire::block::{BlockRef, Form, Height, block_of};
use wire::canonical::{MAX_BYTES, MAX_DEPTH, MAX_MEMBERS, NotCanonical, write_params};
use wire::facts::{MAX_LOOK_BYTES, front_block, result_facts};

fn canonical(params: &str) -> Result<String, NotCanonical> {
    let mut out = Vec::new();
    write_params(&mut out, Some(params.as_bytes()))?;
    Ok(String::from_utf8(out).unwrap())
}

/// A value as a tree, to be written in many ways.
#[derive(Clone, Debug)]
enum Tree {
    Token(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Few different leaves, so that trees that differ by one leaf are common.
fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?(e[0-9])?",
        "(null|true|false)",
        "\"0x[0-9a-fA-F]{0,5}\"",
        "\"0x[0-9a-fA-F]{38,70}\"",
        "\"[a-fA-FxX0 ]{0,5}\"",
        "\"(latest|safe|Latest|0xg|é0xA)\"",
    ];
    let leaf = leaf.prop_map(Tree::Token);
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            prop::collection::vec(("[a-dA-D]{0,3}", inner), 0..5).prop_map(Tree::Object),
        ]
    })
}

/// Writes a tree with blanks, members in another order, and hex in another case, all as the dice say.
fn write(tree: &Tree, out: &mut String, dice: &mut impl FnMut() -> u8) {
    let blanks = |out: &mut String, dice: &mut dyn FnMut() -> u8| {
        let text = ["", "", "", " ", "\t", "\r\n  "];
        out.push_str(text[usize::from(dice()) % text.len()]);
    };
    blanks(out, dice);
    match tree {
        Tree::Token(token) => {
            let hex = token.strip_prefix("\"0x").and_then(|t| t.strip_suffix('"'));
            match hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit())) {
                None => out.push_str(token),
                Some(digits) => {
                    out.push_str("\"0x");
                    for digit in digits.chars() {
                        out.push(match dice() % 2 {
                            0 => digit.to_ascii_lowercase(),
                            _ => digit.to_ascii_uppercase(),
                        });
                    }
                    out.push('"');
                }
            }
        }
        Tree::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(element, out, dice);
            }
            blanks(out, dice);
            out.push(']');
        }
        Tree::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            for index in 1..members.len() {
                members.swap(index, usize::from(dice()) % (index + 1));
            }
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                blanks(out, dice);
                out.push_str(&format!("\"{key}\""));
                blanks(out, dice);
                out.push(':');
                write(value, out, dice);
            }
            blanks(out, dice);
            out.push('}');
        }
    }
    blanks(out, dice);
}

fn written(tree: &Tree, seed: u64) -> String {
    let mut state = seed | 1;
    let mut dice = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let mut out = String::new();
    write(tree, &mut out, &mut dice);
    out
}

/// What a text means, by another parser: hex strings in lower case, all else as it stands.
fn meaning(text: &str) -> Value {
    fn lower(value: &mut Value) {
        match value {
            Value::String(text) => {
                let hex = text.strip_prefix("0x");
                if hex.is_some_and(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit())) {
                    text.make_ascii_lowercase();
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(lower),
            Value::Object(members) => members.values_mut().for_each(lower),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).unwrap();
    lower(&mut value);
    value
}

/// Whether two keys of one object would be taken for one by a reader that ignores case.
fn ambiguous(tree: &Tree) -> bool {
    match tree {
        Tree::Token(_) => false,
        Tree::Array(elements) => elements.iter().any(ambiguous),
        Tree::Object(members) => {
            let mut keys: Vec<_> = members.iter().map(|(key, _)| key.to_lowercase()).collect();
            keys.sort();
            keys.windows(2).any(|pair| pair[0] == pair[1])
                || members.iter().any(|(_, value)| ambiguous(value))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn order_blanks_and_case_make_no_difference(tree in tree(), one in any::<u64>(), other in any::<u64>()) {
        let (one, other) = (written(&tree, one), written(&tree, other));
        let form = canonical(&one);
        prop_assert_eq!(&form, &canonical(&other));
        match form {
            Ok(form) => {
                prop_assert!(!ambiguous(&tree));
                prop_assert_eq!(canonical(&form), Ok(form.clone()));
                prop_assert_eq!(meaning(&form), meaning(&one));
            }
            Err(why) => {
                prop_assert_eq!(why, NotCanonical::Ambiguous);
                prop_assert!(ambiguous(&tree));
            }
        }
    }

    #[test]
    fn equal_forms_mean_the_same(trees in prop::collection::vec(tree(), 2..12)) {
        let texts: Vec<_> = trees.iter().map(|tree| written(tree, 7)).collect();
        let forms: Vec<_> = texts.iter().map(|text| canonical(text)).collect();
        for (index, form) in forms.iter().enumerate() {
            for (other, text) in forms.iter().zip(&texts).skip(index + 1) {
                if form.is_ok() && form == other {
                    prop_assert_eq!(meaning(&texts[index]), meaning(text));
                }
            }
        }
    }

    #[test]
    fn what_is_canonical_asks_about_the_same_block(tree in tree(), block in tree(), seed in any::<u64>()) {
        let end = Tree::Object(vec![("fromBlock".into(), block.clone()), ("x".into(), tree.clone())]);
        let asked = Tree::Array(vec![end, block, tree]);
        let text = written(&asked, seed);
        if let Ok(form) = canonical(&text) {
            for form_of_block in [Form::NumberOrTag, Form::NumberTagOrHash, Form::Hash, Form::Range] {
                for index in 0..4 {
                    let of = |text: &str| block_of(Some(text.trim().as_bytes()), index, form_of_block, true);
                    prop_assert_eq!(of(&form), of(&text));
                }
            }
        }
    }
}

#[test]
fn absent_params_are_an_empty_array() {
    let mut out = b"key ".to_vec();
    write_params(&mut out, None).unwrap();
    assert_eq!(out, b"key []");
    assert_eq!(canonical("[]").unwrap(), "[]");
    // A refusal leaves what was there.
    write_params(&mut out, Some(br#"[{"b":1,"a":["\n"]}]"#)).unwrap_err();
    assert_eq!(out, b"key []");
}

#[test]
fn each_bound_holds_at_its_edge() {
    let long = |bytes: usize| format!("[\"{}\"]", "A".repeat(bytes - 4));
    assert_eq!(canonical(&long(MAX_BYTES)), Ok(long(MAX_BYTES)));
    assert_eq!(canonical(&long(MAX_BYTES + 1)), Err(NotCanonical::TooLong));
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(canonical(&deep(MAX_DEPTH)), Ok(deep(MAX_DEPTH)));
    assert_eq!(canonical(&deep(MAX_DEPTH + 1)), Err(NotCanonical::TooDeep));
    let wide = |members: usize| {
        let members: Vec<_> = (0..members).map(|key| format!("\"{key:03}\":1")).collect();
        format!("[{{{}}}]", members.join(","))
    };
    assert_eq!(canonical(&wide(MAX_MEMBERS)), Ok(wide(MAX_MEMBERS)));
    assert_eq!(
        canonical(&wide(MAX_MEMBERS + 1)),
        Err(NotCanonical::TooManyMembers)
    );
}

#[test]
fn the_output_needs_at_most_twice_the_input() {
    let nested = (0..MAX_DEPTH - 1).fold("1".to_owned(), |inner, _| {
        format!(r#"{{"b":{inner},"a":"0xff"}}"#)
    });
    let params = format!("[{nested}]");
    let mut out = Vec::with_capacity(2 * params.len());
    let room = out.capacity();
    write_params(&mut out, Some(params.as_bytes())).unwrap();
    assert_eq!((out.len(), out.capacity()), (params.len(), room));
}

#[test]
fn a_call_without_params_asks_about_the_latest_block_or_nothing() {
    let latest = BlockRef::At(Height::Tag(wire::quantity::BlockTag::Latest));
    for form in [Form::NumberOrTag, Form::NumberTagOrHash] {
        assert_eq!(block_of(None, 0, form, true), latest);
        assert_eq!(block_of(None, 0, form, false), BlockRef::Unreadable);
    }
    assert_eq!(block_of(None, 0, Form::Hash, true), BlockRef::Unreadable);
    let (from, to) = match block_of(None, 0, Form::Range, true) {
        BlockRef::Range { from, to } => (from, to),
        other => panic!("{other:?}"),
    };
    assert_eq!((BlockRef::At(from), BlockRef::At(to)), (latest, latest));
}

#[test]
fn each_form_reads_its_own() {
    let hash = format!("0x{}", "ab".repeat(32));
    let read = |param: &str, form| block_of(Some(format!("[{param}]").as_bytes()), 0, form, true);
    for (param, forms) in [
        (r#""0x10""#.to_owned(), [true, true, false, false]),
        (r#""latest""#.to_owned(), [true, true, false, false]),
        (format!("\"{hash}\""), [false, true, true, false]),
        (
            r#"{"blockNumber":"0x10"}"#.to_owned(),
            [false, true, false, true],
        ),
        (
            format!(r#"{{"blockHash":"{hash}"}}"#),
            [false, true, false, true],
        ),
        (
            r#"{"fromBlock":"0x10"}"#.to_owned(),
            [false, false, false, true],
        ),
    ] {
        let read = [
            Form::NumberOrTag,
            Form::NumberTagOrHash,
            Form::Hash,
            Form::Range,
        ]
        .map(|form| read(&param, form) != BlockRef::Unreadable);
        assert_eq!(read, forms, "{param}");
    }
}

#[test]
fn facts_are_looked_for_up_to_a_bound() {
    let frame = r#"{"x":"","number":"0x10""#.len();
    let block = |bytes: usize| {
        format!(
            r#"{{"x":"{}","number":"0x10","y":[]}}"#,
            "a".repeat(bytes - frame)
        )
    };
    let number = |text: &str| result_facts(text.as_bytes()).block_number;
    // The number's closing quote is the last byte that is looked at.
    assert_eq!(number(&block(MAX_LOOK_BYTES)), Some(16));
    assert_eq!(number(&block(MAX_LOOK_BYTES + 1)), None);
    let frame = r#"[{"x":"","blockNumber":"0x10"}]"#.len();
    let logs = |bytes: usize| {
        format!(
            r#"[{{"x":"{}","blockNumber":"0x10"}}]"#,
            "a".repeat(bytes - frame)
        )
    };
    assert_eq!(number(&logs(MAX_LOOK_BYTES)), Some(16));
    assert_eq!(number(&logs(MAX_LOOK_BYTES + 1)), None);
}

#[test]
fn the_front_of_a_long_result_names_a_block_as_far_as_it_is_there() {
    for (front, named) in [
        (r#"{"number":"0x10","transactions":[{"a"#, Some(16)),
        (
            r#"{"logs":[{"blockNumber":"0x11"}],"blockNumber":"0x10""#,
            Some(16),
        ),
        (r#"{"logs":[{"blockNumber":"0x11"},"#, None),
        (r#"{"number":"0x1"#, None),
        (r#"{"number":null,"a":["#, None),
        (
            r#"[{"blockNumber":"0x10","a":1},{"blockNumber":"0x12","b":"c"#,
            Some(18),
        ),
        (r#"[{"blockNumber":"0x10"},{"blockNumber":"0x1"#, Some(16)),
        (r#"[{"logs":[{"blockNumber":"0x11"}],"a":"b"#, None),
        (r#"[{"a":1},{"blockNumber":7},["#, Some(7)),
        (r#"["0x10","#, None),
        (r#""0x10"#, None),
        ("[", None),
        ("", None),
    ] {
        assert_eq!(front_block(front.as_bytes()), named, "{front}");
    }
}

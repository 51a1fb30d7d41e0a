//! Variables and files: what is replaced, what is refused, and that no value is shown.

use proptest::prelude::*;

use super::*;

fn given() -> GivenEnvironment {
    let pairs = [("NAME", "value"), ("EMPTY", ""), ("NESTED", "${NAME}")];
    let variables = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    GivenEnvironment {
        variables,
        ..GivenEnvironment::default()
    }
}

#[test]
fn references_are_replaced_once() {
    for (text, expected) in [
        ("", ""),
        ("plain $ text $$ {NAME}", "plain $ text $$ {NAME}"),
        ("${NAME}", "value"),
        ("a${NAME}b${NAME}", "avaluebvalue"),
        ("${NAME:-other}", "value"),
        ("${MISSING:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a:-b}", "a:-b"),
        ("${NESTED}", "${NAME}"),
        ("$${NAME}", "${NAME}"),
        ("$$${NAME}", "$${NAME}"),
        ("$NAME", "$NAME"),
    ] {
        assert_eq!(
            substitute(text, &given()).as_deref(),
            Ok(expected),
            "{text}"
        );
    }
}

#[test]
fn every_bad_reference_is_told_with_its_offset() {
    let bad = substitute("${NAME} ${NO} ${1A} ${A-b} ${EMPTY} ${", &given()).unwrap_err();
    let offsets: Vec<usize> = bad.iter().map(|reference| reference.offset).collect();
    assert_eq!(offsets, [8, 14, 20, 27, 36]);
}

#[test]
fn a_fault_holds_no_value() {
    let bad = substitute("${NAME}${NO:-${hidden}}${hidden stuff}", &given()).unwrap_err();
    for reference in bad {
        let shown = format!("{}{}", reference.message, reference.remedy);
        assert!(
            !shown.contains("value") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}

#[test]
fn a_file_above_the_limit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let limit = usize::try_from(MAX_FILE_BYTES).unwrap();
    std::fs::write(&path, vec![b'x'; limit]).unwrap();
    assert_eq!(ProcessEnvironment.file(&path).unwrap().len(), limit);
    std::fs::write(&path, vec![b'x'; limit + 1]).unwrap();
    assert_eq!(
        ProcessEnvironment.file(&path).unwrap_err().kind(),
        io::ErrorKind::FileTooLarge
    );
}

proptest! {
    #[test]
    fn an_escaped_text_is_itself_again(text in "[${}NAME:a-]{0,30}") {
        prop_assert_eq!(substitute(&escape(&text), &given()), Ok(text));
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = substitute(&text, &given());
    }
}

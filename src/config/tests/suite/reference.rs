//! The schema, the reference page and the reader say the same. `LIVECHAIN_BLESS=1` writes the page
//! anew.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{catalog, fixtures, read};

/// All keys of sections in a schema, but those that only hold operators' names.
fn schema_keys(value: &Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = value.get("properties").and_then(Value::as_object) {
        keys.extend(properties.keys().cloned());
    }
    match value {
        Value::Object(map) => map.values().for_each(|value| schema_keys(value, keys)),
        Value::Array(items) => items.iter().for_each(|value| schema_keys(value, keys)),
        _ => {}
    }
}

fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.keys().cloned());
            map.values().for_each(|value| keys(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn the_fixture_with_everything_has_every_key_and_a_dump_keeps_it() {
    let mut of_schema = BTreeSet::new();
    schema_keys(&config::schema(&catalog()), &mut of_schema);
    assert!(of_schema.len() > 60, "{of_schema:?}");
    let text = std::fs::read_to_string(fixtures().join("good/everything.yaml")).unwrap();
    let mut of_dump = BTreeSet::new();
    keys(
        &read("everything.yaml", &text).unwrap().to_json(),
        &mut of_dump,
    );
    let missing: Vec<&String> = of_schema.difference(&of_dump).collect();
    assert!(
        missing.is_empty(),
        "not in good/everything.yaml or its dump: {missing:?}"
    );
}

#[test]
fn the_schema_has_defaults_from_the_model() {
    let schema = config::schema(&catalog());
    let at = |pointer: &str| {
        schema
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer}"))
            .clone()
    };
    assert_eq!(at("/$defs/Limits/properties/hold_bytes/default"), "64KiB");
    assert_eq!(at("/$defs/Breaker/properties/failures/default"), 5);
    assert_eq!(
        at("/$defs/Chain/properties/strategy/default"),
        "leaderboard"
    );
    assert_eq!(at("/$defs/Retry/properties/budget/default"), "20%");
    assert_eq!(at("/$defs/Log/properties/level/default"), "info");
    assert_eq!(at("/$defs/Log/properties/level/anyOf/0/enum/0"), "error");
    assert_eq!(
        at("/$defs/Server/properties/listen/default/0"),
        "127.0.0.1:8545"
    );
    assert!(
        schema
            .pointer("/$defs/Upstream/properties/name/default")
            .is_none()
    );
}

#[test]
fn references_of_the_schema_lead_somewhere() {
    fn check(value: &Value, root: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                    assert!(
                        root.pointer(target.trim_start_matches('#'))
                            .is_some_and(Value::is_object),
                        "{target}"
                    );
                }
                map.values().for_each(|value| check(value, root));
            }
            Value::Array(items) => items.iter().for_each(|value| check(value, root)),
            _ => {}
        }
    }
    let schema = config::schema(&catalog());
    check(&schema, &schema);
}

#[test]
fn strategies_of_the_page_are_the_caller_s() {
    let page = config::reference(&catalog());
    assert!(
        page.contains("| | `explore` | a share from 0% to 10% | `2%` | For tests. |"),
        "{page}"
    );
    assert!(!config::reference(&config::StrategyCatalog::default()).contains("## Strategies"));
}

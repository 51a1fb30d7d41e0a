//! A node's own error about the call reaches the client unchanged: every error among the golden exchanges of the
//! execution API, and no result of theirs is taken for a fault.

use std::path::Path;

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde_json::Value;

use super::super::*;
use crate::fault::EmitRule;

/// Every request and its answer, in the order in which they stand.
fn exchanges() -> Vec<(Value, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/execution-apis");
    let mut all = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the golden exchanges") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == "io") {
                let text = std::fs::read_to_string(&path).expect("a golden exchange");
                let side = |mark: &str| -> Vec<Value> {
                    text.lines()
                        .filter_map(|line| line.strip_prefix(mark))
                        .map(|json| serde_json::from_str(json).expect("JSON"))
                        .collect()
                };
                all.extend(side(">> ").into_iter().zip(side("<< ")));
            }
        }
    }
    all
}

#[test]
fn golden_errors_are_relayed_and_golden_results_are_results() {
    let mut errors = 0;
    let mut results = 0;
    for (request, answer) in exchanges() {
        let method = request["method"].as_str().expect("a method");
        let Some(error) = answer.get("error") else {
            results += 1;
            assert_eq!(
                check_result(method, answer["result"].to_string().as_bytes()),
                None,
                "{request}"
            );
            continue;
        };
        errors += 1;
        let data = match &error["data"] {
            Value::Null => String::new(),
            Value::String(content) => content.clone(),
            other => other.to_string(),
        };
        let verdict = classify(&Observed {
            provider: "node",
            host: "127.0.0.1",
            method,
            http_status: 200,
            code: error["code"].as_i64(),
            message: error["message"].as_str().unwrap_or(""),
            data: &data,
            retry_after: None,
            window: None,
        });
        assert_eq!(
            verdict.class.traits().emit,
            EmitRule::Relay,
            "{error} is {verdict:?}"
        );
        assert_eq!(verdict.normalized, None, "{error} is {verdict:?}");
        assert_ne!(verdict.class, FaultClass::Unclassified, "{error}");
    }
    assert!(
        errors >= 40 && results >= 150,
        "{errors} errors, {results} results"
    );
}

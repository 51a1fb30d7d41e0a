//! Lines as they are written, and the level while it changes. One test changes the level: it is the process's.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;

/// Runs `body` with a log of its own and gives its lines back.
fn logged(format: LogFormat, body: impl FnOnce()) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let layer = Lines {
        format,
        clock: || std::time::Duration::from_secs(1_700_000_000),
        write: move |line: &str| sink.lock().unwrap().push(line.to_owned()),
    };
    tracing::subscriber::with_default(Registry::default().with(layer), body);
    let lines = lines.lock().unwrap();
    lines.clone()
}

#[test]
fn the_log_is_one_line_an_event_and_follows_the_level() {
    let hostile = "evil\n{\"level\":\"error\"}\u{1b}[31m";
    let body = || {
        set_level(LogLevel::Info);
        tracing::info!(
            method = hostile,
            count = 3,
            ok = true,
            share = 0.5,
            "said \"{hostile}\""
        );
        tracing::debug!("not wanted");
        set_level(LogLevel::Debug);
        tracing::debug!("wanted");
        set_level(LogLevel::Off);
        tracing::error!("not wanted either");
        set_level(LogLevel::Info);
    };
    let text = logged(LogFormat::Text, body);
    assert_eq!(text.len(), 2, "{text:?}");
    assert!(
        text[0].contains("  INFO telemetry::log::tests: said \"evil\\n"),
        "{}",
        text[0]
    );
    assert!(
        text[0].trim_end().ends_with(r#"count=3 ok=true share=0.5"#),
        "{}",
        text[0]
    );
    assert!(text[1].contains("DEBUG"));

    let json = logged(LogFormat::Json, body);
    assert_eq!(json.len(), 2, "{json:?}");
    let value: Value = serde_json::from_str(&json[0]).unwrap();
    assert_eq!(value["level"], "info");
    assert_eq!(value["message"], format!("said \"{hostile}\""));
    assert_eq!(
        value["fields"],
        serde_json::json!({ "method": hostile, "count": 3, "ok": true, "share": 0.5 })
    );

    for line in text.iter().chain(&json) {
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}

#[test]
fn levels_read_back_by_their_names() {
    for level in LogLevel::ALL {
        assert_eq!(level.label().parse(), Ok(*level));
    }
    assert_eq!("loud".parse::<LogLevel>(), Err(UnknownLevel));
}

//! The reference page of all keys, in Markdown, from the schema: it cannot say what the reader does
//! not do.

use std::fmt::Write as _;

use serde_json::Value;

use crate::catalog::StrategyCatalog;
use crate::schema::schema;
use crate::strategy::{default_setting, expectation, show};

/// What stands before the tables.
const INTRODUCTION: &str = "\
# Configuration, version 1

One YAML file. This page is generated from the declarations that also read the file and make its
JSON Schema (`livechain schema`); `livechain check FILE` tells all that is wrong with a file, and
`livechain dump FILE` prints it with defaults filled in and secrets replaced.

- `${NAME}` in a value is replaced by the environment variable, `${NAME:-default}` falls back, and
  `$${` is the text `${`. Keys are not replaced. A variable that is missing is an error.
- Secrets may live in files of their own: `http_file`, and `{ value_file: … }` for a header.
- Paths are relative to the file's folder.
- A duration has its unit: `250ms`, `10s`, `1m30s`, `2h`. A size is `64KiB`, `5MiB`, `10MB` or bytes.
  A share is `20%` or `0.2`.
- Unknown and repeated keys are errors. Keys that begin with `x-` at the top are yours: a place for
  YAML anchors (`x-defaults: &defaults { … }`, then `<<: *defaults`).
";

/// The page.
#[must_use]
pub fn reference(catalog: &StrategyCatalog) -> String {
    let schema = schema(catalog);
    let mut page = INTRODUCTION.to_owned();
    let sections = schema.get("$defs").cloned().unwrap_or_default();
    section(&mut page, "The file", &schema, "", &sections);
    if !catalog.strategies.is_empty() {
        strategies(&mut page, catalog);
    }
    page
}

/// One section's table, then those of the sections below it.
fn section(page: &mut String, title: &str, schema: &Value, path: &str, sections: &Value) {
    let about = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let _ = write!(
        page,
        "\n## {title}\n\n{about}\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
    );
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut below = Vec::new();
    for (key, kind) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let default = match kind.get("default") {
            Some(default) => format!("`{}`", plain(default)),
            None if required.contains(&key.as_str()) => "required".to_owned(),
            None => String::new(),
        };
        let meaning = kind
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let _ = writeln!(
            page,
            "| `{key}` | {} | {default} | {} |",
            value(kind),
            meaning.replace('|', "\\|")
        );
        below.extend(nested(key, kind, path));
    }
    for (inner_path, name) in below {
        // A section that two keys share is described where it is met first.
        let title = format!("`{inner_path}`");
        if let Some(inner) = sections.get(&name)
            && inner.get("properties").is_some()
            && !(name == "MethodRule" && path.starts_with("chains"))
        {
            section(page, &title, inner, &inner_path, sections);
        }
    }
}

/// A default as a file would have it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The section that a key leads to, and its path.
fn nested(key: &str, kind: &Value, path: &str) -> Option<(String, String)> {
    let own = if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    };
    let (target, suffix) = match (
        target(kind),
        kind.get("additionalProperties").and_then(target),
        kind.get("items").and_then(target),
    ) {
        (Some(name), _, _) => (name, ""),
        (_, Some(name), _) => (name, ".…"),
        (_, _, Some(name)) => (name, "[]"),
        _ => return None,
    };
    Some((format!("{own}{suffix}"), target))
}

fn target(kind: &Value) -> Option<String> {
    kind.get("$ref")?
        .as_str()?
        .strip_prefix("#/$defs/")
        .map(str::to_owned)
}

/// What a key's value is, in a word or two.
fn value(kind: &Value) -> String {
    if let Some(title) = kind.get("title").and_then(Value::as_str) {
        return title.to_owned();
    }
    if let Some(name) = target(kind) {
        return if name == "Strategy" {
            "strategy".to_owned()
        } else {
            "section".to_owned()
        };
    }
    if let Some(items) = kind.get("items") {
        return format!("list of {}", plural(&value(items)));
    }
    if kind
        .get("additionalProperties")
        .is_some_and(Value::is_object)
    {
        return "mapping by name".to_owned();
    }
    let words = kind.pointer("/anyOf/0/enum").and_then(Value::as_array);
    if let Some(words) = words {
        return words
            .iter()
            .filter_map(Value::as_str)
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ");
    }
    match kind.pointer("/type/0").and_then(Value::as_str) {
        Some("boolean") => "`true`, `false`".to_owned(),
        _ => "text".to_owned(),
    }
}

fn plural(word: &str) -> String {
    if word.ends_with('s') {
        format!("{word}es")
    } else {
        format!("{word}s")
    }
}

fn strategies(page: &mut String, catalog: &StrategyCatalog) {
    let _ = write!(
        page,
        "\n## Strategies\n\nA strategy is given by its name, or as `{{ name: …, option: … }}`.\n\n| name | option | value | default | meaning |\n|---|---|---|---|---|\n"
    );
    for strategy in &catalog.strategies {
        let _ = writeln!(page, "| `{}` | | | | {} |", strategy.name, strategy.about);
        for option in &strategy.options {
            let expected = expectation(&option.kind);
            let default = show(&default_setting(&option.kind));
            let _ = writeln!(
                page,
                "| | `{}` | {expected} | `{default}` | {} |",
                option.name, option.about
            );
        }
    }
}

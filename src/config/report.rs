//! What `check` says, for people and for programs.

use serde_json::json;

use crate::model::Config;
use crate::problem::Problems;

/// The answer of `check` as text, ending in a line break: the problems, or one line that sums up.
#[must_use]
pub fn report_text(result: &Result<Config, Problems>) -> String {
    match result {
        Ok(config) => format!(
            "ok: {}, {}\n",
            count(config.chains.len(), "chain"),
            count(config.upstream_count(), "upstream")
        ),
        Err(problems) => problems.to_text(),
    }
}

/// The answer of `check` as JSON: `ok`, and either `chains` and `upstreams` or `problems`.
#[must_use]
pub fn report_json(result: &Result<Config, Problems>) -> serde_json::Value {
    match result {
        Ok(config) => json!({
            "ok": true,
            "chains": config.chains.len(),
            "upstreams": config.upstream_count(),
            "problems": [],
        }),
        Err(problems) => problems.to_json(),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

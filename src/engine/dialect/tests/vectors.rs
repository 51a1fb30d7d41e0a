//! The fixtures of `tests/vectors/dialect`: what a vendor or a node says, the verdict, what our client sees, and what its
//! library does with that.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use std::path::Path;

use serde_json::{Value, json};

use super::super::*;
use super::clients::{self, Seen};
use crate::fault::{EmitRule, emitted};

/// The wall clock that dates in the fixtures' headers are measured from: 2026-11-22 00:00:00 UTC.
const NOW_UNIX_S: u64 = 1_795_305_600;

fn fixtures() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/dialect");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the fixtures' folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|own| own == "json") {
            let text = std::fs::read_to_string(&path).expect("a fixture file");
            let read: Vec<Value> = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            all.extend(read);
        }
    }
    all
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

/// The data as the driver hands it over: a string's content, else the JSON text.
fn data_text(error: &Value) -> String {
    match &error["data"] {
        Value::Null => String::new(),
        Value::String(content) => content.clone(),
        other => other.to_string(),
    }
}

/// What an error's message and data were for the verdict; for a `result` the data is its text.
struct Judged {
    verdict: Verdict,
    data: String,
}

fn judge(fixture: &Value) -> Judged {
    let mut waits = HeadWaits::default();
    for (name, value) in fixture["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        waits.take(name.as_bytes(), value.as_bytes(), NOW_UNIX_S);
    }
    let status = u16::try_from(fixture["http_status"].as_u64().unwrap()).unwrap();
    let (provider, host, method) = (
        text(fixture, "vendor"),
        text(fixture, "host"),
        text(fixture, "method"),
    );
    if let Some(body) = fixture["body"].as_str() {
        let answer = HttpAnswer {
            provider,
            host,
            method,
            status,
            content_type_is_json: text(fixture, "content_type") == "application/json",
            body_prefix: body.as_bytes(),
            retry_after: waits.asked(),
            window: waits.window(),
        };
        return Judged {
            verdict: classify_status(&answer),
            data: String::new(),
        };
    }
    if let Some(result) = fixture.get("result") {
        let result = result.to_string();
        let verdict = check_result(method, result.as_bytes()).expect("a result that is a fault");
        return Judged {
            verdict,
            data: result,
        };
    }
    let error = &fixture["error"];
    let data = data_text(error);
    let verdict = classify(&Observed {
        provider,
        host,
        method,
        http_status: status,
        code: error["code"].as_i64(),
        message: text(error, "message"),
        data: &data,
        retry_after: waits.asked(),
        window: waits.window(),
    });
    Judged { verdict, data }
}

/// What the client is sent if this was the call's only upstream.
fn seen_by_client(fixture: &Value, judged: &Judged) -> Value {
    let (verdict, error) = (&judged.verdict, &fixture["error"]);
    let message = text(error, "message");
    if let Some(normalized) = &verdict.normalized {
        let Normalized::Revert { keeps_message, .. } = normalized;
        return json!({
            "source": "normalized", "http_status": 200, "code": 3,
            "message": if *keeps_message { message } else { "execution reverted" },
            "data": normalized.hex(message, &judged.data),
        });
    }
    let relays = match verdict.class.traits().emit {
        EmitRule::TransactionHash => return json!({ "source": "hash", "http_status": 200 }),
        EmitRule::Relay => true,
        EmitRule::RelayUnlessRevealing => !message.contains("://"),
        EmitRule::Own | EmitRule::Nothing => false,
    };
    if relays && error.is_object() {
        let mut seen = error.clone();
        seen["source"] = "node".into();
        seen["http_status"] = 200.into();
        return seen;
    }
    let emit = emitted(verdict.class);
    let mut own = String::new();
    emit.write_message(text(fixture, "method"), &mut own)
        .unwrap();
    json!({ "source": "ours", "http_status": emit.http_status, "code": emit.code, "message": own })
}

fn reactions(fixture: &Value) -> Value {
    let client = &fixture["client"];
    if text(client, "source") == "hash" {
        return json!({
            "viem": { "error": null, "node_error": null, "retried": false, "falls_back": false },
            "ethers": { "code": null, "revert_data": false, "retried": false },
            "web3py": { "error": null, "retried": false },
        });
    }
    let seen = Seen {
        method: text(fixture, "method"),
        http_status: u16::try_from(client["http_status"].as_u64().unwrap()).unwrap(),
        code: client["code"].as_i64().unwrap(),
        message: text(client, "message"),
        data: client.get("data"),
    };
    let (viem, ethers, web3py) = (
        clients::viem(&seen),
        clients::ethers(&seen),
        clients::web3py(&seen),
    );
    json!({
        "viem": { "error": viem.error, "node_error": viem.node_error, "retried": viem.retried, "falls_back": viem.falls_back },
        "ethers": { "code": ethers.code, "revert_data": ethers.revert_data, "retried": ethers.retried },
        "web3py": { "error": web3py.error, "retried": web3py.retried },
    })
}

fn unit_name(unit: LimitUnit) -> &'static str {
    match unit {
        LimitUnit::Blocks => "blocks",
        LimitUnit::Results => "results",
        LimitUnit::Addresses => "addresses",
        LimitUnit::Bytes => "bytes",
        LimitUnit::Calls => "calls",
        LimitUnit::Unknown => "unknown",
    }
}

fn verdict_json(verdict: &Verdict) -> Value {
    let mut json = json!({
        "class": verdict.class.label(),
        "rule": verdict.rule,
        "hold_off_ms": verdict.hold_off.map(|wait| u64::try_from(wait.as_millis()).unwrap()),
    });
    if let Some(hint) = verdict.range {
        let suggested = hint
            .suggested
            .map(|(from, to)| vec![format!("{from:#x}"), format!("{to:#x}")]);
        json["range"] =
            json!({ "unit": unit_name(hint.unit), "limit": hint.limit, "suggested": suggested });
    }
    json
}

#[test]
fn every_fixture_gets_its_verdict_and_reaches_the_client_as_it_says() {
    let all = fixtures();
    assert!(all.len() > 500, "only {} fixtures were found", all.len());
    let mut wrong = Vec::new();
    for fixture in &all {
        let judged = judge(fixture);
        let verdict = verdict_json(&judged.verdict);
        if verdict != fixture["verdict"] {
            wrong.push(format!(
                "{}: {verdict} instead of {}",
                fixture["name"], fixture["verdict"]
            ));
        }
        let seen = seen_by_client(fixture, &judged);
        if seen != fixture["client"] {
            wrong.push(format!(
                "{}: the client sees {seen} instead of {}",
                fixture["name"], fixture["client"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_client_reacts_as_the_fixture_says() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let reactions = reactions(&fixture);
        for library in ["viem", "ethers", "web3py"] {
            if reactions[library] != fixture[library] {
                wrong.push(format!(
                    "{} {library}: {} instead of {}",
                    fixture["name"], reactions[library], fixture[library]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_rule_that_is_about_a_text_has_a_fixture() {
    let seen: Vec<String> = fixtures()
        .iter()
        .map(|own| text(&own["verdict"], "rule").to_string())
        .collect();
    let missing: Vec<&str> = super::super::rules::every()
        .filter(|rule| !rule.any.is_empty() && !seen.iter().any(|own| own == rule.name))
        .map(|rule| rule.name)
        .collect();
    assert!(missing.is_empty(), "no fixture for {missing:?}");
}

/// Clients must never be made to repeat what cannot succeed, nor to give up what will.
#[test]
fn what_clients_repeat_is_what_heals() {
    use FaultClass as C;
    for fixture in fixtures() {
        let class = C::from_label(text(&fixture["verdict"], "class")).unwrap();
        let retried = fixture["viem"]["retried"].as_bool().unwrap();
        if text(&fixture["client"], "source") != "node" {
            let heals = matches!(
                class,
                C::Transport
                    | C::Server
                    | C::Auth
                    | C::Syncing
                    | C::Unclassified
                    | C::RateLimited
                    | C::QuotaBilling
            );
            let range_without_words = class == C::CapabilityRange;
            assert_eq!(retried, heals || range_without_words, "{}", fixture["name"]);
        }
        if class == C::Execution {
            assert_ne!(fixture["client"]["code"], -32005, "{}", fixture["name"]);
        }
    }
}

#[test]
fn nothing_of_ours_names_a_vendor_a_host_or_a_key() {
    for fixture in fixtures() {
        let client = &fixture["client"];
        if text(client, "source") == "ours" {
            let message = text(client, "message").to_lowercase();
            let vendor = text(&fixture, "vendor");
            assert!(
                ["node", "unknown"].contains(&vendor) || !message.contains(vendor),
                "{}",
                fixture["name"]
            );
            assert!(
                !message.contains("://") && !message.contains("key"),
                "{}",
                fixture["name"]
            );
        }
    }
}

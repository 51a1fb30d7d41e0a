//! Answers without JSON-RPC in them.

use super::*;
use FaultClass as C;

fn judge(status: u16, json: bool, body: &str) -> Verdict {
    classify_status(&HttpAnswer {
        provider: "node",
        host: "",
        method: "eth_call",
        status,
        content_type_is_json: json,
        body_prefix: body.as_bytes(),
        retry_after: None,
        window: None,
    })
}

#[test]
fn a_status_without_words_has_a_class() {
    for (status, expected) in [
        (200, C::Transport),
        (204, C::Transport),
        (301, C::Server),
        (302, C::Server),
        (307, C::Server),
        (400, C::Unclassified),
        (401, C::Auth),
        (402, C::QuotaBilling),
        (403, C::Auth),
        (404, C::Server),
        (405, C::Server),
        (408, C::Timeout),
        (413, C::CapabilityRange),
        (415, C::Server),
        (422, C::Unclassified),
        (429, C::RateLimited),
        (500, C::Server),
        (502, C::Server),
        (503, C::Server),
        (504, C::Timeout),
        (521, C::Transport),
        (522, C::Timeout),
        (524, C::Timeout),
        (529, C::RateLimited),
        (0, C::Transport),
        (999, C::Transport),
    ] {
        assert_eq!(judge(status, false, "").class, expected, "{status}");
        let page = "<!DOCTYPE html><html><head><title>limit exceeded, method not found</title></head></html>";
        let from_page = judge(status, false, page).class;
        assert_eq!(from_page, expected, "{status} with a page");
    }
}

#[test]
fn words_that_a_rule_knows_beat_the_status() {
    for (status, body, expected) in [
        (403, "App is inactive", C::QuotaBilling),
        (403, "error code: 1015", C::RateLimited),
        (
            403,
            "<html><title>Error 1015</title>you are being rate limited</html>",
            C::RateLimited,
        ),
        (
            403,
            r#"{"message":"rpc method is not whitelisted"}"#,
            C::UnsupportedMethod,
        ),
        (
            403,
            "Archive requests require a personal token",
            C::MissingData,
        ),
        (403, r#"{"message":"Too Many Requests"}"#, C::RateLimited),
        (500, r#"{"error":"execution timeout"}"#, C::Timeout),
        (
            503,
            "upstream connect error: connection refused",
            C::Transport,
        ),
        (
            400,
            "ranges over 10000 blocks are not supported on free tier",
            C::CapabilityRange,
        ),
    ] {
        assert_eq!(
            judge(status, false, body).class,
            expected,
            "{status} {body}"
        );
    }
}

#[test]
fn below_400_no_text_makes_a_node_error_of_half_an_answer() {
    let broken = r#"{"jsonrpc":"2.0","id":1,"result":{"note":"execution reverted, rate limit, header not found""#;
    assert_eq!(judge(200, true, broken).class, C::Transport);
    assert_eq!(judge(200, true, "").rule, "empty_body");
    assert_eq!(judge(200, true, "<html>").rule, "page_instead_of_json");
    assert_eq!(
        judge(200, false, "<!-- cached --> <html>").rule,
        "page_instead_of_json"
    );
}

#[test]
fn a_wait_in_the_headers_is_kept() {
    let wait = Some(Duration::from_secs(9));
    for status in [429, 503] {
        let answer = HttpAnswer {
            status,
            retry_after: wait,
            ..HttpAnswer::default()
        };
        assert_eq!(classify_status(&answer).hold_off, wait, "{status}");
    }
}

#[test]
fn bytes_that_are_no_text_are_survived() {
    let answer = HttpAnswer {
        status: 200,
        body_prefix: &[0xff, 0xfe, 0x00],
        ..HttpAnswer::default()
    };
    assert_eq!(classify_status(&answer).class, C::Transport);
    let marked = HttpAnswer {
        status: 200,
        body_prefix: b"\xef\xbb\xbf<html>",
        ..HttpAnswer::default()
    };
    assert_eq!(classify_status(&marked).rule, "page_instead_of_json");
}

//! Faults that strike single calls, and when rules strike.

use super::*;

fn json_under(fault: Fault) -> Value {
    ask_under(fault).json()
}

#[test]
fn ids_are_wrong_or_null() {
    assert_eq!(json_under(Fault::WrongId)["id"], "another");
    assert_eq!(json_under(Fault::NullId)["id"], Value::Null);
}

#[test]
fn results_and_errors_go_missing_or_meet() {
    let neither = json_under(Fault::NeitherResultNorError);
    assert!(neither.get("result").is_none() && neither.get("error").is_none());
    let both = json_under(Fault::BothResultAndError);
    assert!(both.get("result").is_some() && both.get("error").is_some());
}

#[test]
fn a_vendors_error_is_spelled_as_given() {
    let fault = Fault::RpcError {
        code: -32005,
        message: "say \"when\"".into(),
        data: Some(r#"{"see":"https://example.org"}"#.into()),
    };
    let error = json_under(fault)["error"].clone();
    let expected = serde_json::json!({"code": -32005, "message": "say \"when\"", "data": {"see": "https://example.org"}});
    assert_eq!(error, expected);
}

#[test]
fn results_are_replaced() {
    assert_eq!(
        json_under(Fault::RawResult("[null]".into()))["result"],
        serde_json::json!([null])
    );
    let large = json_under(Fault::LargeResult { bytes: 1 << 20 });
    assert_eq!(large["result"].as_str().unwrap().len() + 2, 1 << 20);
}

#[test]
fn another_chain_is_told() {
    let (provider, id) = start_with(Rule::always(Fault::WrongChain(137)));
    assert_eq!(result(&provider, "eth_chainId"), "0x89");
    assert_eq!(result(&provider, "net_version"), "137");
    assert_eq!(provider.hits(id), 2);
}

fn block(provider: &Handle, params: &str) -> Value {
    Client::connect(provider).call("eth_getBlockByNumber", params)["result"].clone()
}

#[test]
fn a_stale_head_lags_in_every_method() {
    let provider = start();
    provider.chain().freeze();
    let head = provider.chain().head();
    let same = format!(r#"["{:#x}",false]"#, head - 3);
    let before = block(&provider, &same);
    provider.inject(Rule::always(Fault::StaleHead { lag_blocks: 3 }));
    assert_eq!(
        result(&provider, "eth_blockNumber"),
        format!("{:#x}", head - 3)
    );
    assert_eq!(block(&provider, r#"["latest",false]"#), before);
    assert_eq!(
        block(&provider, &format!(r#"["{head:#x}",false]"#)),
        Value::Null
    );
}

#[test]
fn a_head_that_goes_back_is_on_a_fork() {
    let provider = start();
    provider.chain().freeze();
    let head = provider.chain().head();
    let same = format!(r#"["{:#x}",false]"#, head - 2);
    let before = block(&provider, &same);
    let id = provider.inject(Rule::next(2, Fault::HeadBack { blocks: 2 }));
    assert_eq!(
        result(&provider, "eth_blockNumber"),
        format!("{:#x}", head - 2)
    );
    assert_ne!(block(&provider, &same)["hash"], before["hash"]);
    assert_eq!(provider.hits(id), 2);
    assert_eq!(block(&provider, &same), before);
}

#[test]
fn a_rule_strikes_its_method_alone() {
    let (provider, id) =
        start_with(Rule::always(Fault::rpc_error(-32601, "no")).for_method("eth_chainId"));
    assert!(ask(&provider, BALANCE).json().get("error").is_none());
    assert_eq!(provider.hits(id), 0);
    let answer = Client::connect(&provider).call("eth_chainId", "[]");
    assert_eq!(answer["error"]["code"], -32601);
    assert_eq!(provider.hits(id), 1);
}

#[test]
fn a_rule_strikes_so_many_times() {
    let (provider, id) = start_with(Rule::next(2, Fault::NullId));
    let mut client = Client::connect(&provider);
    let nulls = (0..5)
        .filter(|_| client.ask(BALANCE).json()["id"].is_null())
        .count();
    assert_eq!((nulls, provider.hits(id)), (2, 2));
}

#[test]
fn a_rule_strikes_with_its_probability() {
    let (provider, id) = start_with(Rule::with_probability(0.3, Fault::NullId));
    let mut client = Client::connect(&provider);
    let nulls = (0..1000)
        .filter(|_| client.ask(BALANCE).json()["id"].is_null())
        .count();
    assert!((200..400).contains(&nulls), "{nulls}");
    assert_eq!(provider.hits(id), nulls as u64);
}

#[test]
fn a_throttle_spares_what_is_below_its_rate() {
    let (provider, id) = start_with(Rule::above(10, Fault::throttled(Some(1))));
    let mut client = Client::connect(&provider);
    let answers: Vec<Response> = (0..200).map(|_| client.ask(BALANCE)).collect();
    let throttled = answers
        .iter()
        .filter(|answer| answer.status() == 429)
        .count();
    // The 200 requests may fall into more than one second, each of which spares ten.
    assert!((100..=190).contains(&throttled), "{throttled}");
    assert_eq!(provider.hits(id), throttled as u64);
}

#[test]
fn a_cleared_rule_strikes_no_more_and_keeps_its_count() {
    let (provider, id) = start_with(Rule::always(Fault::NullId));
    let mut client = Client::connect(&provider);
    assert!(client.ask(BALANCE).json()["id"].is_null());
    provider.clear(id);
    assert_eq!(client.ask(BALANCE).json()["id"], 7);
    provider.inject(Rule::always(Fault::NullId));
    provider.clear_all();
    assert_eq!(client.ask(BALANCE).json()["id"], 7);
    assert_eq!(provider.hits(id), 1);
}

#[test]
fn calls_of_a_batch_are_struck_one_by_one() {
    let (provider, id) = start_with(Rule::next(1, Fault::rpc_error(-32000, "no")));
    let answer = ask(&provider, &format!("[{BALANCE},{BALANCE}]")).json();
    assert!(
        answer[0].get("error").is_some() && answer[1].get("error").is_none(),
        "{answer}"
    );
    assert_eq!(provider.hits(id), 1);
}

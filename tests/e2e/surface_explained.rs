//! The explanation headers: how an upstream was chosen, and why each of the others was left out, in the situations that leave them out. The
//! labels are those of metrics and events.

use crate::harness::{
    Client, Proxy, Response, Setup, balance_call, call, ok, provider, send_all, until,
};
use perf::provider::{Fault, Handle, Rule};

const METHOD: &str = "eth_getBalance";

/// A is preferred to b, and b to c.
fn explaining(upstreams: &[(&str, &Handle, &str)]) -> Setup {
    let setup = Setup::default()
        .server("explain: true")
        .forwarding_all()
        .after("retry: { max_wait: 0s }\n");
    let with = |setup: Setup, (name, handle, settings): &(&str, &Handle, &str)| {
        setup.upstream(name, &handle.url(), settings)
    };
    upstreams.iter().fold(setup, with)
}

/// The headers that tell of the choice: selected, candidates, left-out; empty where there is none.
fn choice(response: &Response) -> [&str; 3] {
    ["selected", "candidates", "left-out"].map(|name| {
        let header = response.header(&format!("x-livechain-{name}"));
        header.unwrap_or_default()
    })
}

fn excluded(proxy: &Proxy, upstream: &str, reason: &str) -> f64 {
    let labels = [("upstream", upstream), ("reason", reason)];
    proxy.metric("livechain_candidates_excluded_total", &labels)
}

#[test]
fn a_choice_is_explained_and_so_is_the_one_after_a_failure() {
    let (a, b) = (provider(), provider());
    let proxy = explaining(&[("a", &a, ""), ("b", &b, "")]).start();
    let response = proxy.post(&balance_call(1));
    assert_eq!(
        choice(&response),
        ["priority;strategy=priority", "a, b", ""],
        "{response}"
    );
    let fired = a.inject(Rule::next(1, Fault::Html).for_method(METHOD));
    let response = proxy.post(&balance_call(2));
    assert_eq!(a.hits(fired), 1);
    // The selection of the attempt that answered, not of the first.
    assert_eq!(
        choice(&response),
        ["only;strategy=priority", "b", "a;reason=already_tried"],
        "{response}"
    );
    // A path that names an upstream, and a strategy.
    let response = proxy
        .connect()
        .post("/rpc/provider/b/ethereum", &balance_call(3));
    assert_eq!(
        choice(&response),
        ["pinned;strategy=priority", "b", "a;reason=pinned"],
        "{response}"
    );
    let response = proxy
        .connect()
        .post("/rpc/round_robin/ethereum", &balance_call(4));
    assert_eq!(
        choice(&response),
        ["turn;strategy=round_robin", "a, b", ""],
        "{response}"
    );
}

#[test]
fn whoever_is_left_out_is_named_with_the_reason() {
    let names = ["drained", "1held", "broken", "denying", "well"];
    let all = names.map(|_| provider());
    let [drained, held, broken, denying, well] = &all;
    let breaker = "breaker: { failures: 1, window: 5s, open_for: 60s, probes: 1, brownout: false }";
    let proxy = explaining(&[
        ("drained", drained, ""),
        ("1held", held, ""),
        ("broken", broken, breaker),
        ("denying", denying, "methods: { deny: [eth_getBalance] }"),
        ("well", well, ""),
    ])
    .start();
    let answer = proxy.admin_put("/upstreams/ethereum/drained/drained", "{\"drained\":true}");
    assert_eq!(answer.status, 200, "{answer}");
    until("the shards to have heard of it", || {
        let now = proxy.metric("livechain_upstream_drained", &[("upstream", "drained")]);
        (now > 0.5).then_some(())
    });
    let throttled = held.inject(Rule::next(1, Fault::throttled(Some(60))).for_method(METHOD));
    let failed = broken.inject(Rule::always(Fault::unavailable()).for_method(METHOD));
    let left_out = "drained;reason=drained, \"1held\";reason=hold_off, broken;reason=breaker_open, denying;reason=excluded";
    let mut id = 0;
    let response = until("the breaker to be open", || {
        id += 1;
        let response = proxy.post(&balance_call(id));
        ok(&response);
        response
            .header("x-livechain-left-out")
            .is_some_and(|left_out| left_out.contains("breaker_open"))
            .then_some(response)
    });
    assert_eq!(held.hits(throttled), 1);
    assert!(broken.hits(failed) >= 1);
    assert_eq!(
        choice(&response),
        ["only;strategy=priority", "well", left_out],
        "{response}"
    );
    assert_eq!(response.header("x-livechain-upstream"), Some("well"));
    for (upstream, reason) in [
        ("drained", "drained"),
        ("1held", "hold_off"),
        ("broken", "breaker_open"),
        ("denying", "excluded"),
    ] {
        let counted = excluded(&proxy, upstream, reason);
        assert!(counted >= 1.0, "{upstream} {reason}");
    }
}

#[test]
fn an_error_of_ours_says_who_was_left_out_and_why() {
    let (a, b) = (provider(), provider());
    let deny = "methods: { deny: [eth_getCode] }";
    let proxy = explaining(&[("a", &a, deny), ("b", &b, deny)]).start();
    let response = proxy.post(&call(1, "eth_getCode", "[\"0xaa\", \"latest\"]"));
    assert!(response.json()["error"].is_object(), "{response}");
    assert_eq!(
        choice(&response),
        [
            "nothing_eligible",
            "",
            "a;reason=excluded, b;reason=excluded"
        ],
        "{response}"
    );
    assert_eq!(response.header("x-livechain-upstream"), None);
    assert_eq!(response.header("x-livechain-attempts"), Some("0"));
    let throttled = || Rule::next(1, Fault::throttled(Some(60))).for_method(METHOD);
    let fired = [a.inject(throttled()), b.inject(throttled())];
    // This one asked both, the last since the first had refused.
    let response = proxy.post(&balance_call(2));
    assert_eq!((a.hits(fired[0]), b.hits(fired[1])), (1, 1));
    assert_eq!(response.status, 429, "{response}");
    assert_eq!(
        choice(&response),
        ["only;strategy=priority", "b", "a;reason=already_tried"],
        "{response}"
    );
    let response = proxy.post(&balance_call(3));
    assert_eq!(response.status, 429, "{response}");
    assert_eq!(
        choice(&response),
        [
            "nothing_eligible",
            "",
            "a;reason=hold_off, b;reason=hold_off"
        ],
        "{response}"
    );
    let counted = excluded(&proxy, "b", "hold_off");
    assert!(counted >= 1.0, "{counted}");
}

#[test]
fn whoever_shares_an_error_is_told_of_the_choice_that_led_to_it() {
    let only = provider();
    let proxy = Setup::default()
        .server("explain: true")
        .upstream("only", &only.url(), "timeout: 500ms")
        .start();
    let fired = only.inject(Rule::always(Fault::Hang).for_method(METHOD));
    let same = |id| call(id, METHOD, "[\"0xaa\", \"latest\"]");
    let mut clients = send_all(&proxy, [same(1), same(2)]);
    let responses: Vec<_> = clients.iter_mut().map(Client::response).collect();
    assert!(only.hits(fired) >= 1);
    let is_shared = |one: &&Response| one.header("x-livechain-cache") == Some("shared");
    let shared: Vec<_> = responses.iter().filter(is_shared).collect();
    assert_eq!(shared.len(), 1);
    assert_eq!(shared[0].header("x-livechain-attempts"), Some("0"));
    for response in &responses {
        assert!(response.json()["error"].is_object(), "{response}");
        assert_eq!(
            choice(response),
            ["only;strategy=priority", "only", ""],
            "{response}"
        );
    }
}

#[test]
fn the_least_bad_is_said_to_be_that() {
    let only = provider();
    let proxy = explaining(&[("only", &only, "")]).start();
    let answer = proxy.admin_put("/upstreams/ethereum/only/drained", "{\"drained\":true}");
    assert_eq!(answer.status, 200, "{answer}");
    until("it to be chosen all the same", || {
        let response = proxy.post(&balance_call(1));
        ok(&response);
        let [selected, candidates, left_out] = choice(&response);
        (selected == "drained;strategy=priority;least_bad").then(|| {
            assert_eq!((candidates, left_out), ("", "only;reason=drained"));
        })
    });
}

#[test]
fn only_a_call_that_stands_alone_and_asked_somebody_tells_of_a_choice() {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .server("explain: true")
        .upstream("a", &a.url(), "")
        .upstream("b", &b.url(), "")
        .start();
    let none = ["", "", ""];
    // The second is answered from the cache.
    let asked = proxy.post(&call(1, "eth_getBlockByNumber", "[\"0x1\", false]"));
    assert_ne!(choice(&asked), none, "{asked}");
    let kept = until("an answer of the cache", || {
        let response = proxy.post(&call(1, "eth_getBlockByNumber", "[\"0x1\", false]"));
        (response.header("x-livechain-cache") == Some("hit")).then_some(response)
    });
    assert_eq!(choice(&kept), none, "{kept}");
    let batch = proxy.post(&format!("[{},{}]", balance_call(1), balance_call(2)));
    assert_eq!(batch.header("x-livechain-attempts"), Some("2"), "{batch}");
    assert_eq!(choice(&batch), none, "{batch}");
    // Not unless asked for.
    let quiet = Setup::default().upstream("a", &a.url(), "").start();
    let response = quiet.post(&balance_call(1));
    assert_eq!(choice(&response), none, "{response}");
}

#[test]
fn pages_may_read_what_is_explained() {
    let only = provider();
    let proxy = explaining(&[("only", &only, "")])
        .server("cors: { origins: [\"*\"] }")
        .start();
    let response =
        proxy
            .connect()
            .post_with("/", &["origin: https://app.example"], &balance_call(1));
    let exposed = response
        .header("access-control-expose-headers")
        .unwrap_or_default();
    for name in ["upstream", "attempts", "selected", "candidates", "left-out"] {
        assert!(
            exposed.contains(&format!("x-livechain-{name}")),
            "{response}"
        );
    }
}

//! A second attempt beside a slow first one, seen from outside: the slow upstream is left hanging and nobody waits for it, the loser
//! is cut and poisons nothing, and no more of it is sent than was allowed.

use crate::harness::{
    Client, Expected, Proxy, Setup, balance_call, call, ok, post_bytes, provider, until,
};
use perf::provider::{Fault, Handle, Latency, Rule};
use std::time::{Duration, Instant};

const METHOD: &str = "eth_getBalance";

/// What hangs, hangs for longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(120);

fn hedged(max_extra: &str) -> String {
    format!(
        "methods:\n  {METHOD}: {{ hedge: {{ enabled: true, quantile: 95%, min_delay: 50ms, max_extra: {max_extra} }} }}\n"
    )
}

/// A is preferred; neither cache nor flights take part.
struct Stage {
    a: Handle,
    b: Handle,
    reference: Handle,
    proxy: Proxy,
}

impl Stage {
    fn start(methods: &str) -> Self {
        let (a, b) = (provider(), provider());
        let proxy = Setup::default()
            .upstream("a", &a.url(), "")
            .upstream("b", &b.url(), "")
            .forwarding_all()
            .after(methods)
            .start();
        Self {
            a,
            b,
            reference: provider(),
            proxy,
        }
    }

    /// The proxy learns how long A's answers usually take.
    fn learn(&self, client: &mut Client, calls: u64) {
        for id in 1..=calls {
            self.call(client, id);
        }
    }

    /// The answer has to be the right one, to the byte.
    fn call(&self, client: &mut Client, id: u64) {
        let response = client.post("/", &balance_call(id));
        let expected = Expected::of(&self.reference).answer(&balance_call(id));
        assert_eq!(
            response.text(),
            String::from_utf8_lossy(&expected),
            "call {id}"
        );
    }

    fn hedges(&self, outcome: &str) -> f64 {
        self.proxy
            .metric("livechain_hedges_total", &[("outcome", outcome)])
    }

    fn cancelled(&self, upstream: &str) -> f64 {
        self.proxy.metric(
            "livechain_attempts_total",
            &[("upstream", upstream), ("outcome", "cancelled")],
        )
    }

    fn stalls_at_a(&self, calls: u64) -> perf::provider::FaultId {
        self.a
            .inject(Rule::next(calls, Fault::Stall(FOR_EVER)).for_method(METHOD))
    }
}

#[test]
fn a_stalled_call_is_answered_by_the_other_and_the_loser_is_cut() {
    let stage = Stage::start(&hedged("100%"));
    let mut client = stage.proxy.connect();
    stage.learn(&mut client, 100);
    let before = stage.b.counters().method(METHOD);
    let fired = stage.stalls_at_a(1);
    let began = Instant::now();
    stage.call(&mut client, 1000);
    // Without a hedge the attempt is given half of the call's ten seconds.
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    assert_eq!(stage.a.hits(fired), 1);
    assert_eq!(stage.b.counters().method(METHOD), before + 1);
    assert!(stage.hedges("won") >= 1.0);
    assert_eq!(stage.cancelled("a"), 1.0);
    let hedges = [("kind", "hedge")];
    assert!(stage.proxy.metric("livechain_retries_total", &hedges) >= 1.0);
    until("the loser's connection to be cut", || {
        (stage.a.counters().abandoned == 1).then_some(())
    });
    // It is nobody's fault.
    assert_eq!(stage.proxy.metric("livechain_faults_total", &[]), 0.0);
}

#[test]
fn a_loser_poisons_no_connection() {
    let stage = Stage::start(&hedged("100%"));
    let mut client = stage.proxy.connect();
    stage.learn(&mut client, 100);
    // The loser's answer comes late, to a connection that must not be used for anything else by then.
    let fired = stage.a.inject(
        Rule::with_probability(0.2, Fault::Stall(Duration::from_millis(400))).for_method(METHOD),
    );
    for id in 1000..1200 {
        stage.call(&mut client, id);
    }
    assert!(stage.a.hits(fired) >= 5);
    assert!(stage.hedges("won") >= 1.0);
    stage.a.clear_all();
    std::thread::sleep(Duration::from_millis(500));
    for id in 2000..2100 {
        stage.call(&mut client, id);
    }
}

#[test]
fn a_hedge_that_is_outrun_is_counted_as_lost() {
    let stage = Stage::start(&hedged("100%"));
    let mut client = stage.proxy.connect();
    stage.learn(&mut client, 100);
    // A is late, but B never answers at all.
    stage
        .b
        .inject(Rule::always(Fault::Stall(FOR_EVER)).for_method(METHOD));
    let mut id = 1000;
    until("a hedge that is lost", || {
        stage.a.clear_all();
        stage
            .a
            .inject(Rule::next(1, Fault::Stall(Duration::from_millis(1500))).for_method(METHOD));
        id += 1;
        stage.call(&mut client, id);
        (stage.hedges("lost") >= 1.0).then_some(())
    });
    assert!(stage.cancelled("b") >= 1.0);
    until("the hedge's connection to be cut", || {
        (stage.b.counters().abandoned >= 1).then_some(())
    });
}

#[test]
fn one_that_fails_leaves_the_call_to_the_other() {
    let stage = Stage::start(&hedged("100%"));
    let mut client = stage.proxy.connect();
    stage.learn(&mut client, 100);
    let broken = stage
        .b
        .inject(Rule::next(1, Fault::Html).for_method(METHOD));
    let fired = stage
        .a
        .inject(Rule::next(1, Fault::Stall(Duration::from_millis(1500))).for_method(METHOD));
    stage.call(&mut client, 1000);
    assert_eq!(stage.a.hits(fired), 1);
    assert_eq!(stage.b.hits(broken), 1);
}

#[test]
fn the_share_holds_at_the_providers_own_count() {
    let stage = Stage::start(&hedged("5%"));
    let mut client = stage.proxy.connect();
    stage.learn(&mut client, 200);
    // Half of A's answers are late now: far more than may be hedged.
    stage.a.inject(
        Rule::with_probability(0.5, Fault::Stall(Duration::from_millis(150))).for_method(METHOD),
    );
    for id in 1000..1060 {
        stage.call(&mut client, id);
    }
    let calls = 260.0;
    let hedges = stage.hedges("won") + stage.hedges("lost");
    assert!(hedges >= 1.0, "no hedge at all: nothing was shown");
    assert!(
        stage.hedges("denied") >= 1.0,
        "{hedges} hedges and none denied: nothing was shown"
    );
    assert!(
        hedges <= calls * 0.05 + 1.0,
        "{hedges} hedges for {calls} calls"
    );
    let retries = stage.proxy.metric("livechain_retries_total", &[])
        - stage
            .proxy
            .metric("livechain_retries_total", &[("kind", "hedge")]);
    let extra = (stage.a.counters().requests + stage.b.counters().requests) as f64;
    let attempts = stage
        .proxy
        .metric("livechain_attempts_total", &[("method", METHOD)]);
    assert_eq!(attempts, calls + hedges + retries, "of {extra} requests");
    let at_b = stage.b.counters().method(METHOD) as f64;
    assert!(
        at_b <= hedges + retries,
        "B got {at_b} calls for {hedges} hedges and {retries} retries"
    );
}

#[test]
fn with_three_upstreams_of_which_each_stalls_now_and_then_nobody_waits_long() {
    let providers: Vec<_> = (0..3).map(|_| provider()).collect();
    let setup = Setup::default()
        .chain("strategy: round_robin")
        .forwarding_all()
        .after(&hedged("20%"));
    let named = ["a", "b", "c"].iter().zip(&providers);
    let proxy = named
        .fold(setup, |setup, (name, provider)| {
            setup.upstream(name, &provider.url(), "")
        })
        .start();
    let reference = provider();
    let mut client = proxy.connect();
    let mut check = |id: u64| {
        let response = client.post("/", &balance_call(id));
        let expected = Expected::of(&reference).answer(&balance_call(id));
        assert_eq!(response.text(), String::from_utf8_lossy(&expected));
    };
    (1..=150).for_each(&mut check);
    for provider in &providers {
        provider.set_method_latency(
            METHOD,
            Latency::Stalls {
                base: Box::new(Latency::None),
                share: 0.02,
                // Now and then the hedge stalls as well.
                stall: Duration::from_secs(2),
            },
        );
    }
    (1000..=1400).for_each(&mut check);
    let hedges = |outcome| proxy.metric("livechain_hedges_total", &[("outcome", outcome)]);
    assert!(hedges("won") >= 1.0, "nothing stalled: nothing was shown");
    let (made, calls) = (hedges("won") + hedges("lost"), 551.0);
    assert!(made <= calls * 0.2 + 1.0, "{made} hedges for {calls} calls");
    assert_eq!(proxy.metric("livechain_call_faults_total", &[]), 0.0);
}

#[test]
fn what_has_an_effect_or_names_its_upstream_is_never_hedged() {
    let stage = Stage::start(
        "methods:\n  \"eth_*\": { timeout: 20s, hedge: { enabled: true, min_delay: 1ms, max_extra: 100% } }\n",
    );
    let mut client = stage.proxy.connect();
    let raw = |id: u64| {
        call(
            id,
            "eth_sendRawTransaction",
            &format!(r#"["0x{:08x}"]"#, id + 1),
        )
    };
    for id in 1..=60 {
        ok(&client.post("/", &raw(id)));
        ok(&client.post("/rpc/provider/a/ethereum", &balance_call(id)));
    }
    let before = stage.b.counters().calls;
    let late = Latency::Fixed(Duration::from_millis(1500));
    stage
        .a
        .set_method_latency("eth_sendRawTransaction", late.clone());
    stage.a.set_method_latency(METHOD, late);
    ok(&client.post("/", &raw(1000)));
    ok(&client.post("/rpc/provider/a/ethereum", &balance_call(1000)));
    assert_eq!(stage.b.transactions(), Vec::<String>::new());
    assert_eq!(stage.b.counters().method(METHOD), 0);
    assert_eq!(stage.hedges("won") + stage.hedges("lost"), 0.0);
    // Heads are asked for at B, and nothing else.
    assert!(stage.b.counters().calls >= before);
}

#[test]
fn a_client_that_leaves_while_two_are_out_leaves_nothing_behind() {
    let stage = Stage::start(&hedged("100%"));
    let mut client = stage.proxy.connect();
    stage.learn(&mut client, 100);
    let gauge = |name: &str| stage.proxy.metric(name, &[]);
    let rest = || {
        (
            gauge("livechain_shard_tasks"),
            gauge("livechain_shard_receive_buffers_in_use"),
        )
    };
    let before = rest();
    let before_descriptors = gauge("livechain_shard_descriptors");
    for provider in [&stage.a, &stage.b] {
        provider.inject(Rule::always(Fault::Stall(FOR_EVER)).for_method(METHOD));
    }
    let count = |provider: &Handle| provider.counters().abandoned;
    for round in 1..=5 {
        let mut leaving = stage.proxy.connect();
        leaving
            .send(&post_bytes("/", &balance_call(1000 + round)))
            .unwrap();
        until("two attempts to be out", || {
            (gauge("livechain_attempts_in_flight") == 2.0).then_some(())
        });
        leaving.reset();
        until("both to be given up", || {
            (gauge("livechain_attempts_in_flight") == 0.0).then_some(())
        });
        until("both connections to be cut", || {
            (count(&stage.a) == round && count(&stage.b) == round).then_some(())
        });
    }
    assert_eq!(gauge("livechain_calls_in_flight"), 0.0);
    until("tasks and buffers as before", || {
        (rest() == before).then_some(())
    });
    until("no more sockets than before", || {
        (gauge("livechain_shard_descriptors") <= before_descriptors).then_some(())
    });
    let pool = [("state", "active")];
    assert_eq!(stage.proxy.metric("livechain_pool_connections", &pool), 0.0);
    // And both serve again.
    stage.a.clear_all();
    stage.b.clear_all();
    stage.call(&mut client, 5000);
}

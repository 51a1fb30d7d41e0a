//! One story, told twice with one configuration: by `livechain simulate`, and by the real proxy on real sockets before scripted providers. What
//! does not hang on the machine's speed has to be the same: errors, who was asked how often, attempts and hedges for each call. Never looks at
//! latencies, which are the machine's own.
//!
//! **How near is near.** Days differ by luck: who fails a fifth of its calls is half broken by the breaker's measure after one second or after five. So
//! many days are simulated, and the real one has to be one of them: between the least and the most that any of them shows, give or take a
//! margin. The margins are for what the two do not have in common, all of it small: a real answer takes some milliseconds longer than is
//! scripted, which a leaderboard's shares show; the scripted provider says no after its usual time where the simulated one is quick, so a few
//! more calls run into it; and one that is killed takes those with it that are in flight, which the breaker notices the sooner.
//!
//! The real day has one seed for its arrivals and for each provider; with others it wanders about as the simulated days do.

use crate::harness::{Proxy, Setup, balance_call, provider_with};
use perf::Rng;
use perf::provider::{Chain, Fault, FaultId, Handle, Latency, Options, Rule};
use serde_json::Value;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const METHOD: &str = "eth_getBalance";
/// The first is the fastest, and the one that is struck.
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Half of each one's answers come within this. Long, so that what a busy machine adds weighs little.
const MEDIANS_MS: [u64; 3] = [60, 90, 120];
const RATE: u64 = 150;
const LASTS_S: u64 = 10;
/// A fault that is not there all the time begins and ends at these seconds.
const FROM_S: u64 = 3;
const UNTIL_S: u64 = 7;
/// More than there are ever calls in flight: the next call comes whether or not the last has ended.
const CONNECTIONS: usize = 64;
/// Days that are simulated.
const SEEDS: u64 = 30;

/// Of the attempts.
const SHARE_MARGIN: f64 = 0.05;
/// For each call.
const ATTEMPTS_MARGIN: f64 = 0.02;
const HEDGES_MARGIN: f64 = 0.01;
const STRUCK_MARGIN: f64 = 0.02;

/// What is configured, and what the scenario says of the faults.
struct Story {
    name: &'static str,
    strategy: &'static str,
    /// Of each upstream.
    settings: &'static str,
    /// Further sections of the configuration.
    after: &'static str,
    /// In the scenario's words; the real ones are injected by the test.
    faults: &'static str,
}

const LEADERBOARD: Story = Story {
    name: "",
    strategy: "leaderboard",
    settings: "",
    after: "",
    faults: "",
};

const ROUND_ROBIN: Story = Story {
    strategy: "round_robin",
    ..LEADERBOARD
};

/// What is compared, of one day.
#[derive(Clone, Copy, Debug)]
struct Day {
    calls: f64,
    errors: f64,
    /// Of the attempts, each upstream's part.
    shares: [f64; 3],
    /// Attempts that were no hedges, for each call.
    attempts: f64,
    /// Hedges for each call.
    hedges: f64,
    /// Attempts at the struck one while it is struck, for each call, in stories that have such a stretch.
    struck: f64,
}

impl Day {
    /// Each figure with its name and its margin.
    fn figures(&self) -> [(&'static str, f64, f64); 6] {
        let [a, b, c] = self.shares;
        [
            ("share of a", a, SHARE_MARGIN),
            ("share of b", b, SHARE_MARGIN),
            ("share of c", c, SHARE_MARGIN),
            ("attempts a call", self.attempts, ATTEMPTS_MARGIN),
            ("hedges a call", self.hedges, HEDGES_MARGIN),
            ("of the struck one, a call", self.struck, STRUCK_MARGIN),
        ]
    }

    fn counts(&self) -> Counts {
        Counts {
            calls: self.calls,
            attempts: self.calls * (self.attempts + self.hedges) * self.shares[0],
        }
    }
}

/// Calls, and attempts at the first upstream, up to some time.
#[derive(Clone, Copy, Debug)]
struct Counts {
    calls: f64,
    attempts: f64,
}

impl Counts {
    /// Attempts for each call since then.
    fn rate_since(&self, before: Self) -> f64 {
        (self.attempts - before.attempts) / (self.calls - before.calls)
    }
}

impl Story {
    /// The simulated half, with the very file that the proxy runs with.
    fn simulate(&self, proxy: &Proxy) -> Vec<Day> {
        let mut days = self.simulate_part(proxy, LASTS_S, self.faults);
        if self.faults.contains("until") {
            // The same days, once until the fault begins and once until it ends: what lies between is the stretch.
            let before = self.simulate_part(proxy, FROM_S, "");
            let after = self.simulate_part(proxy, UNTIL_S, self.faults);
            for ((day, before), after) in days.iter_mut().zip(before).zip(after) {
                day.struck = after.counts().rate_since(before.counts());
            }
        }
        days
    }

    fn simulate_part(&self, proxy: &Proxy, lasts_s: u64, faults: &str) -> Vec<Day> {
        let upstreams = NAMES.iter().zip(MEDIANS_MS).map(|(name, ms)| {
            let most = ms * 3 / 2;
            format!("  - {{ name: {name}, latency: {{ p50: {ms}ms, max: {most}ms }} }}\n")
        });
        let upstreams: String = upstreams.collect();
        let traffic = format!("{{ rate: {RATE}, methods: [ {{ name: {METHOD}, weight: 1 }} ] }}");
        let text = format!(
            "version: 1\nabout: A sample.\nlasts: {lasts_s}s\nshards: 1\nupstreams:\n{upstreams}traffic: {traffic}\n{faults}\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let scenario = folder.path().join("sample.yaml");
        std::fs::write(&scenario, text).expect("a file");
        let day = |seed: u64| {
            let output = Command::new(env!("CARGO_BIN_EXE_livechain"))
                .args(["simulate", "--format", "json", "--seed", &seed.to_string()])
                .args(["--strategy", self.strategy, "--config"])
                .arg(proxy.config())
                .arg("--scenario")
                .arg(&scenario)
                .output()
                .expect("the binary runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            self.day(&serde_json::from_slice(&output.stdout).expect("JSON"))
        };
        (1..=SEEDS).map(day).collect()
    }

    fn day(&self, study: &Value) -> Day {
        let one = &study["strategies"][self.strategy];
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{study}"));
        let errors = one["errors"].as_object().expect("classes");
        Day {
            calls: number(&one["calls"]),
            errors: errors.values().map(number).sum(),
            shares: NAMES.map(|name| number(&one["share"][name])),
            attempts: number(&one["amplification"]),
            hedges: number(&one["extra_load"]),
            struck: 0.0,
        }
    }

    /// The real day is one of the simulated ones.
    fn agree(&self, real: &Day, simulated: &[Day]) {
        assert_eq!(real.errors, 0.0, "{}: errors", self.name);
        for (seed, day) in (1..).zip(simulated) {
            assert_eq!(day.errors, 0.0, "{}: errors of seed {seed}", self.name);
        }
        let mut strange = Vec::new();
        for (place, (what, real, margin)) in real.figures().into_iter().enumerate() {
            let all = simulated.iter().map(|day| day.figures()[place].1);
            let least = all.clone().fold(f64::INFINITY, f64::min);
            let most = all.clone().fold(f64::NEG_INFINITY, f64::max);
            let mean = all.sum::<f64>() / simulated.len() as f64;
            let line = format!(
                "{}: {what} {real:.3}, simulated {mean:.3} ({least:.3} to {most:.3})",
                self.name
            );
            // Shown when the test fails, and to whoever wants the manual's table anew.
            eprintln!("{line}");
            if real < least - margin || real > most + margin {
                strange.push(line);
            }
        }
        assert!(strange.is_empty(), "{strange:#?}");
    }
}

/// The real half while it goes on.
struct Stage {
    providers: Vec<Handle>,
    proxy: Proxy,
    began: Instant,
}

impl Stage {
    fn start(story: &Story) -> Self {
        let chain = Chain::default();
        let provider = |ms: u64| {
            let half = Duration::from_micros(ms * 500);
            provider_with(Options {
                chain: chain.clone(),
                // The scenario's quantiles, `p50` the median and `max` one and a half of it, are this very distribution.
                latency: Latency::Uniform(half, 3 * half),
                seed: ms,
                ..Options::default()
            })
        };
        let providers: Vec<Handle> = MEDIANS_MS.into_iter().map(provider).collect();
        let setup = Setup::default()
            .forwarding_all()
            .chain(&format!("strategy: {}", story.strategy))
            .after(story.after);
        let named = NAMES.iter().zip(&providers);
        let setup = named.fold(setup, |setup, (name, provider)| {
            setup.upstream(name, &provider.url(), story.settings)
        });
        Self {
            proxy: setup.start(),
            providers,
            began: Instant::now(),
        }
    }

    /// The one that is struck.
    fn struck(&self) -> &Handle {
        &self.providers[0]
    }

    /// Waits until so many seconds of the story are told.
    fn until(&self, second: u64) {
        let at = self.began + Duration::from_secs(second);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
    }

    fn attempts_to(&self, upstream: &str) -> f64 {
        let labels = [("upstream", upstream), ("method", METHOD)];
        self.proxy.metric("livechain_attempts_total", &labels)
    }

    /// What has begun, as the simulator counts it. The real counters are of what has ended.
    fn so_far(&self) -> Counts {
        let (calls, struck) = ([("method", METHOD)], [("upstream", NAMES[0])]);
        let now = |name: &str, labels: &[(&str, &str)]| self.proxy.metric(name, labels);
        Counts {
            calls: now("livechain_calls_total", &calls) + now("livechain_calls_in_flight", &[]),
            attempts: self.attempts_to(NAMES[0]) + now("livechain_attempts_in_flight", &struck),
        }
    }

    /// Does this to the struck one for the stretch, and then takes it back. Says how many attempts for each call it got meanwhile.
    fn for_the_stretch(&self, strike: impl FnOnce(&Handle), end: impl FnOnce(&Handle)) -> f64 {
        self.until(FROM_S);
        let before = self.so_far();
        strike(self.struck());
        self.until(UNTIL_S);
        let after = self.so_far();
        end(self.struck());
        after.rate_since(before)
    }

    /// Puts a rule in force for the whole story.
    fn throughout(&self, rule: Rule) -> FaultId {
        self.struck().inject(rule.for_method(METHOD))
    }

    /// Calls at times that do not know of each other. Says how many there were, and how many ended without a result.
    fn drive(&self) -> (usize, usize) {
        let (mut rng, mut due, mut at_s) = (Rng::new(1), Vec::new(), 0.0);
        while at_s < LASTS_S as f64 {
            due.push(self.began + Duration::from_secs_f64(at_s));
            at_s -= (1.0 - rng.unit()).ln() / RATE as f64;
        }
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ask = || {
            let mut client = self.proxy.connect();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(due) = due.get(number) else {
                    return;
                };
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let response = client.post("/", &balance_call(number as u64 + 1));
                if response.status != 200 || !response.json()["result"].is_string() {
                    eprintln!("call {number}: {response}");
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(ask);
            }
        });
        (due.len(), failed.into_inner())
    }

    /// The real half; `direct` strikes while clients call.
    fn play<T>(&mut self, direct: impl FnOnce(&Self) -> T) -> (Day, T) {
        self.began = Instant::now();
        let stage = &*self;
        let ((calls, failed), directed) = std::thread::scope(|scope| {
            let driver = scope.spawn(|| stage.drive());
            let directed = direct(stage);
            (driver.join().expect("no client panics"), directed)
        });
        let attempts = NAMES.map(|name| self.attempts_to(name));
        let all: f64 = attempts.iter().sum();
        let hedges = [("kind", "hedge")];
        let hedges = self.proxy.metric("livechain_retries_total", &hedges);
        let calls = calls as f64;
        let day = Day {
            calls,
            errors: failed as f64,
            shares: attempts.map(|own| own / all),
            attempts: (all - hedges) / calls,
            hedges: hedges / calls,
            struck: 0.0,
        };
        (day, directed)
    }
}

#[test]
fn one_refuses_connections_for_a_while() {
    let story = Story {
        name: "outage",
        faults: "faults: [ { upstreams: [a], from: 3s, until: 7s, refuse: 100% } ]",
        ..LEADERBOARD
    };
    let mut stage = Stage::start(&story);
    let (mut real, struck) =
        stage.play(|stage| stage.for_the_stretch(|a| a.kill().unwrap(), |a| a.revive().unwrap()));
    real.struck = struck;
    let faults = [("upstream", "a"), ("class", "transport")];
    let fired = stage.proxy.metric("livechain_faults_total", &faults);
    assert!(fired >= 3.0, "{fired} attempts found nobody");
    let simulated = story.simulate(&stage.proxy);
    story.agree(&real, &simulated);
    for day in simulated.iter().chain([&real]) {
        assert!(day.struck <= 0.05, "the dead one was asked: {day:?}");
    }
}

#[test]
fn one_fails_a_fifth_of_its_calls() {
    // In turns, since a leaderboard's shares hang on latencies, and of one who is nearly half broken so much that milliseconds would show.
    let story = Story {
        name: "errors",
        faults: "faults: [ { upstreams: [a], methods: [eth_getBalance], error: { share: 20%, say: internal } } ]",
        ..ROUND_ROBIN
    };
    let mut stage = Stage::start(&story);
    let error = Fault::rpc_error(-32603, "Internal error");
    let fired = stage.throughout(Rule::with_probability(0.2, error));
    let (real, ()) = stage.play(|_| ());
    let fired = stage.struck().hits(fired);
    assert!(fired >= 10, "the fault struck {fired} times");
    story.agree(&real, &story.simulate(&stage.proxy));
}

#[test]
fn one_throttles() {
    let story = Story {
        name: "throttle",
        faults: "faults: [ { upstreams: [a], limit: { per_second: 20, retry_after: 1s } } ]",
        ..ROUND_ROBIN
    };
    let mut stage = Stage::start(&story);
    let fired = stage.throughout(Rule::above(20, Fault::throttled(Some(1))));
    let (real, ()) = stage.play(|_| ());
    let fired = stage.struck().hits(fired);
    assert!(fired >= 1, "the limit was never reached");
    story.agree(&real, &story.simulate(&stage.proxy));
}

#[test]
fn one_stalls_now_and_then_and_calls_are_hedged() {
    let story = Story {
        name: "stalls",
        after: "methods: { \"*\": { hedge: { enabled: true } } }\n",
        faults: "faults: [ { upstreams: [a], stall: { share: 5%, for: 1s } } ]",
        ..ROUND_ROBIN
    };
    let mut stage = Stage::start(&story);
    let stall = Fault::Stall(Duration::from_secs(1));
    let fired = stage.throughout(Rule::with_probability(0.05, stall));
    let (real, ()) = stage.play(|_| ());
    let fired = stage.struck().hits(fired);
    assert!(fired >= 5, "the fault struck {fired} times");
    assert!(real.hedges > 0.0, "nothing was hedged: nothing was shown");
    story.agree(&real, &story.simulate(&stage.proxy));
}

#[test]
fn one_never_answers_for_a_while() {
    let story = Story {
        name: "hang",
        settings: "timeout: 500ms",
        faults: "faults: [ { upstreams: [a], from: 3s, until: 7s, hang: 100% } ]",
        ..LEADERBOARD
    };
    let mut stage = Stage::start(&story);
    let (mut real, (struck, fired)) = stage.play(|stage| {
        let mut fired = None;
        let hang = Rule::always(Fault::Hang);
        let struck = stage.for_the_stretch(|a| fired = Some(a.inject(hang)), |a| a.clear_all());
        (struck, fired.map_or(0, |fired| stage.struck().hits(fired)))
    });
    real.struck = struck;
    assert!(fired >= 3, "the fault struck {fired} times");
    let simulated = story.simulate(&stage.proxy);
    story.agree(&real, &simulated);
    for day in simulated.iter().chain([&real]) {
        assert!(day.struck <= 0.1, "the silent one was asked: {day:?}");
    }
}

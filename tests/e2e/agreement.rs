//! One story, told twice with one configuration: by `livechain simulate`, and by the real proxy on real sockets before scripted providers. What
//! does not hang on the machine's speed has to be the same: errors, who was asked how often, attempts and hedges for each call. Never looks at
//! latencies, which are the machine's own.
//!
//! The simulated half is the mean of several seeds, the real half is one day. So a figure may differ by what one seed differs from the mean
//! of many, which is what the tolerances are (`SEEDS` and the constants below say how they were found).

use crate::harness::{Proxy, Setup, balance_call, provider_with};
use perf::Rng;
use perf::provider::{Chain, Fault, Handle, Latency, Options, Rule};
use serde_json::Value;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const METHOD: &str = "eth_getBalance";
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Half of each one's answers come within this.
const MEDIANS_MS: [u64; 3] = [20, 30, 40];
const RATE: u64 = 150;
const LASTS_S: u64 = 10;
/// A fault that is not there all the time begins and ends at these seconds.
const FROM_S: u64 = 3;
const UNTIL_S: u64 = 7;
/// Connections, which are more than there are ever calls in flight: the next call comes whether or not the last has ended.
const CONNECTIONS: usize = 64;
/// Days that are simulated, of which the mean is taken.
const SEEDS: u64 = 10;

/// What is configured, and what the scenario says of the faults.
struct Story {
    strategy: &'static str,
    /// Of each upstream.
    settings: &'static str,
    /// Further sections of the configuration.
    after: &'static str,
    /// In the scenario's words; the real ones are injected by the test.
    faults: &'static str,
}

/// What is compared.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    calls: f64,
    errors: f64,
    /// Of the attempts, each upstream's part.
    shares: [f64; 3],
    /// Attempts that were no hedges, for each call.
    amplification: f64,
    /// Hedges for each call.
    hedges: f64,
}

impl Figures {
    /// Calls and attempts at the first upstream.
    fn counts(&self) -> Counts {
        Counts {
            calls: self.calls,
            attempts: self.calls * (self.amplification + self.hedges) * self.shares[0],
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

/// The real half while it goes on.
struct Stage {
    providers: Vec<Handle>,
    proxy: Proxy,
    began: Instant,
}

impl Stage {
    fn start(story: &Story) -> Self {
        let chain = Chain::default();
        let providers: Vec<_> = MEDIANS_MS
            .map(|ms| {
                // The scenario's quantiles, `p50` the median and `max` one and a half of it, are this very distribution.
                let latency = Latency::Uniform(
                    Duration::from_micros(ms * 500),
                    Duration::from_micros(ms * 1500),
                );
                provider_with(Options {
                    chain: chain.clone(),
                    latency,
                    seed: ms,
                    ..Options::default()
                })
            })
            .into();
        let setup = Setup::default()
            .forwarding_all()
            .chain(story.strategy)
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

    /// Waits until so many seconds of the story are told.
    fn until(&self, second: u64) {
        let at = self.began + Duration::from_secs(second);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
    }

    /// Calls and attempts at the first upstream that have ended.
    fn so_far(&self) -> Counts {
        Counts {
            calls: self
                .proxy
                .metric("livechain_calls_total", &[("method", METHOD)]),
            attempts: self.attempts_to(0),
        }
    }

    fn attempts_to(&self, upstream: usize) -> f64 {
        self.proxy.metric(
            "livechain_attempts_total",
            &[("upstream", NAMES[upstream]), ("method", METHOD)],
        )
    }

    /// Calls at times that do not know of each other. Says how many there were, and how many ended without a result.
    fn drive(&self) -> (usize, usize) {
        let (mut rng, mut due) = (Rng::new(7), Vec::new());
        let mut at_s = 0.0;
        while at_s < LASTS_S as f64 {
            due.push(self.began + Duration::from_secs_f64(at_s));
            at_s -= (1.0 - rng.unit()).ln() / RATE as f64;
        }
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    let mut client = self.proxy.connect();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(due) = due.get(number) else {
                            return;
                        };
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        let response = client.post("/", &balance_call(number as u64 + 1));
                        if response.status != 200 || !response.json()["result"].is_string() {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        (due.len(), failed.into_inner())
    }

    fn figures(&self, calls: usize, failed: usize) -> Figures {
        let calls = calls as f64;
        let attempts = [0, 1, 2].map(|upstream| self.attempts_to(upstream));
        let all: f64 = attempts.iter().sum();
        let hedges = self
            .proxy
            .metric("livechain_retries_total", &[("kind", "hedge")]);
        Figures {
            calls,
            errors: failed as f64,
            shares: attempts.map(|own| own / all),
            amplification: (all - hedges) / calls,
            hedges: hedges / calls,
        }
    }

    /// Plays the real half; `direct` injects the faults at their times.
    fn play<T>(&mut self, direct: impl FnOnce(&Self) -> T) -> (Figures, T) {
        self.began = Instant::now();
        let stage = &*self;
        std::thread::scope(|scope| {
            let driver = scope.spawn(|| stage.drive());
            let directed = direct(stage);
            let (calls, failed) = driver.join().expect("no client panics");
            (stage.figures(calls, failed), directed)
        })
    }

    /// Plays the simulated half with the very file that the proxy runs with, for so many seconds of it.
    fn simulate(&self, story: &Story) -> Figures {
        self.simulate_part(story, LASTS_S, story.faults)
    }

    /// The same days, once until the fault begins and once until it ends: what lies between is how often the struck one was asked meanwhile, for
    /// each call.
    fn simulate_stretch(&self, story: &Story) -> f64 {
        let before = self.simulate_part(story, FROM_S, "").counts();
        let after = self.simulate_part(story, UNTIL_S, story.faults).counts();
        after.rate_since(before)
    }

    fn simulate_part(&self, story: &Story, lasts_s: u64, faults: &str) -> Figures {
        let upstreams = NAMES.iter().zip(MEDIANS_MS).map(|(name, ms)| {
            let slowest = ms * 3 / 2;
            format!("  - {{ name: {name}, latency: {{ p50: {ms}ms, max: {slowest}ms }} }}\n")
        });
        let text = format!(
            "version: 1\nabout: A sample.\nlasts: {lasts_s}s\nshards: 1\nupstreams:\n{}traffic: {{ rate: {RATE}, methods: [ {{ name: {METHOD}, weight: 1 }} ] }}\n{}",
            upstreams.collect::<String>(),
            faults,
        );
        let folder = tempfile::tempdir().expect("a folder");
        let scenario = folder.path().join("sample.yaml");
        std::fs::write(&scenario, text).expect("a file");
        let days = (1..=SEEDS).map(|seed| {
            let output = Command::new(env!("CARGO_BIN_EXE_livechain"))
                .args(["simulate", "--format", "json", "--seed", &seed.to_string()])
                .args(["--strategy", strategy_name(story)])
                .arg("--config")
                .arg(self.proxy.config())
                .arg("--scenario")
                .arg(&scenario)
                .output()
                .expect("the binary runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            told(&serde_json::from_slice(&output.stdout).expect("JSON"), story)
        });
        let days: Vec<Figures> = days.collect();
        if std::env::var_os("AGREEMENT_SPREAD").is_some() {
            for day in &days {
                eprintln!("   {day:?}");
            }
        }
        mean(&days)
    }
}

fn strategy_name(story: &Story) -> &str {
    story.strategy.trim_start_matches("strategy: ")
}

/// The figures of one simulated day.
fn told(study: &Value, story: &Story) -> Figures {
    let one = &study["strategies"][strategy_name(story)];
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{study}"));
    let errors = one["errors"].as_object().expect("classes");
    Figures {
        calls: number(&one["calls"]),
        errors: errors.values().map(number).sum(),
        shares: NAMES.map(|name| number(&one["share"][name])),
        amplification: number(&one["amplification"]),
        hedges: number(&one["extra_load"]),
    }
}

fn mean(days: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> f64| days.iter().map(figure).sum::<f64>() / days.len() as f64;
    Figures {
        calls: of(|day| day.calls),
        errors: of(|day| day.errors),
        shares: [
            of(|day| day.shares[0]),
            of(|day| day.shares[1]),
            of(|day| day.shares[2]),
        ],
        amplification: of(|day| day.amplification),
        hedges: of(|day| day.hedges),
    }
}

const SHARE: f64 = 0.1;
const AMPLIFICATION: f64 = 0.05;
const HEDGES: f64 = 0.03;

fn agree(story: &str, real: &Figures, simulated: &Figures) {
    let row = |who: &str, of: &Figures| {
        let [a, b, c] = of.shares;
        eprintln!(
            "{story} {who}: calls {:.0}, errors {}, shares {a:.3} {b:.3} {c:.3}, attempts {:.4}, hedges {:.4}",
            of.calls, of.errors, of.amplification, of.hedges
        );
    };
    row("real", real);
    row("simulated", simulated);
    assert_eq!((real.errors, simulated.errors), (0.0, 0.0), "{story}");
    let near = |what: &str, real: f64, simulated: f64, tolerance: f64| {
        assert!(
            (real - simulated).abs() <= tolerance,
            "{story}: {what} is {real}, simulated {simulated}"
        );
    };
    for (name, (real, simulated)) in NAMES.iter().zip(real.shares.iter().zip(simulated.shares)) {
        near(&format!("the share of {name}"), *real, simulated, SHARE);
    }
    near("attempts for each call", real.amplification, simulated.amplification, AMPLIFICATION);
    near("hedges for each call", real.hedges, simulated.hedges, HEDGES);
}

#[test]
fn one_refuses_connections_for_a_while() {
    let story = Story {
        strategy: "strategy: leaderboard",
        settings: "",
        after: "",
        faults: "faults: [ { upstreams: [a], from: 3s, until: 7s, refuse: 100% } ]\n",
    };
    let mut stage = Stage::start(&story);
    let (real, asked) = stage.play(|stage| {
        stage.until(FROM_S);
        let before = stage.so_far();
        stage.providers[0].kill().unwrap();
        stage.until(UNTIL_S);
        let after = stage.so_far();
        stage.providers[0].revive().unwrap();
        after.rate_since(before)
    });
    eprintln!("outage: {asked} simulated {}", stage.simulate_stretch(&story));
    agree("outage", &real, &stage.simulate(&story));
}

#[test]
fn one_fails_a_fifth_of_its_calls() {
    let story = Story {
        strategy: "strategy: leaderboard",
        settings: "",
        after: "",
        faults: "faults: [ { upstreams: [a], error: { share: 20%, say: internal } } ]\n",
    };
    let mut stage = Stage::start(&story);
    let (real, hits) = stage.play(|stage| {
        let rule = Rule::with_probability(0.2, Fault::rpc_error(-32603, "Internal error"));
        let fired = stage.providers[0].inject(rule);
        stage.until(LASTS_S);
        stage.providers[0].hits(fired)
    });
    eprintln!("errors: {hits} hits");
    agree("errors", &real, &stage.simulate(&story));
}

#[test]
fn one_throttles() {
    let story = Story {
        strategy: "strategy: round_robin",
        settings: "",
        after: "",
        faults: "faults: [ { upstreams: [a], limit: { per_second: 20, retry_after: 1s } } ]\n",
    };
    let mut stage = Stage::start(&story);
    let (real, hits) = stage.play(|stage| {
        let rule = Rule::above(20, Fault::throttled(Some(1))).for_method(METHOD);
        let fired = stage.providers[0].inject(rule);
        stage.until(LASTS_S);
        stage.providers[0].hits(fired)
    });
    eprintln!("throttle: {hits} hits");
    agree("throttle", &real, &stage.simulate(&story));
}

#[test]
fn one_stalls_now_and_then_and_calls_are_hedged() {
    let story = Story {
        strategy: "strategy: round_robin",
        settings: "",
        after: "methods: { \"*\": { hedge: { enabled: true, max_extra: 20% } } }\n",
        faults: "faults: [ { upstreams: [a], stall: { share: 5%, for: 1s } } ]\n",
    };
    let mut stage = Stage::start(&story);
    let (real, hits) = stage.play(|stage| {
        let rule = Rule::with_probability(0.05, Fault::Stall(Duration::from_secs(1)));
        let fired = stage.providers[0].inject(rule.for_method(METHOD));
        stage.until(LASTS_S);
        stage.providers[0].hits(fired)
    });
    eprintln!("stalls: {hits} hits");
    agree("stalls", &real, &stage.simulate(&story));
}

#[test]
fn one_never_answers_for_a_while() {
    let story = Story {
        strategy: "strategy: leaderboard",
        settings: "timeout: 500ms",
        after: "",
        faults: "faults: [ { upstreams: [a], from: 3s, until: 7s, hang: 100% } ]\n",
    };
    let mut stage = Stage::start(&story);
    let (real, (hits, asked)) = stage.play(|stage| {
        stage.until(FROM_S);
        let before = stage.so_far();
        let fired = stage.providers[0].inject(Rule::always(Fault::Hang));
        stage.until(UNTIL_S);
        let after = stage.so_far();
        stage.providers[0].clear_all();
        (stage.providers[0].hits(fired), after.rate_since(before))
    });
    eprintln!("hang: {hits} hits {asked} simulated {}", stage.simulate_stretch(&story));
    agree("hang", &real, &stage.simulate(&story));
}

//! The table of lanes: who does what before which providers, and what is looked at. Adding a lane is adding an entry.

use crate::lane::{Lane, Measure, Pace, Providers, Scenery, Side, Trial, Upstream, Who, Work};
use std::time::Duration;

/// Names of all lanes, in the order of the results.
pub const NAMES: [&str; 13] = [
    "forward",
    "forward-3",
    "mixed",
    "hit",
    "duplicates",
    "batch",
    "large",
    "tls",
    "hedged",
    "armed",
    "idle",
    "scale",
    "latency",
];

/// What the command line may change of the lanes.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Arrivals a second of `mixed`.
    pub mixed_per_s: f64,
    /// Arrivals a second of `scale`.
    pub scale_per_s: f64,
    /// Arrivals a second of `hedged`.
    pub hedged_per_s: f64,
    /// Connections of `idle`.
    pub idle_connections: usize,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            mixed_per_s: 4000.0,
            scale_per_s: 20_000.0,
            hedged_per_s: 1000.0,
            idle_connections: 10_000,
        }
    }
}

const CPU: &[Measure] = &[Measure::CpuUsPerRequest];
const THROUGHPUT: &[Measure] = &[
    Measure::CpuUsPerRequest,
    Measure::RequestsPerS,
    Measure::P50Us,
    Measure::P99Us,
    Measure::ProxyShare,
    Measure::HarnessShare,
];
const THROUGHPUT_AND_CALLS: &[Measure] = &[
    Measure::CpuUsPerRequest,
    Measure::RequestsPerS,
    Measure::P50Us,
    Measure::P99Us,
    Measure::UpstreamPerCall,
    Measure::ProxyShare,
    Measure::HarnessShare,
];

/// The lane of that name.
pub fn lane(name: &str, rates: Rates) -> Option<Lane> {
    Some(match name {
        "forward" => forward(),
        "forward-3" => forward_3(),
        "mixed" => mixed(rates.mixed_per_s),
        "hit" => hit(),
        "duplicates" => duplicates(),
        "batch" => batch(),
        "large" => large(),
        "tls" => tls(),
        "hedged" => hedged(rates.hedged_per_s),
        "armed" => armed(),
        "idle" => idle(rates.idle_connections),
        "scale" => scale(rates.scale_per_s),
        "latency" => latency(),
        _ => return None,
    })
}

const NGINX: Who = Who::Peer("nginx");
const HAPROXY: Who = Who::Peer("haproxy");
const RELAY: Who = Who::Peer("relay");

fn side(who: Who, variant: &'static str, note: &'static str, work: Work) -> Side {
    Side {
        who,
        note,
        variant,
        cores: 1,
        work,
        upstream: Upstream::Same,
    }
}

fn load(mix: &str, pace: Pace) -> Work {
    Work::Load {
        mix: mix.to_owned(),
        pace,
        tls: false,
    }
}

fn closed(mix: &str, connections: usize) -> Work {
    load(mix, Pace::Closed { connections })
}

fn open(mix: &str, rate_per_s: f64, connections: usize) -> Work {
    let pace = Pace::Open {
        rate_per_s,
        connections,
    };
    load(mix, pace)
}

fn trial(name: impl Into<String>, scenery: Scenery, sides: Vec<Side>) -> Trial {
    Trial {
        name: name.into(),
        scenery,
        sides,
        fresh: false,
    }
}

/// The name of a trial over so many connections.
pub fn of_connections(connections: usize) -> String {
    format!(
        "{connections} connection{}",
        if connections == 1 { "" } else { "s" }
    )
}

fn forward() -> Lane {
    let at = |connections| {
        let work = || closed("balance", connections);
        let sides = [NGINX, HAPROXY, RELAY, Who::Subject];
        let sides = sides.map(|who| side(who, "forward", "", work())).to_vec();
        trial(of_connections(connections), Scenery::default(), sides)
    };
    Lane {
        name: "forward",
        what: "Distinct `eth_getBalance` over keep-alive connections, closed loop, one provider, nothing kept, nothing \
               shared. The relay moves bytes on the subject's runtime and does nothing else: its floor.",
        measures: THROUGHPUT,
        compared: CPU,
        trials: [1, 8, 64, 256].map(at).to_vec(),
    }
}

fn forward_3() -> Lane {
    let scenery = Scenery {
        providers: Providers::Three,
        ..Scenery::default()
    };
    let at = |connections| {
        let work = || closed("balance", connections);
        let sides = vec![
            side(Who::Subject, "forward", "one upstream", work()),
            side(Who::Subject, "forward-3", "three upstreams", work()),
        ];
        trial(of_connections(connections), scenery.clone(), sides)
    };
    Lane {
        name: "forward-3",
        what: "What a choice among three providers costs: the work of `forward` with one upstream and with three.",
        measures: THROUGHPUT,
        compared: CPU,
        trials: [8, 64, 256].map(at).to_vec(),
    }
}

fn mixed(rate_per_s: f64) -> Lane {
    let work = || open("tip", rate_per_s, 128);
    let kept = Side {
        upstream: Upstream::Fewer,
        ..side(Who::Subject, "cached", "defaults", work())
    };
    // The subject follows the chain's head, with calls that are in the mix too, also while others are measured.
    let nearly = |who, note| Side {
        upstream: Upstream::Nearly,
        ..side(who, "forward", note, work())
    };
    let sides = vec![
        nearly(NGINX, ""),
        nearly(HAPROXY, ""),
        nearly(Who::Subject, "nothing kept"),
        kept,
    ];
    Lane {
        name: "mixed",
        what: "What applications ask at the tip of a chain (30 % recent blocks, 10 % a block and its logs, 30 % receipts, 20 % \
               traces, 10 % balances; answers of 0.1 to 20 kB), open loop.",
        measures: THROUGHPUT_AND_CALLS,
        compared: &[Measure::CpuUsPerRequest, Measure::P99Us],
        trials: vec![trial(format!("{rate_per_s}/s"), Scenery::default(), sides)],
    }
}

fn hit() -> Lane {
    let at = |(name, mix): (&str, &str)| {
        let work = || closed(mix, 64);
        let kept = Side {
            upstream: Upstream::Fewer,
            ..side(Who::Subject, "cached", "", work())
        };
        // The subject asks for the head on its own account, also while the peer is measured.
        let forwarded = Side {
            upstream: Upstream::Nearly,
            ..side(NGINX, "forward", "", work())
        };
        let sides = vec![forwarded, kept];
        trial(name, Scenery::default(), sides)
    };
    Lane {
        name: "hit",
        what: "The same question again and again, 64 connections: the subject answers from memory, the peer forwards.",
        measures: THROUGHPUT_AND_CALLS,
        compared: CPU,
        trials: [("eth_call", "same:call"), ("eth_blockNumber", "same:head")]
            .map(at)
            .to_vec(),
    }
}

fn duplicates() -> Lane {
    // Long enough that all clients have asked before the answer is there.
    let scenery = Scenery {
        latency: Some(Duration::from_millis(20)),
        ..Scenery::default()
    };
    let work = || closed("together:balance", 64);
    let fewer = |variant, note| Side {
        upstream: Upstream::Fewer,
        ..side(Who::Subject, variant, note, work())
    };
    let sides = vec![
        side(NGINX, "forward", "", work()),
        fewer("coalesced", "nothing kept"),
        fewer("cached", "defaults"),
    ];
    Lane {
        name: "duplicates",
        what: "64 clients ask the same new question at once, then the next; the provider takes 20 ms and counts what reaches it.",
        measures: &[
            Measure::UpstreamPerQuestion,
            Measure::CpuUsPerRequest,
            Measure::RequestsPerS,
            Measure::P50Us,
            Measure::P99Us,
        ],
        compared: &[Measure::UpstreamPerQuestion, Measure::CpuUsPerRequest],
        trials: vec![trial("64 clients", scenery, sides)],
    }
}

fn batch() -> Lane {
    let sides = vec![
        side(
            Who::Subject,
            "batched",
            "single calls",
            closed("balance", 64),
        ),
        side(
            Who::Subject,
            "batched",
            "100 calls a batch",
            closed("batch:100", 8),
        ),
    ];
    Lane {
        name: "batch",
        what: "A call on its own (64 connections) against a call in a batch of 100 (8 connections), where the provider takes \
               batches.",
        measures: &[
            Measure::CpuUsPerCall,
            Measure::RequestsPerS,
            Measure::P50Us,
            Measure::P99Us,
            Measure::ProxyShare,
            Measure::HarnessShare,
        ],
        compared: &[Measure::CpuUsPerCall],
        trials: vec![trial("100 calls", Scenery::default(), sides)],
    }
}

fn large() -> Lane {
    let at = |(name, result_bytes, rate_per_s): (&str, usize, f64)| {
        let work = || open("balance", rate_per_s, 8);
        let scenery = Scenery {
            result_bytes: Some(result_bytes),
            ..Scenery::default()
        };
        let sides = [NGINX, HAPROXY, Who::Subject];
        let sides = sides.map(|who| side(who, "forward", "", work())).to_vec();
        trial(name, scenery, sides)
    };
    Lane {
        name: "large",
        what: "Results of 1 MB and 10 MB, open loop.",
        measures: THROUGHPUT,
        compared: CPU,
        trials: [("1 MB", 1 << 20, 100.0), ("10 MB", 10 << 20, 10.0)]
            .map(at)
            .to_vec(),
    }
}

fn tls() -> Lane {
    let at = |connections| {
        let work = || Work::Load {
            mix: "balance".to_owned(),
            pace: Pace::Closed { connections },
            tls: true,
        };
        let scenery = Scenery {
            tls: true,
            ..Scenery::default()
        };
        let sides = [NGINX, Who::Subject];
        let sides = sides.map(|who| side(who, "tls", "", work())).to_vec();
        trial(of_connections(connections), scenery, sides)
    };
    Lane {
        name: "tls",
        what: "`forward` with TLS on both sides, the provider's certificate verified.",
        measures: THROUGHPUT,
        compared: CPU,
        trials: [8, 64].map(at).to_vec(),
    }
}

fn hedged(rate_per_s: f64) -> Lane {
    let ms = Duration::from_millis;
    let stalling = Scenery {
        providers: Providers::Three,
        latency: Some(ms(5)),
        stalls: Some((0.02, ms(1000))),
        ..Scenery::default()
    };
    let work = || open("balance", rate_per_s, 256);
    let hedged = Side {
        upstream: Upstream::UpTo(1.2),
        ..side(Who::Subject, "hedge-on", "hedged", work())
    };
    let stalls = vec![
        side(Who::Subject, "hedge-off", "not hedged", work()),
        hedged,
    ];
    Lane {
        name: "hedged",
        what: "Three providers in turn, 5 ms an answer; one of them stalls 2 % of its answers for 1 s; open loop.",
        measures: &[
            Measure::P50Us,
            Measure::P99Us,
            Measure::P999Us,
            Measure::UpstreamPerCall,
            Measure::CpuUsPerRequest,
        ],
        compared: &[Measure::P999Us, Measure::UpstreamPerCall],
        trials: vec![trial(format!("stalls, {rate_per_s}/s"), stalling, stalls)],
    }
}

fn armed() -> Lane {
    let scenery = Scenery {
        providers: Providers::Three,
        ..Scenery::default()
    };
    let work = || closed("balance", 64);
    let sides = vec![
        side(Who::Subject, "hedge-off", "not hedged", work()),
        side(Who::Subject, "hedge-armed", "armed, never firing", work()),
    ];
    Lane {
        name: "armed",
        what: "What hedging costs where it never fires: three providers in turn that answer at once, closed loop.",
        measures: THROUGHPUT,
        compared: CPU,
        trials: vec![trial(of_connections(64), scenery, sides)],
    }
}

fn idle(connections: usize) -> Lane {
    let sides = [NGINX, HAPROXY, Who::Subject]
        .map(|who| side(who, "forward", "", Work::Idle { connections }));
    let trial = Trial {
        fresh: true,
        ..trial(
            of_connections(connections),
            Scenery::default(),
            sides.to_vec(),
        )
    };
    Lane {
        name: "idle",
        what: "Keep-alive connections that have asked once and then do nothing: memory for each, and processor time at rest \
               without and with them.",
        measures: &[
            Measure::BytesPerConnection,
            Measure::ShareAtRest,
            Measure::ShareWithIdle,
        ],
        compared: &[Measure::BytesPerConnection],
        trials: vec![trial],
    }
}

fn scale(rate_per_s: f64) -> Lane {
    let work = || open("balance", rate_per_s, 32);
    let sides = vec![
        side(Who::Subject, "forward", "1 core", work()),
        Side {
            cores: 2,
            ..side(Who::Subject, "forward", "2 cores", work())
        },
    ];
    Lane {
        name: "scale",
        what: "One fixed arrival rate on one core and on two, 32 connections a core. The load comes from the second core in both.",
        measures: THROUGHPUT,
        compared: CPU,
        trials: vec![trial(format!("{rate_per_s}/s"), Scenery::default(), sides)],
    }
}

fn latency() -> Lane {
    let work = || load("balance", Pace::HalfOfMaximum { connections: 64 });
    let sides = [NGINX, RELAY, Who::Subject].map(|who| side(who, "forward", "", work()));
    Lane {
        name: "latency",
        what: "Latency at one rate for all, half of what the first side reaches in a closed loop; open loop, corrected for \
               coordinated omission.",
        measures: &[
            Measure::P50Us,
            Measure::P99Us,
            Measure::P999Us,
            Measure::RequestsPerS,
            Measure::CpuUsPerRequest,
            Measure::HarnessShare,
        ],
        compared: &[Measure::P99Us],
        trials: vec![trial("64 connections", Scenery::default(), sides.to_vec())],
    }
}

#[cfg(test)]
mod tests {
    use super::{NAMES, Rates, lane};
    use crate::lane::{Who, Work};
    use perf::load::Mix;

    #[test]
    fn every_name_has_a_lane_that_can_be_run() {
        for name in NAMES {
            let lane = lane(name, Rates::default()).unwrap();
            assert_eq!(lane.name, name);
            assert!(!lane.trials.is_empty());
            assert!(
                lane.compared
                    .iter()
                    .all(|measure| lane.measures.contains(measure))
            );
            for trial in &lane.trials {
                assert!(trial.sides.len() >= 2, "{name}: nothing to compare");
                assert_eq!(
                    trial.sides.last().unwrap().who,
                    Who::Subject,
                    "{name}: the subject comes last"
                );
                for side in &trial.sides {
                    if let Work::Load { mix, .. } = &side.work {
                        assert!(mix.parse::<Mix>().is_ok(), "{name}: {mix}");
                    }
                }
            }
        }
        assert!(lane("forwards", Rates::default()).is_none());
    }

    #[test]
    fn trials_of_a_lane_have_different_names() {
        for name in NAMES {
            let mut names: Vec<_> = lane(name, Rates::default())
                .unwrap()
                .trials
                .into_iter()
                .map(|trial| trial.name)
                .collect();
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "{name}");
        }
    }
}

//! A scripted provider: what one upstream does with an attempt at a given time. Faults are phases laid over a latency. It decides nothing
//! for the engine; its errors are said in a vendor's words and read by the production dialect rules.
//!
//! What an upstream would do with the nth attempt of a call is drawn from the seed, the upstream, the call and n alone. So whoever
//! decides, a call that is sent to an upstream has the same luck there: strategies are compared under the same draws, and their difference is
//! theirs.

mod behaviour;
mod kept;
mod outlook;
mod queue;
mod saying;
#[cfg(test)]
mod tests;

pub use behaviour::{Behaviour, Phase};
pub use kept::Kept;
pub use outlook::{Answers, Outlook};
pub use saying::{
    BAD_GATEWAY, INTERNAL, NAMED, NO_HISTORY, NO_METHOD, NOT_YET, PRUNED, REVERT, RIDDLE, SYNCING,
    Saying, TOO_MANY, UNAUTHORIZED, UNAVAILABLE, USED_UP, classified,
};

use core::time::Duration;
use std::collections::VecDeque;

use engine::config::UpstreamConfig;
use engine::fault::{Fault, FaultClass};
use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::Instant;

use crate::distribution::{Latency, Tail};
use queue::Servers;

/// One upstream: as the engine is told of it, and as it behaves.
#[derive(Clone, Debug)]
pub struct Script {
    /// What the engine knows.
    pub config: UpstreamConfig,
    /// Its name in reports.
    pub name: String,
    /// Where it is; upstreams of one region fail together.
    pub region: String,
    /// The median latency of a good answer.
    pub median: Duration,
    /// How heavy the tail of its latencies is.
    pub tail: Tail,
    /// Its latencies, where they were measured, each from when on: `median` and `tail` are not used then.
    pub measured: Vec<(Instant, Latency)>,
    /// Latencies of single methods, where they were measured.
    pub measured_by_method: Vec<(MethodId, Latency)>,
    /// What the way there adds to each answer.
    pub distance: Duration,
    /// What it costs.
    pub price: Price,
    /// How many calls a second it serves.
    pub limit: Option<Limit>,
    /// How many compute units it serves in all.
    pub allowance: Option<u64>,
    /// How many calls it works on at once, and how many may wait.
    pub capacity: Option<Capacity>,
    /// How much of the past it has.
    pub kept: Kept,
    /// How long after its making it has a block.
    pub head_delay: Duration,
    /// What goes wrong when.
    pub phases: Vec<Phase>,
}

/// What an upstream costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Millionths of a unit of money for a million compute units.
    pub micros_per_million: u64,
    /// So many compute units are free.
    pub free: u64,
}

/// How many calls a second an upstream serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Calls in any second.
    pub per_second: u32,
    /// What it says to the others about coming back, in seconds.
    pub retry_after_s: Option<u64>,
    /// The operator knows of it.
    pub published: bool,
}

/// How many calls an upstream works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// At once.
    pub at_once: u32,
    /// Further ones wait; what finds so many waiting is refused with a 503.
    pub waiting: u32,
}

/// What is asked of an upstream.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The method.
    pub method: MethodId,
    /// What the method takes, in thousandths of the usual.
    pub effort: u32,
    /// What it costs, in compute units.
    pub units: u32,
    /// The call, the same whoever decides about it.
    pub key: u64,
    /// Which attempt of the call at this upstream, from 0.
    pub nth: u64,
    /// A pooled connection may be used.
    pub pooled: bool,
    /// What it says to a call about a block that it has not; `None` where it has it, or no block is named.
    pub lacks: Option<Saying>,
}

/// What will come of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How long until the end; `None` for never.
    pub ends_after: Option<Duration>,
    /// How it ends.
    pub end: End,
    /// A good answer that is right.
    pub right: bool,
    /// The provider did its work, and wants to be paid.
    pub billed: bool,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a judged answer.
    Finished(Result<(), Fault>),
    /// Half of the time in, its first bytes go to the client; then this.
    Streamed(Result<(), Fault>),
    /// The pooled connection was dead.
    Stale,
}

/// One upstream while the simulation runs.
#[derive(Debug)]
pub struct Provider {
    script: Script,
    latency: Latency,
    /// The seed of all its draws.
    seed: u64,
    /// When the attempts of the last second came, for limits.
    recent: VecDeque<Instant>,
    servers: Option<Servers>,
    /// Compute units served.
    served_units: u64,
}

/// A refused connect and a vendor's refusal are quick.
const QUICK: Duration = Duration::from_millis(2);

impl Provider {
    /// A provider of this script, with its own draws.
    #[must_use]
    pub fn new(script: Script, seed: u64) -> Self {
        Self {
            latency: Latency::around(script.median, script.tail),
            seed,
            recent: VecDeque::new(),
            servers: script.capacity.map(Servers::new),
            served_units: 0,
            script,
        }
    }

    /// What it is.
    #[must_use]
    pub const fn script(&self) -> &Script {
        &self.script
    }

    /// What rules at `now` for a method, in order.
    pub(crate) fn phases(&self, now: Instant, method: MethodId) -> impl Iterator<Item = &Phase> {
        let phases = self.script.phases.iter();
        phases.filter(move |phase| phase.holds(now, method))
    }

    fn latency(&self, now: Instant, method: MethodId) -> &Latency {
        let mut own = self.script.measured_by_method.iter();
        if let Some((_, latency)) = own.find(|(known, _)| *known == method) {
            return latency;
        }
        let measured = &self.script.measured;
        let after = measured.partition_point(|(from, _)| *from <= now);
        measured
            .get(after.saturating_sub(1))
            .map_or(&self.latency, |(_, latency)| latency)
    }

    fn allowed_per_second(&self) -> Option<u64> {
        self.script.limit.map(|limit| u64::from(limit.per_second))
    }

    /// What will come of an attempt that arrives now.
    pub fn receive(&mut self, now: Instant, ask: &Ask) -> Plan {
        let mut rng = Rng::new(self.seed ^ mixed(ask.key.wrapping_add(ask.nth << 56)));
        let usual = self.latency(now, ask.method).draw(&mut rng);
        let mut took = scaled(usual, ask.effort, 1_000);
        let (mut right, mut streams) = (true, false);
        let mut limits = [None; 2];
        for phase in self.phases(now, ask.method) {
            let draw = rng.below(1_000) as u32;
            match phase.behaviour {
                Behaviour::Refuse => return refused(),
                Behaviour::RefuseSome(permille) if draw < permille => return refused(),
                Behaviour::Hang => return HANGS,
                Behaviour::HangSome(permille) if draw < permille => return HANGS,
                Behaviour::Reset => return reset(took),
                Behaviour::ResetSome(permille) if draw < permille => return reset(took),
                Behaviour::Say(saying, permille) if draw < permille => {
                    return fails(took / 2, saying.fault(None));
                }
                Behaviour::Fail(fault, permille) if draw < permille => {
                    return fails(took / 2, fault);
                }
                Behaviour::Stale(permille) if ask.pooled && draw < permille => return STALE,
                Behaviour::BreakMidStream(permille) if draw < permille => return broken(took),
                Behaviour::BreakMidStream(_) => streams = true,
                Behaviour::StallSome(permille, stall) if draw < permille => took += stall,
                Behaviour::Later(span) => took += span,
                Behaviour::Pauses(..) => took += phase.standstill(now),
                Behaviour::Slow(_) | Behaviour::SlowWith(..) | Behaviour::Drift(..) => {
                    took = scaled(took, phase.percent(now), 100);
                }
                Behaviour::WrongResults(permille) => right &= draw >= permille,
                Behaviour::WrongChain => right = false,
                Behaviour::Limit(per_second, retry_after) => {
                    limits[1] = Some((per_second, retry_after));
                }
                _ => {}
            }
        }
        limits[0] = self
            .script
            .limit
            .map(|limit| (limit.per_second, limit.retry_after_s));
        if let Some(fault) = self.over_limit(now, limits) {
            return fails(QUICK, fault).unbilled();
        }
        if let Some(allowance) = self.script.allowance {
            self.served_units += u64::from(ask.units);
            if self.served_units > allowance {
                let fault = USED_UP.fault_of(&self.script.name, None);
                return fails(QUICK, fault).unbilled();
            }
        }
        if let Some(saying) = ask.lacks {
            return fails(took / 2, saying.fault(None));
        }
        if let Some(servers) = &mut self.servers {
            let Some(waits) = servers.admit(now, took) else {
                return fails(QUICK, UNAVAILABLE.fault(None)).unbilled();
            };
            took += waits;
        }
        let good = Ok(());
        Plan {
            ends_after: Some(took + self.script.distance),
            end: if streams {
                End::Streamed(good)
            } else {
                End::Finished(good)
            },
            right,
            billed: true,
        }
    }

    /// The refusal of the first limit that is reached.
    fn over_limit(
        &mut self,
        now: Instant,
        limits: [Option<(u32, Option<u64>)>; 2],
    ) -> Option<Fault> {
        if limits == [None; 2] {
            return None;
        }
        let second_ago = now - Duration::from_secs(1);
        while self.recent.front().is_some_and(|&at| at <= second_ago) {
            self.recent.pop_front();
        }
        let come = self.recent.len();
        let reached = |&&(per_second, _): &&(u32, Option<u64>)| come >= per_second as usize;
        let over = limits.iter().flatten().find(reached);
        if over.is_none() {
            self.recent.push_back(now);
        }
        over.map(|(_, retry_after)| {
            TOO_MANY.fault_of(&self.script.name, retry_after.map(Duration::from_secs))
        })
    }
}

impl Plan {
    const fn unbilled(mut self) -> Self {
        self.billed = false;
        self
    }
}

const HANGS: Plan = Plan {
    ends_after: None,
    end: End::Finished(Ok(())),
    right: false,
    billed: false,
};

const STALE: Plan = Plan {
    ends_after: Some(QUICK),
    end: End::Stale,
    right: false,
    billed: false,
};

const fn fails(after: Duration, fault: Fault) -> Plan {
    Plan {
        ends_after: Some(after),
        end: End::Finished(Err(fault)),
        right: false,
        billed: true,
    }
}

const fn refused() -> Plan {
    fails(QUICK, Fault::unsent(FaultClass::Transport, "refused")).unbilled()
}

fn reset(took: Duration) -> Plan {
    fails(took / 2, Fault::new(FaultClass::Transport, "reset")).unbilled()
}

const fn broken(took: Duration) -> Plan {
    Plan {
        end: End::Streamed(Err(Fault::new(FaultClass::Transport, "reset_mid_body"))),
        ..fails(took, Fault::new(FaultClass::Transport, "reset_mid_body"))
    }
}

fn scaled(span: Duration, part: u32, whole: u32) -> Duration {
    span.saturating_mul(part) / whole
}

/// SplitMix64's finalizer: neighbours become strangers.
pub(crate) const fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

//! A scripted provider: what one upstream does with an attempt at a given time. Faults are phases laid over a latency. It decides nothing
//! for the engine; its errors are said in a vendor's words and read by the production dialect rules.

use core::time::Duration;
use std::collections::VecDeque;

use engine::config::UpstreamConfig;
use engine::dialect::{Observed, classify};
use engine::fault::{Fault, FaultClass};
use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::Instant;

use crate::latency;

/// One upstream: as the engine is told of it, and as it behaves.
#[derive(Clone, Debug)]
pub struct Script {
    /// What the engine knows.
    pub config: UpstreamConfig,
    /// The median latency of a good answer.
    pub median: Duration,
    /// What goes wrong when. Where phases overlap, the first in the list rules.
    pub phases: Vec<Phase>,
}

/// From, until, what.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// The first instant of it.
    pub from: Instant,
    /// The first instant after it.
    pub until: Instant,
    /// What the upstream does then.
    pub behaviour: Behaviour,
}

/// What an upstream does.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Connections are refused at once.
    Refuse,
    /// Nothing ever comes.
    Hang,
    /// Of a thousand attempts so many never get an answer.
    HangSome(u32),
    /// Of a thousand answers so many come this much later.
    StallSome(u32, Duration),
    /// The connection is reset after the bytes were sent.
    Reset,
    /// Slower, in per cent of the usual: 500 is five times.
    Slow(u32),
    /// Slower with one method, in per cent of the usual.
    SlowWith(MethodId, u32),
    /// Of a thousand attempts so many end with this error, in a vendor's words.
    Say(Saying, u32),
    /// Of a thousand attempts with one method so many end with this error.
    SayWith(MethodId, Saying, u32),
    /// Of a thousand attempts so many are answered with something that is no answer.
    Garble(u32),
    /// More than this many in a second are refused, with a Retry-After in seconds or without one.
    Limit(u32, Option<u64>),
    /// Of a thousand attempts so many find a dead pooled connection.
    Stale(u32),
    /// Of a thousand attempts so many break after a part of the answer went to the client.
    BreakMidStream(u32),
    /// Answers for another chain, as fast as ever; checks beside the traffic see it.
    WrongChain,
    /// Its head stands still; checks beside the traffic see it.
    StuckHead,
}

/// An error as some vendor says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saying {
    /// The HTTP status.
    pub http_status: u16,
    /// The JSON-RPC code.
    pub code: Option<i64>,
    /// The text.
    pub message: &'static str,
}

impl Saying {
    /// What the production rules make of it.
    #[must_use]
    pub fn fault(&self, retry_after: Option<Duration>) -> Fault {
        classify(&Observed {
            provider: "simulated",
            host: "simulated.example",
            method: "eth_call",
            http_status: self.http_status,
            code: self.code,
            message: self.message,
            data: "",
            retry_after,
        })
        .fault()
    }
}

/// An internal error.
pub const INTERNAL: Saying = saying(200, -32603, "Internal error");
/// A proxy's 502.
pub const BAD_GATEWAY: Saying = Saying {
    http_status: 502,
    code: None,
    message: "",
};
/// A throttle.
pub const TOO_MANY: Saying = saying(429, -32005, "Too Many Requests");
/// History that a node no longer has.
pub const PRUNED: Saying = saying(
    200,
    -32000,
    "missing trie node 0a1b2c (path ) state is not available",
);
/// A method that is not served.
pub const NO_METHOD: Saying = saying(
    200,
    -32601,
    "the method eth_call does not exist/is not available",
);
/// A revert.
pub const REVERT: Saying = saying(200, 3, "execution reverted");
/// A refused key.
pub const UNAUTHORIZED: Saying = saying(401, -32000, "Must be authenticated!");
/// Something no rule knows.
pub const RIDDLE: Saying = saying(200, -39999, "the flux is misaligned");

const fn saying(http_status: u16, code: i64, message: &'static str) -> Saying {
    Saying {
        http_status,
        code: Some(code),
        message,
    }
}

/// What will come of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How long until the end; `None` for never.
    pub ends_after: Option<Duration>,
    /// How it ends.
    pub end: End,
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
    rng: Rng,
    /// When the attempts of the last second came, for [`Behaviour::Limit`].
    recent: VecDeque<Instant>,
}

/// A refused connect and a vendor's refusal are quick.
const QUICK: Duration = Duration::from_millis(2);

impl Provider {
    /// A provider of this script, with its own draws.
    #[must_use]
    pub const fn new(script: Script, rng: Rng) -> Self {
        Self {
            script,
            rng,
            recent: VecDeque::new(),
        }
    }

    /// What it does at `now`.
    #[must_use]
    pub fn behaviour(&self, now: Instant) -> Option<Behaviour> {
        let mut phases = self.script.phases.iter();
        phases
            .find(|phase| phase.from <= now && now < phase.until)
            .map(|phase| phase.behaviour)
    }

    /// What will come of an attempt that arrives now.
    pub fn receive(&mut self, now: Instant, method: MethodId, may_be_pooled: bool) -> Plan {
        let usual = latency::around(self.script.median, &mut self.rng);
        let answer = Plan {
            ends_after: Some(usual),
            end: End::Finished(Ok(())),
        };
        let draw = self.rng.below(1_000) as u32;
        match self.behaviour(now) {
            Some(Behaviour::Refuse) => fail(QUICK, Fault::unsent(FaultClass::Transport, "refused")),
            Some(Behaviour::Hang) => hang(),
            Some(Behaviour::HangSome(permille)) if draw < permille => hang(),
            Some(Behaviour::StallSome(permille, stall)) if draw < permille => Plan {
                ends_after: Some(usual + stall),
                ..answer
            },
            Some(Behaviour::Reset) => fail(usual / 2, Fault::new(FaultClass::Transport, "reset")),
            Some(Behaviour::SlowWith(slow, _)) if slow != method => answer,
            Some(Behaviour::SayWith(with, saying, permille))
                if with == method && draw < permille =>
            {
                fail(usual / 2, saying.fault(None))
            }
            Some(Behaviour::Garble(permille)) if draw < permille => {
                fail(usual, Fault::malformed("reply_wrong_id"))
            }
            Some(Behaviour::Slow(percent) | Behaviour::SlowWith(_, percent)) => Plan {
                ends_after: Some(usual.saturating_mul(percent) / 100),
                ..answer
            },
            Some(Behaviour::Say(saying, permille)) if draw < permille => {
                fail(usual / 2, saying.fault(None))
            }
            Some(Behaviour::Limit(per_second, retry_after)) if self.is_over(now, per_second) => {
                fail(QUICK, TOO_MANY.fault(retry_after.map(Duration::from_secs)))
            }
            Some(Behaviour::Stale(permille)) if may_be_pooled && draw < permille => Plan {
                ends_after: Some(QUICK),
                end: End::Stale,
            },
            Some(Behaviour::BreakMidStream(permille)) if draw < permille => Plan {
                ends_after: Some(usual),
                end: End::Streamed(Err(Fault::new(FaultClass::Transport, "reset_mid_body"))),
            },
            Some(Behaviour::BreakMidStream(_)) => Plan {
                end: End::Streamed(Ok(())),
                ..answer
            },
            _ => answer,
        }
    }

    fn is_over(&mut self, now: Instant, per_second: u32) -> bool {
        let second_ago = now - Duration::from_secs(1);
        while self.recent.front().is_some_and(|&at| at <= second_ago) {
            self.recent.pop_front();
        }
        if self.recent.len() >= per_second as usize {
            return true;
        }
        self.recent.push_back(now);
        false
    }
}

const fn fail(after: Duration, fault: Fault) -> Plan {
    Plan {
        ends_after: Some(after),
        end: End::Finished(Err(fault)),
    }
}

const fn hang() -> Plan {
    Plan {
        ends_after: None,
        end: End::Finished(Ok(())),
    }
}

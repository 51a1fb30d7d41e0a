//! What a load asks for: named mixes of methods, with weights, and the bodies made from them. Draws from a seeded
//! generator; asks nobody.

#[cfg(test)]
mod tests;

use crate::Rng;
use crate::fields::write_decimal;
use crate::hex::{data, quantity, seed_of};
use std::fmt;
use std::str::FromStr;

/// One kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// `eth_getBalance` of a random address.
    Balance,
    /// `eth_call` with random data.
    Call,
    /// `eth_blockNumber`.
    Head,
    /// `eth_chainId`.
    ChainId,
    /// `eth_getBlockByNumber` of one of the last 32 blocks.
    Block,
    /// A recent block, then the logs of that block: two requests, one after the other.
    BlockThenLogs,
    /// `eth_getTransactionReceipt` of a random hash.
    Receipt,
    /// `debug_traceTransaction` of a random hash.
    Trace,
}

impl Step {
    /// The methods that it asks.
    const fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Balance => &["eth_getBalance"],
            Self::Call => &["eth_call"],
            Self::Head => &["eth_blockNumber"],
            Self::ChainId => &["eth_chainId"],
            Self::Block => &["eth_getBlockByNumber"],
            Self::BlockThenLogs => &["eth_getBlockByNumber", "eth_getLogs"],
            Self::Receipt => &["eth_getTransactionReceipt"],
            Self::Trace => &["debug_traceTransaction"],
        }
    }
}

const NAMES: [(&str, Step); 8] = [
    ("balance", Step::Balance),
    ("call", Step::Call),
    ("head", Step::Head),
    ("chain-id", Step::ChainId),
    ("block", Step::Block),
    ("block-logs", Step::BlockThenLogs),
    ("receipt", Step::Receipt),
    ("trace", Step::Trace),
];

/// The tip-of-chain mix: what applications at the head of the chain ask for (after eRPC's `evm-tip-of-chain` k6 script).
const TIP: [(Step, u32); 5] = [
    (Step::Block, 30),
    (Step::BlockThenLogs, 10),
    (Step::Receipt, 30),
    (Step::Trace, 20),
    (Step::Balance, 10),
];

/// Most calls in a batch.
const MAX_BATCH_CALLS: usize = 100_000;

/// What a load asks for.
///
/// Text form: `[same:|together:][batch:N:]NAMES`, NAMES being `tip`, or `balance`, `call`, `head`, `chain-id`, `block`,
/// `block-logs`, `receipt`, `trace` with weights (`balance=7,call=3`). `same:` asks the same question again and again,
/// which is what caches are measured with. `together:` asks one question on all connections of a thread at the same
/// moment, and the next one once all are answered, which is what coalescing is measured with. Otherwise every question
/// is another one. `batch:N` alone is a batch of N balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    text: String,
    steps: Vec<(Step, u32)>,
    batch_calls: Option<usize>,
    repetition: Repetition,
}

/// Who asks a question again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repetition {
    /// Nobody.
    None,
    /// Every connection, for ever.
    Same,
    /// Every connection once, at the same moment.
    Together,
}

/// Why a text is no mix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    /// A name that is none.
    #[error(
        "unknown work {0:?}: use tip, balance, call, head, chain-id, block, block-logs, receipt or trace"
    )]
    Name(String),
    /// A weight or a batch size that is no number, or out of bounds.
    #[error("{0:?} is no number between 1 and 100000")]
    Number(String),
}

impl FromStr for Mix {
    type Err = MixError;

    fn from_str(text: &str) -> Result<Self, MixError> {
        let (repetition, rest) = match (text.strip_prefix("same:"), text.strip_prefix("together:"))
        {
            (Some(rest), _) => (Repetition::Same, rest),
            (_, Some(rest)) => (Repetition::Together, rest),
            _ => (Repetition::None, text),
        };
        let (batch_calls, rest) = match rest.strip_prefix("batch:") {
            None => (None, rest),
            Some(rest) => {
                let (count, names) = rest.split_once(':').unwrap_or((rest, "balance"));
                (Some(number(count)?), names)
            }
        };
        let steps = if rest == "tip" {
            TIP.to_vec()
        } else {
            rest.split(',').map(step).collect::<Result<_, _>>()?
        };
        Ok(Self {
            text: text.to_owned(),
            steps,
            batch_calls,
            repetition,
        })
    }
}

fn step(text: &str) -> Result<(Step, u32), MixError> {
    let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
    let (_, step) = NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| MixError::Name(name.to_owned()))?;
    Ok((*step, u32::try_from(number(weight)?).unwrap_or(1)))
}

fn number(text: &str) -> Result<usize, MixError> {
    let number = text
        .parse()
        .ok()
        .filter(|n| (1..=MAX_BATCH_CALLS).contains(n));
    number.ok_or_else(|| MixError::Number(text.to_owned()))
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Default for Mix {
    /// Distinct balances.
    fn default() -> Self {
        Self::of(Step::Balance, "balance")
    }
}

impl Mix {
    fn of(step: Step, text: &str) -> Self {
        Self {
            text: text.to_owned(),
            steps: vec![(step, 1)],
            batch_calls: None,
            repetition: Repetition::None,
        }
    }

    /// The newest block's number.
    pub(crate) fn head() -> Self {
        Self::of(Step::Head, "head")
    }

    /// Whether all connections ask at the same moment.
    pub(crate) fn is_together(&self) -> bool {
        self.repetition == Repetition::Together
    }

    /// The methods that are asked.
    #[must_use]
    pub fn methods(&self) -> Vec<&'static str> {
        let mut methods: Vec<_> = self
            .steps
            .iter()
            .flat_map(|(step, _)| step.methods())
            .copied()
            .collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// Whether bodies name recent blocks, so that the head must be known.
    pub(crate) fn needs_head(&self) -> bool {
        self.steps
            .iter()
            .any(|(step, _)| matches!(step, Step::Block | Step::BlockThenLogs))
    }

    fn draw(&self, rng: &mut Rng) -> Step {
        let total: u64 = self
            .steps
            .iter()
            .map(|(_, weight)| u64::from(*weight))
            .sum();
        let mut left = rng.below(total);
        for (step, weight) in &self.steps {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return *step,
            }
        }
        Step::Balance
    }
}

/// What the answer to one call must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) id: u64,
    /// The quantity that the synthetic provider answers, where that is one.
    pub(crate) quantity: Option<u64>,
}

/// The bodies of one connection, one after the other.
#[derive(Debug)]
pub(crate) struct Bodies {
    mix: Mix,
    rng: Rng,
    /// Where `same:` begins each time.
    first: Rng,
    head: u64,
    next_id: u64,
    /// The block whose logs come next.
    logs_of: Option<u64>,
}

impl Bodies {
    /// `seed` is the run's, `connection` the number of the connection in it.
    pub(crate) fn new(mix: &Mix, seed: u64, connection: u64, head: u64) -> Self {
        let first = Rng::new(seed);
        let own = if mix.is_together() { 0 } else { connection };
        let rng = Rng::new(crate::rng::mix(seed) ^ crate::rng::mix(own.wrapping_add(1)));
        Self {
            mix: mix.clone(),
            rng,
            first,
            head,
            next_id: 1,
            logs_of: None,
        }
    }

    /// Whether bodies are batches.
    pub(crate) fn is_batch(&self) -> bool {
        self.mix.batch_calls.is_some()
    }

    /// Writes the next body and what its answer must be.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>, expected: &mut Vec<Expected>) {
        if self.mix.repetition == Repetition::Same {
            self.rng = self.first.clone();
            self.logs_of = None;
        }
        let Some(count) = self.mix.batch_calls else {
            return self.call(out, expected);
        };
        out.push(b'[');
        for index in 0..count {
            if index > 0 {
                out.push(b',');
            }
            self.call(out, expected);
        }
        out.push(b']');
    }

    fn call(&mut self, out: &mut Vec<u8>, expected: &mut Vec<Expected>) {
        let id = self.next_id;
        self.next_id += 1;
        out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
        write_decimal(out, usize::try_from(id).unwrap_or(usize::MAX));
        let quantity = self.method_and_params(out);
        out.push(b'}');
        expected.push(Expected { id, quantity });
    }

    fn method_and_params(&mut self, out: &mut Vec<u8>) -> Option<u64> {
        let mut put = |text: &[u8]| out.extend_from_slice(text);
        if let Some(number) = self.logs_of.take() {
            put(b",\"method\":\"eth_getLogs\",\"params\":[{\"fromBlock\":\"");
            quantity(out, number);
            out.extend_from_slice(b"\",\"toBlock\":\"");
            quantity(out, number);
            out.extend_from_slice(b"\"}]");
            return None;
        }
        let step = self.mix.draw(&mut self.rng);
        match step {
            Step::Balance => {
                put(b",\"method\":\"eth_getBalance\",\"params\":[\"");
                let start = out.len();
                data(out, self.rng.next_u64(), 20);
                let expected = out.get(start..).map(|address| seed_of(address) >> 4);
                out.extend_from_slice(b"\",\"latest\"]");
                return expected;
            }
            Step::Call => {
                put(b",\"method\":\"eth_call\",\"params\":[{\"to\":\"");
                data(out, self.rng.next_u64(), 20);
                out.extend_from_slice(b"\",\"data\":\"");
                data(out, self.rng.next_u64(), 36);
                out.extend_from_slice(b"\"},\"latest\"]");
            }
            Step::Head => put(b",\"method\":\"eth_blockNumber\",\"params\":[]"),
            Step::ChainId => put(b",\"method\":\"eth_chainId\",\"params\":[]"),
            Step::Block | Step::BlockThenLogs => {
                let number = self.head.saturating_sub(self.rng.below(32));
                self.logs_of = (step == Step::BlockThenLogs).then_some(number);
                put(b",\"method\":\"eth_getBlockByNumber\",\"params\":[\"");
                quantity(out, number);
                out.extend_from_slice(b"\",false]");
            }
            Step::Receipt => {
                put(b",\"method\":\"eth_getTransactionReceipt\",\"params\":[\"");
                data(out, self.rng.next_u64(), 32);
                out.extend_from_slice(b"\"]");
            }
            Step::Trace => {
                put(b",\"method\":\"debug_traceTransaction\",\"params\":[\"");
                data(out, self.rng.next_u64(), 32);
                out.extend_from_slice(b"\",{\"tracer\":\"callTracer\"}]");
            }
        }
        None
    }
}

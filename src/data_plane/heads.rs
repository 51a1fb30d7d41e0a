//! Heads of chains: asked for beside the traffic by one shard, told to the others, and held against what clients are told. When to
//! ask whom, what a head is and what of it to believe is the engine's decision.

use std::rc::Rc;
use std::sync::Arc;

use engine::block::BlockRef;
use engine::head::HeadKind;
use engine::index::UpstreamIndex;
use engine::shard::ProbeResult;
use telemetry::{HeadPoll, PollOutcome};
use wire::facts::Facts;

use super::asked::Question;
use super::attempt::Streaming;
use super::call::{LiveCall, Settled};
use super::policies::HeadTold;
use super::terms::Terms;
use super::upstream::Upstream;
use super::upstream::aside::{self, Said};
use super::upstream::body::HoldBudget;
use super::upstream::judge::{Answer, Bytes, Kind};
use super::worker::Worker;
use crate::control::{Gossip, OfferedAnswer, Probe};

/// A block without its transactions' bodies is some kilobytes, with the hashes of many thousand transactions a few hundred.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The longest that one question may take.
const POLL_TIMEOUT_NS: u64 = 5_000_000_000;

/// For so long at most a newest block that was told of is looked for, and so long is the first pause between two looks; each
/// pause is twice the one before.
const GIVE_UP_NS: u64 = 2_000_000_000;
const FIRST_PAUSE_NS: u64 = 50_000_000;

/// The longest sleep before the engine is asked again when the next question is due: what it knows may have changed.
const LOOK_AGAIN_NS: u64 = 1_000_000_000;

/// Starts one task for each upstream whose chain follows heads. Called on one shard.
pub fn start(worker: &Rc<Worker>) {
    for upstream in worker.chains.iter().flat_map(|chain| &chain.upstreams) {
        let (worker, upstream) = (worker.clone(), upstream.clone());
        rt::spawn(async move { follow(&worker, &upstream).await }).detach();
    }
}

/// Asks one upstream for its heads, each when the engine says so.
async fn follow(worker: &Rc<Worker>, upstream: &Upstream) {
    while !worker.draining() {
        let now = worker.now();
        let due = worker
            .engine
            .borrow()
            .next_head_poll(upstream.chain, upstream.index, now);
        let Some(due) = due else {
            return;
        };
        let ready = upstream.vetted.get() && !upstream.target.addresses.borrow().is_empty();
        if !ready || due.at > now {
            let until_ns = if ready { due.at.0 } else { u64::MAX };
            rt::sleep_until(until_ns.min(now.0.saturating_add(LOOK_AGAIN_NS))).await;
            continue;
        }
        let seen = poll(upstream, due.kind).await;
        let (kind, outcome) = (kind_of(due.kind), outcome_of(&seen));
        worker.recorder.borrow_mut().head_polled(
            upstream.chain.as_usize(),
            upstream.index.as_usize(),
            kind,
            outcome,
        );
        worker.take_probe(&Probe {
            chain: upstream.chain,
            upstream: upstream.index,
            seen,
        });
        worker.tell_head(upstream.chain);
    }
}

const fn kind_of(kind: HeadKind) -> HeadPoll {
    match kind {
        HeadKind::Newest => HeadPoll::Newest,
        HeadKind::Safe => HeadPoll::Safe,
        HeadKind::Finalized => HeadPoll::Finalized,
    }
}

const fn outcome_of(seen: &ProbeResult) -> PollOutcome {
    match seen {
        ProbeResult::Head(_) | ProbeResult::Safe(_) | ProbeResult::Finalized(_) => PollOutcome::Ok,
        _ => PollOutcome::Failed,
    }
}

/// Asks one upstream for one head. A node that does not know the tag says so in an error, or with `null`.
async fn poll(upstream: &Upstream, kind: HeadKind) -> ProbeResult {
    let (method, params): (&[u8], Option<&[u8]>) = match kind {
        HeadKind::Newest => (b"eth_blockNumber", None),
        HeadKind::Safe => (b"eth_getBlockByNumber", Some(b"[\"safe\",false]")),
        HeadKind::Finalized => (b"eth_getBlockByNumber", Some(b"[\"finalized\",false]")),
    };
    let number = match aside::ask(upstream, method, params, MAX_ANSWER_BYTES, POLL_TIMEOUT_NS).await
    {
        Said::Result(result) if kind == HeadKind::Newest => wire::quantity::parse_quoted(&result),
        Said::Result(result) => wire::facts::result_facts(&result).block_number,
        Said::Error if kind != HeadKind::Newest => return ProbeResult::HeadUnknown(kind),
        Said::Error | Said::Nothing => None,
    };
    match (number, kind) {
        (None, _) => ProbeResult::HeadFailed(kind),
        (Some(number), HeadKind::Newest) => ProbeResult::Head(number),
        (Some(number), HeadKind::Safe) => ProbeResult::Safe(number),
        (Some(number), HeadKind::Finalized) => ProbeResult::Finalized(number),
    }
}

/// Does it ask for a block that clients never see go back? What a named upstream says is its own word.
pub fn is_newest_block(question: &Question<'_>) -> bool {
    block_of_head(question).is_some() && !question.is_pinned()
}

/// Does its answer say how far the chain is?
pub fn tells_head(question: &Question<'_>) -> bool {
    question.entry.tells == HeadTold::Number || block_of_head(question).is_some()
}

/// Which of the chain's heads it asks for, as a block.
fn block_of_head(question: &Question<'_>) -> Option<HeadKind> {
    match question.block {
        _ if question.entry.tells != HeadTold::Block => None,
        BlockRef::Latest => Some(HeadKind::Newest),
        BlockRef::Safe => Some(HeadKind::Safe),
        BlockRef::Finalized => Some(HeadKind::Finalized),
        _ => None,
    }
}

/// What to give in place of a result.
pub enum Corrected {
    /// The result itself.
    Nothing,
    /// This one, made here.
    By(Settled),
    /// What is said of the block of this number: the newest block that came is behind.
    Behind(u64),
}

/// Holds a result against the head that clients have been told: what they see does not go back. A block that a result names, and
/// that is newer, raises the head.
pub fn correct(
    worker: &Worker,
    question: &Question<'_>,
    settled: &Settled,
    facts: &Facts,
    upstream: Option<UpstreamIndex>,
) -> Corrected {
    let chain = question.route.chain;
    let tells = question.entry.tells;
    let said = match (tells, settled) {
        (HeadTold::Nothing, _) => None,
        (HeadTold::Number, Settled::Answer { answer, .. }) => {
            answer.result().and_then(wire::quantity::parse_quoted)
        }
        _ => facts.block_number,
    };
    if question.is_pinned() {
        // Who names the upstream wants to know what it says. Others are not told less from then on.
        if let (Some(said), Some(upstream)) = (said, upstream) {
            worker.show_block(chain, upstream, said);
        }
        return Corrected::Nothing;
    }
    let (Some(said), Some(upstream)) = (said, upstream) else {
        // What is no number is no answer to a question for one, where a better is known.
        let known = worker.chain_head(chain).newest;
        return match known.filter(|_| tells == HeadTold::Number) {
            Some(served) => Corrected::By(made(quoted(served))),
            None => Corrected::Nothing,
        };
    };
    match (tells, block_of_head(question)) {
        (HeadTold::Number, _) => match worker.answer_block_number(chain, upstream, said) {
            served if served == said => Corrected::Nothing,
            served => Corrected::By(made(quoted(served))),
        },
        (_, Some(HeadKind::Newest)) => match worker.answer_block_number(chain, upstream, said) {
            served if served == said => {
                worker.shown.show(question, said, settled);
                Corrected::Nothing
            }
            served => Corrected::Behind(served),
        },
        (_, Some(kind)) => {
            worker.show_block(chain, upstream, said);
            match worker.answer_final(chain, upstream, kind, said) {
                served if served == said => Corrected::Nothing,
                served => Corrected::Behind(served),
            }
        }
        (_, None) => {
            worker.show_block(chain, upstream, said);
            Corrected::Nothing
        }
    }
}

/// A quantity as a JSON string.
fn quoted(number: u64) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    wire::quantity::write(&mut quoted, number);
    quoted.push(b'"');
    quoted
}

/// A result that was made here.
fn made(result: Vec<u8>) -> Settled {
    Settled::Answer {
        answer: Answer {
            bytes: Bytes::Own(Vec::new()),
            kind: Kind::Made(result),
        },
        own_id_sent: false,
        fault: None,
    }
}

/// The newest block once more, by its number, from whoever has it; else as a client was shown it before. `None` where nobody has had
/// it for [`GIVE_UP_NS`]: then an older block is better than none.
pub async fn newest_block(
    worker: &Rc<Worker>,
    question: &Question<'_>,
    number: u64,
    budget: &HoldBudget,
) -> Option<Settled> {
    let by_number = question.about_block(number)?;
    let until_ns = rt::now().saturating_add(GIVE_UP_NS);
    let mut pause_ns = FIRST_PAUSE_NS;
    loop {
        if let Some(settled) = ask_by_number(worker, &by_number, budget).await {
            return Some(settled);
        }
        let shown = worker.shown.block(question, number);
        let next_ns = rt::now().saturating_add(pause_ns);
        if shown.is_some() || next_ns >= until_ns {
            return shown.map(made);
        }
        rt::sleep_until(next_ns).await;
        pause_ns *= 2;
    }
}

/// The block of this number, if an upstream gives it.
async fn ask_by_number(
    worker: &Rc<Worker>,
    by_number: &Question<'_>,
    budget: &HoldBudget,
) -> Option<Settled> {
    let mut live = LiveCall::begin(worker, by_number, by_number.request(worker));
    // One level deep: the question by number tells nothing of the head, so it is not corrected in its turn.
    let settled = Box::pin(live.drive(None, budget, Streaming::Never)).await;
    match &settled {
        Settled::Answer {
            answer,
            fault: None,
            ..
        } if answer.result().is_some_and(|result| result != b"null") => Some(settled),
        _ => None,
    }
}

/// Offers a kept answer about the newest block to the other shards, which would ask for the same.
pub fn offer(worker: &Worker, question: &Question<'_>, terms: &Terms, result: &[u8]) {
    let of_head = match question.entry.tells {
        HeadTold::Nothing | HeadTold::Own => false,
        HeadTold::Number => true,
        HeadTold::Block => question.block == BlockRef::Latest,
    };
    let chain = question.route.chain;
    let Some(number) = worker.chain_head(chain).newest.filter(|_| of_head) else {
        return;
    };
    worker.tell(|| {
        Gossip::Answer(Arc::new(OfferedAnswer {
            chain,
            head: number,
            writes: worker.writes(chain),
            key: terms.key.as_slice().into(),
            result: result.into(),
        }))
    });
}

/// Takes an answer that another shard offers, if it is about the head that this shard knows and nothing was written since.
pub fn take_offer(worker: &Worker, offered: &OfferedAnswer) {
    let head = worker.chain_head(offered.chain);
    if head.newest != Some(offered.head) || worker.writes(offered.chain) != offered.writes {
        return;
    }
    let lifetime = engine::cache::Lifetime::Head {
        seq: head.seq,
        until: worker.now() + engine::cache::HEAD_BOUND,
    };
    let keeps = worker
        .configured(offered.chain)
        .is_some_and(|chain| chain.cache.enabled);
    if keeps {
        worker.cache.keep(&offered.key, &offered.result, lifetime);
    }
}

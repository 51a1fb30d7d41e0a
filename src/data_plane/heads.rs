//! Heads of chains: asked for beside the traffic by one shard, told to the others, and held against what clients are told. When to
//! ask whom, what a head is and what of it to believe is the engine's decision.

use std::rc::Rc;
use std::sync::Arc;

use engine::block::{BlockRef, RangeEnd};
use engine::head::HeadKind;
use engine::index::UpstreamIndex;
use engine::shard::ProbeResult;
use telemetry::{HeadPoll, PollOutcome};
use wire::facts::Facts;
use wire::response::ResultStream;

use super::asked::Question;
use super::attempt::Begun;
use super::call::Settled;
use super::policies::HeadTold;
use super::terms::Terms;
use super::upstream::Upstream;
use super::upstream::aside::{self, Said};
use super::upstream::judge::{Answer, Bytes, Kind};
use super::worker::Worker;
use crate::control::{Gossip, OfferedAnswer, Probe};

/// A block without its transactions' bodies is some kilobytes, with the hashes of many thousand transactions a few hundred.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The longest that one question may take.
const POLL_TIMEOUT_NS: u64 = 5_000_000_000;

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

/// The same for a long answer, of which the front has come and no byte has gone to the client: what it will show is held against
/// the head before it is shown. Where the front does not say it, what was kept of the newest block is not given out any more.
pub fn show_front(worker: &Worker, question: &Question<'_>, begun: &Begun) {
    let chain = question.route.chain;
    let served = worker.chain_head(chain).newest;
    let shown = match may_show(question.entry.tells, &question.block, served) {
        MayShow::Nothing => return,
        MayShow::Block(number) => Some(number),
        MayShow::Newer => {
            let mut stream = ResultStream::new(begun.expected_id);
            let held = begun.long.held.as_slice();
            let result = stream.feed(held).map(|fed| fed.result);
            wire::facts::front_block(result.unwrap_or_default().of(held))
        }
    };
    if let Some(number) = shown {
        worker.show_block(chain, begun.out.dispatch.upstream, number);
    }
    // Logs of a range come oldest first: those behind the front may be of newer blocks.
    if shown.is_none() || matches!(question.block, BlockRef::Range { .. }) {
        worker.engine.borrow_mut().outdate_head(chain);
    }
}

/// What a result can show of blocks above the served head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MayShow {
    /// None of them.
    Nothing,
    /// This one: it was asked for, and there is a result.
    Block(u64),
    /// Which, it says itself.
    Newer,
}

/// What a result can show of blocks above the served head, by its question.
fn may_show(tells: HeadTold, block: &BlockRef, served: Option<u64>) -> MayShow {
    let is_newer = |number: u64| served.is_none_or(|served| number > served);
    match *block {
        BlockRef::Number(number) if is_newer(number) => MayShow::Block(number),
        BlockRef::Number(_) | BlockRef::Safe | BlockRef::Finalized | BlockRef::Earliest => {
            MayShow::Nothing
        }
        _ if tells == HeadTold::Nothing => MayShow::Nothing,
        BlockRef::Range { to, .. } => match to {
            RangeEnd::Number(number) if is_newer(number) => MayShow::Newer,
            RangeEnd::Latest | RangeEnd::Pending => MayShow::Newer,
            RangeEnd::Number(_) | RangeEnd::Safe | RangeEnd::Finalized | RangeEnd::Earliest => {
                MayShow::Nothing
            }
        },
        _ => MayShow::Newer,
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
pub fn made(result: Vec<u8>) -> Settled {
    Settled::Answer {
        answer: Answer {
            bytes: Bytes::Own(Vec::new()),
            kind: Kind::Made(result),
        },
        own_id_sent: false,
        fault: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_what_its_result_can_show() {
        use HeadTold::{Block, Nothing, Own};
        let range = |to| BlockRef::Range {
            from: RangeEnd::Number(1),
            to,
        };
        for (tells, block, shown) in [
            (Block, BlockRef::Number(100), MayShow::Nothing),
            (Block, BlockRef::Number(101), MayShow::Block(101)),
            // Whoever answers for a block has it, whatever was asked about it.
            (Nothing, BlockRef::Number(101), MayShow::Block(101)),
            (Block, BlockRef::Finalized, MayShow::Nothing),
            (Own, BlockRef::Latest, MayShow::Newer),
            (Own, BlockRef::Hash, MayShow::Newer),
            (Own, BlockRef::None, MayShow::Newer),
            (Nothing, BlockRef::None, MayShow::Nothing),
            (Nothing, BlockRef::Latest, MayShow::Nothing),
            (Own, range(RangeEnd::Number(100)), MayShow::Nothing),
            // A node may stop at its own head, so the end is not what is shown.
            (Own, range(RangeEnd::Number(101)), MayShow::Newer),
            (Own, range(RangeEnd::Latest), MayShow::Newer),
            (Own, range(RangeEnd::Safe), MayShow::Nothing),
        ] {
            let may = may_show(tells, &block, Some(100));
            assert_eq!(may, shown, "{tells:?} {block:?}");
        }
        let may = may_show(Block, &BlockRef::Number(1), None);
        assert_eq!(may, MayShow::Block(1), "nothing is served yet");
    }
}

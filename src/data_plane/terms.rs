//! On what terms one call may be answered without an upstream of its own: its key, the block that it names, whether its answer may be
//! kept and shared. Read once, after the call was described; it looks nothing up. The rules are [`engine::cache`]'s.

use engine::block::{BlockRef, RangeEnd};
use engine::cache::{self, Bypass};
use engine::head::ChainHead;
use engine::method::{self, BlockForm, BlockParam};
use telemetry::CacheStatus;
use wire::block::{self, Form, Height};
use wire::canonical::NotCanonical;
use wire::quantity::BlockTag;

use super::asked::Question;
use super::worker::Worker;

/// The terms of one call.
pub struct Terms {
    /// The whole call as bytes; empty if it is neither looked up nor shared.
    pub key: Vec<u8>,
    /// Its answer may be looked up and kept; else why not.
    pub keeps: Result<(), CacheStatus>,
    /// It may join a flight.
    pub joins: bool,
    /// The chain's head when it was asked.
    pub began: ChainHead,
}

impl Terms {
    /// Reads a call's terms.
    pub fn of(worker: &Worker, question: &Question<'_>) -> Self {
        let entry = &question.entry;
        let keeps = if question.is_pinned() {
            Err(CacheStatus::BypassPinned)
        } else if !entry.keeps {
            Err(CacheStatus::BypassDisabled)
        } else {
            let policy = method::policy(entry.id);
            cache::may_look(policy, entry.ttl, &question.block).map_err(|why| match why {
                Bypass::Method | Bypass::Configured => CacheStatus::BypassMethod,
                Bypass::Block => CacheStatus::BypassBlock,
                Bypass::Disabled => CacheStatus::BypassDisabled,
            })
        };
        let mut terms = Self {
            key: Vec::new(),
            keeps,
            joins: entry.joins && !question.is_pinned(),
            began: worker.chain_head(question.route.chain),
        };
        if terms.keeps.is_ok() || terms.joins {
            terms.key = rt::take_buffer();
            if let Err(why) = question.write_key(&mut terms.key) {
                terms.joins = false;
                terms.keeps = terms.keeps.and(Err(match why {
                    NotCanonical::TooLong => CacheStatus::BypassSize,
                    _ => CacheStatus::BypassParams,
                }));
            }
        }
        terms
    }
}

impl Drop for Terms {
    fn drop(&mut self) {
        rt::recycle(std::mem::take(&mut self.key));
    }
}

/// The block that a call asks about, by its method's block parameter.
pub fn block_of(param: Option<BlockParam>, params: Option<&[u8]>) -> BlockRef {
    let Some(param) = param else {
        return BlockRef::None;
    };
    let form = match param.form {
        BlockForm::NumberOrTag => Form::NumberOrTag,
        BlockForm::NumberTagOrHash => Form::NumberTagOrHash,
        BlockForm::Hash => Form::Hash,
        BlockForm::Range => Form::Range,
    };
    match block::block_of(params, usize::from(param.index), form, param.optional) {
        block::BlockRef::At(Height::Number(number)) => BlockRef::Number(number),
        block::BlockRef::At(Height::Tag(tag)) => match tag {
            BlockTag::Latest => BlockRef::Latest,
            BlockTag::Safe => BlockRef::Safe,
            BlockTag::Finalized => BlockRef::Finalized,
            BlockTag::Earliest => BlockRef::Earliest,
            BlockTag::Pending => BlockRef::Pending,
        },
        block::BlockRef::Range { from, to } => BlockRef::Range {
            from: end(from),
            to: end(to),
        },
        block::BlockRef::Hash(_) => BlockRef::Hash,
        block::BlockRef::Unreadable => BlockRef::Unreadable,
    }
}

const fn end(height: Height) -> RangeEnd {
    match height {
        Height::Number(number) => RangeEnd::Number(number),
        Height::Tag(BlockTag::Latest) => RangeEnd::Latest,
        Height::Tag(BlockTag::Safe) => RangeEnd::Safe,
        Height::Tag(BlockTag::Finalized) => RangeEnd::Finalized,
        Height::Tag(BlockTag::Earliest) => RangeEnd::Earliest,
        Height::Tag(BlockTag::Pending) => RangeEnd::Pending,
    }
}

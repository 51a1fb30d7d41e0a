//! The newest block of each chain as clients of this shard were last shown it, for when its number has been told and the upstream that had
//! it is gone. A few results, not a cache: nothing is answered from it while any upstream has the block.

use std::cell::{Cell, RefCell};

use engine::index::ChainIndex;
use engine::method::MethodId;

use super::asked::Question;
use super::call::Settled;

/// So many ways to ask for the newest block are remembered a chain: with and without bodies, as clients spell it.
const MAX_SPELLINGS: usize = 4;

/// A result that was shown.
struct Shown {
    /// The method and params that asked for it, as they stood.
    method: MethodId,
    params: Box<[u8]>,
    number: u64,
    result: Box<[u8]>,
}

/// What was shown of a chain.
#[derive(Default)]
struct OfChain {
    spellings: RefCell<Vec<Shown>>,
    /// A newest block that was told of and that nobody has, and until when that is believed.
    missing: Cell<(u64, u64)>,
}

/// What was shown, by chain.
pub struct LastShown {
    chains: Box<[OfChain]>,
}

impl LastShown {
    /// Nothing was shown yet.
    pub fn new(chains: usize) -> Self {
        Self {
            chains: (0..chains).map(|_| OfChain::default()).collect(),
        }
    }

    /// A client is shown this result as the newest block. The same block once more costs a compare.
    pub fn show(&self, question: &Question<'_>, number: u64, settled: &Settled) {
        let Settled::Answer { answer, .. } = settled else {
            return;
        };
        let chain = self.chains.get(question.route.chain.as_usize());
        let (Some(chain), Some(params), Some(result)) = (chain, question.params(), answer.result())
        else {
            return;
        };
        let mut spellings = chain.spellings.borrow_mut();
        let method = question.entry.id;
        let same = |shown: &&mut Shown| shown.method == method && *shown.params == *params;
        match spellings.iter_mut().find(same) {
            Some(shown) if shown.number == number => (),
            Some(shown) => {
                shown.number = number;
                shown.result = result.into();
            }
            None => {
                if spellings.len() >= MAX_SPELLINGS {
                    spellings.remove(0);
                }
                spellings.push(Shown {
                    method,
                    params: params.into(),
                    number,
                    result: result.into(),
                });
            }
        }
    }

    /// The block of this number, or of a later one, as this question was answered before.
    pub fn block(&self, question: &Question<'_>, number: u64) -> Option<Vec<u8>> {
        let chain = self.chains.get(question.route.chain.as_usize())?;
        let spellings = chain.spellings.borrow();
        let params = question.params()?;
        let method = question.entry.id;
        let same = |shown: &&Shown| shown.method == method && *shown.params == *params;
        spellings
            .iter()
            .filter(same)
            .find(|shown| shown.number >= number)
            .map(|shown| shown.result.to_vec())
    }

    /// Nobody had the block of this number: that is believed until then.
    pub fn miss(&self, chain: ChainIndex, number: u64, until_ns: u64) {
        if let Some(chain) = self.chains.get(chain.as_usize()) {
            chain.missing.set((number, until_ns));
        }
    }

    /// Whether it is known that nobody has the block of this number.
    pub fn is_missing(&self, chain: ChainIndex, number: u64, now_ns: u64) -> bool {
        let chain = self.chains.get(chain.as_usize());
        chain.is_some_and(|chain| {
            let (missing, until_ns) = chain.missing.get();
            missing == number && now_ns < until_ns
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_is_remembered_for_its_chain_and_number_and_time() {
        let shown = LastShown::new(2);
        let (one, other) = (ChainIndex(0), ChainIndex(1));
        assert!(!shown.is_missing(one, 7, 0));
        shown.miss(one, 7, 100);
        assert!(shown.is_missing(one, 7, 99));
        assert!(!shown.is_missing(one, 7, 100));
        assert!(!shown.is_missing(one, 8, 99));
        assert!(!shown.is_missing(other, 7, 99));
    }
}

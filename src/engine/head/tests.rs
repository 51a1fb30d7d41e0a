//! Heads: lag, the second voice, plausibility, the reset, finality, answers, marks and the plan of questions.

mod following;
mod lag;
mod properties;
mod restart;

use core::time::Duration;

use super::*;

const A: UpstreamIndex = UpstreamIndex(0);
const B: UpstreamIndex = UpstreamIndex(1);
const C: UpstreamIndex = UpstreamIndex(2);

fn ms(millis: u64) -> Instant {
    Instant(millis * 1_000_000)
}

fn secs(seconds: u64) -> Instant {
    ms(seconds * 1_000)
}

fn heads(upstreams: usize) -> Heads {
    Heads::new(upstreams, Some(16), HeadConfig::default())
}

impl Heads {
    fn newest(&mut self, upstream: UpstreamIndex, number: u64, at: Instant) -> Reported {
        self.report(upstream, HeadKind::Newest, number, at)
    }

    fn finalized(&mut self, upstream: UpstreamIndex, number: u64, at: Instant) -> Option<u64> {
        self.report(upstream, HeadKind::Finalized, number, at);
        self.head().finalized
    }

    fn served(&self) -> Option<u64> {
        self.head().newest
    }
}

/// A chain of `upstreams` that made a block a second for ten seconds, from 1000 on; all of them report each.
fn running(upstreams: u16) -> Heads {
    let mut heads = heads(usize::from(upstreams));
    for second in 0..=10 {
        for upstream in 0..upstreams {
            heads.newest(UpstreamIndex(upstream), 1_000 + second, secs(second));
        }
    }
    assert_eq!(heads.served(), Some(1_010));
    assert_eq!(heads.block_time(), Some(Duration::from_secs(1)));
    heads
}

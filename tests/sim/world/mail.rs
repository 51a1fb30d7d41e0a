//! What shards tell each other, on its way: some of it is lost, some comes twice, all of it late and in disorder.

use core::time::Duration;

use engine::gossip::News;
use engine::rng::Rng;
use engine::time::{Instant, nanos};

use super::queue::Happening;
use super::{Check, Decider, World};
use crate::scenario::Gossip;

/// A letter.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    from: u16,
    to: u16,
    news: News,
}

/// Letters on their way.
#[derive(Debug)]
pub struct Mail {
    gossip: Gossip,
    rng: Rng,
    letters: Vec<Option<Letter>>,
    free: Vec<u32>,
}

impl Mail {
    /// None yet.
    pub const fn new(gossip: Gossip, rng: Rng) -> Self {
        Self {
            gossip,
            rng,
            letters: Vec::new(),
            free: Vec::new(),
        }
    }

    /// How many copies arrive: none, one or two.
    fn copies(&mut self) -> u32 {
        let lost = self.rng.chance(u64::from(self.gossip.lost), 1_000);
        let twice = self.rng.chance(u64::from(self.gossip.repeated), 1_000);
        u32::from(!lost) + u32::from(twice)
    }

    fn delay(&mut self) -> Duration {
        let disorder = self.rng.below(nanos(self.gossip.disorder) + 1);
        self.gossip.delay + Duration::from_nanos(disorder)
    }

    fn put(&mut self, letter: Letter) -> u32 {
        if let Some(number) = self.free.pop() {
            self.letters[number as usize] = Some(letter);
            return number;
        }
        self.letters.push(Some(letter));
        self.letters.len() as u32 - 1
    }

    fn take(&mut self, number: u32) -> Option<Letter> {
        let letter = self.letters.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(letter)
    }
}

impl<D: Decider> World<'_, D> {
    /// Sends what a shard has to tell, and keeps the mark of what was served up to date.
    pub(super) fn share(&mut self, from: u16) -> Check {
        let shards = self.lanes.len() as u16;
        while let Some(news) = self
            .lanes
            .get_mut(usize::from(from))
            .and_then(|lane| lane.decider.poll_news())
        {
            for to in (0..shards).filter(|to| *to != from) {
                for _ in 0..self.mail.copies() {
                    let at = self.now + self.mail.delay();
                    let number = self.mail.put(Letter { from, to, news });
                    self.queue.push(at, Happening::Letter(number));
                }
            }
        }
        Ok(())
    }

    pub(super) fn deliver(&mut self, number: u32) -> Check {
        let Some(Letter { from, to, news }) = self.mail.take(number) else {
            return Ok(());
        };
        let now: Instant = self.now;
        if let Some(lane) = self.lanes.get_mut(usize::from(to)) {
            lane.decider.take_news(from, news, now)?;
        }
        self.after_news(to)
    }
}

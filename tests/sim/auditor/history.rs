//! The part of the books that is kept about blocks that upstreams no longer have.

use engine::block::Height;
use engine::index::{CallId, UpstreamIndex};
use engine::learned::{BELIEVED_FOR, History, Learned};
use engine::method;
use engine::time::Instant;

use super::{Auditor, Call, Check, must};

/// What is known to be gone at one upstream, by kind: the newest block, and until when that is believed at least.
#[derive(Debug, Default)]
pub(super) struct Gone([Option<(u64, Instant)>; History::COUNT]);

impl Gone {
    /// Something was learned here, or heard from another shard, where it was learned a moment before.
    pub(super) fn learn(&mut self, what: Learned, now: Instant) {
        if let Learned::History { kind, gone, .. } = what {
            let until = now + BELIEVED_FOR / 2;
            self.0[kind as usize] = (gone > 0).then_some((gone, until));
        }
    }

    /// The block that a call asks for is one that is gone, as far as is known.
    fn lacks(&self, call: &Call, now: Instant) -> bool {
        let Some((kind, number)) = dated(call) else {
            return false;
        };
        self.0[kind as usize].is_some_and(|(gone, until)| number <= gone && now < until)
    }

    /// Nothing was found to be gone of what this call needs.
    pub(super) fn may_have(&self, call: &Call) -> bool {
        dated(call).is_none_or(|(kind, _)| self.0[kind as usize].is_none())
    }
}

/// What a call needs of which block, if it names one.
fn dated(call: &Call) -> Option<(History, u64)> {
    let Height::At(number) = call.request.height else {
        return None;
    };
    let kind = History::of(method::policy(call.request.method));
    (call.request.blocks == 1).then_some((kind, number))
}

impl Auditor {
    /// An upstream was chosen, and was not merely the least bad: it is not known to lack what is asked for.
    pub(super) fn check_history(&self, id: CallId, chosen: UpstreamIndex, now: Instant) -> Check {
        let known = self.upstreams.get(chosen.as_usize());
        let (Some(known), Some(call)) = (known, self.noted(id)?) else {
            return Ok(());
        };
        must!(
            !known.gone.lacks(call, now),
            "{id:?} asks {chosen:?} for {:?}, which it is known to have no more: {:?}",
            call.request.height,
            known.gone
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use engine::call::Request;
    use engine::method::lookup;

    const AT: Instant = Instant(1_000_000_000);

    fn call(method: &str, number: u64) -> Call {
        Call::new(
            CallId(1),
            Request {
                method: lookup(method.as_bytes()),
                height: Height::At(number),
                blocks: 1,
                ..Request::default()
            },
            Instant::NEVER,
        )
    }

    fn gone(gone: u64) -> Learned {
        Learned::History {
            kind: History::State,
            gone,
            head: 1_000,
        }
    }

    #[test]
    fn a_lesson_is_about_its_kind_and_what_is_as_old_until_it_is_taken_back() {
        let mut known = Gone::default();
        let balance = |number| call("eth_getBalance", number);
        assert!(!known.lacks(&balance(5), AT) && known.may_have(&balance(5)));
        known.learn(gone(700), AT);
        assert!(known.lacks(&balance(700), AT) && !known.lacks(&balance(701), AT));
        assert!(!known.may_have(&balance(701)), "it moves up with the head");
        assert!(!known.lacks(&call("eth_getLogs", 5), AT));
        assert!(known.may_have(&call("eth_getLogs", 5)));
        let later = AT + BELIEVED_FOR + Duration::from_secs(1);
        assert!(
            !known.lacks(&balance(5), later),
            "nothing is believed for ever"
        );
        known.learn(gone(0), AT);
        assert!(!known.lacks(&balance(5), AT) && known.may_have(&balance(5)));
    }
}

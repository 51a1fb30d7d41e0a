//! The newest block, looked for by its number when the one that came is behind what clients have been told. It is still the same call:
//! what it asks counts as attempts of the call and ends with its time; looking again comes out of the retry budget.

use std::rc::Rc;

use super::asked::Question;
use super::attempt::Streaming;
use super::call::{LiveCall, Settled};
use super::heads::made;
use super::meter::Meter;
use super::upstream::body::HoldBudget;
use super::worker::Worker;

/// For so long at most a newest block that was told of is looked for, and so long is the first pause between two looks; each
/// pause is twice the one before.
const GIVE_UP_NS: u64 = 2_000_000_000;
const FIRST_PAUSE_NS: u64 = 50_000_000;

/// A block that nobody had is not looked for again for so long, unless the head moves.
pub const REMEMBER_NS: u64 = 5_000_000_000;

/// The newest block once more, by its number, from whoever has it; else as a client was shown it before. `None` where nobody has had
/// it for two seconds, or for less if the call has less time: then an older block is better than none, and for [`REMEMBER_NS`]
/// nobody looks for this one.
pub async fn block(
    worker: &Rc<Worker>,
    question: &Question<'_>,
    number: u64,
    budget: &HoldBudget,
    meter: &mut Meter<'_>,
) -> Option<Settled> {
    let by_number = question.about_block(number)?;
    let (chain, began_ns) = (question.route.chain, rt::now());
    let shown = || worker.shown.block(question, number).map(made);
    if worker.shown.is_missing(chain, number, began_ns) {
        return shown();
    }
    let until_ns = began_ns.saturating_add(GIVE_UP_NS);
    let until_ns = until_ns.min(by_number.request(worker).deadline.0);
    let mut pause_ns = FIRST_PAUSE_NS;
    // The upstream that answered has not got the block, which is no outage: to ask another for it takes nothing from those who need a
    // retry, as with any rerouted call. To go on looking does.
    let mut cost = 0;
    loop {
        match look(worker, &by_number, until_ns, cost, budget, meter).await {
            Look::Found(settled) => return Some(settled),
            // Nobody was asked, so nobody is known not to have it.
            Look::Refused => return shown(),
            Look::Missed => (),
        }
        let known = shown();
        let next_ns = rt::now().saturating_add(pause_ns);
        if known.is_some() || next_ns >= until_ns {
            let until_ns = rt::now().saturating_add(REMEMBER_NS);
            worker.shown.miss(chain, number, until_ns);
            return known;
        }
        rt::sleep_until(next_ns).await;
        pause_ns *= 2;
        cost = 1;
    }
}

/// What one look came to.
enum Look {
    /// An upstream has it.
    Found(Settled),
    /// None of those asked has it.
    Missed,
    /// The retry budget has nothing left for it.
    Refused,
}

/// Asks for the block of this number, on the call's account.
async fn look(
    worker: &Rc<Worker>,
    by_number: &Question<'_>,
    until_ns: u64,
    cost: u32,
    budget: &HoldBudget,
    meter: &mut Meter<'_>,
) -> Look {
    let mut request = by_number.request(worker);
    request.deadline.0 = request.deadline.0.min(until_ns);
    let Some(mut live) = LiveCall::go_on(worker, by_number, request, meter.attempts, cost) else {
        return Look::Refused;
    };
    // One level deep: the question by number tells nothing of the head, so it is not corrected in its turn.
    let settled = Box::pin(live.drive(None, budget, Streaming::Never)).await;
    meter.attempts = live.attempts();
    match &settled {
        Settled::Answer {
            answer,
            fault: None,
            ..
        } if answer.result().is_some_and(|result| result != b"null") => {
            meter.upstream = live.last_upstream();
            meter.selection = live.selection();
            Look::Found(settled)
        }
        _ => Look::Missed,
    }
}

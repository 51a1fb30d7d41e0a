//! One thread of a load: its connections, each a task that asks and judges in turn, and its recorder, handed over once a
//! second. Shares nothing with other threads but the channel.

use super::client::{Client, Route};
use super::clock::{Clock, Ticket};
use super::meeting::Meeting;
use super::mix::Bodies;
use super::pacing::{Pacing, Timing};
use super::record::{Failure, Interval};
use super::{Arrival, Plan, verify};
use crate::cpu::{Spent, ThreadAccount};
use crate::fields::write_decimal;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// How long one interval is.
pub(crate) const SLOT: Duration = Duration::from_secs(1);
/// Pause after a failed connect in a closed loop, so that a dead target is not asked a million times.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);

/// What one thread is to do.
pub(crate) struct Brief {
    pub(crate) plan: Plan,
    pub(crate) route: Route,
    /// Head of the chain, for mixes that name blocks.
    pub(crate) head: u64,
    pub(crate) start: Instant,
    pub(crate) index: usize,
    /// Connections of this thread, and the number of its first.
    pub(crate) connections: usize,
    pub(crate) first_connection: usize,
    /// Requests that this thread may record.
    pub(crate) max_requests: u64,
}

/// What a thread tells.
pub(crate) enum Message {
    /// What was recorded in the measured second `slot`; in order, none left out.
    Slot { slot: u64, interval: Box<Interval> },
    /// Nothing more follows.
    Done(Closing),
}

/// What a thread tells in the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closing {
    /// Its processor time since the warm-up, and how long that was.
    pub(crate) spent: Option<(Spent, Duration)>,
    /// Seconds that it handed over.
    pub(crate) slots: u64,
    /// Arrivals that nobody was free to send.
    pub(crate) unsent: u64,
    /// When its last answer was there, from the start.
    pub(crate) last: Duration,
}

struct Thread {
    brief: Brief,
    /// The request up to the value of content-length.
    prefix: Vec<u8>,
    end: Duration,
    recorder: RefCell<Interval>,
    left: Cell<u64>,
    last: Cell<Duration>,
    clock: Option<Clock>,
    /// Where connections meet before they ask, if they ask together.
    meeting: Option<Meeting>,
}

/// Runs a thread's part to its end.
pub(crate) fn run(brief: Brief, sender: &Sender<Message>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = Rc::new(Thread::new(brief)?);
    LocalSet::new().block_on(&runtime, thread.run(sender))
}

impl Thread {
    fn new(brief: Brief) -> io::Result<Self> {
        let plan = &brief.plan;
        let end = plan.warmup.saturating_add(plan.duration);
        let clock = match plan.arrival {
            Arrival::Closed { .. } => None,
            Arrival::Open { rate_per_s, .. } => {
                let pacing = Pacing::new(rate_per_s, plan.threads, brief.index);
                let warm = (0..).take_while(|&n| pacing.due(n) < plan.warmup).count();
                let max = brief
                    .max_requests
                    .saturating_add(u64::try_from(warm).unwrap_or(0));
                Some(Clock::new(pacing, brief.start, end, max))
            }
        };
        Ok(Self {
            prefix: prefix(plan),
            meeting: plan
                .mix
                .is_together()
                .then(|| Meeting::new(brief.connections)),
            end,
            recorder: RefCell::new(Interval::new().map_err(io::Error::other)?),
            left: Cell::new(brief.max_requests),
            last: Cell::default(),
            clock,
            brief,
        })
    }

    async fn run(self: Rc<Self>, sender: &Sender<Message>) -> io::Result<()> {
        tokio::time::sleep_until(self.brief.start.into()).await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..self.brief.connections {
            tasks.spawn_local(Rc::clone(&self).connection(number));
        }
        let mut ticking = {
            let thread = Rc::clone(&self);
            tokio::task::spawn_local(async move {
                match &thread.clock {
                    Some(clock) => clock.run().await,
                    None => Ok(()),
                }
            })
        };
        let account = ThreadAccount::of_this_thread().ok();
        let mut before = None;
        let mut slot = 0;
        let warm = self.brief.start + self.brief.plan.warmup;
        let mut boundary = warm;
        let mut is_ticking = true;
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(boundary.into()) => {
                    if before.is_none() {
                        before = account.as_ref().and_then(|account| account.read().ok());
                    } else {
                        self.hand_over(slot, sender)?;
                        slot += 1;
                    }
                    boundary += SLOT;
                }
                // Without its clock the connections would wait for ever.
                ticked = &mut ticking, if is_ticking => {
                    is_ticking = false;
                    ticked.map_err(io::Error::other)??;
                }
                joined = tasks.join_next() => match joined {
                    None => break,
                    Some(Err(error)) => return Err(io::Error::other(error)),
                    Some(Ok(())) => {}
                },
            }
        }
        ticking.abort();
        self.hand_over(slot, sender)?;
        let after = account.and_then(|account| account.read().ok());
        let spent = before
            .zip(after)
            .map(|(before, after)| (after.since(before), warm.elapsed()));
        let unsent = self.clock.as_ref().map_or(0, Clock::unsent);
        // The receiver is gone only when the run was given up.
        let _ = sender.send(Message::Done(Closing {
            spent,
            slots: slot + 1,
            unsent,
            last: self.last.get(),
        }));
        Ok(())
    }

    fn hand_over(&self, slot: u64, sender: &Sender<Message>) -> io::Result<()> {
        let fresh = Interval::new().map_err(io::Error::other)?;
        let interval = Box::new(self.recorder.replace(fresh));
        let _ = sender.send(Message::Slot { slot, interval });
        Ok(())
    }

    /// The next request's moment, or the end.
    async fn ticket(&self) -> Option<Ticket> {
        if let Some(clock) = &self.clock {
            return clock.ticket().await;
        }
        let is_over = || self.brief.start.elapsed() >= self.end || self.left.get() == 0;
        match &self.meeting {
            // All of them ask, or none does.
            Some(meeting) if meeting.held(is_over).await => return None,
            None if is_over() => return None,
            _ => {}
        }
        let now = self.brief.start.elapsed();
        if now >= self.brief.plan.warmup {
            self.left.set(self.left.get().saturating_sub(1));
        }
        Some(Ticket {
            due: now,
            taken: now,
        })
    }

    async fn connection(self: Rc<Self>, number: usize) {
        let plan = &self.brief.plan;
        let number = u64::try_from(self.brief.first_connection + number).unwrap_or(0);
        let mut bodies = Bodies::new(&plan.mix, plan.seed, number, self.brief.head);
        let mut client = Client::new(self.brief.route.clone());
        let (mut body, mut expected, mut request) = (Vec::new(), Vec::new(), Vec::new());
        // The first connect is not part of the first request where it can be had before.
        let _ = tokio::time::timeout(plan.timeout, client.connect()).await;
        loop {
            body.clear();
            expected.clear();
            bodies.next(&mut body, &mut expected);
            request.clear();
            request.extend_from_slice(&self.prefix);
            write_decimal(&mut request, body.len());
            request.extend_from_slice(b"\r\n\r\n");
            request.extend_from_slice(&body);
            let Some(ticket) = self.ticket().await else {
                return;
            };
            let begun = self.brief.start.elapsed();
            let outcome = match tokio::time::timeout(plan.timeout, client.exchange(&request)).await
            {
                Err(_) => {
                    client.spoil();
                    Err(Failure::Timeout)
                }
                Ok(Err(failure)) => Err(failure),
                Ok(Ok(response)) if response.status != 200 => Err(Failure::Status(response.status)),
                Ok(Ok(response)) => {
                    verify::judge(response.body, &expected, bodies.is_batch(), plan.verify)
                        .map(|()| response.bytes)
                }
            };
            let done = self.brief.start.elapsed();
            if ticket.due >= plan.warmup {
                self.last.set(done);
                let mut recorder = self.recorder.borrow_mut();
                match outcome {
                    Ok(bytes) => {
                        let timing = Timing {
                            due: ticket.due,
                            taken: ticket.taken,
                            begun,
                            done,
                        };
                        recorder.succeed(&timing, expected.len(), bytes);
                    }
                    Err(failure) => recorder.fail(failure),
                }
            }
            if self.clock.is_none() && matches!(outcome, Err(Failure::Connect | Failure::Tls)) {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }
}

/// Everything before the value of content-length.
pub(crate) fn prefix(plan: &Plan) -> Vec<u8> {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n",
        plan.target.path(),
        plan.target.authority()
    );
    for (name, value) in &plan.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "content-length: ";
    head.into_bytes()
}

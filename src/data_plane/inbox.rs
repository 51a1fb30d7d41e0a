//! What the control plane asks of this shard, done between requests: configure, addresses, scrape, drain. It is the shard's
//! main task; it never waits on a request.

use std::rc::Rc;
use std::sync::Arc;

use mailbox::control::Ack;

use super::heads;
use super::listener::Listeners;
use super::prober;
use super::snapshot;
use super::worker::Worker;
use crate::control::{Epoch, Letter, Reply, Seat, ShardInbox};

/// How often idle upstream connections are looked through.
const REAP_EVERY_NS: u64 = 1_000_000_000;

/// How often the other shards are told what no note announces.
const TELL_EVERY_NS: u64 = 250_000_000;

/// The longest that connections wait in the backlog at start-up for an upstream to be usable.
const FIRST_ACCEPT_NS: u64 = 3_000_000_000;

/// How long an upstream may be kept from traffic for want of its chain id.
const VETTING_NS: u64 = 10_000_000_000;

/// Runs a shard until it has drained, or its inbox is abandoned.
pub async fn run(mut seat: Seat) {
    let mut serving: Option<(Rc<Worker>, Listeners)> = None;
    loop {
        while let Some((letter, ack)) = seat.inbox.take() {
            match (letter, &serving) {
                (Letter::Configure(epoch), None) => match begin(&mut seat, &epoch) {
                    Ok(begun) => {
                        serving = Some(begun);
                        ack.acknowledge(Reply::Done);
                    }
                    Err(sentence) => ack.acknowledge(Reply::Failed(sentence)),
                },
                (Letter::Drain { deadline_ns }, Some((worker, listeners))) => {
                    drain(worker, listeners, &seat.inbox, deadline_ns, ack).await;
                    return;
                }
                (Letter::Drain { .. }, None) => {
                    ack.acknowledge(Reply::Drained { cut: 0 });
                    return;
                }
                (letter, Some((worker, _))) => act(worker, letter, ack),
                (_, None) => ack.acknowledge(Reply::Failed("not configured yet".to_owned())),
            }
        }
        if let Some((worker, _)) = &serving {
            worker.hear();
        }
        // A look once a second covers what no bell announces.
        let _ = rt::timeout_at(rt::now() + REAP_EVERY_NS, rt::rung()).await;
    }
}

/// Listens and serves with a configuration.
fn begin(seat: &mut Seat, epoch: &Arc<Epoch>) -> Result<(Rc<Worker>, Listeners), String> {
    let built = snapshot::build(epoch, seat.number)?;
    let listeners = Listeners::bind(&epoch.config.server.listen)?;
    let gossip = seat.gossip.take();
    let worker = Worker::new(seat, gossip, epoch.clone(), built);
    rt::spawn(accept_once_usable(worker.clone(), listeners.clone())).detach();
    rt::spawn(reap(worker.clone())).detach();
    rt::spawn({
        let worker = worker.clone();
        async move {
            rt::sleep_until(rt::now() + VETTING_NS).await;
            worker.admit_everybody();
        }
    })
    .detach();
    if seat.number == 0 {
        prober::start(&worker, &seat.reports);
        heads::start(&worker);
    }
    if epoch.shards > 1 {
        rt::spawn(tell(worker.clone())).detach();
    }
    Ok((worker, listeners))
}

/// Begins to accept when every chain has an upstream to send calls to (its name resolved, its chain id asked for), so that the first
/// client is not told that there is none. Until then connections wait in the backlog, for a bounded time.
async fn accept_once_usable(worker: Rc<Worker>, listeners: Listeners) {
    let until_ns = rt::now() + FIRST_ACCEPT_NS;
    while rt::now() < until_ns && !worker.draining() {
        if worker.readiness().iter().all(|chain| chain.usable > 0) {
            break;
        }
        rt::sleep_until(rt::now() + 5_000_000).await;
    }
    if !worker.draining() {
        listeners.accept(&worker);
    }
}

/// Letters that a serving shard answers at once.
fn act(worker: &Rc<Worker>, letter: Letter, ack: Ack<Reply>) {
    let reply = match letter {
        Letter::Scrape => {
            let worker = worker.clone();
            rt::spawn(async move {
                ack.acknowledge(Reply::Scraped(Box::new(worker.scrape().await)));
            })
            .detach();
            return;
        }
        Letter::Readiness => Reply::Ready(worker.readiness()),
        Letter::Configure(_) => {
            Reply::Failed("a running shard does not take another configuration yet".to_owned())
        }
        Letter::Drain { .. } => Reply::Failed("the shard drains already".to_owned()),
        Letter::Addresses(resolved) => {
            worker.use_addresses(&resolved);
            Reply::Done
        }
        Letter::SampleAccessLog(share) => {
            worker.sampler.borrow_mut().set_rate(share);
            Reply::Done
        }
        Letter::Drained {
            chain,
            upstream,
            drained,
        } => {
            worker.set_drained(chain, upstream, drained);
            Reply::Done
        }
        Letter::Probed(probe) => {
            worker.take_probe(&probe);
            Reply::Done
        }
    };
    ack.acknowledge(reply);
}

/// Stops accepting, lets requests in flight finish until the deadline, and answers scrapes and questions meanwhile.
async fn drain(
    worker: &Rc<Worker>,
    listeners: &Listeners,
    inbox: &ShardInbox,
    deadline_ns: u64,
    ack: Ack<Reply>,
) {
    listeners.close();
    worker.begin_drain();
    let finished = async {
        worker.all_closed().await;
        true
    };
    let letters = async {
        loop {
            while let Some((letter, ack)) = inbox.take() {
                act(worker, letter, ack);
            }
            worker.hear();
            let _ = rt::timeout_at(rt::now() + REAP_EVERY_NS, rt::rung()).await;
        }
    };
    let all = futures_lite::future::or(finished, letters);
    let done = rt::timeout_at(deadline_ns, all).await.is_ok();
    ack.acknowledge(Reply::Drained {
        cut: if done { 0 } else { worker.busy_connections() },
    });
}

/// Tells the other shards what there is to tell, as often as scores are worth telling.
async fn tell(worker: Rc<Worker>) {
    while !worker.draining() {
        rt::sleep_until(rt::now() + TELL_EVERY_NS).await;
        worker.tell_news();
    }
}

/// Closes upstream connections that have idled too long.
async fn reap(worker: Rc<Worker>) {
    while !worker.draining() {
        rt::sleep_until(rt::now() + REAP_EVERY_NS).await;
        for upstream in worker.chains.iter().flat_map(|chain| &chain.upstreams) {
            upstream.pool.reap(rt::now());
        }
    }
}

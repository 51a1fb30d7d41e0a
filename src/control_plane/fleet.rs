//! The shards as the control plane sees them: started, written to, asked, drained, joined. It holds their lanes and
//! nothing of their state.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use config::{Config, Cores};
use engine::index::{ChainIndex, UpstreamIndex};
use mailbox::control::{Pending, Receiver, lane};
use mailbox::gossip::mesh;
use rt::{Doorbell, Options, ShardHandle};
use telemetry::{AccessLog, EventReceiver, Snapshot};
use tokio::sync::Notify;

use crate::control::connections::ConnectionBudget;
use crate::control::{
    ChainReadiness, Epoch, GOSSIP_CAPACITY, LANE_CAPACITY, Letter, Probe, Reply, Report, Resolved,
    Seat, ShardLane, ShardMain,
};

/// Events that one shard may have on their way to the access log; past that they are dropped and counted.
const EVENT_QUEUE_CAPACITY: usize = 8192;

/// How long a shard may take to begin to listen.
const CONFIGURE_TIMEOUT: Duration = Duration::from_secs(10);

/// The running shards.
pub struct Fleet {
    shards: Vec<Shard>,
    reports: Receiver<Report, ()>,
    reported: Arc<Notify>,
}

struct Shard {
    lane: ShardLane,
    handle: ShardHandle,
}

/// A shard's doorbell, once the shard runs. Before that nobody sleeps who would have to be woken.
type Bell = OnceLock<Doorbell>;

fn ring(bells: &[Bell], shard: usize) {
    if let Some(bell) = bells.get(shard).and_then(OnceLock::get) {
        bell.ring();
    }
}

/// Puts the calling shard's doorbell where the others find it.
fn hang_up(bells: &[Bell], shard: usize) {
    match rt::doorbell() {
        Ok(made) => drop(bells.get(shard).map(|bell| bell.set(made))),
        Err(error) => {
            tracing::error!(%error, "a shard has no doorbell: its letters are late");
        }
    }
}

impl Fleet {
    /// Starts one shard a core; each waits for its configuration. Returns the events' end with it.
    ///
    /// # Errors
    /// One sentence: why a shard could not be started.
    pub fn start(
        config: &Config,
        cpus: &[usize],
        shard_main: ShardMain,
    ) -> Result<(Self, EventReceiver), String> {
        let (access_log, events) = AccessLog::new(cpus.len(), EVENT_QUEUE_CAPACITY);
        let reported = Arc::new(Notify::new());
        let notify = reported.clone();
        let (report_lane, reports) = lane(1024, move || notify.notify_one());
        let connections = ConnectionBudget::new(config.server.limits.max_connections);
        let bells: Arc<[Bell]> = cpus.iter().map(|_| Bell::default()).collect();
        let rung = bells.clone();
        let ports = mesh(cpus.len(), GOSSIP_CAPACITY, move |to| ring(&rung, to));
        let mut shards = Vec::new();
        for ((number, cpu), gossip) in cpus.iter().enumerate().zip(ports) {
            let rung = bells.clone();
            let (lane, shard_inbox) = lane(LANE_CAPACITY, move || ring(&rung, number));
            let seat = Seat {
                number,
                inbox: shard_inbox,
                reports: report_lane.clone(),
                gossip: Some(gossip),
                events: access_log.clone(),
                connections: connections.clone(),
                seed: seed(number),
            };
            let options = Options {
                name: format!("shard-{number}"),
                cpu: Some(*cpu),
                busy_poll: config.server.busy_poll,
                ..Options::default()
            };
            let bells = bells.clone();
            let handle = rt::spawn_shard(options, move || async move {
                hang_up(&bells, number);
                shard_main(seat).await;
            })
            .map_err(|error| error.to_string())?;
            shards.push(Shard { lane, handle });
        }
        let fleet = Self {
            shards,
            reports,
            reported,
        };
        Ok((fleet, events))
    }

    /// Sends every shard its configuration and waits until all listen.
    ///
    /// # Errors
    /// One sentence: what a shard said, or that it said nothing in time.
    pub async fn configure(&self, epoch: &Arc<Epoch>) -> Result<(), String> {
        let pending = self.post(|| Letter::Configure(epoch.clone()));
        for (number, pending) in pending.into_iter().enumerate() {
            let answer = match pending {
                Some(pending) => tokio::time::timeout(CONFIGURE_TIMEOUT, pending).await,
                None => return Err(format!("shard {number} takes no letters")),
            };
            match answer {
                Ok(Ok(Reply::Done)) => (),
                Ok(Ok(Reply::Failed(sentence))) => return Err(sentence),
                Ok(Ok(_)) | Ok(Err(_)) => {
                    return Err(format!("shard {number} stopped while starting"));
                }
                Err(_) => return Err(format!("shard {number} did not begin to listen in time")),
            }
        }
        Ok(())
    }

    /// Asks every shard for its counters, all at once. The answers are awaited by the caller.
    pub fn scrape(&self) -> Vec<impl Future<Output = Option<Snapshot>> + Send + use<>> {
        self.post(|| Letter::Scrape)
            .into_iter()
            .map(|pending| async {
                match pending?.await {
                    Ok(Reply::Scraped(snapshot)) => Some(*snapshot),
                    _ => None,
                }
            })
            .collect()
    }

    /// Asks every shard which upstreams it would use; None for one that does not answer within `within`.
    pub async fn readiness(&self, within: Duration) -> Vec<Option<Vec<ChainReadiness>>> {
        let asked = self.post(|| Letter::Readiness);
        let mut answers = vec![None; asked.len()];
        let all = async {
            for (slot, pending) in answers.iter_mut().zip(asked) {
                if let Some(pending) = pending
                    && let Ok(Reply::Ready(chains)) = pending.await
                {
                    *slot = Some(chains);
                }
            }
        };
        // One that does not answer leaves those behind it unheard too: they are asked again by the next question.
        let _ = tokio::time::timeout(within, all).await;
        answers
    }

    /// Tells every shard new addresses.
    pub fn publish_addresses(&self, resolved: &Arc<[Resolved]>) {
        self.tell(|| Letter::Addresses(resolved.clone()));
    }

    /// Changes the share of requests in the access log.
    pub fn set_sample(&self, share: f64) {
        self.tell(|| Letter::SampleAccessLog(share));
    }

    /// Drains an upstream on every shard, or takes it back.
    pub fn set_drained(&self, chain: ChainIndex, upstream: UpstreamIndex, drained: bool) {
        self.tell(|| Letter::Drained {
            chain,
            upstream,
            drained,
        });
    }

    /// Passes what one shard reported to all the others, for as long as it is polled.
    pub async fn pass_reports_on(&self) {
        loop {
            while let Some((Report::Probed { shard, probe }, ack)) = self.reports.take() {
                self.pass_on(shard, probe);
                ack.acknowledge(());
            }
            self.reported.notified().await;
        }
    }

    fn pass_on(&self, from: usize, probe: Probe) {
        for (number, shard) in self.shards.iter().enumerate() {
            // A full lane loses this one; the next probe comes.
            if number != from {
                drop(shard.lane.send(Letter::Probed(probe)));
            }
        }
    }

    /// Drains every shard and waits for their ends. The number of connections that were cut.
    pub async fn drain(&self, within: Duration) -> usize {
        let within_ns = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        let deadline_ns = rt::clock::read().saturating_add(within_ns);
        let mut cut = 0;
        for pending in self
            .post(|| Letter::Drain { deadline_ns })
            .into_iter()
            .flatten()
        {
            // A shard answers at the deadline at the latest; a little more is for its last turn.
            match tokio::time::timeout(within + Duration::from_secs(2), pending).await {
                Ok(Ok(Reply::Drained { cut: connections })) => cut += connections,
                _ => tracing::error!("a shard did not answer the drain"),
            }
        }
        cut
    }

    /// Waits for the shards' threads; they have drained.
    ///
    /// # Errors
    /// What a shard that panicked said.
    pub fn join(self) -> Result<(), String> {
        let mut result = Ok(());
        for shard in self.shards {
            if let Err(panicked) = shard.handle.join() {
                result = Err(format!("a shard ended in a panic: {panicked}"));
            }
        }
        result
    }

    /// Whether a shard has ended, which none does by itself.
    pub fn lost_a_shard(&self) -> bool {
        self.shards.iter().any(|shard| shard.handle.is_finished())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    fn post(&self, letter: impl Fn() -> Letter) -> Vec<Option<Pending<Reply>>> {
        self.shards
            .iter()
            .map(|shard| shard.lane.send(letter()).ok())
            .collect()
    }

    fn tell(&self, letter: impl Fn() -> Letter) {
        for (number, pending) in self.post(letter).iter().enumerate() {
            if pending.is_none() {
                tracing::warn!(shard = number, "a shard's lane is full: a letter was lost");
            }
        }
    }
}

/// A seed for a shard: the system's entropy, as the standard library's hash maps draw it.
fn seed(number: usize) -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_usize(number);
    hasher.finish()
}

/// The processors that the configuration asks for.
///
/// # Errors
/// One sentence, where this process may not run on one of them.
pub fn cpus(cores: &Cores) -> Result<Vec<usize>, String> {
    let allowed = rt::probe::allowed_cores();
    match cores {
        Cores::Auto => Ok(allowed),
        Cores::Count(count) => {
            let count = usize::from(*count);
            if count == 0 || count > allowed.len() {
                return Err(format!(
                    "server.cores asks for {count} cores; this process may use {}",
                    allowed.len()
                ));
            }
            Ok(allowed.into_iter().take(count).collect())
        }
        Cores::Ids(ids) => {
            let wanted: Vec<usize> = ids.iter().map(|id| usize::from(*id)).collect();
            match wanted.iter().find(|id| !allowed.contains(id)) {
                Some(id) => Err(format!(
                    "server.cores names core {id}, which this process may not use (it may use {allowed:?})"
                )),
                None => Ok(wanted),
            }
        }
    }
}

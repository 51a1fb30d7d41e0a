//! DNS, off the data plane: every upstream host is looked up at the start and again and again, and only
//! changes are published. What a failed lookup leaves behind are the last good addresses.
//! Never holds a request up, never publishes an address that no lookup gave.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use telemetry::ResolveOutcome;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Addresses kept of one host. More would only lengthen the time until a dead host is given up.
const MAX_ADDRESSES: usize = 16;

/// From one round to the next while some host has no address at all: nothing can be sent there, so this is
/// not the time to be patient.
const IMPATIENT_REFRESH: Duration = Duration::from_secs(2);

/// Lookups under way at once: each holds a thread of the runtime's blocking pool.
const MAX_LOOKUPS: usize = 8;

/// A host and port as the configuration has it; brackets of an IPv6 literal are not part of the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Name or IP literal.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Target {
    /// The address of an IP literal, which needs no lookup.
    #[must_use]
    pub fn literal(&self) -> Option<SocketAddr> {
        self.host
            .parse::<IpAddr>()
            .ok()
            .map(|ip| SocketAddr::new(ip, self.port))
    }
}

/// When to look up, and what to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolveOptions {
    /// From one refresh to the next.
    pub refresh: Duration,
    /// How long the last good addresses stay while lookups fail.
    pub keep: Duration,
    /// How long one lookup may take.
    pub timeout: Duration,
}

impl Default for ResolveOptions {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(30),
            keep: Duration::from_secs(3_600),
            timeout: Duration::from_secs(5),
        }
    }
}

/// Addresses of a target, to be used from now on, in the order in which to try them. Empty when the target
/// has had none for longer than [`ResolveOptions::keep`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Whose.
    pub target: Target,
    /// Its addresses.
    pub addresses: Arc<[SocketAddr]>,
}

/// What is known about one target.
#[derive(Clone, Debug, Default)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    /// When a lookup last succeeded, since some origin.
    good_at: Duration,
    /// The last lookup failed.
    failing: bool,
}

/// What a lookup changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// How the refresh ended.
    pub outcome: ResolveOutcome,
    /// What is to be published, if anything.
    pub publish: Option<Resolution>,
    /// The lookup before had not failed, and this one did, or the other way round: worth a line in the log.
    pub turned: bool,
}

/// What is known about all targets, and the decision what to publish. Pure: lookups and time are arguments.
#[derive(Clone, Debug)]
pub struct AddressBook {
    keep: Duration,
    known: BTreeMap<Target, Known>,
}

impl AddressBook {
    /// A book without an address.
    #[must_use]
    pub const fn new(keep: Duration) -> Self {
        Self {
            keep,
            known: BTreeMap::new(),
        }
    }

    /// Takes in what a lookup gave at `now` (since any fixed origin). `None` is a failure, and so is an
    /// empty answer.
    pub fn observe(
        &mut self,
        target: &Target,
        found: Option<Vec<SocketAddr>>,
        now: Duration,
    ) -> Observed {
        let known = self.known.entry(target.clone()).or_default();
        let found = in_trial_order(found.unwrap_or_default());
        let turned = known.failing != found.is_empty();
        known.failing = found.is_empty();
        let (outcome, news) = if found.is_empty() {
            let expired =
                !known.addresses.is_empty() && now.saturating_sub(known.good_at) > self.keep;
            (ResolveOutcome::Failed, expired.then(Arc::default))
        } else {
            known.good_at = now;
            if same_set(&known.addresses, &found) {
                (ResolveOutcome::Unchanged, None)
            } else {
                (ResolveOutcome::Changed, Some(found.into()))
            }
        };
        let publish = news.map(|addresses: Arc<[SocketAddr]>| {
            known.addresses = addresses.clone();
            Resolution {
                target: target.clone(),
                addresses,
            }
        });
        Observed {
            outcome,
            publish,
            turned,
        }
    }

    /// Whether every target has an address.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.known.values().all(|known| !known.addresses.is_empty())
    }
}

/// Name servers rotate their answers: another order of the same addresses is not news.
fn same_set(known: &[SocketAddr], found: &[SocketAddr]) -> bool {
    known.len() == found.len() && found.iter().all(|address| known.contains(address))
}

/// Families interleaved as RFC 8305 §4 has it, starting with the family that the system's own order
/// (RFC 6724) puts first; duplicates dropped; at most [`MAX_ADDRESSES`].
fn in_trial_order(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut distinct: Vec<SocketAddr> = Vec::with_capacity(found.len());
    for address in found {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    let first_is_v6 = distinct.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = distinct
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut ordered = Vec::new();
    for address in first {
        ordered.push(address);
        ordered.extend(second.next());
    }
    ordered.extend(second);
    ordered.truncate(MAX_ADDRESSES);
    ordered
}

/// Looks all targets up once and then every [`ResolveOptions::refresh`], for ever; drop the future to end it.
/// Each round's changes are handed to `publish` in one piece (none, no call; the first round always calls, so
/// that a start can wait for it), each lookup's end to `count`.
pub async fn keep_resolved(
    targets: Vec<Target>,
    options: ResolveOptions,
    mut publish: impl FnMut(Vec<Resolution>),
    mut count: impl FnMut(ResolveOutcome),
) {
    let started_ns = rt::clock::read();
    let mut targets = targets;
    targets.sort();
    targets.dedup();
    let mut book = AddressBook::new(options.keep);
    let mut first = true;
    loop {
        let mut news = Vec::new();
        for (target, found) in look_up_all(&targets, options.timeout, first).await {
            let observed = book.observe(
                &target,
                found,
                Duration::from_nanos(rt::clock::read().saturating_sub(started_ns)),
            );
            if target.literal().is_none() {
                count(observed.outcome);
            }
            log_turn(&target, &observed);
            news.extend(observed.publish);
        }
        if first || !news.is_empty() {
            publish(news);
        }
        first = false;
        let refresh = options.refresh.max(Duration::from_secs(1));
        sleep(if book.is_complete() {
            refresh
        } else {
            refresh.min(IMPATIENT_REFRESH)
        })
        .await;
    }
}

/// One line when a host's lookups begin to fail, and one when they work again.
fn log_turn(target: &Target, observed: &Observed) {
    let (host, port) = (target.host.as_str(), target.port);
    match (observed.turned, observed.outcome) {
        (true, ResolveOutcome::Failed) => {
            tracing::warn!(
                host,
                port,
                "the host's addresses cannot be looked up; what was known is kept"
            );
        }
        (true, _) => tracing::info!(host, port, "the host's addresses can be looked up again"),
        (false, _) => {}
    }
}

/// Looks up names, and at the first time takes literals as they are; a few at a time.
async fn look_up_all(
    targets: &[Target],
    limit: Duration,
    first: bool,
) -> Vec<(Target, Option<Vec<SocketAddr>>)> {
    let mut found = Vec::with_capacity(targets.len());
    let mut under_way = JoinSet::new();
    for target in targets {
        if let Some(address) = target.literal() {
            if first {
                found.push((target.clone(), Some(vec![address])));
            }
            continue;
        }
        if under_way.len() >= MAX_LOOKUPS {
            found.extend(under_way.join_next().await.and_then(Result::ok));
        }
        let target = target.clone();
        under_way.spawn(async move {
            let addresses = look_up(&target, limit).await;
            (target, addresses)
        });
    }
    while let Some(ended) = under_way.join_next().await {
        found.extend(ended.ok());
    }
    found
}

/// One lookup by the system's resolver; `None` when it fails or takes too long.
async fn look_up(target: &Target, limit: Duration) -> Option<Vec<SocketAddr>> {
    let lookup = tokio::net::lookup_host((target.host.as_str(), target.port));
    timeout(limit, lookup)
        .await
        .ok()?
        .ok()
        .map(Iterator::collect)
}

#[cfg(test)]
mod tests;

//! A node's life: start the shards, wait until all listen, serve the admin port, and drain on a signal. It holds no state of
//! a request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::{Config, LogFormat, LogLevel, LogPath};
use engine::index::{ChainIndex, UpstreamIndex};
use mailbox::watermark::Watermarks;
use telemetry::{Dimensions, Recorder, Snapshot};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::access_log::{AccessLogWriter, Destination};
use super::admin::{self, AdminBackend, ChainHealth, Readiness};
use super::fleet::{self, Fleet};
use super::regions;
use super::resolve::{self, ResolveOptions, Target};
use super::scrape::{self, Process, SHARD_ANSWER_TIMEOUT};
use super::tls;
use crate::control::{Epoch, Resolved, ShardMain, dimensions};

/// How long the access log may take to write what is left at the end.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the shards are looked after.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// A node that serves; for whoever starts one inside another program.
pub struct Running {
    /// The admin port's address, if there is one.
    pub admin: Option<SocketAddr>,
    node: std::sync::Weak<Node>,
    runtime: tokio::runtime::Handle,
}

impl Running {
    /// The counters now; `None` once the node has ended. Blocks; not for the node's own thread.
    pub fn scrape(&self) -> Option<Snapshot> {
        let node = self.node.upgrade()?;
        Some(self.runtime.block_on(node.scrape()))
    }
}

/// Runs a node until SIGTERM or SIGINT has drained it.
///
/// # Errors
/// One sentence: why it could not start, or what ended it.
pub fn run(config: Config, shard_main: ShardMain) -> Result<(), String> {
    let (_keep, never) = oneshot::channel();
    run_until(config, shard_main, never, drop)
}

/// Runs a node until a signal, or until `stop` is sent to, has drained it; says when all shards listen.
///
/// # Errors
/// As [`run`].
pub fn run_until(
    config: Config,
    shard_main: ShardMain,
    stop: oneshot::Receiver<()>,
    ready: impl FnOnce(Running),
) -> Result<(), String> {
    install_log(&config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the control plane's runtime could not be made: {error}"))?;
    let ended = runtime.block_on(serve(config, shard_main, stop, ready));
    // A name lookup that hangs must not keep the process from ending.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

async fn serve(
    config: Config,
    shard_main: ShardMain,
    stop: oneshot::Receiver<()>,
    ready: impl FnOnce(Running),
) -> Result<(), String> {
    let started = rt::clock::unix();
    let signal = signal()?;
    let cpus = fleet::cpus(&config.server.cores)?;
    let dimensions = Arc::new(dimensions::dimensions(&config, cpus.len()));
    let server_tls = tls::server(&config)?;
    let upstream_tls = tls::upstreams(&config)?;
    let regions = regions::load(&config)?;
    let listener = match config.server.admin {
        None => None,
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .map_err(|error| format!("cannot listen on {address} (server.admin): {error}"))?,
        ),
    };
    for address in &config.server.listen {
        claim(*address)?;
    }
    let config = within_descriptors(config);
    let (fleet, events) = Fleet::start(&config, &cpus, shard_main)?;
    let epoch = Arc::new(Epoch {
        number: 1,
        server_tls,
        upstream_tls,
        dimensions: dimensions.clone(),
        shards: fleet.len(),
        regions,
        unix_zero_ms: unix_zero_ms(),
        heads: Arc::new(Watermarks::new(config.chains.len())),
        writes: Arc::new(Watermarks::new(config.chains.len())),
        config,
    });
    let log = start_access_log(&epoch, events, started)?;
    let node = Arc::new(Node {
        fleet,
        recorder: Mutex::new(Recorder::new(dimensions, cpus.len())),
        epoch: epoch.clone(),
        started,
        draining: watch::Sender::new(false),
        log,
    });
    node.record(|recorder| {
        recorder.set_identity(u64::try_from(started.as_micros()).unwrap_or(u64::MAX));
    });
    node.fleet.configure(&epoch).await?;
    let (resolved_once, first_resolution) = oneshot::channel();
    let resolver = tokio::spawn(keep_resolved(node.clone(), resolved_once));
    let reports = tokio::spawn({
        let node = node.clone();
        async move { node.fleet.pass_reports_on().await }
    });
    let rotation = tokio::spawn(reopen_log_on_hangup(node.clone()));
    // Ready means that a call can be served: addresses first, if they can be had at all.
    let _ = tokio::time::timeout(Duration::from_secs(5), first_resolution).await;
    let admin = listener
        .as_ref()
        .and_then(|listener| listener.local_addr().ok());
    let (stop_admin, admin_stopped) = oneshot::channel::<()>();
    let admin_task = listener.map(|listener| {
        let node = node.clone();
        tokio::spawn(admin::serve(listener, node, Vec::new(), async {
            drop(admin_stopped.await);
        }))
    });
    for address in &epoch.config.server.listen {
        tracing::info!(%address, shards = node.fleet.len(), "serving");
    }
    ready(Running {
        admin,
        node: Arc::downgrade(&node),
        runtime: tokio::runtime::Handle::current(),
    });
    let ended = wait_for_end(&node, signal, stop).await;
    let within = epoch.config.server.drain_timeout;
    tracing::info!(?within, "draining");
    node.draining.send_replace(true);
    let cut = node.fleet.drain(within).await;
    if cut > 0 {
        tracing::warn!(cut, "connections were cut at the end of the drain");
    }
    resolver.abort();
    rotation.abort();
    reports.abort();
    drop(stop_admin);
    if let Some(task) = admin_task {
        drop(task.await);
    }
    drop((resolver.await, reports.await, rotation.await));
    let joined = match Arc::into_inner(node) {
        Some(node) => {
            let joined = node.fleet.join();
            if node.log.is_some_and(|log| !log.stop(LAST_LINES_TIMEOUT)) {
                tracing::warn!("the access log did not take its last lines in time");
            }
            joined
        }
        None => Ok(()),
    };
    tracing::info!("stopped");
    ended.and(joined)
}

/// Unix time when the process's clock was 0.
fn unix_zero_ms() -> u64 {
    let since = Duration::from_nanos(rt::clock::read());
    let zero = rt::clock::unix().saturating_sub(since).as_millis();
    u64::try_from(zero).unwrap_or(0)
}

/// Makes sure that nobody listens on an address yet. The shards share it (SO_REUSEPORT), so a second process could join them
/// unnoticed and take half of the traffic.
fn claim(address: SocketAddr) -> Result<(), String> {
    match std::net::TcpListener::bind(address) {
        Ok(alone) => {
            drop(alone);
            Ok(())
        }
        Err(error) => Err(format!("cannot listen on {address}: {error}")),
    }
}

/// Leaves descriptors to upstream connections and to the process itself: clients alone must not be able to use them all up.
fn within_descriptors(mut config: Config) -> Config {
    const OWN: usize = 128;
    let Ok(limit) = rt::probe::raise_nofile() else {
        return config;
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let pools: usize = config
        .chains
        .iter()
        .flat_map(|chain| &chain.upstreams)
        .map(|upstream| upstream.pool.max_connections as usize)
        .sum();
    let left = limit.saturating_sub(pools.min(limit / 2) + OWN).max(1);
    let wanted = &mut config.server.limits.max_connections;
    if *wanted > left {
        tracing::warn!(
            max_connections = *wanted,
            served = left,
            open_files = limit,
            "fewer client connections than configured: raise the limit of open files (LimitNOFILE, ulimit -n)"
        );
        *wanted = left;
    }
    config
}

/// Waits until the node is told to end, or must.
async fn wait_for_end(
    node: &Node,
    signal: impl Future<Output = ()>,
    stop: oneshot::Receiver<()>,
) -> Result<(), String> {
    let stopped = async {
        if stop.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let lost = async {
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            if node.fleet.lost_a_shard() {
                return;
            }
        }
    };
    tokio::select! {
        () = signal => Ok(()),
        () = stopped => Ok(()),
        // Half a fleet would drop its share of new connections in silence; a supervisor starts a whole one.
        () = lost => Err("a shard ended by itself; the process stops".to_owned()),
    }
}

/// SIGTERM and SIGINT drain.
fn signal() -> Result<impl Future<Output = ()>, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    })
}

/// SIGHUP means that the log's file was moved away: it is opened anew.
async fn reopen_log_on_hangup(node: Arc<Node>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    while hangup.recv().await.is_some() {
        if let Some(log) = &node.log {
            log.reopen();
        }
    }
}

/// What the control plane holds.
struct Node {
    fleet: Fleet,
    /// The control plane's own numbers. Its tasks share one thread; the lock is never contended.
    recorder: Mutex<Recorder>,
    epoch: Arc<Epoch>,
    started: Duration,
    draining: watch::Sender<bool>,
    log: Option<AccessLogWriter>,
}

impl Node {
    fn record(&self, write: impl FnOnce(&mut Recorder)) {
        write(&mut self.recorder.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl AdminBackend for Node {
    async fn scrape(&self) -> Snapshot {
        let answers = self.fleet.scrape();
        let collected = scrape::collect(answers, SHARD_ANSWER_TIMEOUT).await;
        let own = {
            let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
            Process::read().record(&mut recorder);
            if let Some(counts) = self.log.as_ref().map(AccessLogWriter::counts) {
                recorder.set_events_written(counts.written, counts.lost);
            }
            recorder.snapshot()
        };
        scrape::merge(own, collected)
    }

    async fn readiness(&self) -> Readiness {
        let answers = self.fleet.readiness(SHARD_ANSWER_TIMEOUT).await;
        let shards_ready = answers.iter().flatten().count();
        let chains = self.epoch.config.chains.iter().enumerate();
        Readiness {
            draining: *self.draining.borrow(),
            shards_ready,
            shards: self.fleet.len(),
            chains: chains
                .map(|(at, chain)| {
                    // A balancer should send here while every shard can serve: the worst one counts.
                    let seen = answers.iter().flatten().filter_map(|chains| chains.get(at));
                    ChainHealth {
                        name: chain.name.clone(),
                        usable: seen.clone().map(|c| c.usable).min().unwrap_or(0),
                        asked: seen.map(|c| c.asked).min().unwrap_or(0),
                        configured: chain.upstreams.len(),
                    }
                })
                .collect(),
        }
    }

    async fn set_log_level(&self, level: telemetry::log::LogLevel) -> Result<(), String> {
        telemetry::log::set_level(level);
        Ok(())
    }

    async fn set_drained(
        &self,
        chain: &str,
        upstream: &str,
        drained: bool,
    ) -> Option<Result<(), String>> {
        let mut chains = self.epoch.config.chains.iter();
        let at =
            chains.position(|one| one.name == chain || one.aliases.iter().any(|a| a == chain))?;
        let mut upstreams = self.epoch.config.chains.get(at)?.upstreams.iter();
        let place = upstreams.position(|one| one.name == upstream)?;
        let number = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        self.fleet.set_drained(
            ChainIndex(number(at)),
            UpstreamIndex(number(place)),
            drained,
        );
        Some(Ok(()))
    }

    async fn set_sample(&self, rate: f64) -> Result<(), String> {
        if self.epoch.config.server.access_log.path == LogPath::Off {
            return Err("server.access_log.path is off: there is no log to sample into".to_owned());
        }
        self.fleet.set_sample(rate);
        Ok(())
    }

    fn started(&self) -> (Duration, Duration) {
        (self.started, rt::clock::unix().saturating_sub(self.started))
    }
}

/// Looks up the hosts of all upstreams, and tells the shards.
async fn keep_resolved(node: Arc<Node>, first: oneshot::Sender<()>) {
    let mut users: Vec<(Target, ChainIndex, UpstreamIndex)> = Vec::new();
    for (c, chain) in (0u16..).zip(&node.epoch.config.chains) {
        for (u, upstream) in (0u16..).zip(&chain.upstreams) {
            let target = Target {
                host: upstream.url.host.clone(),
                port: upstream.url.port,
            };
            users.push((target, ChainIndex(c), UpstreamIndex(u)));
        }
    }
    let targets = users.iter().map(|(target, ..)| target.clone()).collect();
    let options = ResolveOptions {
        refresh: node.epoch.config.resolver.refresh,
        ..ResolveOptions::default()
    };
    let mut first = Some(first);
    let publish = |resolutions: Vec<resolve::Resolution>| {
        let resolved: Arc<[Resolved]> = users
            .iter()
            .filter_map(|(target, chain, upstream)| {
                let found = resolutions.iter().find(|r| r.target == *target)?;
                Some(Resolved {
                    chain: *chain,
                    upstream: *upstream,
                    addresses: permitted(&node.epoch, *chain, *upstream, &found.addresses),
                })
            })
            .collect();
        node.fleet.publish_addresses(&resolved);
        if let Some(first) = first.take() {
            let _ = first.send(());
        }
    };
    let count = |outcome| node.record(|recorder| recorder.resolve_ended(outcome));
    resolve::keep_resolved(targets, options, publish, count).await;
}

/// The addresses that an upstream may be reached at: a name must not lead to a link-local address (the metadata service of a
/// cloud) unless the configuration allows one.
fn permitted(
    epoch: &Epoch,
    chain: ChainIndex,
    upstream: UpstreamIndex,
    found: &Arc<[SocketAddr]>,
) -> Arc<[SocketAddr]> {
    let configured = epoch
        .config
        .chains
        .get(chain.as_usize())
        .and_then(|chain| chain.upstreams.get(upstream.as_usize()));
    let allowed = configured.is_some_and(|upstream| upstream.allow_link_local);
    let forbidden = |address: &SocketAddr| config::is_link_local(&address.ip().to_string());
    if allowed || !found.iter().any(forbidden) {
        return found.clone();
    }
    tracing::warn!(
        upstream = configured.map_or("", |upstream| upstream.name.as_str()),
        "its name leads to a link-local address, which is not used; see allow_link_local"
    );
    found
        .iter()
        .filter(|address| !forbidden(address))
        .copied()
        .collect()
}

/// Starts the access log's writer, unless it is off.
fn start_access_log(
    epoch: &Epoch,
    events: telemetry::EventReceiver,
    started: Duration,
) -> Result<Option<AccessLogWriter>, String> {
    let destination = match &epoch.config.server.access_log.path {
        LogPath::Off => return Ok(None),
        LogPath::Stdout => Destination::Stdout,
        LogPath::File(path) => Destination::File(path.clone()),
    };
    let base = started.saturating_sub(Duration::from_nanos(rt::clock::read()));
    let base_unix_us = u64::try_from(base.as_micros()).unwrap_or(u64::MAX);
    let dimensions: Arc<Dimensions> = epoch.dimensions.clone();
    AccessLogWriter::start(events, dimensions, base_unix_us, destination)
        .map(Some)
        .map_err(|error| format!("the access log cannot be written: {error}"))
}

/// Sends the process's own log to standard error. A second node of one process keeps the first one's log.
fn install_log(config: &Config) {
    let log = &config.server.log;
    let format = match log.format {
        LogFormat::Text => telemetry::log::LogFormat::Text,
        LogFormat::Json => telemetry::log::LogFormat::Json,
    };
    let level = match log.level {
        LogLevel::Error => telemetry::log::LogLevel::Error,
        LogLevel::Warn => telemetry::log::LogLevel::Warn,
        LogLevel::Info => telemetry::log::LogLevel::Info,
        LogLevel::Debug => telemetry::log::LogLevel::Debug,
        LogLevel::Trace => telemetry::log::LogLevel::Trace,
    };
    drop(telemetry::log::install(format, level, rt::clock::unix));
}

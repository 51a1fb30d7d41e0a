//! The admin port: metrics, health, latency distributions, log level and sampling, over HTTP/1.1.
//! Its own listener, its own limits; what it knows it asks of an [`AdminBackend`].
//! Never reachable through a web page (host, origin and content type are checked), never shows a secret.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use telemetry::Snapshot;
use telemetry::log::LogLevel;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

mod answer;
mod guard;

/// The most that a write's body may hold.
const MAX_BODY_BYTES: usize = 4_096;
/// Connections served at once; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 64;
/// A head that is not whole by then, or a connection that is idle for so long, is closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// An answer that is not made by then is 503.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection does not live longer: one that reads nothing must not hold its place for ever.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(600);
/// What connections get to finish when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// One chain's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHealth {
    /// The chain's name.
    pub name: String,
    /// Upstreams that would be sent a call now.
    pub usable: usize,
    /// Upstreams that have been asked for their chain, whatever they said, or need not be.
    pub asked: usize,
    /// Upstreams configured.
    pub configured: usize,
}

/// Whether the process should be sent requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// The process is draining.
    pub draining: bool,
    /// Shards that serve.
    pub shards_ready: usize,
    /// Shards there are.
    pub shards: usize,
    /// Every chain.
    pub chains: Vec<ChainHealth>,
}

/// What the admin port asks of the process. Each is to answer within a second or so; answers may be partial.
pub trait AdminBackend: Send + Sync + 'static {
    /// The numbers of all shards that answer in time, merged, and the control plane's own.
    fn scrape(&self) -> impl Future<Output = Snapshot> + Send;
    /// Whether to send requests here.
    fn readiness(&self) -> impl Future<Output = Readiness> + Send;
    /// Changes the log level. The error is one sentence for the operator.
    fn set_log_level(&self, level: LogLevel) -> impl Future<Output = Result<(), String>> + Send;
    /// Changes the share of requests in the access log, from 0 to 1. The error is one sentence for the operator.
    fn set_sample(&self, rate: f64) -> impl Future<Output = Result<(), String>> + Send;
    /// Drains an upstream, or takes it back. `None` if there is no such chain or upstream.
    fn set_drained(
        &self,
        chain: &str,
        upstream: &str,
        drained: bool,
    ) -> impl Future<Output = Option<Result<(), String>>> + Send;
    /// When the process started (since the Unix epoch), and how long ago that was.
    fn started(&self) -> (Duration, Duration);
}

/// Serves until `stop` resolves, then lets connections finish for a moment. `hosts` are the names under which
/// the port may be asked for, beside IP literals and `localhost`.
pub async fn serve<B: AdminBackend>(
    listener: TcpListener,
    backend: Arc<B>,
    hosts: Vec<String>,
    stop: impl Future<Output = ()>,
) {
    let routes = routes(backend, hosts);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (stopping, stopped) = watch::channel(());
    let accepting = async {
        loop {
            // The semaphore is never closed; were it, nobody would be served any more.
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(serve_connection(
                        stream,
                        routes.clone(),
                        stopped.clone(),
                        place,
                    ));
                }
                // Out of descriptors, most likely: trying again at once would only burn the core.
                Err(error) => pause_accepting(&error).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    let _ = stopping.send(());
    // All places free again means that every connection has ended.
    let _ = timeout(STOP_TIMEOUT, places.acquire_many(MAX_CONNECTIONS as u32)).await;
}

async fn pause_accepting(error: &io::Error) {
    tracing::warn!(%error, "the admin port cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn serve_connection(
    stream: TcpStream,
    routes: Router,
    mut stopped: watch::Receiver<()>,
    place: OwnedSemaphorePermit,
) {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(64)
        .max_buf_size(16 * 1024);
    let service = TowerToHyperService::new(routes);
    let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    let served = timeout(CONNECTION_LIFETIME, async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    });
    if let Ok(Err(error)) = served.await {
        tracing::debug!(%error, "an admin connection ended badly");
    }
    drop(place);
}

/// Every path of the admin port, behind the guard and the limits.
fn routes<B: AdminBackend>(backend: Arc<B>, hosts: Vec<String>) -> Router {
    let hosts: Arc<[String]> = hosts
        .into_iter()
        .map(|host| host.to_ascii_lowercase())
        .collect();
    answer::routes(backend)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(axum::middleware::from_fn(limit_time))
        .layer(axum::middleware::from_fn_with_state(hosts, guard::check))
}

async fn limit_time(request: Request, next: axum::middleware::Next) -> Response {
    match timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => answer::failure(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "the answer took too long",
        )
        .into_response(),
    }
}

#[cfg(test)]
mod tests;

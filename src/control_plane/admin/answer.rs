//! What each path of the admin port answers.
//! Never decides anything about the process: it asks the backend and puts its answer into words.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use telemetry::log::LogLevel;
use telemetry::{hlog, prometheus};

use super::{AdminBackend, ChainHealth, Readiness};

/// What `GET /` says.
const INDEX: &str = "\
livechain admin port

GET  /metrics             Prometheus text format
GET  /livez               200 while the process runs
GET  /readyz              200 when at least one chain can be served and nothing drains; ?verbose for the counts
GET  /readyz/{chain}      the same for one chain
GET  /debug/latency.hlog  exact latency distributions since start, HDR interval log
GET  /log/level           the log level
PUT  /log/level           {\"level\": \"off|error|warn|info|debug|trace\"}
PUT  /log/sample          {\"rate\": 0.0 to 1.0}, the share of requests in the access log
PUT  /upstreams/{chain}/{upstream}/drained
                          {\"drained\": true|false}: no more calls while another can take them
";

pub(super) fn routes<B: AdminBackend>(backend: Arc<B>) -> Router {
    Router::new()
        .route("/", get(async || INDEX))
        .route("/metrics", get(metrics::<B>))
        .route("/livez", get(async || Json(json!({ "alive": true }))))
        .route("/readyz", get(ready::<B>))
        .route("/readyz/{chain}", get(chain_ready::<B>))
        .route("/debug/latency.hlog", get(latency::<B>))
        .route("/log/level", get(log_level).put(set_log_level::<B>))
        .route("/log/sample", axum::routing::put(set_sample::<B>))
        .route(
            "/upstreams/{chain}/{upstream}/drained",
            axum::routing::put(set_drained::<B>),
        )
        .fallback(async || failure(StatusCode::NOT_FOUND, "no such path; GET / lists them"))
        .method_not_allowed_fallback(async || {
            failure(
                StatusCode::METHOD_NOT_ALLOWED,
                "the path does not take this method",
            )
        })
        .with_state(backend)
}

/// An error as every path says it.
pub(super) fn failure(status: StatusCode, sentence: &str) -> impl IntoResponse + use<> {
    (status, Json(json!({ "error": sentence })))
}

async fn metrics<B: AdminBackend>(State(backend): State<Arc<B>>) -> impl IntoResponse {
    let snapshot = backend.scrape().await;
    (
        [(CONTENT_TYPE, prometheus::CONTENT_TYPE)],
        prometheus::render(&snapshot),
    )
}

async fn latency<B: AdminBackend>(State(backend): State<Arc<B>>) -> Response {
    let snapshot = backend.scrape().await;
    let (started, elapsed) = backend.started();
    match hlog::render(&snapshot, started, elapsed) {
        Ok(log) => ([(CONTENT_TYPE, hlog::CONTENT_TYPE)], log).into_response(),
        Err(error) => {
            failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()).into_response()
        }
    }
}

/// A chain can be served with one usable upstream.
fn is_ready(readiness: &Readiness, chain: &ChainHealth) -> bool {
    !readiness.draining && readiness.shards_ready > 0 && chain.usable > 0
}

fn health(readiness: &Readiness, chain: &ChainHealth, verbose: bool) -> Value {
    let ready = is_ready(readiness, chain);
    if verbose {
        json!({ "ready": ready, "usable": chain.usable, "asked": chain.asked, "upstreams": chain.configured })
    } else {
        json!({ "ready": ready })
    }
}

fn status(ready: bool) -> StatusCode {
    if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// One dead chain does not take a process out of service that serves others: who balances by chain asks
/// [`chain_ready`].
async fn ready<B: AdminBackend>(
    State(backend): State<Arc<B>>,
    RawQuery(query): RawQuery,
) -> impl IntoResponse {
    let verbose = query.is_some_and(|query| {
        query
            .split('&')
            .any(|part| part.split('=').next() == Some("verbose"))
    });
    let readiness = backend.readiness().await;
    let ready = readiness
        .chains
        .iter()
        .any(|chain| is_ready(&readiness, chain));
    let chains: Map<String, Value> = readiness
        .chains
        .iter()
        .map(|chain| (chain.name.clone(), health(&readiness, chain, verbose)))
        .collect();
    let mut body = json!({ "ready": ready, "draining": readiness.draining, "chains": chains });
    if verbose {
        body["shards"] = json!({ "ready": readiness.shards_ready, "all": readiness.shards });
    }
    (status(ready), Json(body))
}

async fn chain_ready<B: AdminBackend>(
    State(backend): State<Arc<B>>,
    Path(name): Path<String>,
) -> Response {
    let readiness = backend.readiness().await;
    match readiness.chains.iter().find(|chain| chain.name == name) {
        Some(chain) => (
            status(is_ready(&readiness, chain)),
            Json(health(&readiness, chain, true)),
        )
            .into_response(),
        None => failure(StatusCode::NOT_FOUND, "no such chain").into_response(),
    }
}

async fn log_level() -> impl IntoResponse {
    Json(json!({ "level": telemetry::log::level().label() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelChange {
    level: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleChange {
    rate: f64,
}

async fn set_log_level<B: AdminBackend>(
    State(backend): State<Arc<B>>,
    body: Result<Json<LevelChange>, JsonRejection>,
) -> Response {
    let change = match body {
        Ok(Json(change)) => change,
        Err(rejection) => return rejected(&rejection),
    };
    let level: LogLevel = match change.level.parse() {
        Ok(level) => level,
        Err(unknown) => {
            return failure(StatusCode::BAD_REQUEST, &format!("{unknown}")).into_response();
        }
    };
    done(
        backend.set_log_level(level).await,
        json!({ "level": level.label() }),
    )
}

async fn set_sample<B: AdminBackend>(
    State(backend): State<Arc<B>>,
    body: Result<Json<SampleChange>, JsonRejection>,
) -> Response {
    let rate = match body {
        Ok(Json(change)) => change.rate,
        Err(rejection) => return rejected(&rejection),
    };
    if !(0.0..=1.0).contains(&rate) {
        return failure(StatusCode::BAD_REQUEST, "the rate is a number from 0 to 1")
            .into_response();
    }
    done(backend.set_sample(rate).await, json!({ "rate": rate }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DrainChange {
    drained: bool,
}

async fn set_drained<B: AdminBackend>(
    State(backend): State<Arc<B>>,
    Path((chain, upstream)): Path<(String, String)>,
    body: Result<Json<DrainChange>, JsonRejection>,
) -> Response {
    let drained = match body {
        Ok(Json(change)) => change.drained,
        Err(rejection) => return rejected(&rejection),
    };
    match backend.set_drained(&chain, &upstream, drained).await {
        Some(result) => done(result, json!({ "drained": drained })),
        None => failure(StatusCode::NOT_FOUND, "no such chain or upstream").into_response(),
    }
}

fn done(result: Result<(), String>, said: Value) -> Response {
    match result {
        Ok(()) => Json(said).into_response(),
        Err(sentence) => failure(StatusCode::SERVICE_UNAVAILABLE, &sentence).into_response(),
    }
}

/// A body that is not what the path takes: 415 without a JSON content type, 413 when too long, else 400.
fn rejected(rejection: &JsonRejection) -> Response {
    let status = match rejection {
        JsonRejection::MissingJsonContentType(_) | JsonRejection::BytesRejection(_) => {
            rejection.status()
        }
        _ => StatusCode::BAD_REQUEST,
    };
    failure(status, &rejection.body_text()).into_response()
}

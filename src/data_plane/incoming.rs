//! What is kept of a request's head once its buffer moves on: framing, route, CORS, request id. It reads the head and
//! nothing else.

use telemetry::RequestRefusal;
use wire::http1::{self, BodyFraming, Method, RequestHead, Version};

use super::reply::Page;
use super::route::Route;
use super::worker::Worker;

/// A request whose body may still be to come.
pub struct Incoming {
    /// How the body is delimited.
    pub framing: BodyFraming,
    /// The client's version.
    pub version: Version,
    /// The client lets the connection live.
    pub keep_alive: bool,
    /// The client waits for `100 Continue`.
    pub expect_continue: bool,
    /// The request's id: the client's own if it is harmless, else ours.
    pub request_id: Box<str>,
    /// The headers that CORS adds to every answer.
    pub cors: Vec<u8>,
    /// The answer to HEAD has no body.
    pub head_only: bool,
    /// What it wants.
    pub wants: Wants,
}

/// What a request wants.
pub enum Wants {
    /// Calls, along this route.
    Rpc(Route),
    /// An answer that needs no call.
    Page(Page),
}

impl Incoming {
    /// Reads a head.
    pub fn read(worker: &Worker, head: &RequestHead<'_>) -> Self {
        let origins = &worker.epoch.config.server.cors.origins;
        let cors = allow_origin(origins, head.origin);
        let request_id = match head.x_request_id {
            Some(id) if http1::is_request_id(id) => String::from_utf8_lossy(id).into(),
            _ => own_request_id(worker),
        };
        Self {
            framing: head.framing,
            version: head.version,
            keep_alive: head.keep_alive,
            expect_continue: head.expect_continue,
            request_id,
            wants: wants(worker, head, !cors.is_empty()),
            cors,
            head_only: head.method == Method::Head,
        }
    }

    /// Stands for a request whose head could not be read: it closes.
    pub fn unread(worker: &Worker) -> Self {
        Self {
            framing: BodyFraming::None,
            version: Version::Http11,
            keep_alive: false,
            expect_continue: false,
            request_id: own_request_id(worker),
            cors: allow_origin(&worker.epoch.config.server.cors.origins, None),
            head_only: false,
            wants: Wants::Page(Page::status(400)),
        }
    }
}

fn own_request_id(worker: &Worker) -> Box<str> {
    String::from_utf8_lossy(&worker.next_request_id()).into()
}

fn wants(worker: &Worker, head: &RequestHead<'_>, cors: bool) -> Wants {
    match head.method {
        Method::Post => {
            let encoded = head
                .content_encoding
                .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
            if encoded {
                return Wants::Page(
                    Page::status(415)
                        .saying(-32600, "a request's body must not be compressed")
                        .refusing(RequestRefusal::BadMediaType),
                );
            }
            match worker.routes.resolve(head.path()) {
                Ok(route) => Wants::Rpc(route),
                Err(no_route) => Wants::Page(
                    Page::status(404)
                        .saying(-32600, no_route.sentence())
                        .refusing(RequestRefusal::NotFound),
                ),
            }
        }
        // A balancer's question whether anybody is there; geth answers it so too.
        Method::Get | Method::Head if head.path() == b"/" => Wants::Page(Page::status(200)),
        Method::Get | Method::Head => Wants::Page(
            Page::status(405)
                .saying(-32600, "JSON-RPC is spoken by POST")
                .with_header(b"allow: POST, OPTIONS\r\n")
                .refusing(RequestRefusal::BadMethod),
        ),
        Method::Options => Wants::Page(preflight(head, cors)),
        _ => Wants::Page(
            Page::status(405)
                .with_header(b"allow: POST, OPTIONS\r\n")
                .refusing(RequestRefusal::BadMethod),
        ),
    }
}

/// The answer to a preflight (Fetch §3.2): what a JSON-RPC client in a browser may send. Headers that it asks for are allowed
/// as they are, since none of them is looked at or forwarded.
fn preflight(head: &RequestHead<'_>, cors: bool) -> Page {
    let mut page = Page::status(204).with_header(b"allow: POST, OPTIONS\r\n");
    if cors && head.access_control_request_method.is_some() {
        page = page.with_header(
            b"access-control-allow-methods: POST, GET, OPTIONS\r\naccess-control-max-age: 7200\r\n",
        );
        let wanted = head
            .access_control_request_headers
            .filter(|names| names.len() <= 1024 && http1::is_header_value(names))
            .unwrap_or(b"content-type, authorization, x-request-id");
        page = page.with_header_value(b"access-control-allow-headers", wanted);
    }
    page
}

/// The CORS headers of every answer; empty where the origin is not allowed.
fn allow_origin(allowed: &[String], origin: Option<&[u8]>) -> Vec<u8> {
    const EXPOSE: &[u8] = b"access-control-expose-headers: x-request-id, retry-after, x-livechain-upstream, x-livechain-attempts, x-livechain-cache\r\n";
    let mut block = Vec::new();
    if allowed.iter().any(|one| one == "*") {
        block.extend_from_slice(b"access-control-allow-origin: *\r\n");
        block.extend_from_slice(EXPOSE);
    } else if let Some(origin) = origin
        && allowed.iter().any(|one| one.as_bytes() == origin)
        && http1::append_header(&mut block, b"access-control-allow-origin", origin).is_ok()
    {
        block.extend_from_slice(EXPOSE);
        block.extend_from_slice(b"vary: origin\r\n");
    }
    block
}

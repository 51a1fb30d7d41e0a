//! What is kept of a request's head once its buffer moves on: framing, route, CORS, request id. It reads the head and
//! nothing else, and allocates nothing for a request that is one.

use telemetry::RequestRefusal;
use wire::http1::{self, BodyFraming, Method, RequestHead, Version};

use super::reply::Page;
use super::route::Route;
use super::sender::Sender;
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
    pub request_id: RequestId,
    /// What CORS adds to every answer.
    pub cors: Cors,
    /// The answer to HEAD has no body.
    pub head_only: bool,
    /// Where it comes from.
    pub sender: Sender,
    /// What it wants.
    pub wants: Wants,
}

/// A request's id, in place.
#[derive(Clone, Copy)]
pub struct RequestId {
    bytes: [u8; Self::MAX_BYTES],
    len: u8,
}

impl RequestId {
    /// The longest that [`http1::is_request_id`] lets pass.
    const MAX_BYTES: usize = 128;

    /// The client's own, if it is harmless; else one of ours.
    fn new(worker: &Worker, given: Option<&[u8]>) -> Self {
        match given.filter(|id| http1::is_request_id(id)) {
            Some(id) => Self::copied(id),
            None => Self::copied(&worker.next_request_id()),
        }
    }

    fn copied(id: &[u8]) -> Self {
        let mut bytes = [0; Self::MAX_BYTES];
        let len = id.len().min(Self::MAX_BYTES);
        if let (Some(to), Some(from)) = (bytes.get_mut(..len), id.get(..len)) {
            to.copy_from_slice(from);
        }
        Self {
            bytes,
            len: len as u8,
        }
    }

    /// As it is sent back and logged.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// What CORS allows the page that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cors {
    /// Nothing: its origin is not among the allowed ones, or it named none.
    No,
    /// Every page may ask.
    Everyone,
    /// The page's own origin, by its place among the allowed ones.
    Origin(usize),
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
    pub fn read(worker: &Worker, head: &RequestHead<'_>, sender: Sender) -> Self {
        let origins = &worker.epoch.config.server.cors.origins;
        let cors = Cors::of(origins, head.origin);
        Self {
            framing: head.framing,
            version: head.version,
            keep_alive: head.keep_alive,
            expect_continue: head.expect_continue,
            request_id: RequestId::new(worker, head.x_request_id),
            wants: wants(worker, head, cors != Cors::No),
            cors,
            head_only: head.method == Method::Head,
            sender,
        }
    }

    /// Stands for a request whose head could not be read: it closes.
    pub fn unread(worker: &Worker, sender: Sender) -> Self {
        Self {
            framing: BodyFraming::None,
            version: Version::Http11,
            keep_alive: false,
            expect_continue: false,
            request_id: RequestId::new(worker, None),
            cors: Cors::of(&worker.epoch.config.server.cors.origins, None),
            head_only: false,
            sender,
            wants: Wants::Page(Page::status(400)),
        }
    }
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

/// The headers that pages may read.
macro_rules! expose {
    () => {
        concat!(
            "access-control-expose-headers: x-request-id, retry-after, x-livechain-upstream, x-livechain-attempts, x-livechain-cache, ",
            "x-livechain-selected, x-livechain-candidates, x-livechain-left-out\r\n"
        )
    };
}

impl Cors {
    /// What the configuration says of an origin.
    fn of(allowed: &[String], origin: Option<&[u8]>) -> Self {
        if allowed.iter().any(|one| one == "*") {
            return Self::Everyone;
        }
        let origin = origin.filter(|origin| http1::is_header_value(origin));
        let at = origin.and_then(|origin| allowed.iter().position(|one| one.as_bytes() == origin));
        at.map_or(Self::No, Self::Origin)
    }

    /// The block of every answer where it is the same for all; empty otherwise.
    pub const fn block(self) -> &'static [u8] {
        match self {
            Self::Everyone => concat!("access-control-allow-origin: *\r\n", expose!()).as_bytes(),
            Self::No | Self::Origin(_) => b"",
        }
    }

    /// Appends the headers that every answer gets.
    pub fn write(self, out: &mut Vec<u8>, worker: &Worker) {
        out.extend_from_slice(self.block());
        if let Self::Origin(at) = self
            && let Some(origin) = worker.epoch.config.server.cors.origins.get(at)
            && http1::append_header(out, b"access-control-allow-origin", origin.as_bytes()).is_ok()
        {
            out.extend_from_slice(concat!(expose!(), "vary: origin\r\n").as_bytes());
        }
    }
}

//! Heads of answers to clients, and the pages that need no call. It writes bytes and sends none.

use telemetry::RequestRefusal;
use wire::http1::{self, BodyLength, Connection, ResponseParts};

use super::explain::{self, Explain};
use super::incoming::{Cors, Incoming, Wants};
use super::pipeline::Served;
use super::respond::{self, Refusal, Status};
use super::worker::Worker;

/// An answer that needs no call.
pub struct Page {
    /// The status.
    pub status: u16,
    /// A JSON-RPC error to put in the body.
    error: Option<(i64, &'static str)>,
    headers: Vec<u8>,
    /// Why the request was refused, if it was.
    pub refused: Option<RequestRefusal>,
}

impl Page {
    /// An empty page.
    pub const fn status(status: u16) -> Self {
        Self {
            status,
            error: None,
            headers: Vec::new(),
            refused: None,
        }
    }

    /// With a JSON-RPC error.
    pub const fn saying(mut self, code: i64, message: &'static str) -> Self {
        self.error = Some((code, message));
        self
    }

    /// With header lines that were written here.
    pub fn with_header(mut self, line: &'static [u8]) -> Self {
        self.headers.extend_from_slice(line);
        self
    }

    /// With a header whose value came from outside; left out if it could break its line.
    pub fn with_header_value(mut self, name: &[u8], value: &[u8]) -> Self {
        // On refusal nothing is appended, and the page is right without it.
        let _ = http1::append_header(&mut self.headers, name, value);
        self
    }

    /// Counted as a refusal.
    pub const fn refusing(mut self, why: RequestRefusal) -> Self {
        self.refused = Some(why);
        self
    }
}

/// The page for a request that cannot be served; its connection closes.
pub fn refusal(status: u16, why: RequestRefusal) -> Page {
    let message = match why {
        RequestRefusal::BadHead => "malformed HTTP request",
        RequestRefusal::HeadTooLarge => "request head too large",
        RequestRefusal::BodyTooLarge => "request body too large",
        RequestRefusal::HeadTimeout => "the request's head did not arrive in time",
        RequestRefusal::BodyTimeout => "the request's body did not arrive in time",
        RequestRefusal::Overloaded => "too many connections",
        _ => "bad request",
    };
    Page::status(status).saying(-32600, message)
}

/// Writes a page, head and body.
pub fn write_page(
    out: &mut Vec<u8>,
    worker: &Worker,
    incoming: &Incoming,
    page: &Page,
    close: bool,
) {
    let mut body = Vec::new();
    if let Some((code, message)) = page.error {
        respond::write_refusal(
            &mut body,
            &Refusal {
                id: None,
                code,
                message,
            },
        );
    }
    let mut extra = Vec::new();
    incoming.cors.write(&mut extra, worker);
    extra.extend_from_slice(&page.headers);
    let length = match page.status {
        204 => BodyLength::None,
        _ => BodyLength::Known(body.len() as u64),
    };
    http1::write_response_head(
        out,
        &ResponseParts {
            status: page.status,
            version: incoming.version,
            content_type: page.error.map(|_| &b"application/json"[..]),
            body: length,
            connection: connection(close),
            request_id: Some(incoming.request_id.as_bytes()),
            extra_block: &extra,
        },
    );
    if !incoming.head_only {
        out.extend_from_slice(&body);
    }
}

/// Writes the head of a served request; its body, of so many bytes, follows.
pub fn write_served(
    out: &mut Vec<u8>,
    worker: &Worker,
    incoming: &Incoming,
    served: &Served,
    close: bool,
) {
    let body = BodyLength::Known(served.body.len() as u64);
    write_head(
        out,
        worker,
        incoming,
        served.status,
        &served.explain,
        body,
        close,
    );
}

/// Writes the head of a streamed answer.
pub fn write_streamed(
    out: &mut Vec<u8>,
    worker: &Worker,
    incoming: &Incoming,
    how: &Explain,
    body: BodyLength,
    close: bool,
) {
    write_head(out, worker, incoming, Status::OK, how, body, close);
}

fn write_head(
    out: &mut Vec<u8>,
    worker: &Worker,
    incoming: &Incoming,
    status: Status,
    how: &Explain,
    body: BodyLength,
    close: bool,
) {
    // Nearly every answer has the same further headers, which need not be put together.
    let usual = matches!(incoming.cors, Cors::No | Cors::Everyone)
        && status.retry_after_s.is_none()
        && !worker.epoch.config.server.explain;
    let mut built = Vec::new();
    if !usual {
        built = rt::take_buffer();
        incoming.cors.write(&mut built, worker);
        retry_after(&mut built, status);
        explain(&mut built, worker, how, incoming);
    }
    http1::write_response_head(
        out,
        &ResponseParts {
            status: status.http,
            version: incoming.version,
            content_type: Some(b"application/json"),
            body,
            connection: connection(close),
            request_id: Some(incoming.request_id.as_bytes()),
            extra_block: if usual { incoming.cors.block() } else { &built },
        },
    );
    rt::recycle(built);
}

fn retry_after(extra: &mut Vec<u8>, status: Status) {
    if let Some(seconds) = status.retry_after_s {
        let mut digits = itoa::Buffer::new();
        let value = digits.format(seconds).as_bytes();
        let _ = http1::append_header(extra, b"retry-after", value);
    }
}

/// The explanation headers, where the operator wants them.
fn explain(extra: &mut Vec<u8>, worker: &Worker, how: &Explain, incoming: &Incoming) {
    if let Wants::Rpc(route) = &incoming.wants
        && worker.epoch.config.server.explain
        && let Some(chain) = worker.chain(route.chain)
    {
        explain::write(extra, chain, how);
    }
}

const fn connection(close: bool) -> Connection {
    if close {
        Connection::Close
    } else {
        Connection::KeepAlive
    }
}

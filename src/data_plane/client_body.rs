//! The body of a client's request, read whole within its limits before anything of it is looked at.

use telemetry::RequestRefusal;
use wire::http1::{self, BodyFraming, ChunkedDecoder, Progress};

use super::connection::Client;
use super::incoming::Incoming;
use super::received::Received;

/// A body that has been read.
pub enum BodyRead {
    /// The front of the connection's inbox.
    InInbox(usize),
    /// Decoded from chunks.
    Decoded(Vec<u8>),
}

impl BodyRead {
    /// The bytes; `inbox` is the inbox of the connection that it was read from, unchanged since.
    pub fn bytes<'a>(&'a self, inbox: &'a Received) -> &'a [u8] {
        match self {
            Self::InInbox(bytes) => inbox.unread().get(..*bytes).unwrap_or_default(),
            Self::Decoded(bytes) => bytes,
        }
    }

    /// How much of the inbox it still occupies.
    pub const fn inbox_bytes(&self) -> usize {
        match self {
            Self::InInbox(bytes) => *bytes,
            Self::Decoded(_) => 0,
        }
    }
}

impl Drop for BodyRead {
    fn drop(&mut self) {
        if let Self::Decoded(bytes) = self {
            rt::recycle(std::mem::take(bytes));
        }
    }
}

/// Why there is no body.
pub enum Unreadable {
    /// The client is told so, and the connection closes.
    Refused(u16, RequestRefusal),
    /// The client is gone.
    Gone,
}

/// Reads the body that the head announced, within `max_body_bytes` and `body_timeout`.
///
/// # Errors
/// [`Unreadable`].
pub async fn read(
    client: &mut Client,
    incoming: &Incoming,
    started_ns: u64,
) -> Result<BodyRead, Unreadable> {
    let until_ns = started_ns.saturating_add(client.worker.limits.body_timeout_ns);
    let too_large = Unreadable::Refused(413, RequestRefusal::BodyTooLarge);
    let max_bytes = client.worker.limits.max_body_bytes;
    match incoming.framing {
        BodyFraming::None => Ok(BodyRead::InInbox(0)),
        BodyFraming::Length(length) => {
            let length = match usize::try_from(length) {
                Ok(length) if length <= max_bytes => length,
                _ => return Err(too_large),
            };
            let missing = client.inbox.unread().len() < length;
            ask_to_continue(client, incoming, missing).await?;
            while client.inbox.unread().len() < length {
                receive(client, until_ns).await?;
            }
            Ok(BodyRead::InInbox(length))
        }
        BodyFraming::Chunked => {
            let missing = client.inbox.is_empty();
            ask_to_continue(client, incoming, missing).await?;
            let mut decoder = ChunkedDecoder::new();
            let mut decoded = rt::take_buffer();
            loop {
                let consumed = match decoder.decode(client.inbox.unread()) {
                    Ok(Progress::Data { data, consumed }) => {
                        decoded.extend_from_slice(data.of(client.inbox.unread()));
                        consumed
                    }
                    Ok(Progress::NeedMore) => {
                        client.inbox.clear();
                        receive(client, until_ns).await?;
                        continue;
                    }
                    Ok(Progress::End { consumed }) => {
                        client.inbox.forget(consumed);
                        return Ok(BodyRead::Decoded(decoded));
                    }
                    Err(_) => return Err(Unreadable::Refused(400, RequestRefusal::BadHead)),
                };
                client.inbox.forget(consumed);
                if decoded.len() > max_bytes {
                    return Err(too_large);
                }
            }
        }
    }
}

/// Tells a client that waits for it to go on (RFC 9110 §10.1.1).
async fn ask_to_continue(
    client: &mut Client,
    incoming: &Incoming,
    body_missing: bool,
) -> Result<(), Unreadable> {
    if incoming.expect_continue && body_missing && !client.send(http1::CONTINUE.to_vec()).await {
        return Err(Unreadable::Gone);
    }
    Ok(())
}

async fn receive(client: &mut Client, until_ns: u64) -> Result<(), Unreadable> {
    let received = client.alarm.timeout_at(until_ns, client.conn.recv());
    match received.await {
        Ok(Ok(Some(chunk))) => {
            client.inbox.take_in(&chunk);
            Ok(())
        }
        Ok(Ok(None) | Err(_)) => Err(Unreadable::Gone),
        Err(rt::Elapsed) => Err(Unreadable::Refused(408, RequestRefusal::BodyTimeout)),
    }
}

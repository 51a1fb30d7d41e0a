//! One HTTP exchange with one upstream: a pooled or a fresh connection, our own head, the payload, and
//! an answer that is either held whole or, when long and sane at its front, handed on as a stream.
//! It judges framing and nothing else; what the JSON means is [`super::judge`]'s work.
//!
//! Dropping the future at any point closes the connection: an exchange that did not end cleanly
//! leaves nothing that the next one could trip over.

use std::io;

use engine::fault::{Fault, FaultClass};
use rt::Conn;
use telemetry::ConnectOutcome;
use wire::http1::{self, HeadLimits, ResponseHead};
use wire::response::{Front, ResultStream};

use super::Upstream;
use super::arrived::Arrived;
use super::body::{Body, BodyFault, HoldBudget, charge};
use super::dial::{DialError, dial};
pub use super::facts::Facts;
use super::pool::{PoolFull, Slot};
pub use super::reached::Reached;
use super::reached::Stage;

/// Interim (1xx) heads that are skipped before an answer; more is an upstream playing games.
const MAX_INTERIM_HEADS: usize = 8;

/// What is sent.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// The JSON-RPC body.
    pub payload: &'a [u8],
    /// Never use a connection that may have gone stale.
    pub fresh_only: bool,
    /// The id whose long answer may be streamed; None: hold the answer whole.
    pub stream_id: Option<u64>,
    /// Asked when the answer turns out to be long: true holds more of it, since others wait for it too, up to
    /// [`AnswerLimits::share_bytes`].
    pub hold_on: Option<&'a dyn Fn() -> bool>,
    /// What may be held.
    pub budget: &'a HoldBudget,
}

/// Bounds of an answer.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLimits {
    /// A longer answer is streamed.
    pub hold_bytes: usize,
    /// A longer answer is streamed even if others wait for it: they ask for themselves.
    pub share_bytes: usize,
    /// A longer answer is refused, or cut if it did not say its length.
    pub max_response_bytes: usize,
}

/// An answer.
pub enum Received {
    /// Held whole.
    Whole {
        /// From its head.
        facts: Facts,
        /// The body, inflated.
        body: Vec<u8>,
    },
    /// Longer than `hold_bytes` and sane so far.
    Long(Box<Long>),
}

/// A long answer: what came so far, and the rest to come.
pub struct Long {
    /// From its head.
    pub facts: Facts,
    /// The body so far.
    pub held: Vec<u8>,
    /// The length of the whole body, if it is known.
    pub stated_bytes: Option<u64>,
    /// The rest.
    pub rest: Rest,
}

/// A connection in the middle of an exchange. Dropped, it is cut: the upstream learns at once that nobody listens, and
/// nothing of this exchange can reach the next one.
struct InExchange(Option<Conn>);

impl InExchange {
    /// The exchange ended cleanly.
    fn end(mut self) -> Option<Conn> {
        self.0.take()
    }

    async fn recv(&self) -> io::Result<Option<rt::Chunk>> {
        match &self.0 {
            Some(conn) => conn.recv().await,
            None => Ok(None),
        }
    }

    fn try_recv(&self) -> Option<rt::Chunk> {
        self.0.as_ref()?.try_recv()
    }

    async fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        match &self.0 {
            Some(conn) => conn.send(bytes).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for InExchange {
    fn drop(&mut self) {
        if let Some(conn) = self.0.take() {
            conn.abort();
        }
    }
}

/// The part of a long answer that is still to come.
pub struct Rest {
    conn: InExchange,
    slot: Slot,
    body: Body,
    keep_alive: bool,
}

/// The room for what is gathered of a long answer, if it has come already, before it is sent on: each send wakes the client.
pub const GATHERED_BYTES: usize = 64 * 1024;

/// The most that one receive brings.
const RECEIVED_BYTES: usize = 4096;

impl Rest {
    /// Whether the body has ended.
    pub const fn ended(&self) -> bool {
        self.body.ended()
    }

    /// Receives what is there, at least once, and appends what belongs to the body: [`GATHERED_BYTES`] at most, unless it is inflated.
    ///
    /// # Errors
    /// The fault; what was streamed of the answer must then be cut.
    pub async fn next(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.conn.recv().await {
            Ok(Some(chunk)) => self.body.take(&chunk, out).map_err(body_fault)?,
            Ok(None) => return self.body.connection_ended(out).map_err(body_fault),
            Err(_) => return Err(Fault::new(FaultClass::Transport, "reset_in_body")),
        }
        while out.len() + RECEIVED_BYTES <= GATHERED_BYTES
            && !self.body.ended()
            && let Some(chunk) = self.conn.try_recv()
        {
            self.body.take(&chunk, out).map_err(body_fault)?;
        }
        Ok(())
    }

    /// After the end: the connection goes back to the pool if it may.
    pub fn finish(self) {
        settle(self.conn, self.slot, &self.body, self.keep_alive);
    }
}

/// Why an exchange gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A pooled connection ended before the first byte of an answer: it had probably been closed
    /// unnoticed. Whether to send again is a decision, so it is not made here.
    Stale,
    /// Anything else.
    Fault(Fault),
}

/// Sends once and receives the answer.
///
/// # Errors
/// [`Broken`], with whether the call's bytes may have reached the upstream.
pub async fn exchange(
    upstream: &Upstream,
    outgoing: &Outgoing<'_>,
    limits: &AnswerLimits,
    reached: &Reached,
) -> Result<Received, Broken> {
    let (mut slot, pooled) =
        upstream
            .pool
            .acquire(outgoing.fresh_only)
            .await
            .map_err(|PoolFull| {
                reached.refused_by_pool.set(true);
                Broken::Fault(Fault::unsent(FaultClass::Overloaded, "pool_full"))
            })?;
    let reused = pooled.is_some();
    let conn = match pooled {
        Some(conn) => conn,
        None => {
            reached.connect_began();
            let (outcome, made) = Box::pin(connect(upstream)).await;
            reached.connect_ended(outcome);
            slot.connected();
            made.map_err(Broken::Fault)?
        }
    };
    reached.at(Stage::Sent);
    match converse(upstream, outgoing, limits, reached, conn, slot).await {
        Err(Broken::Stale) if !reused => Err(Broken::Fault(Fault::new(
            FaultClass::Transport,
            "closed_before_answer",
        ))),
        other => other,
    }
}

/// Dials within the upstream's connect timeout. No byte of the call has been sent when this fails.
async fn connect(upstream: &Upstream) -> (ConnectOutcome, Result<Conn, Fault>) {
    let deadline_ns = rt::now().saturating_add(upstream.connect_timeout_ns);
    let (outcome, class, rule) = match rt::timeout_at(deadline_ns, dial(&upstream.target)).await {
        Ok(Ok(conn)) => return (ConnectOutcome::Ok, Ok(conn)),
        Ok(Err(DialError::NoAddress)) => (
            ConnectOutcome::Unresolved,
            FaultClass::Transport,
            "unresolved",
        ),
        Ok(Err(DialError::Connect(error))) if is_ours(&error) => (
            ConnectOutcome::Other,
            FaultClass::Overloaded,
            "out_of_descriptors",
        ),
        Ok(Err(DialError::Connect(error))) => match error.kind() {
            io::ErrorKind::ConnectionRefused => (
                ConnectOutcome::Refused,
                FaultClass::Transport,
                "connect_refused",
            ),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => (
                ConnectOutcome::Unreachable,
                FaultClass::Transport,
                "connect_unreachable",
            ),
            _ => (
                ConnectOutcome::Other,
                FaultClass::Transport,
                "connect_failed",
            ),
        },
        Ok(Err(DialError::Handshake(_))) => {
            (ConnectOutcome::Tls, FaultClass::Transport, "tls_handshake")
        }
        Err(rt::Elapsed) => (
            ConnectOutcome::Timeout,
            FaultClass::Timeout,
            "timeout_connect",
        ),
    };
    (outcome, Err(Fault::unsent(class, rule)))
}

/// Whether a connect failed for want of something in this machine, which says nothing about the upstream.
fn is_ours(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const ENOMEM: i32 = 12;
    const EADDRNOTAVAIL: i32 = 99;
    matches!(
        error.raw_os_error(),
        Some(EMFILE | ENFILE | ENOMEM | EADDRNOTAVAIL)
    )
}

/// One request and its answer on one connection.
async fn converse(
    upstream: &Upstream,
    outgoing: &Outgoing<'_>,
    limits: &AnswerLimits,
    reached: &Reached,
    conn: Conn,
    slot: Slot,
) -> Result<Received, Broken> {
    let conn = InExchange(Some(conn));
    let mut request = rt::take_buffer();
    http1::write_request_head(
        &mut request,
        &upstream.request_prefix,
        outgoing.payload.len() as u64,
    );
    request.extend_from_slice(outgoing.payload);
    reached.sent_bytes.set(request.len() as u64);
    if conn.send(request).await.is_err() {
        return Err(Broken::Stale);
    }
    let (head, arrived) = read_head(upstream, &conn, reached).await?;
    let mut body = Body::new(head.framing, head.coding, limits.max_response_bytes)
        .map_err(|fault| Broken::Fault(body_fault(fault)))?;
    let stated_bytes = body.stated_left();
    let mut held = Held::new(outgoing.budget);
    held.take(&mut body, arrived.unread())?;
    // A connection that has lent bytes out is not quiet.
    drop(arrived);
    let facts = head.facts;
    let mut may_stream = outgoing
        .stream_id
        .filter(|_| facts.json && facts.status == 200);
    while !body.ended() {
        if held.bytes.len() > limits.hold_bytes
            && (held.bytes.len() > limits.share_bytes
                || !outgoing.hold_on.is_some_and(|others_wait| others_wait()))
            && let Some(id) = may_stream.take()
            && front_is_a_result(&held.bytes, id)?
        {
            let rest = Rest {
                conn,
                slot,
                body,
                keep_alive: head.keep_alive,
            };
            return Ok(Received::Long(Box::new(Long {
                facts,
                held: held.release(),
                stated_bytes,
                rest,
            })));
        }
        match conn.recv().await {
            Ok(Some(chunk)) => {
                reached.received(chunk.len());
                held.take(&mut body, &chunk)?;
            }
            Ok(None) => held.connection_ended(&mut body)?,
            Err(_) => {
                return Err(Broken::Fault(Fault::new(
                    FaultClass::Transport,
                    "reset_in_body",
                )));
            }
        }
    }
    settle(conn, slot, &body, head.keep_alive);
    Ok(Received::Whole {
        facts,
        body: held.keep(),
    })
}

/// What is kept of an answer's head once its buffer goes.
struct Head {
    facts: Facts,
    framing: http1::ResponseFraming,
    coding: http1::ContentEncoding,
    keep_alive: bool,
}

/// Receives until the head of the answer is whole; gives it with what came behind it.
async fn read_head(
    upstream: &Upstream,
    conn: &InExchange,
    reached: &Reached,
) -> Result<(Head, Arrived), Broken> {
    let limits = HeadLimits::default();
    let fault = |rule| Broken::Fault(Fault::new(FaultClass::Transport, rule));
    let mut interim_heads = 0;
    let mut arrived = Arrived::default();
    loop {
        match conn.recv().await {
            Ok(Some(chunk)) => {
                reached.received(chunk.len());
                arrived.take_in(chunk);
            }
            Ok(None) | Err(_) if arrived.unread().is_empty() && interim_heads == 0 => {
                return Err(Broken::Stale);
            }
            Ok(None) | Err(_) => return Err(fault("closed_in_head")),
        }
        reached.answer_began();
        loop {
            let head = upstream
                .answer_heads
                .borrow_mut()
                .parse(arrived.unread(), &limits)
                .map_err(|_| fault("bad_head"))?;
            match head {
                None => break,
                Some(head) if head.interim => {
                    interim_heads += 1;
                    if interim_heads > MAX_INTERIM_HEADS {
                        return Err(fault("too_many_interim_heads"));
                    }
                    let skip = head.head_bytes;
                    arrived.forget(skip);
                }
                Some(head) => {
                    let (kept, bytes) = (keep(&head), head.head_bytes);
                    arrived.forget(bytes);
                    return Ok((kept, arrived));
                }
            }
        }
    }
}

/// Copies what outlives the head's buffer.
fn keep(head: &ResponseHead<'_>) -> Head {
    Head {
        facts: Facts::of(head),
        framing: head.framing,
        coding: head.content_encoding,
        keep_alive: head.keep_alive,
    }
}

/// The bytes of an answer that are held, charged to a budget. Dropped, they are given back; kept, they
/// stay charged to the call or batch that keeps them.
struct Held<'b> {
    bytes: Vec<u8>,
    budget: &'b HoldBudget,
}

impl<'b> Held<'b> {
    fn new(budget: &'b HoldBudget) -> Self {
        Self {
            bytes: rt::take_buffer(),
            budget,
        }
    }

    /// Feeds received bytes to the body.
    fn take(&mut self, body: &mut Body, input: &[u8]) -> Result<(), Broken> {
        self.charged(|bytes| body.take(input, bytes))
    }

    fn connection_ended(&mut self, body: &mut Body) -> Result<(), Broken> {
        self.charged(|bytes| body.connection_ended(bytes))
    }

    fn charged(
        &mut self,
        feed: impl FnOnce(&mut Vec<u8>) -> Result<(), BodyFault>,
    ) -> Result<(), Broken> {
        let before = self.bytes.len();
        let fed = feed(&mut self.bytes);
        if let Err(fault) = charge(self.budget, before, &self.bytes) {
            self.bytes.truncate(before);
            return Err(Broken::Fault(body_fault(fault)));
        }
        fed.map_err(|fault| Broken::Fault(body_fault(fault)))
    }

    fn keep(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// The bytes, no longer charged.
    fn release(self) -> Vec<u8> {
        self.budget.give_back(self.bytes.len());
        self.keep()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes.len());
        rt::recycle(std::mem::take(&mut self.bytes));
    }
}

/// Whether what is held begins a result of the right id; an error or a null is held on instead.
fn front_is_a_result(held: &[u8], id: u64) -> Result<bool, Broken> {
    let mut stream = ResultStream::new(id);
    match stream.feed(held) {
        Ok(_) => Ok(matches!(stream.front(), Front::Result { .. })),
        Err(fault) => Err(Broken::Fault(Fault::new(
            FaultClass::Transport,
            super::judge::reply_rule(fault),
        ))),
    }
}

/// The connection goes back to the pool if its exchange ended cleanly and both sides keep it.
fn settle(conn: InExchange, slot: Slot, body: &Body, keep_alive: bool) {
    if !body.ended() || body.surplus() {
        return;
    }
    if let Some(conn) = conn.end()
        && keep_alive
        && conn.is_quiet()
    {
        slot.keep(conn, rt::now());
    }
}

/// The rule of an answer that its own call, or the batch of it, had no room to hold.
pub const NO_ROOM: &str = "no_room_to_hold";

/// The fault of the attempt for a body that cannot be used.
fn body_fault(fault: BodyFault) -> Fault {
    match fault {
        BodyFault::TooLarge => Fault::new(FaultClass::ResponseTooLarge, "response_too_large"),
        BodyFault::NoRoom => Fault::new(FaultClass::ResponseTooLarge, NO_ROOM),
        BodyFault::Early => Fault::new(FaultClass::Transport, "closed_in_body"),
        BodyFault::Framing => Fault::new(FaultClass::Transport, "bad_chunk"),
        BodyFault::Coding => Fault::new(FaultClass::Transport, "unknown_coding"),
        BodyFault::Gzip => Fault::new(FaultClass::Transport, "bad_gzip"),
    }
}

//! One client connection: requests in, answers out, in order, with every limit and time-out of the configuration. Slow clients
//! hold a buffer here and nothing else. It decides nothing about upstreams.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_lite::future;
use rt::{Chunk, Conn};
use telemetry::{RequestRecord, RequestRefusal};
use wire::envelope::Envelope;
use wire::http1::{HeadLimits, RequestMemo};

use super::alarm::Alarm;
use super::asked::RequestContext;
use super::client_body::{self, BodyRead, Unreadable};
use super::drain::Seat;
use super::incoming::{Incoming, Wants};
use super::pipeline::{self, Done, Served};
use super::received::Received;
use super::relay::ClientRelay;
use super::reply::{self, Page};
use super::sender::Sender;
use super::worker::Worker;
use crate::control::connections::ConnectionPermit;

/// An answer of at most so many bytes is handed to the kernel without waiting until it has taken them. That it has is looked at
/// when the next answer goes out, and at the end of `body_timeout`: a client that does not read holds these bytes at most.
pub const UNWATCHED_BYTES: usize = 64 * 1024;

/// What is kept for one connection.
pub struct Client {
    /// The socket.
    pub conn: Conn,
    /// The shard.
    pub worker: Rc<Worker>,
    /// Received and not yet dealt with.
    pub inbox: Received,
    envelope: Envelope,
    /// The head of the last request, which the next one's is often equal to.
    heads: RequestMemo,
    /// For every wait of the connection's own.
    pub alarm: Alarm,
    /// Where its requests come from, unless their heads say otherwise.
    sender: Sender,
    /// By when the client must have read what was sent and not waited for.
    unread_until_ns: Option<u64>,
    _permit: ConnectionPermit,
    seat: Seat,
}

/// Whether the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// With the next request.
    KeepAlive,
    /// It is closed, in good order.
    Close,
    /// It is gone, or must be cut.
    Gone,
}

/// Serves a connection to its end.
pub async fn serve(
    worker: Rc<Worker>,
    conn: Conn,
    sender: Sender,
    permit: ConnectionPermit,
    seat: Seat,
) {
    let mut client = Client {
        conn,
        worker,
        inbox: Received::default(),
        envelope: Envelope::new(),
        heads: RequestMemo::default(),
        alarm: Alarm::default(),
        sender,
        unread_until_ns: None,
        _permit: permit,
        seat,
    };
    let then = loop {
        match client.one_request().await {
            Then::KeepAlive => (),
            ended => break ended,
        }
    };
    let counts = client.conn.byte_counts();
    client
        .worker
        .recorder
        .borrow_mut()
        .client_bytes(counts.received, counts.sent);
    match then {
        Then::Gone => client.conn.abort(),
        Then::KeepAlive | Then::Close => drop(client.conn.close().await),
    }
}

impl Client {
    /// Reads one request and answers it.
    async fn one_request(&mut self) -> Then {
        let incoming = match self.read_head().await {
            Ok(incoming) => incoming,
            Err(then) => return then,
        };
        self.seat.set_busy(true);
        self.worker.recorder.borrow_mut().request_started();
        let then = self.answer(&incoming).await;
        self.seat.set_busy(false);
        then
    }

    /// Waits for the head of the next request; it is taken out of the inbox then.
    async fn read_head(&mut self) -> Result<Incoming, Then> {
        let limits = HeadLimits {
            max_head_bytes: self.worker.limits.max_header_bytes,
            ..HeadLimits::default()
        };
        let mut deadline_ns = None;
        loop {
            match self.heads.parse(self.inbox.unread(), &limits) {
                Ok(Some(head)) => {
                    let head_bytes = head.head_bytes;
                    let raw = self.inbox.unread().get(..head_bytes).unwrap_or_default();
                    let sender = self.sender.of_request(&self.worker, raw);
                    let incoming = Incoming::read(&self.worker, &head, sender);
                    self.inbox.forget(head_bytes);
                    return Ok(incoming);
                }
                Ok(None) => (),
                Err(error) => {
                    let why = match error.status() {
                        414 | 431 => RequestRefusal::HeadTooLarge,
                        _ => RequestRefusal::BadHead,
                    };
                    return Err(self.refuse_head(error.status(), why).await);
                }
            }
            let begun = !self.inbox.is_empty();
            let limits = &self.worker.limits;
            let until_ns = *deadline_ns.get_or_insert_with(|| {
                rt::now().saturating_add(if begun {
                    limits.header_timeout_ns
                } else {
                    limits.idle_timeout_ns
                })
            });
            let received = if begun {
                self.alarm.timeout_at(until_ns, self.conn.recv()).await
            } else {
                match self.idle(until_ns).await {
                    Some(received) => received,
                    None => return Err(Then::Gone),
                }
            };
            match received {
                Ok(Ok(Some(chunk))) => {
                    self.inbox.take_in(&chunk);
                    if !begun {
                        deadline_ns = None;
                    }
                }
                Ok(Ok(None)) => return Err(Then::Close),
                Ok(Err(_)) => return Err(Then::Gone),
                Err(rt::Elapsed) if begun => {
                    return Err(self.refuse_head(408, RequestRefusal::HeadTimeout).await);
                }
                Err(rt::Elapsed) => return Err(Then::Close),
            }
        }
    }

    /// Waits between requests for the first bytes of the next one, holding as little as it can. None for a client that has not
    /// read what it was sent.
    async fn idle(
        &mut self,
        until_ns: u64,
    ) -> Option<Result<io::Result<Option<Chunk>>, rt::Elapsed>> {
        self.inbox.rest();
        loop {
            // The drain ends the wait too, unless bytes are here already.
            let drained = async {
                self.seat.drain_begun().await;
                Ok(None)
            };
            let wait = pin!(future::or(self.conn.recv(), drained));
            let look_ns = self.unread_until_ns.unwrap_or(u64::MAX);
            let received = self.alarm.timeout_at(until_ns.min(look_ns), wait).await;
            if received.is_ok() || rt::now() < look_ns {
                return Some(received);
            }
            self.unread_until_ns = None;
            match future::poll_once(self.conn.flush()).await {
                Some(Ok(())) => (),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Answers a head that is no request; nothing after it can be trusted.
    async fn refuse_head(&mut self, status: u16, why: RequestRefusal) -> Then {
        let started_ns = rt::now();
        self.worker.recorder.borrow_mut().request_started();
        self.refuse(
            &Incoming::unread(&self.worker, self.sender),
            status,
            why,
            started_ns,
        )
        .await
    }

    /// One error page, counted; the connection closes behind it.
    async fn refuse(
        &mut self,
        incoming: &Incoming,
        status: u16,
        why: RequestRefusal,
        started_ns: u64,
    ) -> Then {
        self.worker.recorder.borrow_mut().request_refused(why);
        let page = reply::refusal(status, why);
        self.send_page(incoming, &page, true, started_ns).await
    }

    /// Answers one request whose head has been read.
    async fn answer(&mut self, incoming: &Incoming) -> Then {
        let started_ns = rt::now();
        let route = match &incoming.wants {
            Wants::Rpc(route) => *route,
            Wants::Page(page) => {
                if let Some(why) = page.refused {
                    self.worker.recorder.borrow_mut().request_refused(why);
                }
                // A body that nobody asked for is read and dropped, so that the next request begins where it does.
                let close = match client_body::read(self, incoming, started_ns).await {
                    Ok(body) => {
                        self.forget(&body);
                        false
                    }
                    Err(Unreadable::Refused(..)) => true,
                    Err(Unreadable::Gone) => return self.lost(),
                };
                return self.send_page(incoming, page, close, started_ns).await;
            }
        };
        let body = match client_body::read(self, incoming, started_ns).await {
            Ok(body) => body,
            Err(Unreadable::Refused(status, why)) => {
                return self.refuse(incoming, status, why, started_ns).await;
            }
            Err(Unreadable::Gone) => return self.lost(),
        };
        let worker = self.worker.clone();
        let context = RequestContext {
            request_id: incoming.request_id,
            sampled: worker.sampler.borrow_mut().sample(),
            started_ns,
            sender: incoming.sender,
            alarm: Some(&self.alarm),
        };
        let mut envelope = std::mem::take(&mut self.envelope);
        let mut relay =
            ClientRelay::new(&self.conn, &worker, incoming, self.closes_after(incoming));
        let done = {
            // Polled where it stands: a future of some kilobytes is not moved from hand to hand.
            let mut serving = pin!(pipeline::serve(
                &worker,
                &context,
                route,
                body.bytes(&self.inbox),
                &mut envelope,
                &mut relay,
            ));
            // A client that resets its connection wants nothing any more: dropping `serving` gives its attempts up. One
            // that has only finished sending still listens.
            let mut gone = pin!(self.conn.failed());
            poll_fn(|cx| match serving.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending => gone.as_mut().poll(cx).map(|_| None),
            })
            .await
        };
        let relayed_closes = relay.closes();
        self.envelope = envelope;
        self.forget(&body);
        match done {
            None | Some(Done::Cut) => self.lost(),
            Some(Done::Relayed) => {
                self.count_request(200, None, started_ns);
                if relayed_closes {
                    Then::Close
                } else {
                    Then::KeepAlive
                }
            }
            Some(Done::Served(served)) => self.send_served(incoming, served, started_ns).await,
        }
    }

    /// The body has been dealt with: what lies behind it is the next request.
    fn forget(&mut self, body: &BodyRead) {
        self.inbox.forget(body.inbox_bytes());
    }

    /// The request ended without an answer.
    fn lost(&self) -> Then {
        self.worker.recorder.borrow_mut().request_lost();
        Then::Gone
    }

    /// Whether the connection closes behind the answer to this request.
    fn closes_after(&self, incoming: &Incoming) -> bool {
        !incoming.keep_alive || self.worker.draining()
    }

    async fn send_served(&mut self, incoming: &Incoming, served: Served, started_ns: u64) -> Then {
        let close = self.closes_after(incoming);
        let mut out = rt::take_buffer();
        reply::write_served(&mut out, &self.worker, incoming, &served, close);
        // A long body is sent from where it is: two copies of it would be more than the budget says.
        let sent = if served.body.len() > UNWATCHED_BYTES {
            self.send(out).await && self.send(served.body).await
        } else {
            out.extend_from_slice(&served.body);
            rt::recycle(served.body);
            self.send(out).await
        };
        drop(served.held);
        self.count_request(served.status.http, served.batch_calls, started_ns);
        if !sent {
            Then::Gone
        } else if close {
            Then::Close
        } else {
            Then::KeepAlive
        }
    }

    async fn send_page(
        &mut self,
        incoming: &Incoming,
        page: &Page,
        close: bool,
        started_ns: u64,
    ) -> Then {
        let close = close || self.closes_after(incoming);
        let mut out = rt::take_buffer();
        reply::write_page(&mut out, &self.worker, incoming, page, close);
        let sent = self.send(out).await;
        self.count_request(page.status, None, started_ns);
        if !sent {
            Then::Gone
        } else if close {
            Then::Close
        } else {
            Then::KeepAlive
        }
    }

    /// Sends within `body_timeout`: a client that does not read holds a buffer for so long and no longer. A long answer is
    /// waited for until the kernel has it; a short one only until those before it have left.
    pub async fn send(&mut self, bytes: Vec<u8>) -> bool {
        let until_ns = rt::now().saturating_add(self.worker.limits.body_timeout_ns);
        let short = bytes.len() <= UNWATCHED_BYTES;
        self.unread_until_ns = short.then_some(until_ns);
        let all = pin!(async {
            self.conn.send(bytes).await?;
            if short {
                return Ok(());
            }
            self.conn.flush().await
        });
        matches!(self.alarm.timeout_at(until_ns, all).await, Ok(Ok(())))
    }

    fn count_request(&self, status: u16, batch_calls: Option<usize>, started_ns: u64) {
        self.worker
            .recorder
            .borrow_mut()
            .request_ended(&RequestRecord {
                status,
                duration_us: rt::now().saturating_sub(started_ns) / 1000,
                batch_calls,
            });
    }
}

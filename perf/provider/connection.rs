//! One connection of a provider: reads requests, pipelined or not, answers them in order, one write per read where
//! nothing is scripted. Never keeps anything from one connection to the next.

use super::deliver::{self, After};
use super::exchange::{Cut, Plan};
use super::request::{self, Head, Parsed};
use super::script::{Reader, Scene};
use super::{Shared, answer};
use crate::Rng;
use crate::scan::{self, Body, CallView};
use crate::transport::Transport;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Answers gathered before a write although more requests are waiting in the buffer.
const MAX_GATHERED_BYTES: usize = 256 * 1024;

struct Conversation<'a> {
    transport: Transport,
    shared: &'a Shared,
    reader: Reader,
    rng: Rng,
    number: u64,
    /// Answers not yet sent.
    out: Vec<u8>,
    /// The body being written.
    body: Vec<u8>,
}

/// Serves a connection until it ends, either side's doing.
pub(super) async fn serve(transport: Transport, shared: &Shared, number: u64) {
    let mut conversation = Conversation {
        transport,
        shared,
        reader: shared.script.reader(),
        rng: Rng::new(shared.options.seed ^ crate::rng::mix(number)),
        number,
        out: Vec::with_capacity(16 * 1024),
        body: Vec::with_capacity(1024),
    };
    // How a connection ends is the peer's affair; the counters say what matters.
    let _ = conversation.run().await;
}

impl Conversation<'_> {
    async fn run(&mut self) -> io::Result<()> {
        let mut input = Vec::with_capacity(16 * 1024);
        let mut continued = false;
        loop {
            let mut taken = 0;
            loop {
                let rest = input.get(taken..).unwrap_or_default();
                let head = match request::parse(rest) {
                    Parsed::Partial => break,
                    Parsed::Whole(head) => head,
                    Parsed::Bad => return self.refuse(400).await,
                };
                let whole_bytes = head.head_bytes.saturating_add(head.body_bytes);
                let Some(whole) = rest.get(..whole_bytes) else {
                    if whole_bytes > self.shared.options.max_request_bytes {
                        return self.refuse(413).await;
                    }
                    if head.expects_continue && !continued {
                        continued = true;
                        self.transport
                            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                            .await?;
                    }
                    break;
                };
                taken += whole_bytes;
                continued = false;
                if self.exchange(whole, head).await? == After::Close {
                    self.flush().await?;
                    return Ok(());
                }
                if self.out.len() > MAX_GATHERED_BYTES {
                    self.flush().await?;
                }
            }
            self.flush().await?;
            input.drain(..taken);
            if input.len() > self.shared.options.max_request_bytes {
                return self.refuse(413).await;
            }
            if self.transport.read_more(&mut input).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.transport.write_all(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }

    async fn refuse(&mut self, code: u16) -> io::Result<()> {
        self.shared
            .tally
            .bad_requests
            .fetch_add(1, Ordering::SeqCst);
        deliver::status(&mut self.out, code, b"");
        self.flush().await?;
        self.transport.finish().await
    }

    async fn exchange(&mut self, whole: &[u8], head: Head) -> io::Result<After> {
        let (head_bytes, body) = whole
            .split_at_checked(head.head_bytes)
            .unwrap_or((whole, &[]));
        let tally = &self.shared.tally;
        tally.requests.fetch_add(1, Ordering::SeqCst);
        tally.record(self.number, head_bytes, body);
        let scene = Arc::clone(self.reader.scene(&self.shared.script));
        let end = if head.close {
            After::Close
        } else {
            After::KeepAlive
        };
        if !head.is_post {
            deliver::plain(&mut self.out, b"");
            return Ok(end);
        }
        let parsed = scan::body(body);
        if matches!(parsed, Body::Batch(_)) {
            tally.batches.fetch_add(1, Ordering::SeqCst);
        }
        if scene.is_idle() {
            self.plainly(&parsed, &scene);
            return Ok(end);
        }
        let after = self.scripted(&parsed, &scene).await?;
        Ok(if after == After::Close { after } else { end })
    }

    /// The fast road: nothing is scripted.
    fn plainly(&mut self, parsed: &Body<'_>, scene: &Scene) {
        self.body.clear();
        self.write_body(parsed, scene, &Plan::default());
        deliver::plain(&mut self.out, &self.body);
    }

    fn write_body(&mut self, parsed: &Body<'_>, scene: &Scene, plan: &Plan<'_>) {
        match parsed {
            Body::Single(call) => {
                answer::write(&mut self.body, call, self.shared, scene, &mut self.rng)
            }
            Body::Invalid => answer::parse_error(&mut self.body),
            Body::Batch(calls) => {
                let answers = calls.iter().map(|call| {
                    let mut one = Vec::with_capacity(256);
                    answer::write(&mut one, call, self.shared, scene, &mut self.rng);
                    one
                });
                plan.join(answers.collect(), &mut self.body);
            }
        }
    }

    async fn scripted(&mut self, parsed: &Body<'_>, scene: &Scene) -> io::Result<After> {
        let (calls, is_batch): (&[CallView<'_>], bool) = match parsed {
            Body::Single(call) => (std::slice::from_ref(call), false),
            Body::Batch(calls) => (calls, true),
            Body::Invalid => (&[], false),
        };
        // What was asked before is answered before this one misbehaves.
        self.flush().await?;
        let plan = Plan::draw(scene, calls, is_batch, &mut self.rng);
        let method = calls.first().map_or(&b""[..], |call| call.method);
        let base = scene
            .latency_of(method)
            .draw(&mut self.rng)
            .unwrap_or_default();
        if !self.wait(base + plan.stall).await {
            self.shared.tally.abandoned.fetch_add(1, Ordering::SeqCst);
            return Ok(After::Close);
        }
        if let Some(cut) = plan.instead {
            for call in calls {
                self.shared.tally.call(call.method);
            }
            deliver::refuse(&mut self.transport, cut).await?;
            if cut == Cut::Hole {
                self.shared.tally.abandoned.fetch_add(1, Ordering::SeqCst);
            }
            return Ok(After::Close);
        }
        self.body.clear();
        self.write_body(parsed, scene, &plan);
        deliver::planned(&mut self.transport, &plan, &self.body).await
    }

    /// Waits, unless the client leaves before. Says whether it stayed.
    async fn wait(&self, time: Duration) -> bool {
        if time.is_zero() {
            return true;
        }
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.transport.gone() => false,
        }
    }
}

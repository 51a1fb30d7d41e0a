//! A long answer on its way to the client while it arrives: validated as it passes, with bounded memory, the last piece held
//! back until the end is proven. A fault after the first byte cuts the connection; it never ends as if whole.

use std::rc::Rc;

use engine::fault::{Fault, FaultClass};
use rt::Conn;
use wire::http1::{self, BodyLength, Version};
use wire::response::ResultStream;
use wire::splice;

use super::attempt::Begun;
use super::call::LiveCall;
use super::explain::Explain;
use super::incoming::Incoming;
use super::pipeline::Relay;
use super::reply;
use super::upstream::exchange::{GATHERED_BYTES, Rest};
use super::upstream::judge::reply_rule;
use super::worker::Worker;

/// The client's side of a relay.
pub struct ClientRelay<'c> {
    conn: &'c Conn,
    worker: &'c Rc<Worker>,
    incoming: &'c Incoming,
    close: bool,
}

/// How the body goes to the client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The upstream's own bytes, of a known length.
    AsItStands,
    /// The result behind the caller's id, in chunks.
    Chunked,
    /// The result behind the caller's id, ended by the connection (HTTP/1.0).
    UntilClose,
}

impl<'c> ClientRelay<'c> {
    /// A relay to this client.
    pub const fn new(
        conn: &'c Conn,
        worker: &'c Rc<Worker>,
        incoming: &'c Incoming,
        close: bool,
    ) -> Self {
        Self {
            conn,
            worker,
            incoming,
            close,
        }
    }

    /// Whether the connection closes behind the answer.
    pub const fn closes(&self) -> bool {
        self.close
    }

    /// Sends one piece, the last one to its end. While the kernel takes a piece the next one is received, no more than that. None
    /// when the client is gone or has not read for `body_timeout`.
    async fn send(&self, bytes: Vec<u8>, is_last: bool) -> Option<()> {
        let until_ns = rt::now().saturating_add(self.worker.limits.body_timeout_ns);
        let all = async {
            self.conn.send(bytes).await?;
            match is_last {
                true => self.conn.flush().await,
                false => Ok(()),
            }
        };
        match rt::timeout_at(until_ns, all).await {
            Ok(Ok(())) => Some(()),
            Ok(Err(_)) | Err(rt::Elapsed) => None,
        }
    }

    /// Passes pieces on until the body has ended and is proven whole.
    async fn pass(
        &mut self,
        call: &mut LiveCall<'_>,
        begun: &mut Begun,
        explain: Explain,
    ) -> Result<u64, Fault> {
        let form = match (begun.long.stated_bytes, self.incoming.version) {
            (Some(_), _) if begun.own_id_sent => Form::AsItStands,
            (_, Version::Http11) => Form::Chunked,
            (_, Version::Http10) => Form::UntilClose,
        };
        let mut out = rt::take_buffer();
        let length = match form {
            Form::AsItStands => BodyLength::Known(begun.long.stated_bytes.unwrap_or(0)),
            Form::Chunked => BodyLength::Chunked,
            Form::UntilClose => BodyLength::None,
        };
        self.close |= form == Form::UntilClose;
        reply::write_streamed(
            &mut out,
            self.worker,
            self.incoming,
            &explain,
            length,
            self.close,
        );
        let mut writer = Writer {
            form,
            body_bytes: 0,
        };
        if form != Form::AsItStands {
            let mut front = Vec::new();
            splice::begin_result(&mut front, call.question().id());
            writer.piece(&mut out, &front);
        }
        let mut check = ResultStream::new(begun.expected_id);
        let mut piece = std::mem::take(&mut begun.long.held);
        let max_bytes = self.worker.limits.answer.max_response_bytes as u64;
        // Only time spent waiting for the upstream counts against the attempt.
        let mut patience_ns = begun.deadline_ns.saturating_sub(rt::now());
        loop {
            let fed = check
                .feed(&piece)
                .map_err(|fault| Fault::new(FaultClass::Transport, reply_rule(fault)))?;
            let ended = begun.long.rest.ended();
            if ended {
                check
                    .finish()
                    .map_err(|fault| Fault::new(FaultClass::Transport, reply_rule(fault)))?;
            }
            if form == Form::AsItStands && out.is_empty() {
                // The very buffer that was received into.
                writer.body_bytes += piece.len() as u64;
                std::mem::swap(&mut out, &mut piece);
            } else {
                let bytes = match form {
                    Form::AsItStands => piece.as_slice(),
                    Form::Chunked | Form::UntilClose => fed.result.of(&piece),
                };
                writer.piece(&mut out, bytes);
            }
            if writer.body_bytes > max_bytes {
                return Err(Fault::new(
                    FaultClass::ResponseTooLarge,
                    "response_too_large",
                ));
            }
            if ended {
                writer.end(&mut out);
                self.send(out, true).await.ok_or(CLIENT_GONE)?;
                return Ok(writer.body_bytes);
            }
            let full = std::mem::replace(&mut out, rt::take_buffer());
            self.send(full, false).await.ok_or(CLIENT_GONE)?;
            patience_ns = patience_ns.max(call.commit(begun.out.dispatch.attempt));
            piece.clear();
            piece.reserve(GATHERED_BYTES);
            receive(&mut begun.long.rest, &mut piece, &mut patience_ns).await?;
        }
    }
}

/// The client left or stopped reading: nobody's fault.
const CLIENT_GONE: Fault = Fault::new(FaultClass::Cancelled, "client_gone");

impl Relay for ClientRelay<'_> {
    async fn relay(
        &mut self,
        call: &mut LiveCall<'_>,
        mut begun: Box<Begun>,
        explain: Explain,
    ) -> Result<u64, Fault> {
        let chain = call.question().route.chain.as_usize();
        self.worker.recorder.borrow_mut().response_streamed(chain);
        let passed = self.pass(call, &mut begun, explain).await;
        call.finish_long(&begun, passed.map(|_| ()));
        match passed {
            Ok(bytes) => {
                begun.long.rest.finish();
                Ok(bytes)
            }
            Err(fault) => {
                self.worker.recorder.borrow_mut().response_aborted(chain);
                Err(fault)
            }
        }
    }
}

/// Receives the next piece: at least one byte, or the end.
async fn receive(rest: &mut Rest, piece: &mut Vec<u8>, patience_ns: &mut u64) -> Result<(), Fault> {
    let began_ns = rt::now();
    let until_ns = began_ns.saturating_add(*patience_ns);
    let some = async {
        while piece.is_empty() && !rest.ended() {
            rest.next(piece).await?;
        }
        Ok(())
    };
    let received = rt::timeout_at(until_ns, some).await;
    *patience_ns = patience_ns.saturating_sub(rt::now().saturating_sub(began_ns));
    received.unwrap_or(Err(Fault::new(FaultClass::Timeout, "timeout_stream")))
}

/// Frames pieces of the body.
struct Writer {
    form: Form,
    body_bytes: u64,
}

impl Writer {
    fn piece(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.body_bytes += bytes.len() as u64;
        if self.form == Form::Chunked {
            http1::begin_chunk(out, bytes.len());
            out.extend_from_slice(bytes);
            http1::end_chunk(out);
        } else {
            out.extend_from_slice(bytes);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.form != Form::AsItStands {
            self.piece(out, splice::RESULT_END);
        }
        if self.form == Form::Chunked {
            out.extend_from_slice(http1::LAST_CHUNK);
        }
    }
}

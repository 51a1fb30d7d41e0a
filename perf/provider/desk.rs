//! Answers requests that lie in a buffer, at once and plainly: the part of a provider that needs no socket, no time and
//! no script. For whoever moves the bytes himself.

use super::script::Scene;
use super::{Chain, Counters, Options, Shared, answer, deliver, request};
use crate::Rng;
use crate::scan::{self, Body};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A provider without sockets. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    shared: Arc<Shared>,
    scene: Scene,
    rng: Rng,
    body: Vec<u8>,
}

/// What became of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Bytes of whole requests, which are answered.
    pub(crate) bytes: usize,
    /// No more is to be read: the client wants it so, or nobody can read what it sent.
    pub(crate) close: bool,
}

impl Desk {
    pub(crate) fn new(chain: &Chain) -> Self {
        Self {
            shared: Arc::new(Shared::new(Options {
                chain: chain.clone(),
                keep_requests: 0,
                ..Options::default()
            })),
            scene: Scene::default(),
            rng: Rng::new(1),
            body: Vec::with_capacity(1024),
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        self.shared.tally.counters()
    }

    pub(crate) fn head(&self) -> u64 {
        self.shared.options.chain.head()
    }

    /// Answers every whole request of `input` into `out`.
    pub(crate) fn answer(&mut self, input: &[u8], out: &mut Vec<u8>) -> Taken {
        let mut taken = Taken {
            bytes: 0,
            close: false,
        };
        while !taken.close {
            let rest = input.get(taken.bytes..).unwrap_or_default();
            let head = match request::parse(rest) {
                request::Parsed::Partial => break,
                request::Parsed::Whole(head) => head,
                request::Parsed::Bad => {
                    let bad = &self.shared.tally.bad_requests;
                    bad.fetch_add(1, Ordering::Relaxed);
                    deliver::status(out, 400, b"");
                    taken.close = true;
                    break;
                }
            };
            let whole_bytes = head.head_bytes.saturating_add(head.body_bytes);
            let Some(body) = rest.get(head.head_bytes..whole_bytes) else {
                break;
            };
            taken.bytes += whole_bytes;
            taken.close = head.close;
            self.one(body, head.is_post, out);
        }
        taken
    }

    fn one(&mut self, body: &[u8], is_post: bool, out: &mut Vec<u8>) {
        let tally = &self.shared.tally;
        tally.requests.fetch_add(1, Ordering::Relaxed);
        if !is_post {
            return deliver::plain(out, b"");
        }
        self.body.clear();
        match scan::body(body) {
            Body::Single(call) => self.call(&call),
            Body::Invalid => answer::parse_error(&mut self.body),
            Body::Batch(calls) => {
                tally.batches.fetch_add(1, Ordering::Relaxed);
                self.body.push(b'[');
                for call in &calls {
                    let before = self.body.len();
                    self.call(call);
                    // A notification has no answer, and no comma.
                    if self.body.len() > before {
                        self.body.push(b',');
                    }
                }
                self.body.pop_if(|last| *last == b',');
                self.body.push(b']');
            }
        }
        deliver::plain(out, &self.body);
    }

    fn call(&mut self, call: &scan::CallView<'_>) {
        answer::write(
            &mut self.body,
            call,
            &self.shared,
            &self.scene,
            &mut self.rng,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Desk, Taken};
    use crate::provider::Chain;

    const BODY: &str = r#"{"jsonrpc":"2.0","id":7,"method":"eth_chainId","params":[]}"#;

    fn request(body: &str) -> String {
        let length = body.len();
        format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    fn answered(desk: &mut Desk, input: &str) -> (Taken, String) {
        let mut out = Vec::new();
        let taken = desk.answer(input.as_bytes(), &mut out);
        (taken, String::from_utf8(out).unwrap())
    }

    #[test]
    fn whole_requests_are_answered_in_order_and_the_rest_is_left() {
        let mut desk = Desk::new(&Chain::default());
        let one = request(BODY);
        let cut = &one[..one.len() - 1];
        let (taken, out) = answered(&mut desk, &format!("{one}{one}{cut}"));
        assert_eq!((taken.bytes, taken.close), (2 * one.len(), false));
        assert_eq!(
            out.matches(r#"{"jsonrpc":"2.0","id":7,"result":"0x1"}"#)
                .count(),
            2
        );
        assert_eq!(desk.counters().calls, 2);
        assert_eq!(answered(&mut desk, cut).0.bytes, 0);
    }

    #[test]
    fn batches_are_answered_and_bad_requests_close() {
        let mut desk = Desk::new(&Chain::default());
        let notification = r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#;
        let (_, out) = answered(
            &mut desk,
            &request(&format!("[{BODY},{notification},{BODY}]")),
        );
        assert!(
            out.ends_with(r#""0x1"},{"jsonrpc":"2.0","id":7,"result":"0x1"}]"#),
            "{out}"
        );
        assert_eq!(
            answered(&mut desk, &request("[]")).1.rsplit('\n').next(),
            Some("[]")
        );
        let (taken, out) = answered(
            &mut desk,
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        assert!(taken.close && out.starts_with("HTTP/1.1 400"));
        assert_eq!(desk.counters().bad_requests, 1);
    }
}

//! What the client is told when the words are ours: the single place for the codes that this proxy emits. It writes
//! no JSON and no header; the driver renders.
//!
//! Why these codes (what the libraries do with them was measured, not guessed):
//!
//! * Everything is HTTP 200 but for what a client should act on at the HTTP level. ethers loses the JSON-RPC body of any other
//!   status, for the whole batch, and web3.py re-sends five times on any 4xx or 5xx, `eth_sendRawTransaction` included.
//! * **Throttles: −32005 with HTTP 429 and Retry-After**, in whatever spelling the vendor said it: viem, alloy and ethers
//!   each act on that form. Only for a single call, and only when every upstream is exhausted; an item of a
//!   batch has the code alone.
//! * **Time-outs: −32002 "request timed out"**, as geth says it, not −32603. viem repeats −32603 three times. By the time
//!   that this is emitted the call's whole deadline is spent on one or more upstreams, so each repeat would hold the client
//!   for another deadline and triple the dearest kind of load in a brownout. viem's `fallback` moves on for either code,
//!   and web3.py reads the text.
//! * **−32603** for a failed transport or server: viem's automatic repeat is right there, since such faults pass.
//! * **503** when nothing can serve the call, so that balancers in front of us turn elsewhere. An overloaded process
//!   says 503, not 429: ethers answers 429 with up to twelve sends, reading Retry-After as milliseconds.

use core::fmt;

use super::FaultClass;

/// A method's name is clipped to this in our own messages, in bytes: it is the caller's text, and goes into logs too.
pub const MAX_METHOD_IN_MESSAGE_BYTES: usize = 128;

const METHOD_MARK: &str = "{method}";

/// One error of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emit {
    /// The JSON-RPC code.
    pub code: i64,
    /// The HTTP status of a single call. In a batch the status is always 200.
    pub http_status: u16,
    /// The text; [`Emit::write_message`] fills in the method's name where it has one.
    pub message: &'static str,
    /// A Retry-After header belongs with it (again, not in a batch).
    pub retry_after: bool,
}

impl Emit {
    const fn new(code: i64, http_status: u16, message: &'static str) -> Self {
        Self {
            code,
            http_status,
            message,
            retry_after: false,
        }
    }

    const fn with_retry_after(mut self) -> Self {
        self.retry_after = true;
        self
    }

    /// Writes the message, with the method's name where it belongs. The writer escapes for JSON: the name is the
    /// caller's text.
    ///
    /// # Errors
    /// Only those of the writer.
    pub fn write_message(&self, method: &str, out: &mut impl fmt::Write) -> fmt::Result {
        match self.message.split_once(METHOD_MARK) {
            Some((before, after)) => {
                out.write_str(before)?;
                out.write_str(clip(method))?;
                out.write_str(after)
            }
            None => out.write_str(self.message),
        }
    }
}

/// The longest prefix within the limit that does not cut a character.
fn clip(method: &str) -> &str {
    let mut end = method.len().min(MAX_METHOD_IN_MESSAGE_BYTES);
    while !method.is_char_boundary(end) {
        end -= 1;
    }
    method.get(..end).unwrap_or("")
}

/// What we say for a call that ended with this class and has no words of a node to relay.
///
/// It has an entry for every class, since a node may fail in any of them without saying so in JSON.
#[must_use]
pub const fn emitted(class: FaultClass) -> Emit {
    match class {
        FaultClass::Transport => Emit::new(-32603, 200, "no upstream gave a usable answer"),
        FaultClass::Timeout | FaultClass::DeadlineExceeded => {
            Emit::new(-32002, 200, "request timed out")
        }
        FaultClass::Server | FaultClass::Unclassified => {
            Emit::new(-32603, 200, "the upstream failed to answer")
        }
        // Not a word about keys or accounts: they are ours, not the caller's.
        FaultClass::Auth => Emit::new(-32603, 200, "no upstream is available for this call"),
        FaultClass::Syncing => Emit::new(-32603, 200, "no upstream is in sync"),
        FaultClass::RateLimited | FaultClass::QuotaBilling => {
            Emit::new(-32005, 429, "all upstreams are throttled, try again later")
                .with_retry_after()
        }
        FaultClass::UnsupportedMethod => {
            // geth's text: ethers and others match it.
            Emit::new(
                -32601,
                200,
                "the method {method} does not exist/is not available",
            )
        }
        FaultClass::CapabilityRange => Emit::new(
            -32005,
            200,
            "the query exceeds what any upstream returns at once",
        ),
        FaultClass::MissingData => Emit::new(-32001, 200, "no upstream has the data asked for"),
        // Without the node's words: a code that no client takes for decodable data.
        FaultClass::Execution => Emit::new(3, 200, "execution reverted"),
        FaultClass::Client => Emit::new(-32600, 200, "the upstream refused the request as invalid"),
        // Reached only where the driver could not compute the hash. ethers and viem know the text.
        FaultClass::TxIdempotent => Emit::new(-32000, 200, "already known"),
        FaultClass::TxNonceLow => Emit::new(-32000, 200, "nonce too low"),
        FaultClass::TxPoolPolicy | FaultClass::TxTerminal => {
            Emit::new(-32000, 200, "the transaction was rejected by the upstream")
        }
        // Never rendered: there is nobody to read it. 499 is what access logs call it.
        FaultClass::Cancelled => Emit::new(-32603, 499, "the call was cancelled"),
        FaultClass::Overloaded => Emit::new(
            -32005,
            503,
            "too many requests in progress, try again later",
        )
        .with_retry_after(),
        FaultClass::NoUpstream => Emit::new(-32603, 503, "no upstream is available for this call"),
        // geth says −32003, which viem reads as a rejected transaction, and its `fallback` stops there.
        FaultClass::ResponseTooLarge => Emit::new(-32000, 200, "response too large"),
    }
}

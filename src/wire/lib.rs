//! Bytes to views and back: HTTP/1.1 heads and framing, JSON-RPC envelopes and replies, quantities and ids.
//!
//! Everything here is a pure function over slices that the caller passes in. The crate never does I/O,
//! reads no clock, and keeps no payload: what it finds is given back as [`Span`]s into the caller's buffer,
//! and what it writes is appended to the caller's `Vec<u8>`. No input, from client or provider, makes it panic.
//!
//! | module | bytes | view |
//! |---|---|---|
//! | [`http1`] | heads, chunked bodies | [`http1::RequestHead`], [`http1::ResponseHead`], [`http1::ChunkedDecoder`], writers |
//! | [`json`] | any JSON text | [`json::Scanner`]: valid or not, and where a value ends |
//! | [`envelope`] | a client's body | [`envelope::Envelope`]: calls as ranges |
//! | [`response`] | an upstream's answer | [`response::Reply`], [`response::ResultStream`] |
//! | [`splice`] | replies and calls | written around ranges |
//! | [`params`] | a call's params, an error | first string, words |
//! | [`canonical`] | a call's params | one spelling of them, for keys |
//! | [`block`] | a call's params | the block or blocks they ask about |
//! | [`facts`] | a result | null, empty, pending, its block |
//! | [`quantity`], [`filter_id`] | hex | numbers, tags, filter ids that name their upstream |

pub mod block;
pub mod canonical;
pub mod envelope;
pub mod facts;
pub mod filter_id;
pub mod http1;
pub mod json;
pub mod params;
pub mod quantity;
pub mod response;
mod span;
pub mod splice;

pub use span::Span;

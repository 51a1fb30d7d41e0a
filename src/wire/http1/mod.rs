//! HTTP/1.1 on the wire: strict heads, strict chunks, and writers that append to a given buffer.
//!
//! Framing is never lenient here: whatever two implementations could read differently is refused, and heads
//! towards upstreams are always our own, so smuggling would need a bug in the writers and not a disagreement
//! between parsers (RFC 9112 §11.2). Nothing here reads from a socket or decides what to answer.

mod chunked;
mod date;
mod field;
mod fields;
mod head;
mod memo;
mod request;
mod response;
mod waits;
mod write;

pub use chunked::{ChunkFault, ChunkedDecoder, Progress};
pub use date::{http_date, parse_http_date};
pub use field::field_value;
pub use fields::{
    InvalidHeader, append_header, is_header_name, is_header_value, is_request_id,
    is_reserved_header,
};
pub use head::{HeadError, HeadLimits, Version};
pub use memo::{MAX_MEMO_BYTES, RequestMemo, ResponseMemo};
pub use request::{BodyFraming, Method, RequestHead, parse_request_head};
pub use response::{ContentEncoding, ResponseFraming, ResponseHead, parse_response_head};
pub use waits::{WAIT_FIELDS, is_wait_field, wait_fields};
pub use write::{
    BodyLength, CONTINUE, Connection, LAST_CHUNK, RequestPrefix, ResponseParts, begin_chunk,
    end_chunk, reason, write_request_head, write_request_prefix, write_response_head,
};

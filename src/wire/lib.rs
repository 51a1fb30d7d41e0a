//! Bytes to views and back: HTTP/1.1 heads and framing, JSON-RPC envelopes and replies. Owns no buffer.

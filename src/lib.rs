//! Livechain: one JSON-RPC endpoint in front of many EVM RPC providers.

//! Deterministic simulator of one shard: the production engine under virtual time.

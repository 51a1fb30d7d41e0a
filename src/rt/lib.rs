//! The runtime: executors, the shard's own ring, sockets, deadlines, TLS, signals. The only crate that names glommio and io_uring.

//! Load generator and synthetic providers. Knows nothing of livechain.

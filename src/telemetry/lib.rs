//! Every metric and event, declared once; per-shard recorders; renderers.

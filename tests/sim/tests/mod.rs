//! The simulator's own tests: the swarm, the kept seeds, the stories.

mod heads;
mod hedging;
mod history;
mod regions;
mod shards;
mod stories;
mod suite;
mod swarm;

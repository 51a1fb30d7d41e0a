//! The simulator's own tests: the swarm, the kept seeds, the stories.

mod heads;
mod hedging;
mod stories;
mod suite;
mod swarm;

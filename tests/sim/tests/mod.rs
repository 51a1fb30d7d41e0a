//! The simulator's own tests: the swarm, the kept seeds, the stories.

mod hedging;
mod heads;
mod stories;
mod swarm;

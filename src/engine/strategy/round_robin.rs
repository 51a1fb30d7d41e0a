//! stub
use super::*;
use alloc::boxed::Box;
pub(super) static KIND: StrategyKind = StrategyKind {
    name: "round_robin",
    summary: "",
    when_to_use: "",
    options: &[],
    build: |_| Box::new(RoundRobin),
};
#[derive(Debug)]
struct RoundRobin;
impl Strategy for RoundRobin {
    fn rank(&mut self, _: &mut [Candidate], _: &Context, _: &mut Rng) -> Reason {
        Reason::Only
    }
}

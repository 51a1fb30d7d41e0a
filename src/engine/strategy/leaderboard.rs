//! stub
use super::*;
use alloc::boxed::Box;
pub(super) static KIND: StrategyKind = StrategyKind {
    name: "leaderboard",
    summary: "",
    when_to_use: "",
    options: &[],
    build: |_| Box::new(Leaderboard),
};
#[derive(Debug)]
struct Leaderboard;
impl Strategy for Leaderboard {
    fn rank(&mut self, _: &mut [Candidate], _: &Context, _: &mut Rng) -> Reason {
        Reason::Only
    }
}

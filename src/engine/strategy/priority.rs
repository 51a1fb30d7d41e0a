//! stub
use super::*;
use alloc::boxed::Box;
pub(super) static KIND: StrategyKind = StrategyKind {
    name: "priority",
    summary: "",
    when_to_use: "",
    options: &[],
    build: |_| Box::new(Priority),
};
#[derive(Debug)]
struct Priority;
impl Strategy for Priority {
    fn rank(&mut self, _: &mut [Candidate], _: &Context, _: &mut Rng) -> Reason {
        Reason::Only
    }
}

//! Whose a sample is: the kernel's, the runtime's, or one of the proxy's own parts. A sample in a library that serves
//! everybody (copying, hashing, allocation) belongs to whoever called it.

use super::folded::{Folded, Frame};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Beginnings of symbols by layer, as the peer's manifest has them: the runtime's and the proxy's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    #[serde(default)]
    pub runtime: Vec<String>,
    #[serde(default)]
    pub own: Vec<String>,
}

/// A layer of the breakdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    Kernel,
    Runtime,
    Own,
    Other,
}

impl Layer {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Runtime => "runtime",
            Self::Own => "own",
            Self::Other => "other",
        }
    }
}

/// Share of the samples that is one part's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub layer: Layer,
    pub name: String,
    /// Of all samples, 0 to 1.
    pub share: f64,
}

/// What the kernel was doing, by functions below which it does it; the first that is found counts.
const KERNEL: [(&str, &str); 8] = [
    ("tcp_sendmsg", "sending"),
    ("tcp_recvmsg", "receiving"),
    ("ep_poll", "waiting for events"),
    ("do_epoll_wait", "waiting for events"),
    ("io_cqring_wait", "waiting for events"),
    ("io_submit_sqes", "submitting to the ring"),
    ("__do_sys_io_uring_enter", "entering the ring"),
    ("do_syscall_64", "other calls"),
];

/// The part that a stack's time belongs to.
pub fn part_of<'a>(stack: &'a [Frame], layers: &'a Layers) -> (Layer, &'a str) {
    if stack.last().is_some_and(|leaf| leaf.is_kernel) {
        let is_below = |function: &str| {
            let mut kernel = stack.iter().filter(|frame| frame.is_kernel);
            kernel.any(|frame| frame.name == function)
        };
        let found = KERNEL.iter().find(|(function, _)| is_below(function));
        return (Layer::Kernel, found.map_or("interrupts", |(_, name)| name));
    }
    let callers = stack.iter().rev();
    let mut owners = callers.filter_map(|frame| owner_of(&frame.name, layers));
    owners.next().unwrap_or((Layer::Other, "unknown"))
}

/// Which layer a symbol belongs to: that of the beginning which stands first in it, so that `runtime::Task<own::Call>` is
/// the runtime's.
fn owner_of<'a>(symbol: &str, layers: &'a Layers) -> Option<(Layer, &'a str)> {
    let runtime = layers.runtime.iter().map(|begin| (Layer::Runtime, begin));
    let own = layers.own.iter().map(|begin| (Layer::Own, begin));
    let found = runtime.chain(own).filter_map(|(layer, begin)| {
        Some((
            place_of(symbol, begin)?,
            layer,
            begin.trim_end_matches("::"),
        ))
    });
    let first = found.min_by_key(|(place, _, begin)| (*place, usize::MAX - begin.len()));
    first.map(|(_, layer, begin)| (layer, begin))
}

/// Where `begin` stands at the beginning of a path.
fn place_of(symbol: &str, begin: &str) -> Option<usize> {
    let mut places = symbol.match_indices(begin).map(|(place, _)| place);
    places.find(|place| {
        let before = symbol
            .get(..*place)
            .and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// Shares by part, layers in order, the largest first.
pub fn breakdown(folded: &Folded, layers: &Layers) -> Vec<Part> {
    let mut counts: BTreeMap<(Layer, &str), u64> = BTreeMap::new();
    for (stack, count) in &folded.0 {
        *counts.entry(part_of(stack, layers)).or_default() += count;
    }
    let samples = folded.samples().max(1) as f64;
    let mut parts: Vec<Part> = counts
        .into_iter()
        .map(|((layer, name), count)| Part {
            layer,
            name: name.to_owned(),
            share: count as f64 / samples,
        })
        .collect();
    parts.sort_by(|a, b| a.layer.cmp(&b.layer).then(b.share.total_cmp(&a.share)));
    parts
}

#[cfg(test)]
mod tests {
    use super::{Layer, Layers, breakdown, part_of};
    use crate::profile::folded::{Folded, Frame};
    use std::collections::BTreeMap;

    fn layers() -> Layers {
        Layers {
            runtime: vec!["rt::".to_owned(), "ring::".to_owned()],
            own: vec!["own::".to_owned(), "own::parse::".to_owned()],
        }
    }

    fn stack(names: &[&str]) -> Vec<Frame> {
        let frame = |name: &&str| Frame {
            name: name.trim_start_matches("k:").to_owned(),
            is_kernel: name.starts_with("k:"),
        };
        names.iter().map(frame).collect()
    }

    fn part(names: &[&str]) -> (Layer, String) {
        let layers = layers();
        let stack = stack(names);
        let (layer, name) = part_of(&stack, &layers);
        (layer, name.to_owned())
    }

    #[test]
    fn the_innermost_frame_that_is_known_decides() {
        let is = |names: &[&str], layer, name: &str| {
            assert_eq!(part(names), (layer, name.to_owned()), "{names:?}");
        };
        is(&["rt::run", "own::call"], Layer::Own, "own");
        is(&["own::call", "memcpy"], Layer::Own, "own");
        is(
            &["own::call", "<own::parse::X as core::Y>::z"],
            Layer::Own,
            "own::parse",
        );
        is(
            &["own::call", "rt::Task<own::parse::X>::run"],
            Layer::Runtime,
            "rt",
        );
        is(&["main", "sort::by"], Layer::Other, "unknown");
        is(
            &["rt::run", "k:do_syscall_64", "k:tcp_sendmsg", "k:x"],
            Layer::Kernel,
            "sending",
        );
        is(
            &["rt::run", "k:do_syscall_64", "k:x"],
            Layer::Kernel,
            "other calls",
        );
        is(&["own::call", "k:irq"], Layer::Kernel, "interrupts");
    }

    #[test]
    fn shares_add_up() {
        let folded = Folded(BTreeMap::from([
            (stack(&["own::a"]), 6),
            (stack(&["rt::a"]), 1),
            (stack(&["rt::a", "k:x"]), 3),
        ]));
        let parts = breakdown(&folded, &layers());
        let shares: Vec<_> = parts.iter().map(|part| (part.layer, part.share)).collect();
        assert_eq!(
            shares,
            [
                (Layer::Kernel, 0.3),
                (Layer::Runtime, 0.1),
                (Layer::Own, 0.6)
            ]
        );
    }
}

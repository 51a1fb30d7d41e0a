//! Reads what `perf script` prints and adds up equal stacks. Knows nothing of what the frames mean.

use std::collections::BTreeMap;

/// A frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    pub name: String,
    pub is_kernel: bool,
}

/// Stacks, outermost frame first, with how often each was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded(pub BTreeMap<Vec<Frame>, u64>);

impl Folded {
    /// Reads samples printed with `-F comm,ip,sym,dso`: a line with the thread's name, a line for each frame, innermost
    /// first, and an empty line.
    pub fn parse(text: &str) -> Self {
        let mut folded = Self::default();
        let mut stack = Vec::new();
        for line in text.lines() {
            if line.trim().is_empty() {
                folded.add(&mut stack);
            } else if line.starts_with([' ', '\t']) {
                stack.extend(frame(line));
            } else {
                // The thread: what came before is another sample.
                folded.add(&mut stack);
            }
        }
        folded.add(&mut stack);
        folded
    }

    fn add(&mut self, stack: &mut Vec<Frame>) {
        if !stack.is_empty() {
            stack.reverse();
            *self.0.entry(std::mem::take(stack)).or_default() += 1;
        }
    }

    /// How many samples there are.
    pub fn samples(&self) -> u64 {
        self.0.values().sum()
    }
}

/// A line such as `  7f3a symbol with blanks+0x1f (/where/it/is)`.
fn frame(line: &str) -> Option<Frame> {
    let (_, rest) = line.trim().split_once(' ')?;
    let (name, object) = rest.rsplit_once(" (").unwrap_or((rest, ""));
    let object = object.trim_end_matches(')');
    let is_kernel = object.starts_with("[kernel") || object.ends_with(".ko");
    Some(Frame {
        name: plain(name.trim()).to_owned(),
        is_kernel,
    })
}

/// A symbol without its offset and without the hash that the compiler appends.
fn plain(symbol: &str) -> &str {
    let symbol = symbol.split_once("+0x").map_or(symbol, |(name, _)| name);
    match symbol.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name
        }
        _ => symbol,
    }
}

#[cfg(test)]
mod tests {
    use super::{Folded, Frame};

    const TEXT: &str = "shard-0 \n\tffff81 tcp_sendmsg ([kernel.kallsyms])\n\t55aa <a::B as c::D>::e::h0123456789abcdef (/x/y)\n\n\
        shard-0 \n\t55ab a::f (/x/y)\n\nshard-0 \n\t55ab a::f (/x/y)\n";

    #[test]
    fn equal_stacks_add_up_outermost_first() {
        let folded = Folded::parse(TEXT);
        let frame = |name: &str, is_kernel| Frame {
            name: name.to_owned(),
            is_kernel,
        };
        assert_eq!(folded.samples(), 3);
        assert_eq!(folded.0[&vec![frame("a::f", false)]], 2);
        let sending = vec![
            frame("<a::B as c::D>::e", false),
            frame("tcp_sendmsg", true),
        ];
        assert_eq!(folded.0[&sending], 1);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(Folded::parse("\n\nshard\n"), Folded::default());
    }
}

//! Stacks as a flame graph: callers below, callees above, as wide as the share of their samples. Static SVG: the whole name
//! and the share show when the pointer rests on a frame.

use super::breakdown::{Layer, Layers, part_of};
use super::folded::{Folded, Frame};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 16.0;
const ROW: f64 = 17.0;
/// Where the rows end above; the title and the legend are there.
const TOP: f64 = 62.0;
/// Narrower frames are left out.
const MIN_WIDTH: f64 = 0.6;
/// Narrower frames have no name on them.
const MIN_TEXT_WIDTH: f64 = 28.0;
/// Of a letter.
const LETTER: f64 = 6.3;

const STYLE: &str = "\
.sheet{fill:#fff}.text{fill:#24292f}.faint{fill:#6e7781}.name{fill:#1b1f24}rect{stroke:#fff;stroke-width:.4}\
.kernel{fill:#9db4cf}.runtime{fill:#f2cc60}.own{fill:#f0883e}.other{fill:#c9d1d9}\
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}.name{font:10.5px ui-monospace,Menlo,Consolas,monospace}\
.head{font-weight:600;font-size:15px}\
@media (prefers-color-scheme: dark){.sheet{fill:#0d1117}.text{fill:#e6edf3}.faint{fill:#8d96a0}rect{stroke:#0d1117}\
.kernel{fill:#6f8bab}.runtime{fill:#d4a72c}.own{fill:#db6d28}.other{fill:#6e7681}}";

/// A frame with what it called.
#[derive(Debug, Default)]
struct Node<'a> {
    count: u64,
    layer: Option<Layer>,
    callees: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Node<'a> {
    fn add(&mut self, stack: &'a [Frame], depth: usize, layers: &Layers, count: u64) {
        self.count += count;
        let Some(frame) = stack.get(depth) else {
            return;
        };
        let callee = self.callees.entry(&frame.name).or_default();
        // As if the time had been spent in this very frame.
        let whole = stack.get(..=depth).unwrap_or(stack);
        callee.layer.get_or_insert(part_of(whole, layers).0);
        callee.add(stack, depth + 1, layers, count);
    }

    fn depth(&self, least: u64) -> usize {
        let wide = self.callees.values().filter(|callee| callee.count >= least);
        wide.map(|callee| callee.depth(least) + 1)
            .max()
            .unwrap_or(0)
    }
}

/// Draws the graph.
pub fn draw(folded: &Folded, layers: &Layers, title: &str) -> String {
    let mut root = Node::default();
    for (stack, count) in &folded.0 {
        root.add(stack, 0, layers, *count);
    }
    let scale = (WIDTH - 2.0 * MARGIN) / root.count.max(1) as f64;
    let least = (MIN_WIDTH / scale).ceil() as u64;
    let height = TOP + ROW * root.depth(least) as f64 + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\">\n<style>{STYLE}</style>\n<rect class=\"sheet\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n\
         <text class=\"text head\" x=\"{MARGIN}\" y=\"26\">{}</text>\n",
        escaped(title)
    );
    legend(&mut svg, root.count);
    let mut sheet = Sheet {
        svg,
        scale,
        least,
        samples: root.count,
    };
    sheet.row(&root, MARGIN, height - MARGIN - ROW);
    sheet.svg + "</svg>\n"
}

fn legend(svg: &mut String, samples: u64) {
    let layers = [Layer::Kernel, Layer::Runtime, Layer::Own, Layer::Other];
    let mut x = MARGIN;
    for layer in layers {
        let name = layer.name();
        // Writing to a String cannot fail, here and below.
        let _ = write!(
            svg,
            "<rect class=\"{name}\" x=\"{x}\" y=\"37\" width=\"12\" height=\"12\"/>\n<text class=\"text\" x=\"{}\" \
             y=\"47\">{name}</text>\n",
            x + 17.0
        );
        x += 90.0;
    }
    let _ = writeln!(
        svg,
        "<text class=\"faint\" x=\"{x}\" y=\"47\">{samples} samples; callers below</text>"
    );
}

struct Sheet {
    svg: String,
    scale: f64,
    least: u64,
    samples: u64,
}

impl Sheet {
    /// The callees of a node, and theirs above them.
    fn row(&mut self, node: &Node<'_>, mut x: f64, y: f64) {
        for (name, callee) in &node.callees {
            let width = callee.count as f64 * self.scale;
            if callee.count >= self.least {
                self.frame(name, callee, x, y, width);
                self.row(callee, x, y - ROW);
            }
            x += width;
        }
    }

    fn frame(&mut self, name: &str, node: &Node<'_>, x: f64, y: f64, width: f64) {
        let class = node.layer.map_or("other", Layer::name);
        let share = 100.0 * node.count as f64 / self.samples.max(1) as f64;
        let full = escaped(name);
        let _ = writeln!(
            self.svg,
            "<g><title>{full} ({share:.1} %)</title><rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{:.1}\"/>",
            ROW - 1.0
        );
        if width >= MIN_TEXT_WIDTH {
            let room = ((width - 6.0) / LETTER) as usize;
            let _ = writeln!(
                self.svg,
                "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 3.0,
                y + 12.0,
                escaped(&short(name, room))
            );
        }
        self.svg += "</g>\n";
    }
}

/// The end of a path says more than its beginning.
fn short(name: &str, room: usize) -> String {
    let count = name.chars().count();
    if count <= room {
        return name.to_owned();
    }
    let kept: String = name.chars().skip(count - room.saturating_sub(1)).collect();
    format!("…{kept}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{draw, short};
    use crate::profile::Layers;
    use crate::profile::folded::Folded;

    #[test]
    fn frames_are_as_wide_as_their_share() {
        let text = "t\n\t1 own::a (x)\n\t2 own::main (x)\n\nt\n\t1 <b> ([kernel.kallsyms])\n\t2 own::main (x)\n";
        let layers = Layers {
            runtime: Vec::new(),
            own: vec!["own::".to_owned()],
        };
        let svg = draw(&Folded::parse(text), &layers, "a & b");
        assert!(svg.contains("own::main (100.0 %)") && svg.contains("&lt;b&gt; (50.0 %)"));
        assert!(svg.contains("class=\"kernel\" x=\"16.0\"") && svg.contains("width=\"584.0\""));
        assert!(svg.contains("a &amp; b") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(short("abc", 3), "abc");
        assert_eq!(short("abcd", 3), "…cd");
        assert_eq!(short("abcd", 0), "…");
    }
}

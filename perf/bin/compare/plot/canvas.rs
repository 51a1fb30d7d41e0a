//! The sheet that plots are drawn on: its size, its colours on light and dark pages, text and lines. Knows nothing of
//! what is drawn.

use std::fmt::Write as _;

/// Width of every plot.
pub const WIDTH: f64 = 860.0;
/// Where the marks begin, right of the names.
pub const LEFT: f64 = 250.0;
/// Where they end, left of the values.
pub const RIGHT: f64 = 770.0;

/// Colours go by name, so that a page's own light or dark decides. The subject's is the warm one.
const STYLE: &str = "\
.sheet{fill:#ffffff}.text{fill:#24292f}.faint{fill:#6e7781}.line{stroke:#d0d7de}.range{stroke:#24292f}\
.subject{fill:#c2410c}.first{fill:#57606a}.second{fill:#8c959f}.third{fill:#b6bec7}\
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}.head{font-weight:600;font-size:15px}\
@media (prefers-color-scheme: dark){\
.sheet{fill:#0d1117}.text{fill:#e6edf3}.faint{fill:#8d96a0}.line{stroke:#30363d}.range{stroke:#e6edf3}\
.subject{fill:#f97316}.first{fill:#b1bac4}.second{fill:#768390}.third{fill:#545d68}}";

/// How a text stands to its place.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture being drawn from top to bottom.
#[derive(Debug, Default)]
pub struct Canvas {
    elements: String,
    /// Where the next thing goes.
    pub y: f64,
}

impl Canvas {
    /// An empty sheet with a title.
    pub fn titled(title: &str, subtitle: &str) -> Self {
        let mut canvas = Self {
            elements: String::new(),
            y: 34.0,
        };
        canvas.text(24.0, "text head", Anchor::Start, title);
        canvas.y += 20.0;
        canvas.text(24.0, "faint", Anchor::Start, subtitle);
        canvas.y += 14.0;
        canvas
    }

    /// A text at this height.
    pub fn text(&mut self, x: f64, class: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let y = self.y;
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            self.elements,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }

    /// A filled bar of this height, its middle a little above the text's foot.
    pub fn bar(&mut self, from: f64, to: f64, height: f64, class: &str) {
        let (width, y) = ((to - from).max(1.0), self.y - 4.5 - height / 2.0);
        let _ = writeln!(
            self.elements,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"/>"
        );
    }

    /// A dot.
    pub fn dot(&mut self, x: f64, radius: f64, class: &str) {
        let y = self.y - 4.5;
        let _ = writeln!(
            self.elements,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>"
        );
    }

    /// A range around a mark: a line with ends.
    pub fn range(&mut self, from: f64, to: f64) {
        let y = self.y - 4.5;
        let (top, foot) = (y - 3.0, y + 3.0);
        let _ = writeln!(
            self.elements,
            "<path class=\"range\" fill=\"none\" stroke-width=\"1\" d=\"M{from:.1} {top:.1}V{foot:.1}M{from:.1} \
             {y:.1}H{to:.1}M{to:.1} {top:.1}V{foot:.1}\"/>"
        );
    }

    /// A thin line down from one height to another.
    pub fn rule(&mut self, x: f64, top: f64, foot: f64) {
        let _ = writeln!(
            self.elements,
            "<path class=\"line\" stroke-width=\"1\" d=\"M{x:.1} {top:.1}V{foot:.1}\"/>"
        );
    }

    /// The whole picture.
    pub fn finish(self) -> String {
        let height = self.y + 12.0;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
             height=\"{height:.0}\" role=\"img\">\n<style>{STYLE}</style>\n<rect class=\"sheet\" width=\"{WIDTH}\" \
             height=\"{height:.0}\" rx=\"6\"/>\n{}</svg>\n",
            self.elements
        )
    }
}

/// The colour of a side: the last is the subject, the others are the more faint the later they come.
pub fn class_of(index: usize, sides: usize) -> &'static str {
    match index {
        _ if index + 1 == sides => "subject",
        0 => "first",
        1 => "second",
        _ => "third",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

//! Shapes and words as SVG elements, and linear scales. It knows no study.

use core::fmt::Write as _;

/// Colours that people with any colour vision tell apart (Okabe and Ito), then lighter ones of the same.
const COLOURS: [&str; 12] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a900", "#7a5195",
    "#6b8e9f", "#a65628", "#4daf9a", "#999999",
];

/// The class of an upstream's colour.
pub fn colour(upstream: usize) -> String {
    format!("u{}", upstream % COLOURS.len())
}

/// The style sheet: what is ink and what is paper turns with the page.
const STYLE: &str = "\
svg{--ink:#1b1f24;--soft:#57606a;--grid:#d8dee4;--paper:#ffffff;--band:#d1242f;--line:#1b1f24}\
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#9da7b3;--grid:#30363d;--paper:#0d1117;--band:#ff7b72;--line:#e6edf3}}\
text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:var(--ink)}\
.paper{fill:var(--paper)}.title{font-size:18px;font-weight:600}.head{font-size:13px;font-weight:600}\
.small{font-size:11px}.tick{font-size:11px;fill:var(--soft)}.middle{text-anchor:middle}.end{text-anchor:end}\
.axis{stroke:var(--soft);stroke-width:1}.grid{stroke:var(--grid);stroke-width:1}.edge{stroke:var(--band);stroke-width:1;stroke-opacity:.6}\
.band{fill:var(--band);fill-opacity:.09}.p99{fill:none;stroke:var(--line);stroke-width:1.6}\
.possible{stroke:#009e73;stroke-width:1.4;stroke-dasharray:5 4}.error{fill:#8b0a1a}.open{fill:#e5484d}.half{fill:#f4a9ab}.held{fill:#8250df}\
.quarantined{fill:#57606a}.idle{fill:var(--grid)}";

/// An SVG that grows.
#[derive(Debug)]
pub struct Canvas {
    width: f64,
    body: String,
}

impl Canvas {
    /// An empty one.
    pub const fn new(width: f64) -> Self {
        Self {
            width,
            body: String::new(),
        }
    }

    /// Here something may be put under all that follows.
    pub const fn mark(&self) -> usize {
        self.body.len()
    }

    /// Puts another's shapes there.
    pub fn insert(&mut self, at: usize, other: Self) {
        self.body.insert_str(at, &other.body);
    }

    /// A rectangle; nothing where it has no area. With words it shows them under a pointer.
    pub fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64, words: &str) {
        if width <= 0.0 || height <= 0.0 {
            return;
        }
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\""
        );
        if words.is_empty() {
            self.body.push_str("/>\n");
        } else {
            let _ = writeln!(self.body, "><title>{}</title></rect>", escaped(words));
        }
    }

    /// A line.
    pub fn line(&mut self, class: &str, x: f64, y: f64, to_x: f64, to_y: f64) {
        let _ = writeln!(
            self.body,
            "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\"/>"
        );
    }

    /// A line through points, broken where there is none.
    pub fn path(&mut self, class: &str, points: &[Option<(f64, f64)>]) {
        let mut data = String::new();
        let mut down = false;
        for point in points {
            match point {
                Some((x, y)) => {
                    let _ = write!(data, "{}{x:.1} {y:.1}", if down { 'L' } else { 'M' });
                    down = true;
                }
                None => down = false,
            }
        }
        if !data.is_empty() {
            let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{data}\"/>");
        }
    }

    /// A filled shape between two lines over the same places.
    pub fn area(&mut self, class: &str, xs: &[f64], low: &[f64], high: &[f64]) {
        let mut data = String::new();
        let upper = xs.iter().zip(high);
        let lower = xs.iter().zip(low).rev();
        for (place, (x, y)) in upper.chain(lower).enumerate() {
            let _ = write!(data, "{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' });
        }
        let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{data}Z\"/>");
    }

    /// Words.
    pub fn text(&mut self, class: &str, x: f64, y: f64, words: &str) {
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(words)
        );
    }

    /// The whole file.
    pub fn finish(self, height: f64, description: &str) -> String {
        let mut style = STYLE.to_owned();
        for (place, colour) in COLOURS.iter().enumerate() {
            let _ = write!(style, ".u{place}{{fill:{colour}}}");
        }
        let width = self.width;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n<desc>{}</desc>\n<style>{style}</style>\n<rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n{}</svg>\n",
            escaped(description),
            self.body
        )
    }
}

/// Text as XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// From values to places.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// The value `from` is at `start`, the value `to` at `end`.
    pub const fn new(from: f64, to: f64, start: f64, end: f64) -> Self {
        Self {
            from,
            to,
            start,
            end,
        }
    }

    /// A value's place.
    pub fn at(&self, value: f64) -> f64 {
        let part = (value - self.from) / (self.to - self.from);
        self.start + (self.end - self.start) * part.clamp(0.0, 1.0)
    }

    /// Round values, so many or a few less.
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        let span = self.to - self.from;
        let steps = [
            1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
        ];
        let step = steps.into_iter().find(|step| span / step <= most as f64);
        let step = step.unwrap_or(7_200.0);
        let ticks = (0..=most).map(|number| self.from + number as f64 * step);
        ticks.filter(|tick| *tick <= self.to).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_cannot_leave_its_text() {
        let mut canvas = Canvas::new(10.0);
        canvas.text(
            "small",
            0.0,
            0.0,
            "</text><script>alert(\"&\")</script>\u{7}",
        );
        let svg = canvas.finish(10.0, "<b>");
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
        assert!(
            svg.contains("&lt;script&gt;alert(&quot;&amp;&quot;)"),
            "{svg}"
        );
    }

    #[test]
    fn ticks_are_round_and_not_too_many() {
        let ticks = Scale::new(0.0, 120.0, 0.0, 1.0).ticks(10);
        assert_eq!(ticks.first(), Some(&0.0));
        assert_eq!(ticks.get(1), Some(&15.0));
        assert!(Scale::new(0.0, 86_400.0, 0.0, 1.0).ticks(10).len() <= 13);
    }
}

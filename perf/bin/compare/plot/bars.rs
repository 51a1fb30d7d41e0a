//! What a request costs, as bars: a group for each trial, each lane on a scale of its own.

use super::canvas::{Anchor, Canvas, LEFT, RIGHT, class_of};
use crate::lane::Measure;
use crate::results::LaneRecord;
use crate::summary::{self, Spread};

/// A bar: trial, side, the side's place among how many, its figure.
struct Bar<'a> {
    trial: &'a str,
    side: &'a str,
    class: &'static str,
    cost: Spread,
}

/// Draws them; nothing where there is no figure.
pub fn draw(lanes: &[(&LaneRecord, Measure)]) -> Option<String> {
    let mut canvas = Canvas::titled(
        "Processor time for each request",
        "microseconds, user and system, of the proxy alone; median, and range of the rounds; each lane has its own scale",
    );
    let mut is_empty = true;
    for (lane, measure) in lanes {
        let bars = bars(lane, *measure);
        let Some(most) = bars.iter().map(|bar| bar.cost.max).max_by(f64::total_cmp) else {
            continue;
        };
        is_empty = false;
        panel(&mut canvas, lane, *measure, &bars, most);
    }
    (!is_empty).then(|| canvas.finish())
}

fn bars(lane: &LaneRecord, measure: Measure) -> Vec<Bar<'_>> {
    let mut bars = Vec::new();
    for trial in lane.trials() {
        let sides = lane.sides_of(trial);
        for (index, side) in sides.iter().enumerate() {
            if let Some(cost) = summary::spread(lane, trial, side, measure) {
                bars.push(Bar {
                    trial,
                    side,
                    class: class_of(index, sides.len()),
                    cost,
                });
            }
        }
    }
    bars
}

fn panel(canvas: &mut Canvas, lane: &LaneRecord, measure: Measure, bars: &[Bar<'_>], most: f64) {
    let at = |value: f64| LEFT + (RIGHT - LEFT) * value / most.max(f64::MIN_POSITIVE);
    canvas.y += 26.0;
    canvas.text(24.0, "text head", Anchor::Start, &lane.name);
    canvas.text(LEFT, "faint", Anchor::Start, measure.title());
    let mut trial = "";
    for bar in bars {
        if bar.trial != trial {
            trial = bar.trial;
            canvas.y += 22.0;
            canvas.text(24.0, "faint", Anchor::Start, trial);
        }
        canvas.y += 19.0;
        canvas.text(LEFT - 10.0, "text", Anchor::End, bar.side);
        canvas.bar(LEFT, at(bar.cost.median), 12.0, bar.class);
        canvas.range(at(bar.cost.min), at(bar.cost.max));
        let digits = measure.digits();
        let value = format!("{:.digits$}", bar.cost.median);
        canvas.text(at(bar.cost.max) + 8.0, "text", Anchor::Start, &value);
    }
    canvas.y += 8.0;
}

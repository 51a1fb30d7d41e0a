//! How long requests take, as points on a logarithmic scale: median, 99 % and 99.9 % of each side.

use super::LATENCIES;
use super::canvas::{Anchor, Canvas, LEFT, RIGHT, class_of};
use crate::results::LaneRecord;
use crate::summary::{self, Spread};

/// Draws them; nothing where there is no figure.
pub fn draw(lanes: &[&LaneRecord]) -> Option<String> {
    let mut canvas = Canvas::titled(
        "Latency",
        "p50, p99 and p99.9 from left to right, larger dots for the later; median, and range of the rounds; logarithmic",
    );
    let mut is_empty = true;
    for lane in lanes {
        let figures = figures(lane);
        let Some(scale) = Scale::of(&figures) else {
            continue;
        };
        is_empty = false;
        panel(&mut canvas, lane, &scale);
    }
    (!is_empty).then(|| canvas.finish())
}

fn figures(lane: &LaneRecord) -> Vec<Spread> {
    let trials = lane.trials().into_iter();
    let sides = trials.flat_map(|trial| {
        let sides = lane.sides_of(trial).into_iter();
        sides.map(move |side| (trial, side))
    });
    sides
        .flat_map(|(trial, side)| {
            LATENCIES.map(|measure| summary::spread(lane, trial, side, measure))
        })
        .flatten()
        .collect()
}

/// Powers of ten around the figures, in microseconds.
struct Scale {
    first: i32,
    last: i32,
}

impl Scale {
    fn of(figures: &[Spread]) -> Option<Self> {
        let log = |value: f64| value.max(1.0).log10();
        let min = figures.iter().map(|f| log(f.min)).min_by(f64::total_cmp)?;
        let max = figures.iter().map(|f| log(f.max)).max_by(f64::total_cmp)?;
        // The logarithm of a 64-bit count of microseconds is below 20.
        let (first, last) = (min.floor() as i32, max.ceil() as i32);
        Some(Self {
            first,
            last: last.max(first + 1),
        })
    }

    fn at(&self, value: f64) -> f64 {
        let span = f64::from(self.last - self.first);
        LEFT + (RIGHT - LEFT) * (value.max(1.0).log10() - f64::from(self.first)) / span
    }
}

fn panel(canvas: &mut Canvas, lane: &LaneRecord, scale: &Scale) {
    canvas.y += 30.0;
    canvas.text(24.0, "text head", Anchor::Start, &lane.name);
    for power in scale.first..=scale.last {
        let value = 10f64.powi(power);
        canvas.text(scale.at(value), "faint", Anchor::Middle, &time(value));
    }
    let top = canvas.y + 6.0;
    let foot = top + 4.0 + height(lane);
    for power in scale.first..=scale.last {
        canvas.rule(scale.at(10f64.powi(power)), top, foot);
    }
    for trial in lane.trials() {
        canvas.y += 22.0;
        canvas.text(24.0, "faint", Anchor::Start, trial);
        let sides = lane.sides_of(trial);
        for (index, side) in sides.iter().enumerate() {
            canvas.y += 21.0;
            canvas.text(LEFT - 10.0, "text", Anchor::End, side);
            for (measure, radius) in LATENCIES.into_iter().zip([3.0, 4.5, 6.0]) {
                let Some(found) = summary::spread(lane, trial, side, measure) else {
                    continue;
                };
                canvas.range(scale.at(found.min), scale.at(found.max));
                let class = class_of(index, sides.len());
                canvas.dot(scale.at(found.median), radius, class);
            }
        }
    }
    canvas.y = foot + 4.0;
}

fn height(lane: &LaneRecord) -> f64 {
    let trials = lane.trials().into_iter();
    trials
        .map(|trial| 22.0 + 21.0 * lane.sides_of(trial).len() as f64)
        .sum()
}

fn time(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us} µs"),
        us if us < 1e6 => format!("{} ms", us / 1e3),
        us => format!("{} s", us / 1e6),
    }
}

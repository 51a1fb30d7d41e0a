//! One contender's panels, one below the other over the same axis of time: shares of the traffic, errors, the 99th percentile, the state of each
//! upstream.

use engine::breaker::State;

use super::canvas::{Canvas, Scale, colour};
use super::{LEFT, RIGHT, WIDTH, heading};
use crate::report::{Change, Report};
use crate::study::{Entry, Study};

/// A picture has so many columns at most: more are not told apart.
const MAX_COLUMNS: usize = 300;
const SHARES: f64 = 130.0;
const ERRORS: f64 = 50.0;
const LATENCIES: f64 = 110.0;
const STRIP: f64 = 12.0;
const GAP: f64 = 22.0;

/// Some seconds of a run.
#[derive(Clone, Debug, Default)]
struct Column {
    /// In the middle of it, in seconds.
    middle: f64,
    attempts: Vec<u64>,
    good: u64,
    bad: u64,
    p99_ms: Option<f64>,
}

/// Draws them from `y` down, and says where they end.
pub fn draw(canvas: &mut Canvas, study: &Study, entry: &Entry, time: &Scale, y: f64) -> f64 {
    let seconds = (study.until.0 / 1_000_000_000) as usize;
    let columns = columns(&entry.report, seconds, study.upstreams.len());
    canvas.text("head", LEFT, y + 12.0, &heading(entry));
    let y = shares(canvas, &columns, time, y + 2.0 * GAP);
    let y = errors(canvas, &columns, time, y + GAP);
    let y = latencies(canvas, study, &columns, time, y + GAP);
    let y = if entry.report.moments.is_empty() {
        y
    } else {
        states(canvas, study, &entry.report, time, y + GAP)
    };
    y + GAP
}

fn columns(report: &Report, seconds: usize, upstreams: usize) -> Vec<Column> {
    let each = seconds.div_ceil(MAX_COLUMNS).max(1);
    let mut columns = Vec::new();
    for from in (0..seconds).step_by(each) {
        let until = (from + each).min(seconds);
        let mut column = Column {
            middle: (from + until) as f64 / 2.0,
            attempts: vec![0; upstreams],
            ..Column::default()
        };
        for number in from..until {
            let Some(second) = report.seconds.get(number) else {
                continue;
            };
            for (sum, count) in column.attempts.iter_mut().zip(&second.attempts) {
                *sum += count;
            }
            column.good += second.good;
            column.bad += second.bad;
            let p99 = report.latency_in_second_us(number, 9_900);
            let p99 = p99.map(|us| us as f64 / 1e3);
            column.p99_ms = match (column.p99_ms, p99) {
                (Some(one), Some(other)) => Some(f64::max(one, other)),
                (one, other) => one.or(other),
            };
        }
        columns.push(column);
    }
    columns
}

fn frame(canvas: &mut Canvas, label: &str, y: f64, height: f64) {
    canvas.text("small", LEFT, y - 5.0, label);
    canvas.line("axis", LEFT, y, LEFT, y + height);
    canvas.line("axis", LEFT, y + height, WIDTH - RIGHT, y + height);
}

fn shares(canvas: &mut Canvas, columns: &[Column], time: &Scale, y: f64) -> f64 {
    let scale = Scale::new(0.0, 1.0, y + SHARES, y);
    let xs: Vec<_> = columns
        .iter()
        .map(|column| time.at(column.middle))
        .collect();
    let upstreams = columns.first().map_or(0, |column| column.attempts.len());
    let mut low = vec![scale.at(0.0); columns.len()];
    let mut sums = vec![0_u64; columns.len()];
    for upstream in 0..upstreams {
        let mut high = Vec::with_capacity(columns.len());
        for (column, sum) in columns.iter().zip(&mut sums) {
            *sum += column.attempts.get(upstream).copied().unwrap_or(0);
            let all: u64 = column.attempts.iter().sum();
            high.push(scale.at(*sum as f64 / all.max(1) as f64));
        }
        canvas.area(&colour(upstream), &xs, &low, &high);
        low = high;
    }
    frame(canvas, "share of attempts by upstream", y, SHARES);
    for (value, word) in [(0.0, "0%"), (0.5, "50%"), (1.0, "100%")] {
        canvas.text("tick end", LEFT - 6.0, scale.at(value) + 4.0, word);
    }
    y + SHARES
}

fn errors(canvas: &mut Canvas, columns: &[Column], time: &Scale, y: f64) -> f64 {
    let share = |column: &Column| {
        let all = (column.good + column.bad).max(1);
        column.bad as f64 / all as f64
    };
    let worst = columns.iter().map(share).fold(0.0, f64::max);
    let top = [0.01, 0.05, 0.2, 0.5, 1.0];
    let top = top.into_iter().find(|top| worst <= *top).unwrap_or(1.0);
    let scale = Scale::new(0.0, top, y + ERRORS, y);
    let width = (WIDTH - LEFT - RIGHT) / columns.len().max(1) as f64;
    for column in columns {
        let height = y + ERRORS - scale.at(share(column));
        let left = time.at(column.middle) - width / 2.0;
        let words = format!(
            "{:.0} s: {} of {} calls",
            column.middle,
            column.bad,
            column.good + column.bad
        );
        canvas.rect(
            "error",
            left,
            y + ERRORS - height,
            width.max(1.0),
            height,
            &words,
        );
    }
    frame(canvas, "calls that ended in an error", y, ERRORS);
    canvas.text(
        "tick end",
        LEFT - 6.0,
        y + 4.0,
        &format!("{}%", top * 100.0),
    );
    canvas.text("tick end", LEFT - 6.0, y + ERRORS + 4.0, "0%");
    y + ERRORS
}

/// On a scale of powers of ten, since what is worth seeing is ten times the usual.
fn latencies(canvas: &mut Canvas, study: &Study, columns: &[Column], time: &Scale, y: f64) -> f64 {
    let all = columns.iter().filter_map(|column| column.p99_ms);
    let possible = study.possible.p99_ns as f64 / 1e6;
    let highest = all.clone().fold(possible.max(1.0), f64::max);
    let lowest = all.fold(highest, f64::min).min(possible.max(1.0));
    let (from, to) = (lowest.max(0.1).log10().floor(), highest.log10().ceil());
    let scale = Scale::new(from, to.max(from + 1.0), y + LATENCIES, y);
    let at = |ms: f64| scale.at(ms.max(1e-3).log10());
    let mut power = from;
    while power <= to.max(from + 1.0) {
        let ms = 10_f64.powf(power);
        canvas.line(
            "grid",
            LEFT,
            scale.at(power),
            WIDTH - RIGHT,
            scale.at(power),
        );
        canvas.text("tick end", LEFT - 6.0, scale.at(power) + 4.0, &latency(ms));
        power += 1.0;
    }
    if possible > 0.0 {
        canvas.line("possible", LEFT, at(possible), WIDTH - RIGHT, at(possible));
    }
    let points: Vec<_> = columns
        .iter()
        .map(|column| column.p99_ms.map(|ms| (time.at(column.middle), at(ms))))
        .collect();
    canvas.path("p99", &points);
    frame(
        canvas,
        "p99 of answered calls; dashed: what was possible over all",
        y,
        LATENCIES,
    );
    y + LATENCIES
}

fn latency(ms: f64) -> String {
    if ms >= 1_000.0 {
        format!("{} s", ms / 1_000.0)
    } else {
        format!("{ms} ms")
    }
}

/// What keeps traffic away from an upstream, the worst first.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    quarantined: bool,
    held: bool,
    breaker: Option<State>,
}

impl Standing {
    const fn class(self) -> Option<&'static str> {
        match self {
            Self {
                quarantined: true, ..
            } => Some("quarantined"),
            Self {
                breaker: Some(State::Open),
                ..
            } => Some("open"),
            Self {
                breaker: Some(State::HalfOpen),
                ..
            } => Some("half"),
            Self { held: true, .. } => Some("held"),
            _ => None,
        }
    }

    const fn take(&mut self, change: Change) {
        match change {
            Change::Breaker(state) => self.breaker = Some(state),
            Change::HeldOff(_) => self.held = true,
            Change::Returned => self.held = false,
            Change::Quarantined(_) => self.quarantined = true,
            Change::Released => self.quarantined = false,
        }
    }
}

/// A strip for each upstream; where shards differ, each has a part of its height.
fn states(canvas: &mut Canvas, study: &Study, report: &Report, time: &Scale, y: f64) -> f64 {
    canvas.text("small", LEFT, y - 5.0, "state of each upstream, by shard");
    let shards = report.moments.iter().map(|moment| moment.shard).max();
    let shards = usize::from(shards.unwrap_or(0)) + 1;
    let end = time.at(study.until.0 as f64 / 1e9);
    let part = (STRIP - 3.0) / shards as f64;
    for (upstream, script) in study.upstreams.iter().enumerate() {
        let top = y + upstream as f64 * STRIP;
        canvas.text("tick end", LEFT - 6.0, top + 8.0, &shortened(&script.name));
        canvas.rect("idle", LEFT, top, end - LEFT, STRIP - 3.0, &script.name);
        for shard in 0..shards {
            let own = report.moments.iter().filter(|moment| {
                moment.upstream.as_usize() == upstream && usize::from(moment.shard) == shard
            });
            let (mut standing, mut since) = (Standing::default(), LEFT);
            let top = top + part * shard as f64;
            for moment in own {
                let x = time.at(moment.at.0 as f64 / 1e9);
                if let Some(class) = standing.class() {
                    canvas.rect(class, since, top, x - since, part, "");
                }
                standing.take(moment.what);
                since = x;
            }
            if let Some(class) = standing.class() {
                canvas.rect(class, since, top, end - since, part, "");
            }
        }
    }
    y + study.upstreams.len() as f64 * STRIP
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= 9 {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(8).collect();
    short.push('…');
    short
}

//! A study as a picture for a postmortem: what went wrong when, where the traffic went, what clients saw and what the breakers did, on one axis of
//! time. SVG with its own style sheet: readable on a light page and on a dark one, without a script or a font of its own.

mod canvas;
mod panels;

use crate::study::{Entry, Study};
use canvas::{Canvas, Scale};

/// The most contenders that one picture shows.
pub const MAX_ENTRIES: usize = 2;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
/// Bands' labels have so many rows at most; further labels are left out, the bands are not.
const MAX_LABEL_ROWS: usize = 6;
const LABEL_HEIGHT: f64 = 15.0;

/// The study of its first contenders as an SVG: so many, and `MAX_ENTRIES` at most.
#[must_use]
pub fn svg(study: &Study, entries: usize) -> String {
    let entries = entries.min(MAX_ENTRIES);
    let seconds = study.until.0 as f64 / 1e9;
    let time = Scale::new(0.0, seconds.max(1.0), LEFT, WIDTH - RIGHT);
    let mut canvas = Canvas::new(WIDTH);
    let top = title(&mut canvas, study, entries);
    let rows = label_rows(study, &time);
    let used = rows.iter().flatten().max().map_or(0, |row| row + 1);
    let labels_top = top;
    let mut y = top + used as f64 * LABEL_HEIGHT + 10.0;
    let bands_top = y - 4.0;
    // Bands lie under everything, so their place is kept and they are drawn when the height is known.
    let below = canvas.mark();
    for entry in study.entries.iter().take(entries) {
        y = panels::draw(&mut canvas, study, entry, &time, y);
    }
    let bottom = y + 2.0;
    y = time_axis(&mut canvas, &time, y);
    let mut under = Canvas::new(WIDTH);
    for tick in time.ticks(10) {
        let x = time.at(tick);
        under.line("grid", x, bands_top, x, bottom);
    }
    for (band, row) in study.bands.iter().zip(&rows) {
        let (from, until) = (band.from.0 as f64 / 1e9, band.until.0 as f64 / 1e9);
        let (left, right) = (time.at(from), time.at(until));
        under.rect(
            "band",
            left,
            bands_top,
            right - left,
            bottom - bands_top,
            &words(study, band),
        );
        if let Some(row) = row {
            let baseline = labels_top + *row as f64 * LABEL_HEIGHT + 11.0;
            under.line(
                "edge",
                left,
                labels_top + *row as f64 * LABEL_HEIGHT,
                left,
                bands_top,
            );
            under.text("small", left + 4.0, baseline, &words(study, band));
        }
    }
    canvas.insert(below, under);
    y = legend(&mut canvas, study, y);
    canvas.finish(y + 10.0, &description(study))
}

fn title(canvas: &mut Canvas, study: &Study, entries: usize) -> f64 {
    let names: Vec<_> = study
        .entries
        .iter()
        .take(entries)
        .map(|entry| entry.name.as_str())
        .collect();
    let title = format!("{}: {}", study.scenario, names.join(" and "));
    canvas.text("title", LEFT, 30.0, &title);
    let mut y = 50.0;
    for line in wrapped(&format!("{} Seed {}.", study.about, study.seed), 125) {
        canvas.text("small", LEFT, y, &line);
        y += 15.0;
    }
    y
}

fn description(study: &Study) -> String {
    let entry = study.entries.first();
    let figures = entry.map(|entry| &entry.figures);
    figures.map_or(String::new(), |figures| {
        format!(
            "{}. Success {:.3}%, p99 {:.1} ms.",
            study.about,
            figures.success * 100.0,
            figures.latencies_ms[2]
        )
    })
}

fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn words(study: &Study, band: &crate::file::Band) -> String {
    let names: Vec<_> = band
        .upstreams
        .iter()
        .filter_map(|upstream| study.upstreams.get(*upstream))
        .map(|script| script.name.as_str())
        .collect();
    let who = if names.len() == study.upstreams.len() && names.len() > 1 {
        "all".to_owned()
    } else {
        names.join(", ")
    };
    format!("{who}: {}", band.text)
}

/// The row of each band's label: the first in which it does not run into another.
fn label_rows(study: &Study, time: &Scale) -> Vec<Option<usize>> {
    let mut ends = [f64::MIN; MAX_LABEL_ROWS];
    let place = |band: &crate::file::Band| {
        let left = time.at(band.from.0 as f64 / 1e9);
        let width = words(study, band).chars().count() as f64 * 6.2 + 12.0;
        let row = ends.iter().position(|end| *end <= left)?;
        ends[row] = left + width;
        Some(row)
    };
    study.bands.iter().map(place).collect()
}

fn time_axis(canvas: &mut Canvas, time: &Scale, y: f64) -> f64 {
    let axis = y + 2.0;
    canvas.line("axis", LEFT, axis, WIDTH - RIGHT, axis);
    for tick in time.ticks(10) {
        let x = time.at(tick);
        canvas.line("axis", x, axis, x, axis + 4.0);
        canvas.text("tick middle", x, axis + 17.0, &format!("{tick}"));
    }
    canvas.text("tick end", WIDTH - RIGHT, axis + 32.0, "seconds");
    axis + 38.0
}

fn legend(canvas: &mut Canvas, study: &Study, top: f64) -> f64 {
    let (mut x, mut y) = (LEFT, top + 8.0);
    let upstreams = study.upstreams.iter().enumerate();
    let upstreams = upstreams.map(|(place, script)| {
        let region = if script.region.is_empty() {
            String::new()
        } else {
            format!(" ({})", script.region)
        };
        (canvas::colour(place), format!("{}{region}", script.name))
    });
    let states = [
        ("open", "breaker open"),
        ("half", "half-open"),
        ("held", "held off"),
        ("quarantined", "quarantined"),
        ("error", "errors"),
    ];
    let states = states.map(|(class, word)| (class.to_owned(), word.to_owned()));
    for (class, word) in upstreams.chain(states) {
        let width = word.chars().count() as f64 * 6.6 + 34.0;
        if x + width > WIDTH - RIGHT {
            x = LEFT;
            y += 20.0;
        }
        canvas.rect(&class, x, y, 12.0, 12.0, "");
        canvas.text("small", x + 17.0, y + 10.0, &word);
        x += width;
    }
    y + 20.0
}

/// The name over an entry's panels.
fn heading(entry: &Entry) -> String {
    let figures = &entry.figures;
    format!(
        "{}: success {:.3}%, p99 {:.1} ms ({:.2} × possible), extra load {:.1}%, amplification {:.2}",
        entry.name,
        figures.success * 100.0,
        figures.latencies_ms[2],
        figures.regret_p99,
        figures.extra_load * 100.0,
        figures.amplification
    )
}

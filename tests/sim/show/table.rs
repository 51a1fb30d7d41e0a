//! A study as a table for a terminal.

use core::fmt::Write as _;

use crate::study::Study;

/// The study as text, ending in a line break.
#[must_use]
pub fn table(study: &Study) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} (seed {}): {}",
        study.scenario, study.seed, study.about
    );
    for band in &study.bands {
        let names: Vec<_> = band
            .upstreams
            .iter()
            .filter_map(|upstream| study.upstreams.get(*upstream))
            .map(|script| script.name.as_str())
            .collect();
        let second = |at: engine::time::Instant| at.0 as f64 / 1e9;
        let _ = writeln!(
            out,
            "  {:>6.1} s to {:>6.1} s  {}: {}",
            second(band.from),
            second(band.until),
            names.join(", "),
            band.text
        );
    }
    out.push('\n');
    let mut rows = vec![vec![
        "strategy",
        "success",
        "avoidable",
        "wrong",
        "p50",
        "p95",
        "p99",
        "p99.9",
        "regret",
        "extra",
        "amplif.",
        "spend",
        "detect",
        "recover",
    ]];
    let cells: Vec<Vec<String>> = study
        .entries
        .iter()
        .map(|entry| {
            let figures = &entry.figures;
            let ms = |at: usize| format!("{:.1}", figures.latencies_ms[at]);
            let span =
                |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{:.1} s", ms / 1e3));
            vec![
                entry.name.clone(),
                format!("{:.3}%", figures.success * 100.0),
                figures.avoidable_errors.to_string(),
                format!("{:.2}%", figures.wrong * 100.0),
                ms(0),
                ms(1),
                ms(2),
                ms(3),
                format!("{:.2}", figures.regret_p99),
                format!("{:.2}%", figures.extra_load * 100.0),
                format!("{:.3}", figures.amplification),
                format!("{:.4}", figures.spend),
                span(figures.detect_ms),
                span(figures.recover_ms),
            ]
        })
        .collect();
    rows.extend(
        cells
            .iter()
            .map(|row| row.iter().map(String::as_str).collect()),
    );
    let best = &study.possible;
    let oracle = [
        "(possible)".to_owned(),
        format!("{:.3}%", best.success * 100.0),
        String::new(),
        String::new(),
        format!("{:.1}", best.p50_ns as f64 / 1e6),
        String::new(),
        format!("{:.1}", best.p99_ns as f64 / 1e6),
        String::new(),
        "1.00".to_owned(),
        String::new(),
        String::new(),
        format!("{:.4}", best.spend_micros / 1e6),
        String::new(),
        String::new(),
    ];
    rows.push(oracle.iter().map(String::as_str).collect());
    write_columns(&mut out, &rows);
    out.push('\n');
    out.push_str("  share of attempts\n");
    let mut shares = Vec::new();
    for entry in &study.entries {
        let mut row = vec![entry.name.clone()];
        let cells = entry.upstreams.iter().zip(&entry.figures.shares);
        row.extend(cells.map(|(name, share)| format!("{name} {:.1}%", share * 100.0)));
        shares.push(row);
    }
    let rows: Vec<Vec<&str>> = shares
        .iter()
        .map(|row| row.iter().map(String::as_str).collect())
        .collect();
    write_columns(&mut out, &rows);
    write_regions(&mut out, study);
    let _ = writeln!(
        out,
        "\n{} calls, trace {:016x}; latencies in ms",
        study.calls(),
        study.trace_hash()
    );
    out
}

/// What the clients of each region got, where the scenario says where clients are.
fn write_regions(out: &mut String, study: &Study) {
    let entries = study.entries.iter();
    let rows: Vec<Vec<String>> = entries
        .filter(|entry| !entry.figures.regions.is_empty())
        .map(|entry| {
            let regions = entry.figures.regions.iter().map(|region| {
                let [p50, _, p99, _] = region.latencies_ms;
                let at_home = region.at_home * 100.0;
                format!("{} {at_home:.1}%, {p50:.1}, {p99:.1}", region.name)
            });
            std::iter::once(entry.name.clone()).chain(regions).collect()
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    out.push_str("\n  by the client's region: answered there, p50, p99\n");
    let rows: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| row.iter().map(String::as_str).collect())
        .collect();
    write_columns(out, &rows);
}

/// The first column to the left, the others to the right.
fn write_columns(out: &mut String, rows: &[Vec<&str>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths.get(column).copied().unwrap_or(0);
            let _ = if column == 0 {
                write!(line, "  {cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

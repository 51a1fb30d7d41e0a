//! Results as pictures: SVG drawn by hand, readable on light and dark pages. Shows medians with their ranges; computes
//! nothing that the tables do not have.

mod bars;
mod canvas;
mod points;

use crate::lane::Measure;
use crate::lanes::{self, Rates};
use crate::results::{LaneRecord, Results};

/// Measures that bars are drawn of.
const COSTS: [Measure; 2] = [Measure::CpuUsPerRequest, Measure::CpuUsPerCall];
/// Measures that points are drawn of, in order.
const LATENCIES: [Measure; 3] = [Measure::P50Us, Measure::P99Us, Measure::P999Us];

/// All plots that the results have figures for, by name.
pub fn all(results: &Results) -> Vec<(&'static str, String)> {
    let mut plots = Vec::new();
    plots.extend(bars::draw(&costs(results)).map(|svg| ("cpu", svg)));
    plots.extend(points::draw(&latencies(results)).map(|svg| ("latency", svg)));
    plots
}

/// Lanes that compare a cost, with the one that they compare.
fn costs(results: &Results) -> Vec<(&LaneRecord, Measure)> {
    let cost = |record: &LaneRecord| {
        let lane = lanes::lane(&record.name, Rates::default())?;
        COSTS
            .into_iter()
            .find(|measure| lane.compared.contains(measure))
    };
    let lanes = results.lanes.iter();
    lanes
        .filter_map(|record| Some((record, cost(record)?)))
        .collect()
}

/// Lanes that are about latency.
fn latencies(results: &Results) -> Vec<&LaneRecord> {
    let is_about = |record: &&LaneRecord| {
        lanes::lane(&record.name, Rates::default()).is_some_and(|lane| {
            LATENCIES
                .iter()
                .any(|measure| lane.compared.contains(measure))
        })
    };
    results.lanes.iter().filter(is_about).collect()
}

#[cfg(test)]
mod tests {
    use super::all;
    use crate::results::Results;
    use crate::sample;

    /// Whether every element that is opened is closed, in order.
    fn is_balanced(svg: &str) -> bool {
        let mut open = Vec::new();
        for part in svg.split('<').skip(1) {
            let Some((tag, _)) = part.split_once('>') else {
                return false;
            };
            let name = tag.split([' ', '/']).find(|word| !word.is_empty());
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else if !tag.ends_with('/') {
                open.extend(name);
            }
        }
        open.is_empty()
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(all(&Results::default()).is_empty());
    }

    #[test]
    fn plots_are_whole_and_show_every_side() {
        let mut results = Results::default();
        results.replace(sample::lane("forward", 10.0));
        results.replace(sample::lane("hedged", 20.0));
        let plots = all(&results);
        let names: Vec<_> = plots.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["cpu", "latency"]);
        for (name, svg) in &plots {
            assert!(is_balanced(svg), "{name}");
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
            assert!(svg.contains("prefers-color-scheme: dark"));
            assert!(svg.contains(">a</text>") && svg.contains(">b</text>"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        }
        assert!(plots[0].1.contains(">5.0</text>"));
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let mut lane = sample::lane("forward", 10.0);
        for side in &mut lane.sides {
            side.trial = "<t & \"u\">".to_owned();
        }
        for cell in &mut lane.cells {
            cell.trial = "<t & \"u\">".to_owned();
        }
        let mut results = Results::default();
        results.replace(lane);
        let plots = all(&results);
        assert!(is_balanced(&plots[0].1));
        assert!(plots[0].1.contains("&lt;t &amp; &quot;u&quot;&gt;"));
    }

    #[test]
    fn lanes_whose_rounds_were_all_rejected_leave_no_bar() {
        let mut lane = sample::lane("forward", 10.0);
        for cell in &mut lane.cells {
            cell.rejected = Some("noise".to_owned());
        }
        let mut results = Results::default();
        results.replace(lane);
        assert!(all(&results).is_empty());
    }
}

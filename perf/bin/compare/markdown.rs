//! Results as Markdown: the page of a results folder, and the table in the README. Made from the results alone, so that
//! nobody types a figure.

use crate::lane::{Lane, Measure};
use crate::lanes::{self, Rates};
use crate::profile::{Layer, Profile};
use crate::results::{LaneRecord, Results, SideRecord};
use crate::summary::{self, Spread};
use std::fmt::Write as _;

/// Share of waiting for the processor from which a machine is taken to be disturbed.
const DISTURBED: f64 = 0.05;

/// Parts of a profile below this share are only in their layer's sum.
const LEAST_SHARE: f64 = 0.001;
/// Name of the flame graph in a results folder.
pub const FLAME: &str = "flame-forward";

const METHOD: &str = "Sides in rotation within each round, each proxy alone on its processor, load generator and providers \
together on another. Median [minimum–maximum] of the rounds; ratios (÷) are of the pairs of one round, to the first side. CPU is \
user and system time of the proxy and its children by the kernel's accounts. Every answer's id was checked, of balances the \
content too, and the providers saw the calls that the lane says; rounds in which that was not so, or in which load \
generator and providers were the bottleneck, are rejected.";

/// The page of a results folder. `plots` are the files beside it that are shown.
pub fn page(results: &Results, plots: &[&str]) -> String {
    let mut text = format!("# Comparison\n\n{METHOD}\n");
    for plot in plots {
        let _ = write!(text, "\n![{plot}]({plot}.svg)\n");
    }
    for record in &results.lanes {
        // A lane that this program no longer knows keeps its cells and is not shown.
        if let Some(lane) = lanes::lane(&record.name, Rates::default()) {
            section(&mut text, &lane, record);
        }
    }
    if let Some(profile) = &results.profile {
        profiled(&mut text, profile);
    }
    text += "\nEvery cell is in `results.json`.\n";
    text
}

/// The lanes' figures alone.
pub fn tables(results: &Results) -> String {
    let mut text = String::new();
    for record in &results.lanes {
        if let Some(lane) = lanes::lane(&record.name, Rates::default()) {
            let _ = write!(text, "\n{}\n\n{}", record.name, table(&lane, record));
        }
    }
    text
}

fn section(text: &mut String, lane: &Lane, record: &LaneRecord) {
    // Writing to a String cannot fail, here and below.
    let _ = write!(text, "\n## {}\n\n{}\n\n", record.name, lane.what);
    *text += &table(lane, record);
    let machine = &record.machine;
    let commit = record.commit.as_deref().unwrap_or("unknown");
    let _ = write!(
        text,
        "\n`{}` on {}, commit {commit}, {} ({}), Linux {}; {} rounds of {} s.\n",
        record.command,
        record.date,
        machine.model,
        machine.kind,
        machine.kernel,
        record.rounds,
        record.seconds
    );
    commands(text, record);
    noise(text, record);
    rejections(text, record);
}

fn table(lane: &Lane, record: &LaneRecord) -> String {
    let mut text = String::from("| trial | side |");
    let mut rule = String::from("|---|---|");
    for measure in lane.measures {
        let _ = write!(text, " {} |", measure.title());
        rule += "---:|";
        if lane.compared.contains(measure) {
            text += " ÷ |";
            rule += "---:|";
        }
    }
    let _ = write!(text, " rounds |\n{rule}---:|\n");
    for trial in record.trials() {
        let sides = record.sides_of(trial);
        for side in &sides {
            let _ = write!(text, "| {trial} | {side} |");
            for measure in lane.measures {
                let spread = summary::spread(record, trial, side, *measure);
                let _ = write!(text, " {} |", shown(spread, *measure));
                if lane.compared.contains(measure) {
                    let reference = sides.first().copied().unwrap_or_default();
                    let ratio = summary::ratio(record, trial, side, reference, *measure);
                    let _ = write!(text, " {} |", quotient(ratio));
                }
            }
            let (used, all) = summary::rounds(record, trial, side);
            let _ = writeln!(text, " {used} of {all} |");
        }
    }
    text
}

fn shown(spread: Option<Spread>, measure: Measure) -> String {
    let Some(spread) = spread else {
        return "–".to_owned();
    };
    let digits = measure.digits();
    let spread = spread.times(if measure.is_share() { 100.0 } else { 1.0 });
    let Spread { median, min, max } = spread;
    let unit = if measure.is_share() { " %" } else { "" };
    format!("{median:.digits$}{unit} [{min:.digits$}–{max:.digits$}]")
}

fn quotient(ratio: Option<Spread>) -> String {
    ratio.map_or("–".to_owned(), |Spread { median, min, max }| {
        format!("**{median:.2}** [{min:.2}–{max:.2}]")
    })
}

fn commands(text: &mut String, record: &LaneRecord) {
    let mut told: Vec<&SideRecord> = Vec::new();
    for side in &record.sides {
        let is_told = told
            .iter()
            .any(|known| known.side == side.side && known.configuration == side.configuration);
        if !is_told {
            told.push(side);
        }
    }
    *text += "\n| side | version | command | configuration |\n|---|---|---|---|\n";
    for side in told {
        let _ = writeln!(
            text,
            "| {} | {} | `{}` | {} |",
            side.side,
            side.version.as_deref().unwrap_or("this tree"),
            side.command,
            side.configuration
                .as_ref()
                .map_or("–".to_owned(), |file| format!("`{file}`"))
        );
    }
}

fn profiled(text: &mut String, profile: &Profile) {
    let commit = profile.commit.as_deref().unwrap_or("unknown");
    let _ = write!(
        text,
        "\n## Where the time goes\n\n{}, {}: {} samples. `{}` on {}, commit {commit}, {}. Copying, hashing and allocation count \
         as their caller's; shares, not costs: sampling costs too.\n\n![flame graph]({FLAME}.svg)\n\n\
         | layer | part | share |\n|---|---|---:|\n",
        profile.proxy,
        profile.work,
        profile.samples,
        profile.command,
        profile.date,
        profile.machine
    );
    for layer in [Layer::Kernel, Layer::Runtime, Layer::Own, Layer::Other] {
        let parts = || profile.parts.iter().filter(|part| part.layer == layer);
        let whole: f64 = parts().map(|part| part.share).sum();
        if whole == 0.0 {
            continue;
        }
        let name = layer.name();
        let _ = writeln!(text, "| **{name}** | | **{:.1} %** |", whole * 100.0);
        for part in parts().filter(|part| part.share >= LEAST_SHARE) {
            let _ = writeln!(
                text,
                "| {name} | `{}` | {:.1} % |",
                part.name,
                part.share * 100.0
            );
        }
    }
}

fn noise(text: &mut String, record: &LaneRecord) {
    let waiting = record.cells.iter();
    let waiting = waiting.filter_map(|cell| cell.figures.get(&Measure::ProxyWaitingShare));
    let waiting = Spread::of(waiting.copied().collect());
    if let Some(waiting) = waiting.filter(|waiting| waiting.median > DISTURBED) {
        let _ = write!(
            text,
            "\nThe machine was not quiet: the proxies waited for their processor for {:.0} % of the time (median). Compare \
             ratios, not figures.\n",
            waiting.median * 100.0
        );
    }
}

fn rejections(text: &mut String, record: &LaneRecord) {
    let mut told = false;
    for cell in &record.cells {
        let Some(why) = &cell.rejected else { continue };
        if !told {
            *text += "\nRejected:\n\n";
            told = true;
        }
        let (trial, side, round) = (&cell.trial, &cell.side, cell.round + 1);
        let _ = writeln!(text, "- {trial}, {side}, round {round}: {why}");
    }
}

/// The table of the README: for each lane and trial what its sides make of the lane's main measures; the last is ours.
pub fn readme_table(results: &Results) -> String {
    let mut text = String::from(
        "| lane | measure | against | ours | ÷ first [range] |\n|---|---|---|---|---:|\n",
    );
    for record in &results.lanes {
        let Some(lane) = lanes::lane(&record.name, Rates::default()) else {
            continue;
        };
        for trial in record.trials() {
            for measure in lane.compared {
                readme_row(&mut text, record, trial, *measure);
            }
        }
    }
    text += "\n| lane | command | measured |\n|---|---|---|\n";
    for record in &results.lanes {
        let commit = record.commit.as_deref().unwrap_or("unknown");
        let _ = writeln!(
            text,
            "| {} | `{}` | {}, {}, commit {commit} |",
            record.name, record.command, record.date, record.machine.kind
        );
    }
    text
}

fn readme_row(text: &mut String, record: &LaneRecord, trial: &str, measure: Measure) {
    let sides = record.sides_of(trial);
    let Some((last, others)) = sides.split_last() else {
        return;
    };
    let named = |side: &str| {
        let spread = summary::spread(record, trial, side, measure);
        let figure = spread.map_or("–".to_owned(), |spread| {
            let digits = measure.digits();
            let factor = if measure.is_share() { 100.0 } else { 1.0 };
            format!("{:.digits$}", spread.median * factor)
        });
        format!("{side} {figure}")
    };
    let against: Vec<String> = others.iter().map(|side| named(side)).collect();
    let first = others.first().copied().unwrap_or_default();
    let ratio = summary::ratio(record, trial, last, first, measure);
    let _ = writeln!(
        text,
        "| {}, {trial} | {} | {} | {} | {} |",
        record.name,
        measure.title(),
        against.join(" · "),
        named(last),
        quotient(ratio)
    );
}

/// What surrounds the README's table. The first names the results folder.
const BEGIN: &str = "<!-- performance: ";
const END: &str = "<!-- end of performance -->";

/// The results folder that a README's table was made from.
pub fn folder_in(readme: &str) -> Option<&str> {
    let (_, rest) = readme.split_once(BEGIN)?;
    rest.split_once(" -->").map(|(folder, _)| folder)
}

/// The README with its table made anew from a folder's results. `None` when it has no place for one.
pub fn readme(readme: &str, folder: &str, results: &Results) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let table = readme_table(results);
    Some(format!("{before}{BEGIN}{folder} -->\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::{folder_in, page, readme, readme_table};
    use crate::results::Results;
    use crate::sample;

    fn results() -> Results {
        Results {
            lanes: vec![sample::lane("forward", 10.0)],
            profile: None,
        }
    }

    #[test]
    fn a_page_has_figures_ratios_and_what_was_rejected() {
        let mut results = results();
        results.lanes[0].cells[2].rejected = Some("load generator".to_owned());
        let page = page(&results, &["cpu"]);
        assert!(page.contains("![cpu](cpu.svg)"));
        assert!(
            page.contains("| t | b | 5.0 [5.0–5.0] | **0.50** [0.50–0.50] |"),
            "{page}"
        );
        assert!(page.contains("1 of 2") && page.contains("- t, a, round 2: load generator"));
        assert!(page.contains("`perf/run --lanes forward`") && page.contains("commit abc"));
        assert!(page.contains("| b | this tree | `b --config {config}` | `peers/b.conf` |"));
        assert!(!page.contains("not quiet"));
    }

    #[test]
    fn a_profile_has_its_layers_and_their_parts() {
        let mut results = results();
        assert!(!page(&results, &[]).contains("Where the time goes"));
        results.profile = Some(sample::profile());
        let page = page(&results, &[]);
        assert!(page.contains("](flame-forward.svg)"));
        assert!(page.contains("| **kernel** | | **70.0 %** |\n| kernel | `sending` | 40.0 % |"));
        assert!(page.contains("| own | `own` | 30.0 % |") && !page.contains("**runtime**"));
    }

    #[test]
    fn a_disturbed_machine_is_told() {
        let mut results = results();
        for cell in &mut results.lanes[0].cells {
            cell.figures.insert(super::Measure::ProxyWaitingShare, 0.2);
        }
        assert!(page(&results, &[]).contains("waited for their processor for 20 %"));
    }

    #[test]
    fn the_readme_keeps_what_is_around_the_table() {
        let before = "a\n<!-- performance: old -->\nx\n<!-- end of performance -->\nz\n";
        assert_eq!(folder_in(before), Some("old"));
        let after = readme(before, "new", &results()).unwrap();
        assert_eq!(folder_in(&after), Some("new"));
        assert!(after.starts_with("a\n<!--") && after.ends_with("-->\nz\n"));
        assert!(after.contains(&readme_table(&results())));
        assert!(after.contains("| forward, t | CPU µs/request | a 10.0 | b 5.0 | **0.50**"));
        assert_eq!(readme("nothing", "new", &results()), None);
        // Making it again changes nothing.
        assert_eq!(readme(&after, "new", &results()), Some(after.clone()));
    }
}

//! Every committed scenario parses, and what is wrong with a file is said with its place.

use super::*;

fn no_files(path: &str) -> Result<Vec<u8>, String> {
    Err(format!("{path}: no file"))
}

fn read(text: &str) -> Result<Template, Vec<FileFault>> {
    parse("test", text, &no_files)
}

const LEAST: &str = "version: 1
about: The least.
lasts: 1m
upstreams:
  - { name: a, latency: { median: 20ms } }
traffic: { rate: 10 }
";

/// What is said of the least file with this added.
fn said(addition: &str) -> String {
    let text = format!("{LEAST}{addition}");
    let faults = match read(&text) {
        Ok(template) => panic!("accepted: {template:?}"),
        Err(faults) => faults,
    };
    let lines: Vec<_> = faults.iter().map(|fault| fault.line("f.yaml")).collect();
    lines.join("\n")
}

#[test]
fn the_least_is_enough() {
    let template = read(LEAST).unwrap();
    assert_eq!((template.half, template.full_outage), (Half::Tuned, false));
    assert_eq!(template.about, "The least.");
}

#[test]
fn unknown_keys_are_refused_with_their_place() {
    let said = said("colour: blue\n");
    assert!(said.starts_with("f.yaml:7:1: "), "{said}");
    assert!(said.contains("colour"), "{said}");
}

#[test]
fn wrong_values_are_refused_with_their_place_and_what_they_must_be() {
    for (addition, place, word) in [
        ("shards: 0\n", "7:9", "1 to 64"),
        ("shards: 65\n", "7:9", "1 to 64"),
        ("policy: { attempts: 7 }\n", "7:21", "1 to 6"),
        ("faults:\n  - { refuse: 120% }\n", "8:15", "0% to 100%"),
        (
            "faults:\n  - { from: 10s, until: 5s, refuse: 10% }\n",
            "8:5",
            "begins before it ends",
        ),
        (
            "faults:\n  - { until: 61s, refuse: 10% }\n",
            "8:5",
            "ends with the scenario",
        ),
        (
            "faults:\n  - { from: 1s }\n",
            "8:5",
            "of one kind, and this one is of 0",
        ),
        (
            "faults:\n  - { refuse: 1%, hang: 1% }\n",
            "8:5",
            "of one kind, and this one is of 2",
        ),
        (
            "faults:\n  - { upstreams: [b], hang: 1% }\n",
            "8:19",
            "no upstream `b`; there are a",
        ),
        (
            "faults:\n  - { region: eu, hang: 1% }\n",
            "8:15",
            "the region `eu`",
        ),
        (
            "faults:\n  - { methods: [eth_cal], hang: 1% }\n",
            "8:17",
            "no standard method",
        ),
        (
            "faults:\n  - { error: { share: 1% } }\n",
            "8:14",
            "an error is said with",
        ),
        (
            "faults:\n  - { error: { share: 1%, say: oops } }\n",
            "8:32",
            "none of internal",
        ),
        (
            "faults:\n  - { slow: fast }\n",
            "8:13",
            "a factor in whole hundredths",
        ),
        ("chain: { block_time: 1ms }\n", "7:22", "10ms apart"),
        (
            "regions: { home: eu }\n",
            "7:18",
            "in the region `eu`; no upstream has one",
        ),
        (
            "regions: { distance: { eu: 10ms } }\n",
            "7:28",
            "the region `eu`",
        ),
        ("regions: { bound: 0ms }\n", "7:19", "a bound is 1ms to 60s"),
    ] {
        let said = said(addition);
        assert!(
            said.starts_with(&format!("f.yaml:{place}: ")),
            "{addition}{said}"
        );
        assert!(said.contains(word), "{addition}{said}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let said = said("shards: 0\nfaults:\n  - { upstreams: [b], hang: 1% }\n  - {}\n");
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn another_version_a_latency_of_two_kinds_and_two_of_a_name_are_refused() {
    let change = |from: &str, to: &str| {
        let faults = read(&LEAST.replace(from, to)).unwrap_err();
        faults
            .iter()
            .map(|fault| fault.to_string())
            .collect::<String>()
    };
    assert!(change("version: 1", "version: 2").contains("reads version 1"));
    assert!(change("median: 20ms", "median: 20ms, p99: 30ms").contains("a latency is"));
    assert!(change("median: 20ms", "p50: 20ms, p99: 10ms").contains("must rise"));
    assert!(change("median: 20ms", "hlog: x.hlog").contains("x.hlog: no file"));
    let twice = "  - { name: a, latency: { median: 20ms } }\n";
    assert!(change(twice, &twice.repeat(2)).contains("two upstreams are called `a`"));
    assert!(change("rate: 10", "rate: 1000000000").contains("too many"));
    assert!(change("name: a", "name: a b").contains("letters, digits"));
}

#[test]
fn regions_are_those_of_upstreams_and_clients_are_no_more_than_all() {
    let there = LEAST.replace("name: a,", "name: a, region: eu,");
    let with = |traffic: &str| there.replace("rate: 10", &format!("rate: 10, {traffic}"));
    let template = read(&with("regions: { eu: 60% }")).unwrap();
    assert_eq!(template.base.clients.len(), 1);
    let geo = template.geo.unwrap();
    assert_eq!((geo.home, geo.bound.as_millis()), (None, 80));
    let said = |text: &str| read(text).unwrap_err()[0].to_string();
    assert!(said(&with("regions: { us: 60% }")).contains("`us`; there are eu"));
    let two = there.replace(
        "traffic:",
        "  - { name: b, region: us, latency: { median: 20ms } }\ntraffic:",
    );
    let two = two.replace("rate: 10", "rate: 10, regions: { eu: 60%, us: 50% }");
    assert!(said(&two).contains("more than 100%"));
    let far = format!("{there}regions: {{ home: eu, distance: {{ eu: 30ms }} }}\n");
    let distance = read(&far).unwrap().base.upstreams[0].distance;
    assert_eq!(distance.as_millis(), 30);
}

type WeightAndAges = (u64, Option<(u64, u64)>);

/// The dishes of a file with these methods and this of the first upstream: weight, and ages.
fn dishes(methods: &str, history: &str) -> Result<Vec<WeightAndAges>, String> {
    let text = LEAST.replace("median: 20ms }", &format!("median: 20ms }}{history}"));
    let text = text.replace("rate: 10", &format!("rate: 10, methods: [{methods}]"));
    let text = format!("{text}chain: {{ height: 5000 }}\n");
    let template = read(&text).map_err(|faults| faults[0].to_string())?;
    let dishes = template.base.menu.dishes.iter();
    let all = dishes.map(|dish| (dish.weight, dish.ages.map(|ages| (ages.from, ages.to))));
    Ok(all.collect())
}

#[test]
fn a_method_becomes_a_dish_for_each_age_that_somebody_has_all_or_nothing_of() {
    let methods = "{ name: eth_call, weight: 3 }, { name: eth_getBalance, weight: 1, blocks_back: [{ share: 30%, up_to: 99 }, { share: 20%, up_to: 1099 }] }";
    let whole = dishes(methods, "").unwrap();
    let parts = [(3_000_000, None), (500_000, None), (300_000, Some((0, 99)))];
    assert_eq!(whole[..3], parts);
    assert_eq!(whole[3..], [(200_000, Some((100, 1_099)))]);
    // What is said of logs is not about states.
    assert_eq!(dishes(methods, ", history: { logs: 349 }").unwrap(), whole);
    let cut = dishes(methods, ", history: { state: 349 }").unwrap();
    assert_eq!(cut[..3], parts);
    let ends = [(50_000, Some((100, 349))), (150_000, Some((350, 1_099)))];
    assert_eq!(cut[3..], ends);
    let none = dishes("{ name: eth_call, weight: 3 }", ", history: { state: 349 }");
    assert_eq!(none.unwrap(), [(3, None)]);
}

#[test]
fn ages_that_make_no_sense_are_refused() {
    for (method, ages, word) in [
        (
            "eth_blockNumber",
            "{ share: 1%, up_to: 9 }",
            "no block by its number",
        ),
        (
            "eth_call",
            "{ share: 60%, up_to: 9 }, { share: 41%, up_to: 10 }",
            "more than 100%",
        ),
        (
            "eth_call",
            "{ share: 1%, up_to: 9 }, { share: 1%, up_to: 9 }",
            "further back",
        ),
        (
            "eth_call",
            "{ share: 1%, up_to: 5000 }",
            "5000 blocks at the start",
        ),
    ] {
        let said = dishes(&format!("{{ name: {method}, blocks_back: [{ages}] }}"), "");
        let said = said.unwrap_err();
        assert!(said.contains(word), "{method} {ages}: {said}");
    }
    let heavy = "{ name: eth_call, weight: 18446744073709551615 }";
    assert!(
        dishes(heavy, "")
            .unwrap_err()
            .contains("a weight is at most")
    );
    let none = "{ name: eth_call, weight: 0, blocks_back: [{ share: 100%, up_to: 9 }] }";
    assert!(
        dishes(none, "")
            .unwrap_err()
            .contains("some method must have a weight")
    );
    let said = said("chain: { height: 0 }\n");
    assert!(said.contains("1 to 1000000000000 blocks"), "{said}");
}

#[test]
fn what_is_no_yaml_is_refused_with_its_place() {
    let faults = read("version: 1\nabout: [\n").unwrap_err();
    assert!(faults[0].place.is_some(), "{faults:?}");
}

#[test]
fn the_suite_is_what_is_in_the_folder_and_has_two_halves() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut names: Vec<_> = COMMITTED
        .iter()
        .map(|(name, _)| format!("{name}.yaml"))
        .collect();
    names.sort();
    assert_eq!(files, names);
    for (name, _) in COMMITTED {
        if let Err(faults) = committed(name).unwrap() {
            let lines: Vec<_> = faults.iter().map(|fault| fault.line(name)).collect();
            panic!("{}", lines.join("\n"));
        }
    }
}

/// The page is the schema for people: a key that it does not name does not exist for them.
#[test]
fn the_manual_names_every_key_and_every_word() {
    let page = include_str!("../../../src/manual/simulator.md");
    let keys = include_str!("keys.rs").lines();
    let keys = keys.filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'));
    let mut count = 0;
    for (key, _) in keys {
        // What Rust calls otherwise, since `for` is a word of its own.
        let key = if key == "lasts" { "for" } else { key };
        let named = [
            format!("`{key}"),
            format!(" {key}:"),
            format!(" {key},"),
            format!(" {key} }}"),
        ];
        assert!(
            named.iter().any(|word| page.contains(word)),
            "`{key}` is not in the manual"
        );
        count += 1;
    }
    assert!(count > 60, "only {count} keys were found");
    for (saying, _) in crate::provider::NAMED {
        assert!(
            page.contains(&format!("`{saying}`")),
            "`{saying}` is not in the manual"
        );
    }
}

//! From a file's keys to a scenario: what the values mean together is judged here, all of it before anything is said.

use core::time::Duration;
use std::collections::BTreeSet;

use engine::chain::ChainId;
use engine::index::MAX_UPSTREAMS;
use engine::strategy::{REGISTRY, StrategySpec};
use engine::time::Instant;
use serde_saphyr::{Location, Spanned};

use super::fault::FileFault;
use super::keys::{self, File};
use super::{Template, VERSION, ages, lay, menu, regions, struck};
use crate::distribution::{Latency, Tail, hlog};
use crate::provider::{Capacity, Limit, Price, Script};
use crate::scenario::{ChainScript, Gossip, Menu, Mix, Scenario};

/// A run that is longer is no scenario but a mistake.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// So is one of more calls.
const MAX_CALLS: u64 = 200_000_000;
const MAX_SHARDS: u16 = 64;
const MAX_BATCH: u32 = 1_000;
/// The longest chain.
const MAX_HEIGHT: u64 = 1_000_000_000_000;
const MAX_ATTEMPTS: u8 = engine::config::MAX_ATTEMPTS;

type Read<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Builds what a file says.
pub fn template(name: &str, file: &File, read: Read<'_>) -> Result<Template, Vec<FileFault>> {
    let mut faults = Vec::new();
    let mut wrong = |place: Location, message: String| faults.push(FileFault::at(place, message));
    if file.version.value != VERSION {
        let message = format!(
            "this program reads version {VERSION}, and the file says {}",
            file.version.value
        );
        wrong(file.version.referenced, message);
    }
    let lasts = file.lasts.value.0;
    if lasts.is_zero() || lasts > LONGEST {
        wrong(
            file.lasts.referenced,
            "a scenario lasts between a moment and a day".to_owned(),
        );
    }
    if let Some(shards) = &file.shards
        && !(1..=MAX_SHARDS).contains(&shards.value)
    {
        wrong(shards.referenced, format!("1 to {MAX_SHARDS} shards"));
    }
    if let Some(attempts) = &file.policy.attempts
        && !(1..=MAX_ATTEMPTS).contains(&attempts.value)
    {
        wrong(
            attempts.referenced,
            format!("a call makes 1 to {MAX_ATTEMPTS} attempts"),
        );
    }
    let (mut upstreams, providers) = upstreams(file, read, &mut faults);
    let until = Instant::ZERO + lasts;
    let bands = struck::lay_faults(file, until, &mut upstreams, &mut faults);
    let geo = regions::geo(file, &upstreams, &mut faults);
    regions::add_distances(file, &mut upstreams, &mut faults);
    let chain = chain(file, &mut faults);
    let menu = aged(file, &upstreams, chain.height, &mut faults);
    let scenario = Scenario {
        shards: file.shards.as_ref().map_or(2, |shards| shards.value),
        chain,
        gossip: gossip(&file.gossip),
        load: load(file, until, &mut faults),
        bursts: bursts(file, until, &mut faults),
        menu,
        mix: mix(file, &mut faults),
        clients: regions::clients(file, &upstreams, &mut faults),
        until,
        ..Scenario::new(name, 0, StrategySpec::of(REGISTRY[0]), upstreams)
    };
    if faults.is_empty() {
        let calls = expected_calls(&scenario);
        if calls > MAX_CALLS {
            let message = format!("{calls} calls are too many: at most {MAX_CALLS}");
            faults.push(FileFault::at(file.traffic.rate.referenced, message));
        }
    }
    if !faults.is_empty() {
        faults.sort_by_key(|fault| fault.place);
        return Err(faults);
    }
    Ok(Template {
        name: name.to_owned(),
        about: file.about.split_whitespace().collect::<Vec<_>>().join(" "),
        half: file.half,
        full_outage: file.full_outage,
        hedge: file.policy.hedge.unwrap_or(true),
        attempts: file.policy.attempts.as_ref().map(|attempts| attempts.value),
        providers,
        geo,
        bands,
        base: scenario,
    })
}

/// The menu, by the ages of the blocks that are asked for.
fn aged(file: &File, upstreams: &[Script], height: u64, faults: &mut Vec<FileFault>) -> Menu {
    let before = faults.len();
    let menu = menu::menu(&file.traffic, faults);
    // Where a method is unknown, its dish is missing.
    if faults.len() > before {
        return menu;
    }
    let methods = file.traffic.methods.iter();
    let mut asked: Vec<_> = methods
        .map(|method| method.value.blocks_back.as_slice())
        .collect();
    asked.resize(menu.dishes.len(), &[]);
    let kept: Vec<_> = upstreams.iter().map(|script| script.kept).collect();
    ages::cut(menu, &asked, &kept, height, faults)
}

fn expected_calls(scenario: &Scenario) -> u64 {
    let ends = scenario.load.iter().skip(1).map(|step| step.0);
    let steps = scenario.load.iter().zip(ends.chain(Some(scenario.until)));
    let load: u64 = steps
        .map(|(step, end)| end.saturating_duration_since(step.0).as_secs() * u64::from(step.1))
        .sum();
    let bursts = scenario.bursts.iter().map(|burst| u64::from(burst.1));
    let members = u64::from(scenario.mix.batch_calls.max(1));
    let batched = load * u64::from(scenario.mix.batched) / 1_000 * members;
    load + batched + bursts.sum::<u64>()
}

fn upstreams(
    file: &File,
    read: Read<'_>,
    faults: &mut Vec<FileFault>,
) -> (Vec<Script>, Vec<String>) {
    let mut names = BTreeSet::new();
    let (mut scripts, mut providers) = (Vec::new(), Vec::new());
    let count = file.upstreams.len();
    if count == 0 || count > MAX_UPSTREAMS {
        let place = file
            .upstreams
            .first()
            .map_or(file.lasts.referenced, |one| one.referenced);
        let message = format!("a scenario has 1 to {MAX_UPSTREAMS} upstreams, not {count}");
        faults.push(FileFault::at(place, message));
    }
    for (number, entry) in (0_u16..).zip(&file.upstreams) {
        let said = &entry.value;
        let name = &said.name;
        if !is_name(&name.value) {
            let message = "a name has 1 to 64 letters, digits, dots, underscores and hyphens";
            faults.push(FileFault::at(name.referenced, message));
        }
        if !names.insert(name.value.as_str()) {
            let message = format!("two upstreams are called `{}`", name.value);
            faults.push(FileFault::at(name.referenced, message));
        }
        if let Some(capacity) = &said.capacity
            && capacity.value.at_once == 0
        {
            faults.push(FileFault::at(
                capacity.referenced,
                "at_once must be above 0",
            ));
        }
        let mut script = Script::new(number, 1);
        script.name.clone_from(&name.value);
        script.region.clone_from(&said.region);
        script.config.priority = said
            .priority
            .as_ref()
            .map_or(u32::from(number) + 1, |one| one.value);
        script.config.weight = said.weight.unwrap_or(100);
        script.distance = said.distance.unwrap_or_default().0;
        script.head_delay = said.head_delay.map_or(script.head_delay, |delay| delay.0);
        script.allowance = said.allowance;
        script.kept = ages::kept(said.history.as_ref());
        script.price = said.price.map_or(Price::default(), |price| Price {
            micros_per_million: price.per_million_units.0,
            free: price.free_units,
        });
        script.limit = said.limit.as_ref().map(|limit| limited(limit, faults));
        script.capacity = said.capacity.as_ref().map(|capacity| Capacity {
            at_once: capacity.value.at_once,
            waiting: capacity.value.waiting,
        });
        latency(&said.latency, &mut script, read, faults);
        scripts.push(script);
        let provider = said.provider.as_ref().unwrap_or(name);
        providers.push(provider.value.clone());
    }
    for (script, provider) in scripts.iter_mut().zip(lay::numbered(&providers)) {
        script.config.provider = provider;
    }
    (scripts, providers)
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}

fn limited(limit: &keys::Limit, faults: &mut Vec<FileFault>) -> Limit {
    Limit {
        per_second: limit.per_second,
        retry_after_s: seconds(limit.retry_after.as_ref(), faults),
        published: limit.published,
    }
}

pub(super) fn seconds(
    span: Option<&Spanned<super::word::Span>>,
    faults: &mut Vec<FileFault>,
) -> Option<u64> {
    let span = span?;
    let whole = span.value.0.as_secs();
    if Duration::from_secs(whole) != span.value.0 {
        let message = "a Retry-After is in whole seconds";
        faults.push(FileFault::at(span.referenced, message));
    }
    Some(whole)
}

fn latency(
    said: &Spanned<keys::Latency>,
    script: &mut Script,
    read: Read<'_>,
    faults: &mut Vec<FileFault>,
) {
    let place = said.referenced;
    let said = &said.value;
    let quantiles = [
        (500_000, said.p50),
        (900_000, said.p90),
        (990_000, said.p99),
        (999_000, said.p999),
        (1_000_000, said.max),
    ];
    let quantiles: Vec<_> = quantiles
        .into_iter()
        .filter_map(|(at, span)| Some((at, span?.0)))
        .collect();
    match (said.median, quantiles.is_empty(), &said.hlog) {
        (Some(median), true, None) if said.tag.is_none() => {
            script.median = median.0;
            script.tail = match said.tail {
                Some(keys::Tail::Short) => Tail::Short,
                None | Some(keys::Tail::Usual) => Tail::Usual,
                Some(keys::Tail::Long) => Tail::Long,
            };
        }
        (None, false, None) if said.tail.is_none() && said.tag.is_none() => {
            match Latency::through(&quantiles) {
                Some(latency) => script.measured = vec![(Instant::ZERO, latency)],
                None => faults.push(FileFault::at(place, "the quantiles must rise")),
            }
        }
        (None, true, Some(path)) if said.tail.is_none() => {
            let bytes = read(path).map_err(|error| format!("{path}: {error}"));
            let latency = bytes.and_then(|bytes| {
                hlog::read(&bytes, said.tag.as_deref()).map_err(|fault| format!("{path}: {fault}"))
            });
            match latency {
                Ok(latency) => script.measured = vec![(Instant::ZERO, latency)],
                Err(message) => faults.push(FileFault::at(place, message)),
            }
        }
        _ => {
            let message = "a latency is `median` with an optional `tail`, or quantiles (`p50`, `p90`, `p99`, `p999`, `max`), or `hlog` with an optional `tag`";
            faults.push(FileFault::at(place, message));
        }
    }
}

fn chain(file: &File, faults: &mut Vec<FileFault>) -> ChainScript {
    let said = &file.chain;
    let usual = Scenario::new("", 0, StrategySpec::of(REGISTRY[0]), Vec::new()).chain;
    if let Some(block_time) = &said.block_time
        && block_time.value.0 < Duration::from_millis(10)
    {
        let message = "blocks are at least 10ms apart";
        faults.push(FileFault::at(block_time.referenced, message));
    }
    if let Some(height) = &said.height
        && !(1..=MAX_HEIGHT).contains(&height.value)
    {
        let message = format!("a chain has 1 to {MAX_HEIGHT} blocks at the start");
        faults.push(FileFault::at(height.referenced, message));
    }
    ChainScript {
        id: ChainId(1),
        height: said
            .height
            .as_ref()
            .map_or(usual.height, |height| height.value),
        block_time: said
            .block_time
            .as_ref()
            .map_or(Duration::from_secs(2), |span| span.value.0),
        set_back: said
            .set_back
            .as_ref()
            .map(|back| (Instant::ZERO + back.at.0, back.blocks.value)),
        stale_after: said
            .stale_after
            .as_ref()
            .map_or(usual.stale_after, |after| {
                if after.value == 0 {
                    let message = "who has the newest block is not stale: at least 1";
                    faults.push(FileFault::at(after.referenced, message));
                }
                after.value
            }),
        max_lag_blocks: said.max_lag_blocks,
        heads: usual.heads,
        panic_permille: usual.panic_permille,
        geo: usual.geo,
    }
}

fn gossip(said: &keys::Gossip) -> Gossip {
    Gossip {
        lost: said.lost.unwrap_or_default().0,
        repeated: said.repeated.unwrap_or_default().0,
        delay: said.delay.map_or(Duration::from_micros(20), |span| span.0),
        disorder: said
            .disorder
            .map_or(Duration::from_micros(200), |span| span.0),
    }
}

fn load(file: &File, until: Instant, faults: &mut Vec<FileFault>) -> Vec<(Instant, u32)> {
    let mut load = vec![(Instant::ZERO, file.traffic.rate.value)];
    for step in &file.traffic.steps {
        let from = Instant::ZERO + step.value.from.0;
        let follows = load.last().is_some_and(|before| before.0 < from);
        if !follows || from >= until {
            let message = "steps follow each other within the scenario";
            faults.push(FileFault::at(step.referenced, message));
        }
        load.push((from, step.value.rate));
    }
    load
}

fn bursts(file: &File, until: Instant, faults: &mut Vec<FileFault>) -> Vec<(Instant, u32)> {
    let mut bursts = Vec::new();
    for burst in &file.traffic.bursts {
        let at = Instant::ZERO + burst.value.at.0;
        let follows = bursts
            .last()
            .is_none_or(|before: &(Instant, u32)| before.0 <= at);
        if !follows || at >= until {
            let message = "bursts follow each other within the scenario";
            faults.push(FileFault::at(burst.referenced, message));
        }
        bursts.push((at, burst.value.calls));
    }
    bursts
}

fn mix(file: &File, faults: &mut Vec<FileFault>) -> Mix {
    let said = &file.traffic;
    let batches = said.batches.as_ref();
    if let Some(batches) = batches
        && !(2..=MAX_BATCH).contains(&batches.calls.value)
    {
        let message = format!("a batch has 2 to {MAX_BATCH} calls");
        faults.push(FileFault::at(batches.calls.referenced, message));
    }
    Mix {
        abandoned: said.abandoned.unwrap_or_default().0,
        hurried: said.hurried.unwrap_or_default().0,
        batched: batches.map_or(0, |batches| batches.share.0),
        batch_calls: batches.map_or(0, |batches| batches.calls.value),
        ..Mix::default()
    }
}

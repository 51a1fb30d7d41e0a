//! A file's faults, laid over its upstreams: whom each strikes, with which methods, and what it is. What a fault does is the provider's matter.

use engine::config::MethodSet;
use engine::method::lookup;
use engine::time::Instant;
use serde_saphyr::{Location, Spanned};

use super::band::Band;
use super::build::seconds;
use super::fault::FileFault;
use super::keys::{self, File};
use crate::provider::{Behaviour, NAMED, Phase, Script, classified};

/// Lays the faults over the upstreams, in their order.
pub(super) fn lay_faults(
    file: &File,
    end: Instant,
    upstreams: &mut [Script],
    faults: &mut Vec<FileFault>,
) -> Vec<Band> {
    let mut bands = Vec::new();
    for entry in &file.faults {
        let (place, said) = (entry.referenced, &entry.value);
        let from = Instant::ZERO + said.from.0;
        let until = said.until.map_or(end, |until| Instant::ZERO + until.0);
        if from >= until || until > end {
            let message = "a fault begins before it ends, and ends with the scenario at the latest";
            faults.push(FileFault::at(place, message));
        }
        let struck = struck(said, upstreams, place, faults);
        let only = methods(said, faults);
        let kinds = kinds(said, faults);
        let [(behaviour, text, severe)] = kinds.as_slice() else {
            let message = format!(
                "a fault is of one kind, and this one is of {}: one of refuse, hang, reset, stale, cut, slow, drift, later, stall, pause, error, limit, wrong_results, wrong_chain, stuck_head, behind, ahead",
                kinds.len()
            );
            faults.push(FileFault::at(place, message));
            continue;
        };
        for &upstream in &struck {
            upstreams[upstream].phases.push(Phase {
                from,
                until,
                only,
                behaviour: *behaviour,
            });
        }
        let with: Vec<_> = said
            .methods
            .iter()
            .map(|name| name.value.as_str())
            .collect();
        let with = if with.is_empty() {
            String::new()
        } else {
            format!(" with {}", with.join(", "))
        };
        bands.push(Band {
            from,
            until,
            upstreams: struck,
            text: format!("{text}{with}"),
            severe: *severe && said.methods.is_empty(),
        });
    }
    bands
}

/// The upstreams that a fault strikes: those that it names, those of a region, or all.
fn struck(
    said: &keys::Fault,
    upstreams: &[Script],
    place: Location,
    faults: &mut Vec<FileFault>,
) -> Vec<usize> {
    if !said.upstreams.is_empty() && said.region.is_some() {
        let message = "a fault names upstreams or a region, not both";
        faults.push(FileFault::at(place, message));
    }
    if let Some(region) = &said.region {
        let of = |script: &Script| script.region == region.value;
        let struck: Vec<_> = (0..upstreams.len())
            .filter(|one| of(&upstreams[*one]))
            .collect();
        if struck.is_empty() {
            let message = format!("no upstream is in the region `{}`", region.value);
            faults.push(FileFault::at(region.referenced, message));
        }
        return struck;
    }
    if said.upstreams.is_empty() {
        return (0..upstreams.len()).collect();
    }
    let mut struck = Vec::new();
    for name in &said.upstreams {
        match upstreams
            .iter()
            .position(|script| script.name == name.value)
        {
            Some(upstream) => struck.push(upstream),
            None => {
                let names: Vec<_> = upstreams
                    .iter()
                    .map(|script| script.name.as_str())
                    .collect();
                let message = format!(
                    "there is no upstream `{}`; there are {}",
                    name.value,
                    names.join(", ")
                );
                faults.push(FileFault::at(name.referenced, message));
            }
        }
    }
    struck
}

fn methods(said: &keys::Fault, faults: &mut Vec<FileFault>) -> Option<MethodSet> {
    let mut only = MethodSet::EMPTY;
    for name in &said.methods {
        let method = lookup(name.value.as_bytes());
        if !method.is_known() {
            let message = format!("`{}` is no standard method", name.value);
            faults.push(FileFault::at(name.referenced, message));
        }
        only.insert(method);
    }
    (!said.methods.is_empty()).then_some(only)
}

/// What kinds a fault is of, each with a few words and whether it takes half of the calls or more.
fn kinds(said: &keys::Fault, faults: &mut Vec<FileFault>) -> Vec<(Behaviour, String, bool)> {
    let mut kinds = Vec::new();
    let percent = |share: super::word::Share| {
        let whole = f64::from(share.0) / 10.0;
        format!("{whole}%")
    };
    let shares = [
        (
            said.refuse,
            Behaviour::RefuseSome as fn(u32) -> Behaviour,
            "refused",
        ),
        (said.hang, Behaviour::HangSome, "hang"),
        (said.reset, Behaviour::ResetSome, "reset"),
        (said.stale, Behaviour::Stale, "stale connections"),
        (said.cut, Behaviour::BreakMidStream, "cut mid-answer"),
        (said.wrong_results, Behaviour::WrongResults, "wrong results"),
    ];
    for (share, behaviour, word) in shares {
        if let Some(share) = share {
            // Of all is said in one word: heads and chains are then not answered either.
            let kind = match (share.0, behaviour(share.0)) {
                (1_000, Behaviour::RefuseSome(_)) => Behaviour::Refuse,
                (1_000, Behaviour::HangSome(_)) => Behaviour::Hang,
                (1_000, Behaviour::ResetSome(_)) => Behaviour::Reset,
                (_, kind) => kind,
            };
            let fails = !matches!(kind, Behaviour::Stale(_));
            let text = format!("{} {word}", percent(share));
            kinds.push((kind, text, fails && share.0 >= 500));
        }
    }
    let times = |times: super::word::Times| format!("{}x", f64::from(times.0) / 100.0);
    if let Some(slow) = said.slow {
        kinds.push((
            Behaviour::Slow(slow.0),
            format!("{} as slow", times(slow)),
            slow.0 >= 400,
        ));
    }
    if let Some(drift) = said.drift {
        let text = format!("{} to {} as slow", times(drift.from), times(drift.to));
        kinds.push((Behaviour::Drift(drift.from.0, drift.to.0), text, false));
    }
    if let Some(later) = said.later {
        kinds.push((
            Behaviour::Later(later.0),
            format!("{:?} later", later.0),
            false,
        ));
    }
    if let Some(stall) = said.stall {
        let text = format!("{} stall {:?}", percent(stall.share), stall.lasts.0);
        kinds.push((
            Behaviour::StallSome(stall.share.0, stall.lasts.0),
            text,
            false,
        ));
    }
    if let Some(pause) = said.pause {
        let text = format!("frozen {:?} every {:?}", pause.lasts.0, pause.every.0);
        kinds.push((Behaviour::Pauses(pause.every.0, pause.lasts.0), text, false));
    }
    if let Some(error) = &said.error {
        let fault = error_fault(error, faults);
        let text = format!("{} {}", percent(error.value.share), fault.class.label());
        let severe = error.value.share.0 >= 500;
        kinds.push((Behaviour::Fail(fault, error.value.share.0), text, severe));
    }
    if let Some(limit) = &said.limit {
        let retry_after = seconds(limit.retry_after.as_ref(), faults);
        let text = format!("{} a second", limit.per_second);
        let kind = Behaviour::Limit(limit.per_second, retry_after);
        kinds.push((kind, text, limit.per_second == 0));
    }
    if said.wrong_chain == Some(true) {
        kinds.push((Behaviour::WrongChain, "another chain".to_owned(), true));
    }
    if said.stuck_head == Some(true) {
        kinds.push((Behaviour::StuckHead, "stuck head".to_owned(), false));
    }
    if let Some(blocks) = said.behind {
        kinds.push((
            Behaviour::Behind(blocks),
            format!("{blocks} blocks behind"),
            false,
        ));
    }
    if let Some(blocks) = said.ahead {
        kinds.push((
            Behaviour::Ahead(blocks),
            format!("says {blocks} blocks ahead"),
            false,
        ));
    }
    kinds
}

/// What the production rules make of an error.
fn error_fault(error: &Spanned<keys::Error>, faults: &mut Vec<FileFault>) -> engine::fault::Fault {
    let said = &error.value;
    let retry_after = said.retry_after.map(|span| span.0);
    let own = said.status.is_some() || said.code.is_some() || said.message.is_some();
    if own == said.say.is_some() {
        let message = "an error is said with `say`, or with `status`, `code` and `message`";
        faults.push(FileFault::at(error.referenced, message));
    }
    let Some(say) = &said.say else {
        let message = said.message.as_deref().unwrap_or("");
        let status = said.status.unwrap_or(200);
        return classified("simulated", status, said.code, message, retry_after);
    };
    let known = NAMED.iter().find(|(name, _)| *name == say.value);
    if known.is_none() {
        let names: Vec<_> = NAMED.iter().map(|(name, _)| *name).collect();
        let message = format!("`{}` is none of {}", say.value, names.join(", "));
        faults.push(FileFault::at(say.referenced, message));
    }
    let saying = known.map_or(crate::provider::INTERNAL, |(_, saying)| *saying);
    saying.fault(retry_after)
}

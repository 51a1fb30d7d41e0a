//! Where clients, the proxy and upstreams are. It only reads what a file says; who is preferred is the engine's to decide.

use std::collections::BTreeSet;

use engine::config::GeoConfig;
use serde_saphyr::Spanned;

use super::fault::FileFault;
use super::keys::File;
use crate::provider::Script;
use crate::scenario::Clients;

/// How a scenario would have regions matter, where no configuration says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geo {
    /// The region that the proxy is in, which is that of clients that do not say theirs.
    pub home: Option<String>,
    /// How much longer than the fastest upstream one of the client's region may take.
    pub bound: core::time::Duration,
}

/// Whether regions matter: they do where the file says where the proxy or clients are.
pub fn geo(file: &File, upstreams: &[Script], faults: &mut Vec<FileFault>) -> Option<Geo> {
    if file.regions.is_none() && file.traffic.regions.is_empty() {
        return None;
    }
    let said = file.regions.clone().unwrap_or_default();
    if let Some(home) = &said.home {
        known(&home.value, home, upstreams, faults);
    }
    let usual = GeoConfig::default().bound;
    let bound = said.bound.map_or(usual, |bound| {
        if !(GeoConfig::MIN_BOUND..=GeoConfig::MAX_BOUND).contains(&bound.value.0) {
            let message = format!(
                "a bound is {:?} to {:?}",
                GeoConfig::MIN_BOUND,
                GeoConfig::MAX_BOUND
            );
            faults.push(FileFault::at(bound.referenced, message));
        }
        bound.value.0
    });
    Some(Geo {
        home: said.home.map(|home| home.value),
        bound,
    })
}

/// Adds the way from the proxy to each region to what its upstreams' answers take.
pub fn add_distances(file: &File, upstreams: &mut [Script], faults: &mut Vec<FileFault>) {
    let Some(regions) = &file.regions else {
        return;
    };
    for (region, distance) in &regions.distance {
        known(region, distance, upstreams, faults);
        for script in upstreams.iter_mut().filter(|one| one.region == *region) {
            script.distance += distance.value.0;
        }
    }
}

/// Where clients are; those that are left over say nothing.
pub fn clients(file: &File, upstreams: &[Script], faults: &mut Vec<FileFault>) -> Vec<Clients> {
    let (mut clients, mut sum) = (Vec::new(), 0);
    for (region, share) in &file.traffic.regions {
        known(region, share, upstreams, faults);
        sum += share.value.0;
        if sum > 1_000 {
            let message = "the shares of all regions are more than 100%";
            faults.push(FileFault::at(share.referenced, message));
        }
        clients.push(Clients {
            region: region.clone(),
            permille: share.value.0,
            index: None,
        });
    }
    clients
}

/// A region that no upstream is in is a slip of the pen.
fn known<T>(name: &str, place: &Spanned<T>, upstreams: &[Script], faults: &mut Vec<FileFault>) {
    if upstreams.iter().any(|script| script.region == name) {
        return;
    }
    let regions: BTreeSet<_> = upstreams
        .iter()
        .map(|script| script.region.as_str())
        .filter(|region| !region.is_empty())
        .collect();
    let there = if regions.is_empty() {
        "no upstream has one".to_owned()
    } else {
        let regions: Vec<_> = regions.into_iter().collect();
        format!("there are {}", regions.join(", "))
    };
    let message = format!("no upstream is in the region `{name}`; {there}");
    faults.push(FileFault::at(place.referenced, message));
}

//! The part of the books that is kept about who is too far away. Nothing is measured here: only what needs no measurement to be true is checked.

use engine::config::GeoConfig;
use engine::eligibility::{LeftOut, LeftOutBy};
use engine::index::{CallId, RegionIndex, UpstreamIndex, UpstreamSet};

use super::{Auditor, Check, must};
use crate::scenario::Scenario;

/// Where upstreams are, and of whom anything is known.
#[derive(Debug)]
pub(super) struct Regions {
    geo: Option<GeoConfig>,
    /// Each upstream's region; `None` for none, and for those that are there for emergencies alone.
    labels: Vec<Option<RegionIndex>>,
    /// Those to which this shard has sent something, or of which another one told it how they stand.
    known: UpstreamSet,
}

impl Regions {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let configs = scenario.upstreams.iter().map(|script| &script.config);
        let label =
            |config: &engine::config::UpstreamConfig| config.region.filter(|_| config.weight > 0);
        Self {
            geo: scenario.chain.geo,
            labels: configs.map(label).collect(),
            known: UpstreamSet::EMPTY,
        }
    }

    /// From now on its latency may have been measured.
    pub(super) fn meet(&mut self, upstream: UpstreamIndex) {
        self.known.insert(upstream);
    }

    fn of(&self, region: RegionIndex) -> UpstreamSet {
        let mut set = UpstreamSet::EMPTY;
        for (place, label) in (0_u16..).zip(&self.labels) {
            if *label == Some(region) {
                set.insert(UpstreamIndex(place));
            }
        }
        set
    }

    fn check(
        &self,
        region: Option<RegionIndex>,
        chosen: UpstreamIndex,
        candidates: UpstreamSet,
        far: UpstreamSet,
    ) -> Check {
        let geo = self.geo.ok_or("regions do not matter here")?;
        let region = region
            .or(geo.home)
            .ok_or("nothing says where its client is")?;
        must!(
            candidates.contains(chosen) && candidates.and(far).is_empty(),
            "{chosen:?} is chosen of {candidates:?}, and {far:?} are too far away"
        );
        let own = self.of(region);
        let strange = own.and(far).minus(self.known);
        must!(
            strange.is_empty(),
            "{strange:?} are of its client's region, and nobody has measured how far away they are"
        );
        let strange = candidates.minus(own).minus(self.known);
        must!(
            own.and(candidates).is_empty() || strange.is_empty(),
            "{strange:?} of other regions are as good as its client's own, and nobody has measured them"
        );
        Ok(())
    }
}

impl Auditor {
    /// An upstream was chosen among these. Was anybody left out for being far away who must not be?
    pub(super) fn check_regions(
        &self,
        id: CallId,
        chosen: UpstreamIndex,
        candidates: UpstreamSet,
        left_out: &LeftOut,
    ) -> Check {
        let far = left_out.by(LeftOutBy::Region);
        if far.is_empty() {
            return Ok(());
        }
        let region = self.noted(id)?.and_then(|call| call.request.region);
        let checked = self.regions.check(region, chosen, candidates, far);
        checked
            .map_err(|sentence| format!("{id:?}: {far:?} are left out as too far away: {sentence}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Script;
    use engine::strategy::{REGISTRY, StrategySpec};

    const OWN: RegionIndex = RegionIndex(0);

    /// Two of the client's region and one of another.
    fn regions() -> Regions {
        let script = |number, region| {
            let mut script = Script::new(number, 20);
            script.config.region = Some(RegionIndex(region));
            script
        };
        let scripts = vec![script(0, 0), script(1, 0), script(2, 1)];
        let mut scenario = Scenario::new("regions", 1, StrategySpec::of(REGISTRY[0]), scripts);
        scenario.chain.geo = Some(GeoConfig::default());
        Regions::new(&scenario)
    }

    fn set(upstreams: &[u16]) -> UpstreamSet {
        let mut set = UpstreamSet::EMPTY;
        for upstream in upstreams {
            set.insert(UpstreamIndex(*upstream));
        }
        set
    }

    #[test]
    fn whoever_is_far_must_be_known_to_be() {
        let mut regions = regions();
        let first = UpstreamIndex(0);
        let check = |regions: &Regions, candidates: &[u16], far: &[u16]| {
            regions.check(Some(OWN), first, set(candidates), set(far))
        };
        assert!(check(&regions, &[0, 1], &[2]).is_ok());
        assert!(check(&regions, &[1], &[0]).is_err(), "another was chosen");
        assert!(check(&regions, &[0], &[1, 2]).is_err(), "it may be near");
        assert!(
            check(&regions, &[0, 2], &[1]).is_err(),
            "nobody knows either"
        );
        regions.meet(UpstreamIndex(1));
        assert!(check(&regions, &[0], &[1, 2]).is_ok());
        assert!(check(&regions, &[0, 2], &[1]).is_err(), "it may be far");
        regions.meet(UpstreamIndex(2));
        assert!(check(&regions, &[0, 2], &[1]).is_ok());
    }

    #[test]
    fn where_nothing_says_where_a_client_is_nobody_is_far() {
        let mut regions = regions();
        let check = |regions: &Regions| regions.check(None, UpstreamIndex(0), set(&[0]), set(&[2]));
        assert!(check(&regions).is_err());
        regions.geo = Some(GeoConfig {
            home: Some(OWN),
            ..GeoConfig::default()
        });
        assert!(check(&regions).is_ok());
        regions.geo = None;
        assert!(check(&regions).is_err());
    }
}

//! Scenario files: YAML that anyone can write down an outage in. The manual's page on the simulator is the schema in words; `keys` is the
//! schema itself. It opens no file: what a scenario names (a histogram log) is read by whoever was asked to.

mod ages;
mod band;
mod build;
mod committed;
mod fault;
mod keys;
mod lay;
mod menu;
mod regions;
mod struck;
#[cfg(test)]
mod tests;
mod word;

pub use band::Band;
pub use committed::{COMMITTED, committed};
pub use fault::FileFault;
pub use keys::Half;
pub(crate) use lay::numbered;
pub use lay::{Told, ToldUpstream};
pub(crate) use menu::dish;
pub use regions::Geo;

use crate::scenario::Scenario;

/// The version of the schema that this program reads.
pub const VERSION: u32 = 1;

/// A scenario as a file says it, before it is known what the deciders are told.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its name: the file's, without folder and ending.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// Which half of the suite it belongs to.
    pub half: Half,
    /// At some time nobody is well.
    pub full_outage: bool,
    /// Reads are hedged, unless the deciders are told otherwise.
    pub hedge: bool,
    /// Attempts that a call may make, unless the deciders are told otherwise.
    pub attempts: Option<u8>,
    /// The company behind each upstream.
    pub providers: Vec<String>,
    /// Regions matter so, unless the deciders are told otherwise; `None` where they do not.
    pub geo: Option<Geo>,
    /// What goes wrong when, for pictures.
    pub bands: Vec<Band>,
    /// Everything else. Upstreams are configured by the engine's defaults.
    pub(crate) base: Scenario,
}

/// Reads a scenario file. `read` gives the bytes of a file that the scenario names, relative to itself.
///
/// # Errors
/// What is wrong with it, and where: the first thing where it is no YAML or has an unknown key, else everything.
pub fn parse(
    name: &str,
    text: &str,
    read: &dyn Fn(&str) -> Result<Vec<u8>, String>,
) -> Result<Template, Vec<FileFault>> {
    let file: keys::File =
        serde_saphyr::from_str(text).map_err(|error| vec![FileFault::from(error)])?;
    build::template(name, &file, read)
}

impl Template {
    /// The upstreams' names, in order.
    pub fn upstreams(&self) -> impl Iterator<Item = &str> {
        self.base
            .upstreams
            .iter()
            .map(|script| script.name.as_str())
    }

    /// A template's upstreams as they behave.
    #[must_use]
    pub fn scripts(&self) -> &[crate::provider::Script] {
        &self.base.upstreams
    }

    /// How many shards share the traffic.
    #[must_use]
    pub const fn shards(&self) -> u16 {
        self.base.shards
    }

    /// The methods that are asked for.
    pub fn methods(&self) -> impl Iterator<Item = engine::method::MethodId> {
        self.base.menu.dishes.iter().map(|dish| dish.method)
    }

    /// What calls of each method count as, in compute units.
    pub fn units(&self) -> impl Iterator<Item = (engine::method::MethodId, u32)> {
        let dishes = &self.base.menu.dishes;
        let is_first = |place: usize, method| {
            let before = dishes.iter().take(place);
            before.into_iter().all(|dish| dish.method != method)
        };
        let dishes = dishes.iter().enumerate();
        let first = dishes.filter(move |(place, dish)| is_first(*place, dish.method));
        first.map(|(_, dish)| (dish.method, dish.units))
    }
}

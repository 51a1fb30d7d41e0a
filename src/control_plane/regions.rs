//! Reads the database of addresses that the configuration names, once, at the start. It looks nothing up.

use config::Config;
use maxminddb::Reader;

use crate::control::regions::Regions;

/// The regions of a configuration.
///
/// # Errors
/// One sentence that names the file.
pub fn load(config: &Config) -> Result<Regions, String> {
    let Some(maxmind) = &config.server.client_region.maxmind else {
        return Ok(Regions::new(config, None));
    };
    let database = Reader::open_readfile(&maxmind.file).map_err(|error| {
        format!(
            "{} (server.client_region.maxmind): {error}",
            maxmind.file.display()
        )
    })?;
    Ok(Regions::new(config, Some(database)))
}

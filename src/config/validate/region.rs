//! Regions: each that is named anywhere is one that an upstream is in, networks are networks, and the database of addresses can be read.
//! Looks no address up.

use maxminddb::Reader as Database;

use super::set;
use crate::file;
use crate::kind::Name;
use crate::model::{ClientRegion, Geo, MaxMind, Network};
use crate::problem::{shown, suggestion};
use crate::read::{At, Named, Origin, Reader};

/// Most networks whose region is given: they are looked through for each connection.
const MAX_NETWORKS: usize = 1_024;

/// The continents of MaxMind's databases.
const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];

/// The regions of all upstreams of a file, each once.
pub(crate) fn of_upstreams(file: &file::File) -> Vec<String> {
    let chains = file.chains.iter().flat_map(|at| &at.value.0);
    let upstreams = chains
        .flat_map(|(_, chain)| &chain.value.upstreams)
        .flat_map(|at| &at.value);
    let mut regions = Vec::new();
    for region in upstreams.filter_map(|upstream| upstream.value.region.as_ref()) {
        if !regions.contains(&region.value.0) {
            regions.push(region.value.0.clone());
        }
    }
    regions
}

/// Tells a region that no upstream is in.
fn known(name: &str, origin: &Origin, regions: &[String], reader: &mut Reader<'_>) {
    if regions.iter().any(|region| region == name) {
        return;
    }
    let remedy = match suggestion(name, regions.iter().map(String::as_str)) {
        Some(region) => format!("did you mean `{region}`?"),
        None => format!("give upstreams that are there `region: {name}`"),
    };
    reader.problem_at(origin, format!("no upstream is in region `{name}`"), remedy);
}

pub(crate) fn geo(
    file: Option<At<file::Geo>>,
    regions: &[String],
    reader: &mut Reader<'_>,
) -> Option<Geo> {
    let at = file?;
    let mut geo = Geo::default();
    if let Some(home) = &at.value.home {
        known(&home.value.0, &home.origin, regions, reader);
    } else if regions.is_empty() {
        reader.problem_at(
            &at.origin,
            "`geo` is given, and no upstream has a region",
            "give the upstreams theirs, as in `region: eu`, or remove `geo`",
        );
    }
    set(&mut geo.home, at.value.home, |home| Some(home.0));
    set(&mut geo.bound, at.value.bound, |span| span.0);
    Some(geo)
}

pub(crate) fn client_region(
    file: file::ClientRegion,
    regions: &[String],
    reader: &mut Reader<'_>,
) -> ClientRegion {
    let mut client = ClientRegion::default();
    set(&mut client.header, file.header, |name| Some(name.0));
    if let Some(named) = file.networks {
        client.networks = networks(named, regions, reader);
    }
    client.maxmind = file
        .maxmind
        .and_then(|at| maxmind(at.value, &at.origin, regions, reader));
    client
}

fn networks(
    named: At<Named<Name>>,
    regions: &[String],
    reader: &mut Reader<'_>,
) -> Vec<(Network, String)> {
    if named.value.0.len() > MAX_NETWORKS {
        reader.problem_at(
            &named.origin,
            format!("more than {MAX_NETWORKS} networks"),
            "use wider networks, or a database",
        );
    }
    let mut networks: Vec<(Network, String)> = Vec::new();
    for (key, region) in named.value.0 {
        known(&region.value.0, &region.origin, regions, reader);
        let Some(network) = Network::parse(&key.value) else {
            let message = format!("{} is not a network", shown(&key.value));
            let remedy =
                "write its first address and how many bits its addresses share, as in `10.0.0.0/8`";
            reader.problem_at(&key.origin, message, remedy);
            continue;
        };
        if networks.iter().any(|(other, _)| *other == network) {
            let message = format!("{network} is given twice");
            reader.problem_at(&key.origin, message, "keep one of them");
            continue;
        }
        networks.push((network, region.value.0));
    }
    networks
}

fn maxmind(
    file: file::MaxMind,
    origin: &Origin,
    regions: &[String],
    reader: &mut Reader<'_>,
) -> Option<MaxMind> {
    let countries = places(file.countries, "country", regions, reader, |code| {
        code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
    });
    let continents = places(file.continents, "continent", regions, reader, |code| {
        CONTINENTS.contains(&code)
    });
    if countries.is_empty() && continents.is_empty() && !reader.is_troubled(&origin.path) {
        reader.problem_at(
            origin,
            "no place of the database has a region",
            "add `countries: { DE: … }` or `continents: { EU: … }`",
        );
    }
    let file = file.file?;
    let bytes = reader.large_file(&file.origin, &file.value.0)?;
    if let Err(fault) = Database::from_source(bytes)
        .map_err(|error| error.to_string())
        .and_then(tells_places)
    {
        reader.problem_at(
            &file.origin,
            format!("the file is no database of countries in MaxMind's format: {fault}"),
            "give a GeoLite2 or GeoIP2 Country or City database (`.mmdb`)",
        );
    }
    Some(MaxMind {
        file: file.value.0,
        countries,
        continents,
    })
}

/// Whether a database is about places: others, of ASNs or domains, are in the same format.
fn tells_places(database: Database<Vec<u8>>) -> Result<(), String> {
    let kind = &database.metadata().database_type;
    let places = ["Country", "City", "Enterprise", "Insights"];
    if places.iter().any(|word| kind.contains(word)) {
        return Ok(());
    }
    Err(format!("it is of the type {}", shown(kind)))
}

fn places(
    named: Option<At<Named<Name>>>,
    what: &str,
    regions: &[String],
    reader: &mut Reader<'_>,
    is_code: impl Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let mut places = Vec::new();
    for (key, region) in named.map(|at| at.value.0).unwrap_or_default() {
        known(&region.value.0, &region.origin, regions, reader);
        if is_code(&key.value) {
            places.push((key.value, region.value.0));
            continue;
        }
        let message = format!("{} is no {what}'s code", shown(&key.value));
        let remedy = if what == "country" {
            "write two capital letters, as in `DE` (ISO 3166-1)".to_owned()
        } else {
            format!("write one of {}", CONTINENTS.join(", "))
        };
        reader.problem_at(&key.origin, message, remedy);
    }
    places
}

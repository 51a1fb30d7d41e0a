//! Regions by number, and which one an address or a name means. Built once a configuration, by the control plane; shards look up.

use std::net::IpAddr;

use config::{ClientRegion, Config};
use engine::index::RegionIndex;
use maxminddb::{PathElement, Reader};

/// The regions of a configuration.
#[derive(Default)]
pub struct Regions {
    names: Vec<String>,
    client: ClientRegion,
    database: Option<Reader<Vec<u8>>>,
}

impl Regions {
    /// Of a configuration, with the database that it names.
    pub fn new(config: &Config, database: Option<Reader<Vec<u8>>>) -> Self {
        Self {
            names: config.regions().into_iter().map(str::to_owned).collect(),
            client: config.server.client_region.clone(),
            database,
        }
    }

    /// The region of this name, if an upstream is in it.
    pub fn named(&self, name: &[u8]) -> Option<RegionIndex> {
        let at = self.names.iter().position(|n| n.as_bytes() == name)?;
        u16::try_from(at).ok().map(RegionIndex)
    }

    /// The region of an address, if its network or the database tells one.
    pub fn of_address(&self, address: IpAddr) -> Option<RegionIndex> {
        let address = address.to_canonical();
        let name = self.client.of_network(address).or_else(|| {
            let database = self.database.as_ref()?;
            let found = database.lookup(address).ok()?;
            let code = |path: [PathElement<'_>; 2]| -> Option<&str> {
                found.decode_path(&path).ok().flatten()
            };
            let country = code([PathElement::Key("country"), PathElement::Key("iso_code")]);
            let continent = code([PathElement::Key("continent"), PathElement::Key("code")]);
            self.client.of_place(country, continent)
        })?;
        self.named(name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_the_one_of_the_network_else_of_the_database() {
        let text = "\
version: 1
server: { client_region: { networks: { \"192.0.2.128/25\": us } } }
chains:
  a:
    chain_id: 1
    upstreams:
      - { name: x, http: \"http://x/\", region: us }
      - { name: y, http: \"http://y/\", region: eu }
";
        let environment = config::GivenEnvironment::default();
        let catalog = config::StrategyCatalog::of_names(&["leaderboard"]);
        let mut config = config::parse(
            text,
            "a.yaml",
            std::path::Path::new(""),
            &environment,
            &catalog,
        )
        .unwrap();
        config.server.client_region.maxmind = Some(config::MaxMind {
            file: "country.mmdb".into(),
            countries: vec![("DE".to_owned(), "eu".to_owned())],
            continents: vec![("NA".to_owned(), "us".to_owned())],
        });
        let networks = [
            ([192, 0, 2, 0], 24, "DE", "EU"),
            ([198, 51, 100, 0], 24, "CA", "NA"),
            ([203, 0, 113, 0], 24, "JP", "AS"),
        ];
        let database = crate::mmdb::database("GeoLite2-Country", &networks);
        let regions = Regions::new(&config, Some(Reader::from_source(database).unwrap()));
        let of = |address: &str| regions.of_address(address.parse().unwrap());
        let (us, eu) = (Some(RegionIndex(0)), Some(RegionIndex(1)));
        assert_eq!((of("192.0.2.1"), of("192.0.2.200")), (eu, us));
        assert_eq!(of("::ffff:192.0.2.1"), eu);
        assert_eq!(of("198.51.100.7"), us);
        // A place that has no region here, one that the database does not have, and one of IPv6 where it has none.
        assert_eq!(
            (of("203.0.113.1"), of("8.8.8.8"), of("2001:db8::1")),
            (None, None, None)
        );
        assert_eq!((regions.named(b"eu"), regions.named(b"mars")), (eu, None));
    }
}

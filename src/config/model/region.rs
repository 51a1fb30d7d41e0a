//! Where upstreams and clients are, and which clients belong together. Looks nothing up.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How a client's region matters on a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geo {
    /// The region of clients of which nothing is known: where this process runs.
    pub home: Option<String>,
    /// So much longer than the fastest may an upstream of the client's region take and still be preferred, and one of another
    /// region and still be asked. 1 ms to a minute.
    pub bound: Duration,
}

/// How the region of a client is known. The first that tells it counts, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientRegion {
    /// The request header that names it, in lower case.
    pub header: Option<String>,
    /// The regions of networks; of those that a client's address is in, the narrowest counts.
    pub networks: Vec<(Network, String)>,
    /// A database of addresses.
    pub maxmind: Option<MaxMind>,
}

/// A database of addresses in MaxMind's format, with what its countries and continents are called here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaxMind {
    /// The file.
    pub file: PathBuf,
    /// Regions by country, ISO 3166-1 codes in upper case. A country's counts before its continent's.
    pub countries: Vec<(String, String)>,
    /// Regions by continent, MaxMind's codes (`AF`, `AN`, `AS`, `EU`, `NA`, `OC`, `SA`).
    pub continents: Vec<(String, String)>,
}

/// What tells sessions apart, for strategies that keep them where they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// The request header whose value does, in lower case; a request without it belongs to its client's address.
    pub header: Option<String>,
}

/// A network of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8` or `2001:db8::/32`. `None` for anything else, an address with bits beyond its prefix included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        if prefix.len() > 3 || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let prefix: u8 = prefix.parse().ok()?;
        let network = Self { address, prefix };
        (prefix <= network.width() && network.masked(address) == Some(bits(address)))
            .then_some(network)
    }

    /// Whether an address is in it. An IPv4 address in IPv6's clothes is one of IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && self.masked(address) == Some(bits(self.address))
    }

    /// How many bits its addresses have in common: the more, the narrower.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    const fn width(&self) -> u8 {
        match self.address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }

    /// The bits of an address of the same kind, but for those beyond the prefix.
    fn masked(&self, address: IpAddr) -> Option<u128> {
        let beyond = u32::from(self.width().checked_sub(self.prefix)?);
        let mask = u128::MAX.checked_shl(beyond).unwrap_or(0);
        Some(bits(address) & mask)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl ClientRegion {
    /// The region of the narrowest network that an address is in.
    #[must_use]
    pub fn of_network(&self, address: IpAddr) -> Option<&str> {
        let inside = self.networks.iter().filter(|(n, _)| n.contains(address));
        let narrowest = inside.max_by_key(|(network, _)| network.prefix());
        narrowest.map(|(_, region)| region.as_str())
    }

    /// The region of an address that the database has in this country and continent.
    #[must_use]
    pub fn of_place(&self, country: Option<&str>, continent: Option<&str>) -> Option<&str> {
        let maxmind = self.maxmind.as_ref()?;
        let listed = |list: &'_ [(String, String)], code: Option<&str>| {
            let code = code?;
            list.iter().position(|(known, _)| known == code)
        };
        let (list, at) = match listed(&maxmind.countries, country) {
            Some(at) => (&maxmind.countries, at),
            None => (&maxmind.continents, listed(&maxmind.continents, continent)?),
        };
        list.get(at).map(|(_, region)| region.as_str())
    }
}

impl Default for Geo {
    fn default() -> Self {
        Self {
            home: None,
            bound: Duration::from_millis(80),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_its_prefix_says() {
        for bad in [
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/0008",
            "::/129",
            "2001:db8::1/32",
            "host/8",
            "/8",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.1.2.3", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
        ] {
            let network = Network::parse(text).unwrap();
            assert_eq!(network.to_string(), text);
            assert!(network.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(
                !network.contains(outside.parse().unwrap()),
                "{text} {outside}"
            );
        }
    }

    #[test]
    fn the_narrowest_network_and_the_country_count_first() {
        let network = |text, region: &str| (Network::parse(text).unwrap(), region.to_owned());
        let pair = |code: &str, region: &str| (code.to_owned(), region.to_owned());
        let regions = ClientRegion {
            networks: vec![network("10.0.0.0/8", "eu"), network("10.1.0.0/16", "us")],
            maxmind: Some(MaxMind {
                file: PathBuf::new(),
                countries: vec![pair("GB", "uk")],
                continents: vec![pair("EU", "eu"), pair("AS", "asia")],
            }),
            ..ClientRegion::default()
        };
        let of = |text: &str| regions.of_network(text.parse().unwrap());
        assert_eq!((of("10.1.0.1"), of("10.2.0.1")), (Some("us"), Some("eu")));
        assert_eq!(of("11.0.0.1"), None);
        assert_eq!(regions.of_place(Some("GB"), Some("EU")), Some("uk"));
        assert_eq!(regions.of_place(Some("FR"), Some("EU")), Some("eu"));
        // The country AS (American Samoa) is not the continent AS (Asia).
        assert_eq!(regions.of_place(Some("AS"), Some("OC")), None);
        assert_eq!(regions.of_place(None, None), None);
    }
}

//! What is known of a client besides what it asks: where it is, and to which session a request of its belongs. Found once a connection,
//! looked up in headers only where the configuration names one. It decides nothing.

use std::net::IpAddr;

use engine::call::SessionKey;
use engine::index::RegionIndex;
use wire::http1;

use super::worker::Worker;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its session.
    pub session: SessionKey,
    /// The client's region, if one is known.
    pub region: Option<RegionIndex>,
}

impl Sender {
    /// Of a connection: by its peer's address.
    pub fn of_connection(worker: &Worker, peer: IpAddr) -> Self {
        let peer = peer.to_canonical();
        Self {
            session: match peer {
                IpAddr::V4(address) => session_of(&address.octets()),
                IpAddr::V6(address) => session_of(&address.octets()),
            },
            region: worker.epoch.regions.of_address(peer),
        }
    }

    /// Of one request: as its head says, where the configuration names a header, else as its connection.
    #[inline]
    pub fn of_request(self, worker: &Worker, head: &[u8]) -> Self {
        let server = &worker.epoch.config.server;
        let (session, region) = (&server.session.header, &server.client_region.header);
        if session.is_none() && region.is_none() {
            return self;
        }
        let value = |name: &Option<String>| http1::field_value(head, name.as_ref()?.as_bytes());
        Self {
            session: value(session).map_or(self.session, session_of),
            region: value(region)
                .and_then(|name| worker.epoch.regions.named(name))
                .or(self.region),
        }
    }
}

fn session_of(bytes: &[u8]) -> SessionKey {
    SessionKey::new(hash(bytes))
}

/// FNV-1a of 64 bits: the same on every machine and in every version, which sessions and upstreams are to be. It need not withstand
/// anybody: whoever chooses a session's name chooses where it goes, by trying if not by thinking.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // From the draft that describes it (Fowler, Noll, Vo, Eastlake).
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}

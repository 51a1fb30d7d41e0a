//! Whose upstream it is: known vendors by host or by configured name. It knows no error.

/// Vendors with rules of their own, and the hosts that they serve from.
const HOSTS: [(&str, &[&str]); 30] = [
    ("1rpc", &["1rpc.io"]),
    ("alchemy", &["alchemy.com", "alchemyapi.io"]),
    ("ankr", &["ankr.com"]),
    ("arc", &["arc.network"]),
    ("base", &["base.org"]),
    ("blastapi", &["blastapi.io"]),
    ("blockpi", &["blockpi.network", "blockpi.io"]),
    ("chainstack", &["chainstack.com", "p2pify.com"]),
    ("cloudflare", &["cloudflare-eth.com", "cloudflare.com"]),
    ("coinbase", &["coinbase.com"]),
    ("conduit", &["conduit.xyz"]),
    ("drpc", &["drpc.org", "drpc.live"]),
    ("erpc", &["erpc.cloud"]),
    ("flashbots", &["flashbots.net"]),
    (
        "hyperliquid",
        &["hyperliquid.xyz", "hyperliquid-testnet.xyz"],
    ),
    ("infura", &["infura.io"]),
    ("lava", &["lava.build", "lavanet.xyz"]),
    ("llamarpc", &["llamarpc.com"]),
    ("merkle", &["merkle.io"]),
    ("nodereal", &["nodereal.io"]),
    ("nodies", &["nodies.app"]),
    ("onfinality", &["onfinality.io"]),
    ("optimism", &["optimism.io"]),
    ("pocket", &["pokt.network", "grove.city"]),
    (
        "publicnode",
        &["publicnode.com", "allnodes.com", "allnodes.me"],
    ),
    ("quicknode", &["quiknode.pro", "quicknode.com"]),
    ("satelink", &["satelink.network"]),
    ("simplyvc", &["simply-vc.com.mt"]),
    ("tenderly", &["tenderly.co"]),
    ("thirdweb", &["thirdweb.com"]),
];

/// The vendor of this upstream: by its host, which tells the truth, else by its configured name, alone or
/// with something after a separator (`alchemy`, `Alchemy-eu`, `alchemy_2`).
pub(super) fn recognise(provider: &str, host: &str) -> Option<&'static str> {
    HOSTS
        .iter()
        .find(|(_, hosts)| hosts.iter().any(|own| is_within(host, own)))
        .or_else(|| HOSTS.iter().find(|(name, _)| is_named(provider, name)))
        .map(|(name, _)| *name)
}

/// Is the host this domain or one beneath it?
fn is_within(host: &str, domain: &str) -> bool {
    let Some(start) = host.len().checked_sub(domain.len()) else {
        return false;
    };
    host.get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(domain))
        && host
            .get(..start)
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

fn is_named(provider: &str, vendor: &str) -> bool {
    provider
        .get(..vendor.len())
        .is_some_and(|front| front.eq_ignore_ascii_case(vendor))
        && provider
            .get(vendor.len()..)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::recognise;

    #[test]
    fn hosts_are_matched_by_label_and_names_by_word() {
        assert_eq!(recognise("x", "eth-mainnet.g.alchemy.com"), Some("alchemy"));
        assert_eq!(recognise("x", "notalchemy.com"), None);
        assert_eq!(recognise("x", "alchemy.com.evil.example"), None);
        assert_eq!(recognise("Alchemy-eu", ""), Some("alchemy"));
        assert_eq!(recognise("alchemyst", ""), None);
        assert_eq!(
            recognise("infura", "rpc.ankr.com"),
            Some("ankr"),
            "the host wins"
        );
        assert_eq!(recognise("", ""), None);
    }
}

//! Where an upstream's URL may lead: to a provider, not to a metadata service and not back to us.
//! What a host's name resolves to is not known here; the resolver checks that.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Server, UpstreamUrl};
use crate::url::{UrlFault, is_link_local, is_unusable};

/// What is wrong with the place that `url` leads to, for a process that listens as `server` says.
/// `flagged`: the operator wants a link-local address.
pub(crate) fn fault(url: &UpstreamUrl, flagged: bool, server: &Server) -> Option<UrlFault> {
    let fault = |message: String, remedy: &str| {
        let remedy = remedy.to_owned();
        Some(UrlFault { message, remedy })
    };
    if is_unusable(&url.host) {
        return fault(
            "the URL's address is unspecified, multicast or broadcast".to_owned(),
            "name one host; this machine is `127.0.0.1`",
        );
    }
    if is_link_local(&url.host) && !flagged {
        return fault(
            "the URL leads to a link-local address or a cloud's metadata service".to_owned(),
            "if a node really lives there, give the upstream `allow_link_local: true` in the file",
        );
    }
    let mut own = server.listen.iter().chain(&server.admin);
    let address = own.find(|address| leads_to(url, **address))?;
    let message = format!("the URL leads back to this process, which listens at {address}");
    fault(message, "give the provider's URL")
}

/// Whether a connection to `url` from this machine would arrive at `listener`.
fn leads_to(url: &UpstreamUrl, listener: SocketAddr) -> bool {
    let host = url.host.trim_end_matches('.');
    let ip = listener.ip().to_canonical();
    let reaches = match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) => address == ip || (ip.is_unspecified() && address.is_loopback()),
        Err(_) => {
            let local_name = host == "localhost" || host.ends_with(".localhost");
            local_name && (ip.is_loopback() || ip.is_unspecified())
        }
    };
    reaches && url.port == listener.port()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(url: &str, listener: &str) -> bool {
        leads_to(&UpstreamUrl::parse(url).unwrap(), listener.parse().unwrap())
    }

    #[test]
    fn a_loop_is_seen_in_every_spelling() {
        for (url, listener) in [
            ("http://127.0.0.1:8545", "127.0.0.1:8545"),
            ("http://127.0.0.1:8545", "0.0.0.0:8545"),
            ("http://127.9.9.9:8545", "0.0.0.0:8545"),
            ("http://[::1]:8545", "[::]:8545"),
            ("http://[::ffff:127.0.0.1]:8545", "127.0.0.1:8545"),
            ("http://LOCALHOST.:8545", "127.0.0.1:8545"),
            ("http://rpc.localhost:8545", "[::]:8545"),
            ("https://127.0.0.1", "127.0.0.1:443"),
        ] {
            assert!(leads(url, listener), "{url} {listener}");
        }
        for (url, listener) in [
            ("http://127.0.0.1:8546", "127.0.0.1:8545"),
            ("http://127.0.0.2:8545", "127.0.0.1:8545"),
            ("http://10.0.0.1:8545", "0.0.0.0:8545"),
            ("http://node.example.org:8545", "0.0.0.0:8545"),
            ("http://localhost:8545", "10.0.0.1:8545"),
        ] {
            assert!(!leads(url, listener), "{url} {listener}");
        }
    }
}

//! Which chain a request is for, and what its path overrides: `/rpc/{chain}`, `/{chain}`,
//! `/main/evm/{chain_id}`, `/rpc/{strategy}/{chain}`, `/rpc/provider/{upstream}/{chain}` and, where
//! there is only one chain, `/`. Pure look-ups; the target never decides where bytes are sent other
//! than by naming something that the configuration named first.

use engine::index::{ChainIndex, UpstreamIndex};
use hashbrown::HashMap;

/// What the path asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The chain.
    pub chain: ChainIndex,
    /// A strategy named in the path, by its place in the registry.
    pub strategy: Option<usize>,
    /// An upstream named in the path.
    pub pinned: Option<UpstreamIndex>,
}

/// Why a path leads nowhere; the client is told which of its words is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// `/` with more than one chain configured.
    ChainMissing,
    /// No chain of that name, alias or id.
    UnknownChain,
    /// No strategy of that name.
    UnknownStrategy,
    /// The chain has no upstream of that name.
    UnknownUpstream,
    /// A path of no known shape.
    UnknownPath,
}

impl NoRoute {
    /// One sentence for the client.
    pub const fn sentence(&self) -> &'static str {
        match self {
            Self::ChainMissing => {
                "this endpoint serves several chains: name one in the path, as in /rpc/{chain}"
            }
            Self::UnknownChain => "unknown chain: use a configured name, alias or chain id",
            Self::UnknownStrategy => "unknown strategy",
            Self::UnknownUpstream => "unknown upstream for this chain",
            Self::UnknownPath => "unknown path: use /rpc/{chain}",
        }
    }
}

/// The table behind the paths; built once per configuration.
#[derive(Default)]
pub struct Routes {
    chains: HashMap<Box<[u8]>, ChainIndex>,
    by_id: HashMap<u64, ChainIndex>,
    strategies: HashMap<Box<[u8]>, usize>,
    upstreams: Vec<HashMap<Box<[u8]>, UpstreamIndex>>,
}

impl Routes {
    /// Names a strategy that a path may ask for, by its place in the registry.
    pub fn add_strategy(&mut self, name: &str, at: usize) {
        self.strategies.insert(name.as_bytes().into(), at);
    }

    /// Adds the next chain; its index is the number of chains added before.
    pub fn add_chain<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        id: Option<u64>,
        upstreams: impl IntoIterator<Item = &'a str>,
    ) {
        let index = ChainIndex(u16::try_from(self.upstreams.len()).unwrap_or(u16::MAX));
        for name in names {
            self.chains.insert(name.as_bytes().into(), index);
        }
        if let Some(id) = id {
            self.by_id.insert(id, index);
        }
        self.upstreams.push(
            (0u16..)
                .zip(upstreams)
                .map(|(i, name)| (name.as_bytes().into(), UpstreamIndex(i)))
                .collect(),
        );
    }

    /// Resolves a request target. The query, if there is one, is not looked at.
    ///
    /// # Errors
    /// [`NoRoute`] says which part of the path is unknown.
    pub fn resolve(&self, target: &[u8]) -> Result<Route, NoRoute> {
        let path = target.split(|b| *b == b'?').next().unwrap_or_default();
        let mut parts = [&[][..]; 4];
        let mut count = 0;
        for part in path.split(|b| *b == b'/').filter(|p| !p.is_empty()) {
            *parts.get_mut(count).ok_or(NoRoute::UnknownPath)? = part;
            count += 1;
        }
        let plain = |chain| Route {
            chain,
            strategy: None,
            pinned: None,
        };
        match (count, parts) {
            (0, _) if self.upstreams.len() == 1 => Ok(plain(ChainIndex(0))),
            (0, _) => Err(NoRoute::ChainMissing),
            (1, [chain, ..]) | (2, [b"rpc", chain, ..]) => self.chain(chain).map(plain),
            (3, [b"main", b"evm", chain, ..]) => self.chain(chain).map(plain),
            (3, [b"rpc", strategy, chain, ..]) => {
                let strategy = *self
                    .strategies
                    .get(strategy)
                    .ok_or(NoRoute::UnknownStrategy)?;
                Ok(Route {
                    strategy: Some(strategy),
                    ..plain(self.chain(chain)?)
                })
            }
            (4, [b"rpc", b"provider", upstream, chain]) => {
                let chain = self.chain(chain)?;
                let pinned = self
                    .upstreams
                    .get(usize::from(chain.0))
                    .and_then(|names| names.get(upstream))
                    .ok_or(NoRoute::UnknownUpstream)?;
                Ok(Route {
                    pinned: Some(*pinned),
                    ..plain(chain)
                })
            }
            _ => Err(NoRoute::UnknownPath),
        }
    }

    /// By name or alias, then decimal id, then CAIP-2 `eip155:N`.
    fn chain(&self, name: &[u8]) -> Result<ChainIndex, NoRoute> {
        if let Some(index) = self.chains.get(name) {
            return Ok(*index);
        }
        let digits = name.strip_prefix(b"eip155:").unwrap_or(name);
        let id = (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
            .then(|| std::str::from_utf8(digits).ok()?.parse::<u64>().ok())
            .flatten();
        id.and_then(|id| self.by_id.get(&id).copied())
            .ok_or(NoRoute::UnknownChain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let mut routes = Routes::default();
        routes.add_strategy("leaderboard", 0);
        routes.add_strategy("priority", 1);
        routes.add_chain(["ethereum", "eth"], Some(1), ["alchemy", "infura"]);
        routes.add_chain(["base"], Some(8453), ["alchemy"]);
        routes
    }

    #[test]
    fn every_documented_shape_resolves() {
        let r = routes();
        let (eth, base) = (ChainIndex(0), ChainIndex(1));
        for (path, chain) in [
            ("/rpc/ethereum", eth),
            ("/eth", eth),
            ("/1", eth),
            ("/rpc/eip155:1/", eth),
            ("/main/evm/8453", base),
            ("/rpc/base?key=1", base),
        ] {
            let route = r.resolve(path.as_bytes()).unwrap();
            assert_eq!(
                (route.chain, route.strategy, route.pinned),
                (chain, None, None),
                "{path}"
            );
        }
        let by_strategy = r.resolve(b"/rpc/priority/base").unwrap();
        assert_eq!(by_strategy.strategy, Some(1));
        let pinned = r.resolve(b"/rpc/provider/infura/1").unwrap();
        assert_eq!((pinned.chain, pinned.pinned), (eth, Some(UpstreamIndex(1))));
    }

    #[test]
    fn each_wrong_word_is_named() {
        let r = routes();
        for (path, why) in [
            ("/", NoRoute::ChainMissing),
            ("/solana", NoRoute::UnknownChain),
            ("/rpc/eip155:", NoRoute::UnknownChain),
            ("/rpc/+1", NoRoute::UnknownChain),
            ("/99999999999999999999", NoRoute::UnknownChain),
            ("/rpc/fastest/eth", NoRoute::UnknownStrategy),
            ("/rpc/provider/infura/base", NoRoute::UnknownUpstream),
            ("/main/svm/1", NoRoute::UnknownPath),
            ("/a/b/c/d/e", NoRoute::UnknownPath),
        ] {
            assert_eq!(r.resolve(path.as_bytes()), Err(why), "{path}");
        }
        let mut one = Routes::default();
        one.add_chain(["only"], None, ["a"]);
        assert_eq!(one.resolve(b"/?x").unwrap().chain, ChainIndex(0));
    }
}

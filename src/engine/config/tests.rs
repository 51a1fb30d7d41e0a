//! The limits of a configuration, at their edges.

use super::*;
use crate::method::{MethodId, all, lookup};

fn chain() -> ChainConfig {
    ChainConfig {
        upstreams: alloc::vec![UpstreamConfig::default()],
        strategies: REGISTRY.into_iter().map(StrategySpec::of).collect(),
        ..ChainConfig::default()
    }
}

#[test]
fn a_set_of_methods_holds_each_one_apart_and_never_the_unknown() {
    for (method, name, _) in all() {
        let set = MethodSet::from_iter([method, MethodId::OTHER]);
        for (other, _, _) in all() {
            assert_eq!(set.contains(other), other == method, "{name}");
        }
        assert!(!set.contains(MethodId::OTHER));
    }
    assert!(!MethodSet::EMPTY.contains(lookup(b"eth_call")));
}

#[test]
fn what_is_popped_of_a_set_of_methods_is_all_of_it() {
    let all: Vec<MethodId> = all().map(|(method, ..)| method).collect();
    let mut set = MethodSet::from_iter(all.iter().copied());
    let popped: Vec<MethodId> = core::iter::from_fn(|| set.pop()).collect();
    assert_eq!(popped, all);
    assert!(set.is_empty() && set == MethodSet::EMPTY);
}

#[test]
fn the_limits_are_checked_at_their_edges() {
    assert_eq!(chain().check(), Ok(()));
    let broken = |edit: fn(&mut ChainConfig)| {
        let mut chain = chain();
        edit(&mut chain);
        chain.check()
    };
    let full =
        |chain: &mut ChainConfig| chain.upstreams = alloc::vec![UpstreamConfig::default(); 64];
    assert_eq!(broken(full), Ok(()));
    assert_eq!(
        broken(|chain| chain.upstreams.clear()),
        Err(ConfigError::Upstreams(0))
    );
    assert_eq!(
        broken(|chain| chain.policies.clear()),
        Err(ConfigError::NoPolicy)
    );
    assert_eq!(
        broken(|chain| chain.strategies.clear()),
        Err(ConfigError::NoStrategy)
    );
    assert_eq!(
        broken(|chain| chain.policies[0].attempts = 0),
        Err(ConfigError::Attempts(0))
    );
    assert_eq!(
        broken(|chain| chain.policies[0].attempts = MAX_ATTEMPTS),
        Ok(())
    );
    assert_eq!(
        broken(|chain| chain.policies[0].attempts = MAX_ATTEMPTS + 1),
        Err(ConfigError::Attempts(MAX_ATTEMPTS + 1))
    );
    assert_eq!(
        broken(|chain| chain.policies[0].strategy = Some(StrategyIndex(7))),
        Err(ConfigError::UnknownStrategy(StrategyIndex(7)))
    );
    assert_eq!(
        broken(|chain| chain.policies[0].timeout = Duration::ZERO),
        Err(ConfigError::Timeout)
    );
    assert_eq!(
        broken(|chain| chain.upstreams[0].breaker.probes = 0),
        Err(ConfigError::Breaker(UpstreamIndex(0)))
    );
    let held = |first, longest| {
        let mut chain = chain();
        chain.upstreams[0].hold_off = HoldOffConfig {
            first: Duration::from_millis(first),
            longest: Duration::from_millis(longest),
        };
        chain.check()
    };
    let refused = Err(ConfigError::HoldOff(UpstreamIndex(0)));
    assert_eq!((held(1, 1), held(1, 2)), (Ok(()), Ok(())));
    assert_eq!((held(0, 1), held(2, 1)), (refused, refused));
    assert_eq!(
        broken(|chain| chain.upstreams[0].limiter.max_in_flight = 1),
        Ok(())
    );
    assert_eq!(
        broken(|chain| chain.upstreams[0].limiter.max_in_flight = 0),
        Err(ConfigError::MaxInFlight(UpstreamIndex(0)))
    );
    for (permille, verdict) in [
        (0, Ok(())),
        (1_000, Ok(())),
        (1_001, Err(ConfigError::Panic(1_001))),
    ] {
        let mut chain = chain();
        chain.panic_permille = permille;
        assert_eq!(chain.check(), verdict);
    }
}

#[test]
fn a_hedge_s_limits_are_checked_at_their_edges() {
    let checked = |quantile_permille, max_extra_permille| {
        let mut chain = chain();
        chain.policies[0].hedge = Some(HedgeConfig {
            quantile_permille,
            max_extra_permille,
            ..HedgeConfig::default()
        });
        chain.check()
    };
    for (quantile, extra) in [(500, 1), (999, 1_000), (980, 50)] {
        assert_eq!(checked(quantile, extra), Ok(()));
    }
    let effective = |quantile_permille, max_extra_permille| {
        let hedge = HedgeConfig {
            quantile_permille,
            max_extra_permille,
            ..HedgeConfig::default()
        };
        hedge.effective_quantile()
    };
    assert_eq!(effective(980, 50), 980);
    assert_eq!(
        effective(900, 50),
        950,
        "one in ten would ask, one in twenty may"
    );
    assert_eq!(effective(500, 1), 999);
    assert_eq!(effective(500, 1_000), 500);
    for (quantile, extra) in [(499, 50), (1_000, 50), (980, 0), (980, 1_001)] {
        assert_eq!(checked(quantile, extra), Err(ConfigError::Hedge));
    }
}

//! The share, at its edges, and who is a stranger.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::index::ProviderIndex;
use crate::method::{all, lookup};
use crate::retry::WINDOW_S;

const FIRST: PolicyIndex = PolicyIndex(0);
const SECOND: PolicyIndex = PolicyIndex(1);

fn policy(max_extra_permille: u32) -> MethodPolicy {
    MethodPolicy {
        hedge: Some(HedgeConfig {
            max_extra_permille,
            ..HedgeConfig::default()
        }),
        ..MethodPolicy::default()
    }
}

fn hedges(providers: &[u16], policies: &[MethodPolicy]) -> Hedges {
    let upstreams: Vec<_> = providers
        .iter()
        .map(|&provider| UpstreamConfig {
            provider: ProviderIndex(provider),
            ..UpstreamConfig::default()
        })
        .collect();
    Hedges::new(&upstreams, policies, core::iter::empty())
}

fn millis(millis: u64) -> Instant {
    Instant(millis * 1_000_000)
}

#[test]
fn a_stranger_is_of_another_provider() {
    let hedges = hedges(&[0, 1, 0, 2], &[]);
    assert_eq!(hedges.strangers(UpstreamIndex(0)), UpstreamSet(0b1010));
    assert_eq!(hedges.strangers(UpstreamIndex(1)), UpstreamSet(0b1101));
    assert_eq!(hedges.strangers(UpstreamIndex(4)), UpstreamSet::EMPTY);
}

#[test]
fn one_is_allowed_before_any_call_and_then_a_share() {
    let mut hedges = hedges(&[0, 1], &[policy(50)]);
    assert!(hedges.take(FIRST, 1, millis(0)));
    assert!(!hedges.take(FIRST, 1, millis(0)));
    for _ in 0..19 {
        hedges.count_call(FIRST, 1, millis(0));
    }
    assert!(!hedges.take(FIRST, 1, millis(0)), "19 calls are not 20");
    hedges.count_call(FIRST, 1, millis(0));
    assert_eq!(hedges.left(FIRST, millis(0)), Some(1));
    assert!(hedges.take(FIRST, 1, millis(0)));
    assert!(!hedges.take(FIRST, 1, millis(0)));
}

#[test]
fn at_the_most_every_call_is_hedged_once() {
    let mut hedges = hedges(&[0, 1], &[policy(HedgeConfig::MAX_EXTRA)]);
    for _ in 0..100 {
        hedges.count_call(FIRST, 1, millis(0));
        assert!(hedges.take(FIRST, 1, millis(0)));
    }
    assert_eq!(hedges.left(FIRST, millis(0)), Some(ALLOWANCE));
}

#[test]
fn each_policy_has_its_own_share_and_one_without_has_none() {
    let mut hedges = hedges(&[0, 1], &[policy(50), MethodPolicy::default()]);
    assert_eq!(hedges.left(SECOND, millis(0)), None);
    hedges.count_call(SECOND, 1, millis(0));
    assert!(!hedges.take(SECOND, 1, millis(0)));
    assert_eq!(
        hedges.left(PolicyIndex(7), millis(0)),
        Some(1),
        "one that does not exist is the default"
    );
    let mut none = self::hedges(&[0, 1], &[]);
    none.count_call(FIRST, 1, millis(0));
    assert!(!none.take(FIRST, 1, millis(0)));
}

#[test]
fn the_wait_is_the_quantile_and_never_less_than_configured() {
    let config = HedgeConfig {
        min_delay: Duration::from_millis(5),
        ..HedgeConfig::default()
    };
    let of = |micros| delay(&config, Duration::from_micros(micros));
    assert_eq!(of(4_999), Duration::from_millis(5));
    assert_eq!(of(5_001), Duration::from_micros(5_001));
}

#[test]
fn nothing_with_an_effect_is_harmless_and_nothing_unknown() {
    assert!(is_harmless(lookup(b"eth_call"), Effect::None));
    assert!(!is_harmless(lookup(b"eth_call"), Effect::NodeWrite));
    assert!(!is_harmless(MethodId::OTHER, Effect::None));
    for (id, name, policy) in all() {
        let harmless = is_harmless(id, policy.effect);
        assert!(!harmless || policy.effect == Effect::None, "{name}");
    }
}

proptest! {
    /// In no ten seconds, counted as the window counts them, more than the share and one.
    #[test]
    fn hedges_stay_within_their_share(
        steps in prop::collection::vec((0_u64..400, any::<bool>()), 1..2_000),
        permille in 1_u32..=1_000,
    ) {
        let mut hedges = hedges(&[0, 1], &[policy(permille)]);
        let (mut now, mut calls, mut taken) = (0_u64, Vec::new(), Vec::new());
        for (gap, is_call) in steps {
            now += gap;
            if is_call {
                hedges.count_call(FIRST, 1, millis(now));
                calls.push(now / 1_000);
            } else if hedges.take(FIRST, 1, millis(now)) {
                taken.push(now / 1_000);
                let recent = |seconds: &[u64]| {
                    let of_window = seconds.iter().rev();
                    of_window.take_while(|&&second| second + WINDOW_S > now / 1_000).count() as u64
                };
                let allowed = recent(&calls) * u64::from(permille) / 1_000 + u64::from(ALLOWANCE);
                prop_assert!(recent(&taken) <= allowed, "{} of {allowed}", recent(&taken));
            }
        }
    }
}

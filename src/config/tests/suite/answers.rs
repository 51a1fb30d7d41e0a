//! Which settings of kept, shared and hastened answers hold for a chain and a method, from the text on.

use std::time::Duration;

use config::{CacheTtl, Config, Heads, Hedge};

use crate::world::{catalog, fixtures, read};

fn good(name: &str) -> Config {
    let text = std::fs::read_to_string(fixtures().join("good").join(name)).unwrap();
    read(name, &text).unwrap()
}

#[test]
fn without_a_word_answers_are_kept_and_shared_and_nothing_is_sent_twice() {
    let config = good("minimal.yaml");
    assert!(config.cache.enabled && config.coalesce.enabled && config.keeps_answers());
    assert_eq!(config.cache.max_bytes, 256 * 1024 * 1024);
    assert!(!config.server.busy_poll);
    for chain in &config.chains {
        assert!(chain.cache.enabled && chain.coalesce.enabled);
        assert_eq!(chain.heads, Heads::default());
        let policy = config.method_policy(chain, "eth_call");
        assert_eq!((policy.hedge, policy.cache), (Hedge::default(), None));
    }
    let started =
        Config::from_upstreams(&["https://a.example.org".to_owned()], &catalog()).unwrap();
    assert!(started.keeps_answers() && started.chains[0].coalesce.enabled);
}

#[test]
fn a_chain_follows_the_process_unless_it_has_its_own_word() {
    for (process, own, holds) in [
        ("true", "{}", true),
        ("false", "{}", false),
        ("true", "{ enabled: false }", false),
        ("false", "{ enabled: true }", true),
    ] {
        let text = format!(
            "version: 1\ncache: {{ enabled: {process} }}\ncoalesce: {{ enabled: {process} }}\nchains: {{ a: {{ chain_id: 1, cache: {own}, coalesce: {own}, upstreams: [{{ name: x, http: 'http://x/' }}] }} }}\n"
        );
        let config = read("chain.yaml", &text).unwrap();
        let chain = &config.chains[0];
        assert_eq!(chain.cache.enabled, holds, "{text}");
        assert_eq!(chain.coalesce.enabled, holds, "{text}");
        assert_eq!(config.keeps_answers(), holds, "{text}");
    }
}

#[test]
fn values_at_their_bounds_arrive_as_written() {
    let config = good("answers.yaml");
    assert_eq!(config.cache.max_bytes, 1 << 20);
    let [ethereum, base] = config.chains.as_slice() else {
        panic!("{:?}", config.chains);
    };
    assert!(!ethereum.cache.enabled && base.cache.enabled && config.keeps_answers());
    assert_eq!(ethereum.heads.min_interval, Duration::from_millis(50));
    assert_eq!(base.heads.min_interval, base.heads.max_interval);

    let day = Duration::from_secs(86_400);
    let on = |chain, method| config.method_policy(chain, method);
    let balance = on(ethereum, "eth_getBalance");
    assert_eq!(
        balance.cache,
        Some(CacheTtl::Time(Duration::from_millis(1)))
    );
    let expected = Hedge {
        enabled: true,
        quantile: 0.5,
        max_extra: 0.001,
        ..Hedge::default()
    };
    assert_eq!(balance.hedge, expected);
    let call = on(base, "eth_call");
    assert_eq!(call.cache, Some(CacheTtl::Time(365 * day)));
    let expected = Hedge {
        enabled: false,
        quantile: 0.98,
        min_delay: Duration::ZERO,
        max_extra: 1.0,
    };
    assert_eq!(call.hedge, expected);
    // An exact name beats the chain's own pattern.
    assert_eq!(
        on(ethereum, "eth_getBlockByNumber").cache,
        Some(CacheTtl::Final)
    );
    assert_eq!(on(base, "vendor_getThings").cache, Some(CacheTtl::Head));
    assert_eq!(on(base, "net_version").cache, Some(CacheTtl::Never));

    let send = on(base, "eth_sendRawTransaction");
    assert!(!send.hedge.enabled && send.hedge.quantile == 0.999);
    // Of the patterns nothing reaches a filter.
    let filter = on(ethereum, "eth_getFilterChanges");
    assert_eq!((filter.hedge.enabled, filter.cache), (false, None));
}

#[test]
fn defaults_of_the_schema_are_the_model_s_and_inherited_keys_have_none() {
    let schema = config::schema(&catalog());
    let default = |key: &str| schema.pointer(&format!("/$defs/{key}/default")).cloned();
    for (key, value) in [
        ("Cache/properties/max_bytes", "256MiB"),
        ("HedgeRule/properties/quantile", "97%"),
        ("HedgeRule/properties/min_delay", "2ms"),
        ("HedgeRule/properties/max_extra", "5%"),
        ("Heads/properties/max_interval", "12s"),
    ] {
        assert_eq!(default(key).unwrap(), value, "{key}");
    }
    assert_eq!(default("HedgeRule/properties/enabled").unwrap(), false);
    assert_eq!(default("Coalesce/properties/enabled").unwrap(), true);
    for key in [
        "ChainCache/properties/enabled",
        "ChainCoalesce/properties/enabled",
        "Chain/properties/cache",
        "MethodCache/properties/ttl",
    ] {
        assert_eq!(default(key), None, "{key}");
    }
}

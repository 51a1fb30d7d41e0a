//! What providers charge and allow, where they and clients are, and strategies over strategies: from the text to the model.

use std::time::Duration;

use config::{Config, Included, Measure, Network, Period, Quota, Setting};

use crate::world::{fixtures, read};

fn good(name: &str) -> Config {
    let text = std::fs::read_to_string(fixtures().join("good").join(name)).unwrap();
    match read(name, &text) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn money_and_quotas_arrive_exactly_as_written() {
    let config = good("providers.yaml");
    let [growth, free, shared] = config.accounts.as_slice() else {
        panic!("{:?}", config.accounts);
    };
    let quota = |amount, of| Some(Quota { amount, of });
    assert_eq!(growth.per_second, quota(330, Measure::ComputeUnits));
    assert_eq!(
        growth.per_month,
        quota(1_000_000_000_000_000, Measure::ComputeUnits)
    );
    assert_eq!(
        (free.per_second, free.per_day),
        (quota(1, Measure::Calls), quota(100_000, Measure::Calls))
    );
    let included = |units, per| Some(Included { units, per });
    assert_eq!(growth.included, included(30_000_000, Period::Month));
    assert_eq!(free.included, included(1, Period::Day));
    assert_eq!((shared.per_second, shared.included), (None, None));

    let [alchemy, own] = config.chains[0].upstreams.as_slice() else {
        panic!("{:?}", config.chains[0].upstreams);
    };
    assert_eq!(alchemy.account.as_deref(), Some("growth"));
    // 0.45 for a million units is 450 000 · 10⁻¹² for one.
    assert_eq!(alchemy.price.per_unit_pico, 450_000);
    let units = |method| alchemy.price.units_of(method);
    assert_eq!(
        [
            units("eth_chainId"),
            units("eth_getLogs"),
            units("eth_call")
        ],
        [0, 75, 20]
    );
    assert_eq!(
        [units("debug_traceBlockByHash"), units("debug_traceCall")],
        [300, 309]
    );
    assert_eq!(alchemy.price.units_of_unknown(), 20);
    assert_eq!(
        (own.price.per_unit_pico, own.price.units_of("eth_call")),
        (0, 1)
    );
    assert_eq!(
        config.chains[1].upstreams[0].price.per_unit_pico,
        1_000_000_000_000
    );
}

#[test]
fn regions_are_those_of_upstreams_in_the_file_s_order() {
    let config = good("providers.yaml");
    assert_eq!(config.regions(), ["eu", "us-east"]);
    let client = &config.server.client_region;
    assert_eq!(client.header.as_deref(), Some("x-client-region"));
    assert_eq!(
        client.of_network("10.1.2.3".parse().unwrap()),
        Some("us-east")
    );
    assert_eq!(client.of_network("10.2.2.3".parse().unwrap()), Some("eu"));
    assert_eq!(client.networks[0].0, Network::parse("10.0.0.0/8").unwrap());
    assert_eq!(client.of_place(Some("DE"), Some("EU")), Some("eu"));
    assert_eq!(client.of_place(Some("CA"), Some("NA")), Some("us-east"));
    let [ethereum, base] = config.chains.as_slice() else {
        panic!("{:?}", config.chains);
    };
    let geo = ethereum.geo.as_ref().unwrap();
    assert_eq!(
        (geo.home.as_deref(), geo.bound),
        (Some("eu"), Duration::from_millis(1))
    );
    assert_eq!((ethereum.panic, base.panic), (0.333, 0.0));
    assert_eq!(base.geo.as_ref().unwrap().bound, Duration::from_secs(60));
    let files = config.files();
    assert!(
        files.iter().any(|file| file.ends_with("country.mmdb")),
        "{files:?}"
    );
}

#[test]
fn hold_offs_arrive_at_their_bounds_and_what_is_not_given_is_the_default() {
    let spans = |hold_off: config::HoldOff| (hold_off.first, hold_off.longest);
    let config = good("providers.yaml");
    let of = |number: usize| spans(config.chains[0].upstreams[number].hold_off);
    let (millis, secs) = (Duration::from_millis, Duration::from_secs);
    assert_eq!(of(0), (secs(3_600), secs(86_400)));
    assert_eq!(of(1), (millis(100), secs(1)));
    let read = |given: &str| {
        let text = format!(
            "version: 1\nchains: {{ a: {{ chain_id: 1, upstreams: [{{ name: x, http: 'http://x/', hold_off: {given} }}] }} }}\n"
        );
        read("hold-off.yaml", &text).map(|config| spans(config.chains[0].upstreams[0].hold_off))
    };
    assert_eq!(read("{}").unwrap(), (millis(250), secs(1_800)));
    assert_eq!(read("{ longest: 1s }").unwrap(), (millis(250), secs(1)));
    assert_eq!(read("{ first: 30m }").unwrap(), (secs(1_800), secs(1_800)));
    assert!(read("{ first: 1801s }").is_err());
}

#[test]
fn without_a_word_nothing_is_charged_limited_or_far() {
    let config = good("minimal.yaml");
    let chain = &config.chains[0];
    let upstream = &chain.upstreams[0];
    assert_eq!((config.accounts.len(), config.regions().len()), (0, 0));
    assert_eq!((&chain.geo, chain.panic), (&None, 0.5));
    assert_eq!(
        (&upstream.account, &upstream.region, upstream.max_in_flight),
        (&None, &None, None)
    );
    assert!(upstream.breaker.brownout && upstream.breaker.by_group && !upstream.slow_start);
    assert!(upstream.limiter.in_flight && upstream.limiter.rate);
    let hold_off = upstream.hold_off;
    assert_eq!(
        [hold_off.first, hold_off.longest].map(|span| span.as_millis()),
        [250, 1_800_000]
    );
    assert_eq!(config.server.session.header, None);
}

#[test]
fn a_strategy_over_another_takes_that_one_s_options_and_its_own_first() {
    let options = |strategy: &str| {
        let text = format!(
            "version: 1\nchains: {{ a: {{ chain_id: 1, strategy: {strategy}, upstreams: [{{ name: x, http: 'http://x/' }}] }} }}\n"
        );
        read("over.yaml", &text).map(|config| config.chains[0].strategy.options.clone())
    };
    // What it is over may stand behind that one's options.
    let given =
        options("{ name: sticky, explore: 5%, window: 25, over: leaderboard, max_extra: 200% }");
    let expected = [
        ("over", Setting::Word("leaderboard".to_owned())),
        ("explore", Setting::Share(500)),
        ("window", Setting::Integer(25)),
        ("max_extra", Setting::Share(20_000)),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    assert_eq!(given.unwrap(), expected);
    // Over `priority`, its default, there is no `explore`; and of two options of one name its own is meant.
    for (bad, why) in [
        (
            "{ name: sticky, explore: 5% }",
            "strategy `sticky` over `priority` has no option `explore`",
        ),
        (
            "{ name: sticky, over: leaderboard, window: 5 }",
            "`5` is not a whole number from 20 to 30",
        ),
        (
            "{ name: sticky, over: sticky }",
            "`sticky` is not one of `priority`, `leaderboard`",
        ),
        (
            "{ name: sticky, max_extra: 201% }",
            "`201%` is not a share from 0% to 200%",
        ),
        (
            "{ name: leaderboard, over: priority }",
            "strategy `leaderboard` has no option `over`",
        ),
    ] {
        let told = options(bad).unwrap_err().to_text();
        assert!(told.contains(why), "{bad}: {told}");
    }
}

#[test]
fn the_schema_knows_what_a_strategy_over_another_takes() {
    let schema = config::schema(&crate::world::catalog());
    let forms = schema
        .pointer("/$defs/Strategy/anyOf")
        .unwrap()
        .as_array()
        .unwrap();
    let sticky = forms.iter().find(|form| {
        form.pointer("/properties/name/const")
            .is_some_and(|name| name == "sticky")
    });
    let keys = sticky.unwrap().get("properties").unwrap();
    assert!(keys.get("explore").is_some() && keys.get("over").is_some());
    // Its own of two.
    assert_eq!(keys.pointer("/window/minimum").unwrap(), 20);
    let default = |key: &str| schema.pointer(&format!("/$defs/{key}/default")).cloned();
    for (key, value) in [
        ("Geo/properties/bound", "80ms"),
        ("Included/properties/per", "month"),
        ("Price/properties/per_million", "0"),
        ("Overload/properties/max_wait", "100ms"),
        ("Retry/properties/max_wait", "1s500ms"),
        ("Chain/properties/panic", "50%"),
    ] {
        assert_eq!(default(key).unwrap(), value, "{key}");
    }
    assert_eq!(default("Chain/properties/geo"), None);
}

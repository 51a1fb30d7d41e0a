//! The validated model as a configuration again: defaults filled in, secrets replaced. Loading a dump
//! gives the same configuration but for the secrets. Never exposes a secret.

use serde_json::{Map, Value, json};

use crate::environment::escape;
use crate::model::{
    AccessLog, Account, CacheTtl, Chain, ClientRegion, Config, Cores, Geo, Header, HedgeRule,
    Limits, LogPath, MethodFilter, MethodPattern, MethodRule, Price, Quota, REDACTED, Server,
    Setting, Strategy, Upstream, UpstreamTls, UpstreamUrl,
};
use crate::scalar::{format_duration, format_money, format_share, format_size};
use crate::strategy::show;

impl Config {
    /// The effective configuration as YAML, secrets replaced by `REDACTED`.
    ///
    /// # Errors
    /// What the YAML writer says; there is no known input for which it says anything.
    pub fn to_yaml(&self) -> Result<String, String> {
        serde_saphyr::to_string(&self.to_json()).map_err(|error| error.to_string())
    }

    /// The effective configuration as JSON, which is YAML too, secrets replaced by `REDACTED`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "version": 1,
            "server": server(&self.server),
            "resolver": { "refresh": format_duration(self.resolver.refresh) },
            "retry": {
                "budget": format_share(self.retry.budget),
                "min_per_second": self.retry.min_per_second,
                "attempts": self.retry.attempts,
                "max_wait": format_duration(self.retry.max_wait),
            },
            "cache": {
                "enabled": self.cache.enabled,
                "max_bytes": format_size(self.cache.max_bytes as u64),
            },
            "coalesce": { "enabled": self.coalesce.enabled },
            "accounts": self.accounts.iter().map(account).collect::<Map<_, _>>(),
            "methods": rules(&self.methods),
            "chains": self.chains.iter().map(|each| (each.name.clone(), chain(each))).collect::<Map<_, _>>(),
        });
        settle(&mut value);
        value
    }
}

/// Leaves out what is null, and escapes what would be taken for a reference.
fn settle(value: &mut Value) {
    match value {
        Value::String(text) => *text = escape(text),
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(settle);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn server(server: &Server) -> Value {
    json!({
        "listen": server.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "admin": server.admin.map_or_else(|| "off".to_owned(), |address| address.to_string()),
        "cores": cores(&server.cores),
        "busy_poll": server.busy_poll,
        "drain_timeout": format_duration(server.drain_timeout),
        "tls": server.tls.as_ref().map(|tls| json!({ "cert": tls.cert, "key": tls.key })),
        "limits": limits(&server.limits),
        "overload": {
            "max_live_calls": server.overload.max_live_calls,
            "max_wait": format_duration(server.overload.max_wait),
        },
        "client_region": client_region(&server.client_region),
        "session": { "header": server.session.header },
        "explain": server.explain,
        "cors": { "origins": server.cors.origins },
        "access_log": access_log(&server.access_log),
        "log": { "level": server.log.level.word(), "format": server.log.format.word() },
    })
}

fn pairs<'a, K: ToString + 'a>(pairs: impl IntoIterator<Item = &'a (K, String)>) -> Value {
    let pair = |(key, region): &'a (K, String)| (key.to_string(), json!(region));
    Value::Object(pairs.into_iter().map(pair).collect())
}

fn client_region(client: &ClientRegion) -> Value {
    let maxmind = client.maxmind.as_ref().map(|maxmind| {
        json!({
            "file": maxmind.file,
            "countries": pairs(&maxmind.countries),
            "continents": pairs(&maxmind.continents),
        })
    });
    json!({ "header": client.header, "networks": pairs(&client.networks), "maxmind": maxmind })
}

fn account(account: &Account) -> (String, Value) {
    let quota =
        |quota: Option<Quota>| quota.map(|quota| format!("{} {}", quota.amount, quota.of.word()));
    let included = account
        .included
        .map(|included| json!({ "compute_units": included.units, "per": included.per.word() }));
    let settings = json!({
        "limits": {
            "per_second": quota(account.per_second),
            "per_day": quota(account.per_day),
            "per_month": quota(account.per_month),
        },
        "included": included,
    });
    (account.name.clone(), settings)
}

fn price(price: &Price) -> Value {
    let units = price.compute_units.iter();
    let units = units.map(|(pattern, units)| (pattern.to_string(), json!(units)));
    json!({
        "per_million": format_money(price.per_unit_pico),
        "compute_units": units.collect::<Map<_, _>>(),
    })
}

pub(crate) fn geo(geo: &Geo) -> Value {
    json!({ "home": geo.home, "bound": format_duration(geo.bound) })
}

fn cores(cores: &Cores) -> Value {
    match cores {
        Cores::Auto => json!("auto"),
        Cores::Count(count) => json!(count),
        Cores::Ids(ids) => json!(ids),
    }
}

fn limits(limits: &Limits) -> Value {
    let size = |bytes: usize| format_size(bytes as u64);
    json!({
        "max_body_bytes": size(limits.max_body_bytes),
        "max_response_bytes": size(limits.max_response_bytes),
        "hold_bytes": size(limits.hold_bytes),
        "max_header_bytes": size(limits.max_header_bytes),
        "max_batch_calls": limits.max_batch_calls,
        "max_connections": limits.max_connections,
        "header_timeout": format_duration(limits.header_timeout),
        "body_timeout": format_duration(limits.body_timeout),
        "idle_timeout": format_duration(limits.idle_timeout),
        "request_timeout": format_duration(limits.request_timeout),
    })
}

fn access_log(log: &AccessLog) -> Value {
    let path = match &log.path {
        LogPath::Off => json!("off"),
        LogPath::Stdout => json!("stdout"),
        LogPath::File(path) => json!(path),
    };
    json!({ "path": path, "sample": format_share(log.sample) })
}

fn rules(rules: &[MethodRule]) -> Value {
    let rule = |rule: &MethodRule| {
        let settings = json!({
            "allow": rule.allow,
            "timeout": rule.timeout.map(format_duration),
            "attempts": rule.attempts,
            "strategy": rule.strategy.as_ref().map(strategy),
            "hedge": (!rule.hedge.is_silent()).then(|| hedge(&rule.hedge)),
            "cache": rule.cache.map(|ttl| json!({ "ttl": self::ttl(ttl) })),
        });
        (rule.pattern.to_string(), settings)
    };
    Value::Object(rules.iter().map(rule).collect())
}

pub(crate) fn hedge(rule: &HedgeRule) -> Value {
    json!({
        "enabled": rule.enabled,
        "quantile": rule.quantile.map(format_share),
        "min_delay": rule.min_delay.map(format_duration),
        "max_extra": rule.max_extra.map(format_share),
    })
}

fn ttl(ttl: CacheTtl) -> String {
    match ttl {
        CacheTtl::Never => "never".to_owned(),
        CacheTtl::Head => "head".to_owned(),
        CacheTtl::Final => "final".to_owned(),
        CacheTtl::Time(span) => format_duration(span),
    }
}

fn strategy(strategy: &Strategy) -> Value {
    if strategy.options.is_empty() {
        return json!(strategy.name);
    }
    let mut map = Map::from_iter([("name".to_owned(), json!(strategy.name))]);
    for (name, setting) in &strategy.options {
        let value = match setting {
            Setting::Flag(flag) => json!(flag),
            Setting::Integer(number) => json!(number),
            Setting::Share(_) | Setting::Duration(_) | Setting::Word(_) => json!(show(setting)),
        };
        map.insert(name.clone(), value);
    }
    Value::Object(map)
}

fn chain(chain: &Chain) -> Value {
    json!({
        "chain_id": chain.chain_id,
        "aliases": chain.aliases,
        "strategy": strategy(&chain.strategy),
        "probe": {
            "enabled": chain.probe.enabled,
            "interval": format_duration(chain.probe.interval),
            "max_lag_blocks": chain.probe.max_lag_blocks,
        },
        "heads": {
            "enabled": chain.heads.enabled,
            "min_interval": format_duration(chain.heads.min_interval),
            "max_interval": format_duration(chain.heads.max_interval),
            "finality_interval": format_duration(chain.heads.finality_interval),
        },
        "cache": { "enabled": chain.cache.enabled },
        "coalesce": { "enabled": chain.coalesce.enabled },
        "geo": chain.geo.as_ref().map(geo),
        "panic": format_share(chain.panic),
        "methods": rules(&chain.methods),
        "upstreams": chain.upstreams.iter().map(upstream).collect::<Vec<_>>(),
    })
}

fn upstream(upstream: &Upstream) -> Value {
    let url = upstream.url_file.is_none().then(|| redacted(&upstream.url));
    json!({
        "name": upstream.name,
        "provider": upstream.provider,
        "http": url,
        "http_file": upstream.url_file,
        "allow_link_local": upstream.allow_link_local,
        "priority": upstream.priority,
        "weight": upstream.weight,
        "region": upstream.region,
        "account": upstream.account,
        "price": price(&upstream.price),
        "headers": upstream.headers.iter().map(header).collect::<Map<_, _>>(),
        "methods": filter(&upstream.methods),
        "breaker": {
            "failures": upstream.breaker.failures,
            "window": format_duration(upstream.breaker.window),
            "open_for": format_duration(upstream.breaker.open_for),
            "probes": upstream.breaker.probes,
            "brownout": upstream.breaker.brownout,
            "by_group": upstream.breaker.by_group,
        },
        "hold_off": {
            "first": format_duration(upstream.hold_off.first),
            "longest": format_duration(upstream.hold_off.longest),
        },
        "max_in_flight": upstream.max_in_flight,
        "limiter": {
            "in_flight": upstream.limiter.in_flight,
            "rate": upstream.limiter.rate,
        },
        "slow_start": upstream.slow_start,
        "pool": {
            "max_connections": upstream.pool.max_connections,
            "max_waiting": upstream.pool.max_waiting,
            "idle_timeout": format_duration(upstream.pool.idle_timeout),
        },
        "batch": { "max_calls": upstream.batch.max_calls },
        "timeout": format_duration(upstream.timeout),
        "connect_timeout": format_duration(upstream.connect_timeout),
        "compression": upstream.compression.word(),
        "tls": upstream.url.tls.then(|| tls(&upstream.tls)),
    })
}

/// A URL with path, query, user and password replaced; still a URL.
pub(crate) fn redacted(url: &UpstreamUrl) -> String {
    let user = if url.authorization.is_some() {
        format!("{REDACTED}:{REDACTED}@")
    } else {
        String::new()
    };
    let path = if url.target.expose() == "/" {
        ""
    } else {
        REDACTED
    };
    format!("{}://{user}{}/{path}", url.scheme(), url.authority())
}

fn header(header: &Header) -> (String, Value) {
    let value = match &header.file {
        Some(path) => json!({ "value_file": path }),
        None => json!(REDACTED),
    };
    (header.name.clone(), value)
}

fn filter(filter: &MethodFilter) -> Value {
    let texts =
        |patterns: &[MethodPattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({ "allow": texts(&filter.allow), "deny": texts(&filter.deny) })
}

fn tls(tls: &UpstreamTls) -> Value {
    // `roots` beside `ca` says nothing, and the reader refuses the two together.
    let roots = tls.ca.is_none().then(|| tls.roots.word());
    json!({ "ca": tls.ca, "roots": roots, "server_name": tls.server_name })
}

//! The file model: what a configuration file, version 1, may say. One declaration for each section
//! gives the type, the reader, the JSON Schema and the reference page. No defaults: they are the
//! validated model's. A key's first sentence is what an editor shows.

mod answers;
mod providers;

use schemars::json_schema;

use crate::kind::{
    Address, AdminAddress, FilePath, Fraction, LogTarget, Name, Pattern, SecretText, ServerName,
    Share, Size, Span, WebOrigin, Whole, section,
};
use crate::model::{Compression, Cores, LogFormat, LogLevel, TrustRoots};
use crate::read::{At, Named, Read, Reader};
use crate::tree::{Node, Value};

pub(crate) use answers::{
    Cache, ChainCache, ChainCoalesce, Coalesce, Heads, HedgeRule, MethodCache,
};
pub(crate) use providers::{
    Account, ClientRegion, Geo, HoldOff, Limiter, MaxMind, Overload, Price, Session,
};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Most attempts of one call: what the engine keeps room for.
pub const MAX_ATTEMPTS: u64 = 6;

/// EIP-2294: ids up to ⌊2⁶⁴ / 2⌋ − 36 keep a signature's `v` within 64 bits.
const MAX_CHAIN_ID: u64 = 9_223_372_036_854_775_771;

section! {
    /// A Livechain configuration, version 1.
    File {
        /// The version of this format: 1.
        required version: Whole<1, 1>,
        /// The process: listeners, limits, logs.
        optional server: Server,
        /// How upstream host names are resolved.
        optional resolver: Resolver,
        /// How often a call may be tried again.
        optional retry: Retry,
        /// Answers that are kept.
        optional cache: Cache,
        /// Identical calls in flight as one call to an upstream.
        optional coalesce: Coalesce,
        /// What was agreed with providers, by a name of your choice.
        optional accounts: Named<Account>,
        /// Rules for methods on every chain, by name or pattern. Of the rules that match, the most specific one wins, setting by setting; a chain's own wins between equals.
        optional methods: Named<MethodRule>,
        /// The chains that are served, by name.
        required chains: Named<Chain>,
    }
}

section! {
    /// The process: listeners, limits, logs.
    Server {
        /// Addresses of the data plane.
        optional listen: Vec<At<Address>>,
        /// Address of the control plane (`/metrics`, `/livez`, `/readyz`).
        optional admin: AdminAddress,
        /// Which processors serve: `auto`, how many, or a list of processor numbers.
        optional cores: Cores,
        /// Whether the cores spin instead of sleeping when there is nothing to do: a processor each, for latency.
        optional busy_poll: bool,
        /// How long calls in flight may take to end after SIGTERM.
        optional drain_timeout: Span<0, HOUR>,
        /// TLS of the data plane; it serves in clear without.
        optional tls: ServerTls,
        /// What a client may cost.
        optional limits: Limits,
        /// When calls are refused so that the others are served.
        optional overload: Overload,
        /// How the region of a client is known, for chains with `geo`.
        optional client_region: ClientRegion,
        /// What tells sessions apart, for the strategy `sticky_session`.
        optional session: Session,
        /// Whether answers carry `x-livechain-*` headers: who answered, how it was chosen and why the others were left out.
        optional explain: bool,
        /// Which web pages may read answers.
        optional cors: Cors,
        /// The record of calls, one JSON line each.
        optional access_log: AccessLog,
        /// The program's own log, on standard error.
        optional log: Log,
    }
}

section! {
    /// TLS of the data plane.
    ServerTls {
        /// PEM file of the certificate chain, the server's own first.
        required cert: FilePath,
        /// PEM file of the private key.
        required key: FilePath,
    }
}

section! {
    /// What a client may cost.
    Limits {
        /// Longest request body.
        optional max_body_bytes: Size<KIB, GIB>,
        /// Longest answer of an upstream.
        optional max_response_bytes: Size<{ 64 * KIB }, { 4 * GIB }>,
        /// Answers up to this length are checked whole before a byte reaches the client; longer ones are streamed.
        optional hold_bytes: Size<{ 4 * KIB }, { 64 * MIB }>,
        /// Longest request head.
        optional max_header_bytes: Size<KIB, MIB>,
        /// Most calls in one batch.
        optional max_batch_calls: Whole<1, 100_000>,
        /// Most client connections of the process.
        optional max_connections: Whole<1, 10_000_000>,
        /// Longest time from the first byte of a request's head to its end.
        optional header_timeout: Span<{ SECOND / 10 }, { 10 * MINUTE }>,
        /// Longest time from the end of a request's head to the end of its body.
        optional body_timeout: Span<{ SECOND / 10 }, HOUR>,
        /// How long a connection may be idle between requests.
        optional idle_timeout: Span<{ SECOND / 10 }, DAY>,
        /// Longest time of one call, all its attempts included, unless its method says otherwise.
        optional request_timeout: Span<{ SECOND / 100 }, HOUR>,
    }
}

section! {
    /// Which web pages may read answers. Credentials are never allowed.
    Cors {
        /// Origins as browsers send them; `["*"]` is every one, `[]` none.
        optional origins: Vec<At<WebOrigin>>,
    }
}

section! {
    /// The record of calls, one JSON line each. Never a body, a parameter or a key.
    AccessLog {
        /// Where the lines go.
        optional path: LogTarget,
        /// The share of calls that is written.
        optional sample: Fraction,
    }
}

section! {
    /// The program's own log, on standard error.
    Log {
        /// The least grave level that is written.
        optional level: LogLevel,
        /// How a line looks.
        optional format: LogFormat,
    }
}

section! {
    /// How upstream host names are resolved.
    Resolver {
        /// How often the addresses of an upstream are looked up again.
        optional refresh: Span<SECOND, DAY>,
    }
}

section! {
    /// How often a call may be tried again. The budget is the process's.
    Retry {
        /// Retries as a share of calls.
        optional budget: Fraction,
        /// Retries a second that are allowed whatever the share is.
        optional min_per_second: Whole<0, 1_000_000>,
        /// Attempts that one call may make, the first included, unless its method says otherwise.
        optional attempts: Whole<1, MAX_ATTEMPTS>,
        /// When every upstream that could take a call throttles it: how long it waits for the first to come back before its client is told so. 0s for not at all.
        optional max_wait: Span<0, { 10 * SECOND }>,
    }
}

section! {
    /// Rules for the methods that a name or pattern means.
    MethodRule {
        /// Whether clients may call them. Unless said otherwise, `admin_*`, `personal_*`, `miner_*` and `engine_*` are refused and all else is allowed.
        optional allow: bool,
        /// Longest time of one call, all its attempts included.
        optional timeout: Span<{ SECOND / 100 }, HOUR>,
        /// Attempts that one call may make, the first included.
        optional attempts: Whole<1, MAX_ATTEMPTS>,
        /// How eligible upstreams are ordered.
        optional strategy: Strategy,
        /// When a second attempt is made beside a slow first one.
        optional hedge: HedgeRule,
        /// How long answers are kept.
        optional cache: MethodCache,
    }
}

section! {
    /// One chain and its upstreams.
    Chain {
        /// The EIP-155 chain id. An upstream that says another one gets no traffic.
        required chain_id: Whole<1, MAX_CHAIN_ID>,
        /// Other names of the chain in URLs.
        optional aliases: Vec<At<Name>>,
        /// How eligible upstreams are ordered.
        optional strategy: Strategy,
        /// Checks of the upstreams beside their traffic.
        optional probe: Probe,
        /// How the newest, safe and finalized blocks are watched.
        optional heads: Heads,
        /// Whether the chain's answers are kept.
        optional cache: ChainCache,
        /// Whether the chain's identical calls in flight join.
        optional coalesce: ChainCoalesce,
        /// How a client's region matters; it does not without.
        optional geo: Geo,
        /// Where no more than this share of the upstreams is well, those that are out are used as well; 0 is never.
        optional panic: Share<0, 1_000>,
        /// Rules for methods on this chain.
        optional methods: Named<MethodRule>,
        /// The upstreams, 1 to 64.
        required upstreams: Vec<At<Upstream>>,
    }
}

section! {
    /// Checks of the upstreams beside their traffic.
    Probe {
        /// Whether upstreams are probed at all.
        optional enabled: bool,
        /// Time between two probes of one upstream. Each is a call that the provider counts.
        optional interval: Span<SECOND, HOUR>,
        /// An upstream so many blocks behind the best is left out; none is left out without.
        optional max_lag_blocks: Whole<1, 1_000_000>,
    }
}

section! {
    /// One endpoint of a provider for one chain. Exactly one of `http` and `http_file` is needed.
    Upstream {
        /// The name, unique in the chain, for metrics, logs and `/rpc/provider/{name}/…`.
        required name: Name,
        /// The company behind it, which chooses the dialect its errors are read in; the upstream's own name unless given.
        optional provider: Name,
        /// The URL, `https://` or `http://`. User and password in it become Basic authentication.
        optional http: SecretText,
        /// A file that holds the URL.
        optional http_file: FilePath,
        /// Whether the URL may be a link-local address or a cloud's metadata service.
        optional allow_link_local: bool,
        /// Rank for strategies that go by it: 1 is the first choice.
        optional priority: Whole<1, 1_000_000>,
        /// Share for strategies that go by it, beside the other upstreams' weights; 0 is none.
        optional weight: Whole<0, 1_000_000>,
        /// The region that it is in, by a name of your choice.
        optional region: Name,
        /// The account that pays for it, one of `accounts`; one of its own, without limits, unless given.
        optional account: Name,
        /// What its calls cost.
        optional price: Price,
        /// Headers added to each request, by name: a value, or `{ value_file: … }` with the file that holds it.
        optional headers: Named<HeaderValue>,
        /// Which methods it is asked.
        optional methods: MethodFilter,
        /// When it is no longer trusted, and for how long.
        optional breaker: Breaker,
        /// How long it is left alone after it throttled us.
        optional hold_off: HoldOff,
        /// Most attempts at once, of the process, split over the cores, while other upstreams have room.
        optional max_in_flight: Whole<1, 1_000_000>,
        /// Which of its limits are found by trying, to stay below them.
        optional limiter: Limiter,
        /// Whether its share grows with its answers from the start on, as after an outage: for one that is new beside others that are known.
        optional slow_start: bool,
        /// Connections to it.
        optional pool: Pool,
        /// Calls of a client's batch that travel together.
        optional batch: Batch,
        /// Longest time of one attempt, its body included; the method's own time counts too.
        optional timeout: Span<{ SECOND / 100 }, HOUR>,
        /// Longest time until a connection stands, TLS included.
        optional connect_timeout: Span<{ SECOND / 100 }, MINUTE>,
        /// Whether compressed answers are asked for; `auto` asks over TLS only.
        optional compression: Compression,
        /// Whom it must prove to be.
        optional tls: UpstreamTls,
    }
}

section! {
    /// Which methods an upstream is asked.
    MethodFilter {
        /// Only these, unless empty.
        optional allow: Vec<At<Pattern>>,
        /// Never these, even where `allow` has them.
        optional deny: Vec<At<Pattern>>,
    }
}

section! {
    /// When an upstream is no longer trusted, and for how long.
    Breaker {
        /// Failures within `window` that open it.
        optional failures: Whole<1, 1_000_000>,
        /// The time over which failures count.
        optional window: Span<{ SECOND / 10 }, HOUR>,
        /// How long it stays open before it admits probes.
        optional open_for: Span<{ SECOND / 10 }, HOUR>,
        /// Probes in a row that must succeed before it closes.
        optional probes: Whole<1, 1_000>,
        /// Whether it keeps a share of its calls while some of them fail, in proportion to what it still does. Without, it is in or out.
        optional brownout: bool,
        /// Whether reads, logs, traces and writes are trusted each for itself. Without, all count together.
        optional by_group: bool,
    }
}

section! {
    /// Connections to an upstream.
    Pool {
        /// Most connections of the process, split over the cores; each core may have at least one.
        optional max_connections: Whole<1, 65_535>,
        /// Most attempts of the process that wait for a connection, split over the cores.
        optional max_waiting: Whole<0, 1_000_000>,
        /// How long an unused connection is kept.
        optional idle_timeout: Span<{ SECOND / 10 }, HOUR>,
    }
}

section! {
    /// Calls of a client's batch that travel together.
    Batch {
        /// Most calls in one upstream request; 1 sends each on its own.
        optional max_calls: Whole<1, 1_000>,
    }
}

section! {
    /// Whom an upstream must prove to be.
    UpstreamTls {
        /// PEM file of the only authorities that are trusted for it.
        optional ca: FilePath,
        /// The authorities that are trusted without `ca`: `webpki` is Mozilla's list, built in; `system` the machine's.
        optional roots: TrustRoots,
        /// The name that its certificate must bear, and SNI; the URL's host unless given.
        optional server_name: ServerName,
    }
}

section! {
    /// A header's value in a file of its own.
    HeaderFile {
        /// A file that holds the value.
        required value_file: FilePath,
    }
}

/// A header's value: a text, or a file that holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum HeaderValue {
    Text(SecretText),
    File(HeaderFile),
}

impl Read for HeaderValue {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => HeaderFile::read(node, reader).map(Self::File),
            _ => SecretText::read(node, reader).map(Self::Text),
        }
    }
}

impl schemars::JsonSchema for HeaderValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HeaderValue".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let file = generator.subschema_for::<HeaderFile>();
        json_schema!({
            "description": "A header's value, or `{ value_file: … }`.",
            "anyOf": [{ "type": "string", "minLength": 1 }, file],
        })
    }
}

/// A strategy's name and options, the options not yet read as their kinds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strategy(pub(crate) crate::model::Strategy);

crate::kind::inline_schema!(
    Strategy,
    json_schema!({ "title": "strategy", "$ref": "#/$defs/Strategy" })
);

impl Read for Cores {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(node.value, Value::List(_)) {
            let expected = "`auto`, a number from 1 to 1024, or a list of processor numbers";
            return reader.public(node, "a choice of processors", expected, |text| {
                if text == "auto" {
                    return Some(Self::Auto);
                }
                let count = u16::try_from(crate::scalar::parse_whole(text)?).ok()?;
                (1..=1024).contains(&count).then_some(Self::Count(count))
            });
        }
        let ids = Vec::<At<Whole<0, 1023>>>::read(node, reader)?;
        if ids.is_empty() {
            reader.problem(
                node.place,
                "the list of processors is empty",
                "name at least one, or write `auto`",
            );
            return None;
        }
        let mut distinct: Vec<u16> = Vec::new();
        for id in ids {
            let number = u16::try_from(id.value.0).ok()?;
            if distinct.contains(&number) {
                let message = format!("processor {number} is named twice");
                reader.problem_at(
                    &id.origin,
                    message,
                    "name each once: a processor serves one shard",
                );
            } else {
                distinct.push(number);
            }
        }
        Some(Self::Ids(distinct))
    }
}

crate::kind::inline_schema!(
    Cores,
    json_schema!({
        "title": "`auto`, number or list",
        "anyOf": [
            { "const": "auto" },
            { "type": "integer", "minimum": 1, "maximum": 1024 },
            { "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": "integer", "minimum": 0, "maximum": 1023 } },
        ],
    })
);

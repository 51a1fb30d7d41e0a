//! Codes and texts that have their meaning with one vendor only. Texts that several vendors share stand in the later
//! sections, since gateways pass each other's errors on.

use super::super::hint::LimitUnit;
use super::super::rule::{Rule, rule};
use crate::fault::FaultClass as C;

#[rustfmt::skip]
pub(super) static VENDORS: &[Rule] = &[
    // Alchemy
    rule("alchemy_auth", C::Auth).of(&["alchemy"]).codes(&[-32600])
        .any(&["be authenticated", "access key"])
        .like("Must be authenticated!"),
    rule("alchemy_capacity_403", C::QuotaBilling).of(&["alchemy"]).statuses(&[403]).lasts_minutes(60)
        .any(&["capacity"])
        .like("Monthly capacity exhausted for this app"),

    // Infura
    rule("infura_rate", C::RateLimited).of(&["infura"])
        .data(&["\"backoff_seconds\""])
        .like("project ID request rate exceeded")
        .like_data("{\"rate\":{\"allowed_rps\":1,\"backoff_seconds\":30,\"current_rps\":1.43}}"),
    rule("infura_method", C::UnsupportedMethod).of(&["infura"]).codes(&[-32001])
        .any(&["method", "not supported", "unsupported"])
        .like("The method debug_traceCall is not supported"),
    rule("infura_ws_throughput", C::RateLimited).codes(&[-33300])
        .like("user-defined key throughput exceeded"),

    // QuickNode
    rule("quicknode_rate", C::RateLimited).of(&["quicknode"]).codes(&[-32007])
        .like("15/second request limit reached - reduce calls per second or upgrade your account at quicknode.com"),
    rule("quicknode_trace_rate", C::RateLimited).of(&["quicknode"]).codes(&[-32009])
        .like("trace and debug requests are throttled"),
    rule("quicknode_method", C::UnsupportedMethod).codes(&[-32612, -32613])
        .like("custom trace is not available on this endpoint"),
    rule("quicknode_range", C::CapabilityRange).codes(&[-32614]).counts(LimitUnit::Blocks)
        .like("eth_getLogs is limited to a 5 range"),
    rule("quicknode_endpoint_disabled", C::Auth).of(&["quicknode"])
        .any(&["endpoint disabled", "endpoint has been disabled", "endpoint is disabled"])
        .like("endpoint disabled"),
    rule("quicknode_params", C::Client).of(&["quicknode"])
        .any(&["failed to parse"])
        .like("failed to parse request"),

    // dRPC: small codes of its own.
    rule("drpc_free_timeout", C::RateLimited).of(&["drpc"]).codes(&[30])
        .like("Request timeout on the free tier, please upgrade your tier to the paid one"),
    rule("drpc_free_range", C::CapabilityRange).of(&["drpc"]).codes(&[35]).counts(LimitUnit::Blocks)
        .any(&["range", "blocks"])
        .like("ranges over 10000 blocks are not supported on free tier"),
    rule("drpc_plan", C::QuotaBilling).of(&["drpc"]).codes(&[35]).lasts_minutes(60)
        .like("chain is not available on free plan"),
    rule("drpc_timeout", C::Timeout).of(&["drpc"]).codes(&[10])
        .like("Timeout exceeded"),
    rule("drpc_cancelled", C::Server).of(&["drpc"]).codes(&[14])
        .like("gRPC call was cancelled"),
    rule("drpc_internal", C::Server).of(&["drpc"]).codes(&[19])
        .like("Temporary internal error. Please retry, trace-id: 0"),
    rule("drpc_subscription", C::UnsupportedMethod).of(&["drpc"]).codes(&[23])
        .like("Unsupported subscription"),
    rule("drpc_unknown_block", C::MissingData).of(&["drpc"]).codes(&[26])
        .like("Unknown block"),
    rule("drpc_no_route_method", C::UnsupportedMethod).of(&["drpc"]).codes(&[27])
        .any(&["method"])
        .like("method is not supported by any provider of this chain"),
    rule("drpc_no_route", C::Server).of(&["drpc"]).codes(&[27])
        .like("Can't route your request to suitable provider"),
    rule("drpc_token", C::Auth).of(&["drpc"])
        .any(&["token is invalid"])
        .like("token is invalid"),
    rule("drpc_chain_exception", C::MissingData)
        .any(&["chainexception: unexpected error (code=40000)"])
        .like("ChainException: Unexpected error (code=40000)"),
    // Elsewhere this is the caller's mistake; these two say it of blocks that they do not have.
    rule("invalid_range_is_missing", C::MissingData).of(&["drpc", "hyperliquid"])
        .any(&["invalid block range"]).none(&["invalid block range params"])
        .like("invalid block range"),

    // 1RPC, Conduit, Cloudflare, Ankr, OnFinality and the gateways
    rule("onerpc_usage", C::RateLimited).of(&["1rpc"]).codes(&[-32001])
        .any(&["usage limit", "limited to", "limit reached", "exceeded"])
        .like("You've reached the usage limit for your current plan"),
    rule("conduit_method", C::UnsupportedMethod).of(&["conduit"]).codes(&[-32001])
        .like("rpc method is not allowed"),
    rule("conduit_key", C::Auth).codes(&[-32403])
        .like("invalid API key"),
    rule("conduit_capacity", C::RateLimited).of(&["conduit"])
        .any(&["limit exceeded", "capacity limit"])
        .like("capacity limit"),
    rule("cloudflare_cannot_fulfill", C::RateLimited).codes(&[-32046])
        .like("Cannot fulfill request"),
    rule("ankr_rate", C::RateLimited).codes(&[-32090])
        .like("Too many requests, please apply an OAuth key in order to continue"),
    rule("lava_failed", C::Server)
        .any(&["failed processing responses from providers"])
        .like("failed relay, insufficient results: failed processing responses from providers"),
    rule("pocket_gateway", C::Server).codes(&[-31001, -31002])
        .like("protocol error: no endpoint responded"),
    rule("thirdweb_range", C::CapabilityRange).counts(LimitUnit::Blocks)
        .any(&["maximum allowed number of requested blocks is %n"])
        .like("Maximum allowed number of requested blocks is 1000"),
    rule("erpc_unauthorized", C::Auth).codes(&[-32016])
        .any(&["unauthorized", "invalid token"])
        .like("unauthorized: invalid token"),

    // proxyd, which Base, Optimism and their kin stand behind. Its codes mean other things elsewhere; with these statuses, or its
    // own words, they are proxyd's.
    rule("proxyd_gateway_timeout", C::Timeout).codes(&[-32015]).statuses(&[504])
        .like("gateway timeout"),
    rule("proxyd_no_backend", C::Server).codes(&[-32010, -32011, -32018]).statuses(&[500, 502, 503])
        .like("backend offline"),
    rule("proxyd_over_capacity", C::RateLimited).codes(&[-32012]).statuses(&[429])
        .like("backend over capacity"),
    rule("proxyd_method", C::UnsupportedMethod)
        .any(&["method is not whitelisted", "method not whitelisted"])
        .like("rpc method is not whitelisted"),

    // Public archives that sell the archive apart: the data is missing here, the account is in order.
    rule("archive_needs_token", C::MissingData)
        .any(&["archive requests require", "archive request require", "archive %* require a personal token"])
        .like("Archive requests require a personal token. Get one at https://www.allnodes.com/publicnode"),
    rule("archive_not_in_plan_method", C::UnsupportedMethod).methods(&["debug_*", "trace_*"])
        .any(&["access to archival, debug, or trace data is not included"])
        .like("Access to archival, debug, or trace data is not included in your current plan"),
    rule("archive_not_in_plan", C::MissingData)
        .any(&["access to archival, debug, or trace data is not included"])
        .like("Access to archival, debug, or trace data is not included in your current plan"),
];

//! What upstreams will not do all at once, or not now: ranges and sizes, the sender's throttle, plans and billing, throttles.
//! Ranges come first, since their texts speak of limits, plans and upgrades too. Nothing here ever trips a breaker.

use super::super::hint::LimitUnit;
use super::super::rule::{Rule, rule};
use crate::fault::FaultClass as C;

#[rustfmt::skip]
pub(super) static RANGE: &[Rule] = &[
    rule("range_suggested", C::CapabilityRange).counts(LimitUnit::Blocks)
        .any(&[
            "this block range should work", "requests with up to a %n block range",
            "requests with up to a %nk block range",
        ])
        .like("You can make eth_getLogs requests with up to a 500 block range. Based on your parameters, this block range should work: [0x10, 0x203]"),
    rule("results_too_many", C::CapabilityRange).counts(LimitUnit::Results)
        .any(&[
            "returned more than", "query exceeds max results", "exceeds max results", "too many results",
            "too many logs", "logs matched by query exceeds limit of", "log response size exceeded",
            "try with this block range",
        ])
        .like("query returned more than 10000 results. Try with this block range [0x1, 0x2]."),
    rule("addresses_too_many", C::CapabilityRange).counts(LimitUnit::Addresses)
        .any(&[
            "exceed max addresses or topics per search position", "this query contains %n filters",
            "specify less number of addresses", "too many addresses", "exceed max topics",
            "exceed maximum number of addresses", "too many topics",
        ])
        .like("exceed max addresses or topics per search position"),
    rule("address_required", C::CapabilityRange).counts(LimitUnit::Blocks)
        .any(&["please specify an address in your request"])
        .like("Please specify an address in your request or, to remove restrictions, order a dedicated full node here: https://www.allnodes.com/eth/host"),
    rule("response_too_large", C::CapabilityRange).counts(LimitUnit::Bytes)
        .any(&[
            "response size should not", "response too large", "response size exceeded", "response is too big",
            "response is too large", "response body too large", "request entity too large", "payload too large",
            "too large, max is", "content length too large", "body too large", "try paginating",
        ])
        .like("response size should not greater than 2097152 bytes"),
    rule("batch_too_large", C::CapabilityRange).counts(LimitUnit::Calls)
        .any(&[
            "batch limit exceeded", "batch too large", "batch size too large", "batch size limit",
            "maximum batch size", "too many requests in batch", "batch size exceed", "batch size is too large", "too many requests in the batch",
        ])
        .like("batch limit exceeded"),
    rule("range_too_wide", C::CapabilityRange).counts(LimitUnit::Blocks)
        .any(&[
            "block range is too wide", "block range too wide", "range too large", "range is too large",
            "range is too wide", "block range too high", "range too high", "exceeds the range", "max block range",
            "max range", "maximum block range", "maximum range", "range limit exceeded", "block range exceeded",
            "exceeds max block range", "block range exceeds", "range %n exceeds limit of %n",
            "exceeds limit of %n blocks", "too wide blocks range", "query must be smaller than size",
            "up to a %n block", "ranges over %n blocks", "blocks range is limited", "block range limit",
            "maximum %* blocks distance", "limit the query to", "block range greater than",
            "exceeds maximum rpc range", "range over limit", "reducing your block range",
        ])
        .like("range 1000000 exceeds limit of 10000"),
    rule("range_limited_to", C::CapabilityRange).counts(LimitUnit::Blocks)
        .any(&[
            "limited to a %n", "limited to %n block", "limited to 0 - %n block", "eth_getlogs is limited",
            "eth_getlogs and eth_newfilter are limited", "requested too many blocks from", "max is %nk block",
            "max is %n block", "blocks is limited", "limited to %n-block",
        ])
        .like("eth_getLogs and eth_newFilter are limited to a 10,000 blocks range"),
    rule("query_too_heavy", C::CapabilityRange)
        .any(&[
            "query exceeds limit", "query set is too large", "logs over more", "query is too large", "query too large",
            "exceeds the limit of %n logs", "please narrow",
        ])
        .like("query exceeds limit"),
    rule("range_by_code", C::CapabilityRange).codes(&[-32062, -32701]).counts(LimitUnit::Blocks)
        .like("Please, use a smaller query"),
    rule("size_by_code", C::CapabilityRange).codes(&[-32020, -32021]).counts(LimitUnit::Bytes)
        .like("backend answered with more than it may"),
    rule("erpc_large_range", C::CapabilityRange).of(&["erpc"]).codes(&[-32012]).counts(LimitUnit::Blocks)
        .like("evm getLogs range is over the threshold"),
    rule("size_by_status", C::CapabilityRange).statuses(&[413]).counts(LimitUnit::Bytes)
        .like("Payload refused"),
];

/// All upstreams of an OP chain forward to one sequencer, which throttles the sender: another upstream is the same
/// sequencer, so this ends the call instead of wandering through the pool.
#[rustfmt::skip]
pub(super) static SENDER: &[Rule] = &[
    rule("sender_over_rate_limit", C::TxTerminal)
        .any(&["sender is over rate limit"])
        .like("sender is over rate limit"),
];

#[rustfmt::skip]
pub(super) static BILLING: &[Rule] = &[
    // Never seen to heal by itself: half a hundred thousand identical answers in a day, for those who kept asking.
    rule("account_inactive", C::QuotaBilling).lasts_minutes(60)
        .any(&[
            "app is inactive", "team owning this app is inactive", "project is inactive", "account is suspended",
            "account is disabled", "subscription has expired",
        ])
        .like("App is inactive. Please contact support"),
    rule("monthly_quota", C::QuotaBilling).lasts_minutes(60)
        .any(&[
            "monthly capacity limit", "limit for your current plan", "compute units for this month", "monthly quota",
            "monthly limit", "monthly request limit",
        ])
        .like("Monthly capacity limit exceeded. Visit https://dashboard.alchemy.com/settings/billing to upgrade"),
    rule("daily_quota", C::QuotaBilling).lasts_minutes(15)
        .any(&["daily request count exceeded", "daily quota", "daily limit", "daily request limit", "requests per day"])
        .like("daily request count exceeded, request rate limited"),
    rule("quota_used_up", C::QuotaBilling)
        .any(&[
            "exceeded the quota", "reached the quota", "credits quota", "quota exceeded", "out of credits",
            "insufficient credits", "not enough credits", "payment required", "no active subscription",
        ])
        .like("Exceeded the quota usage"),
    rule("billing_by_status", C::QuotaBilling).statuses(&[402])
        .like("balance is empty"),
    rule("billing_by_code", C::QuotaBilling).codes(&[402])
        .like("balance is empty"),
];

#[rustfmt::skip]
pub(super) static THROTTLE: &[Rule] = &[
    rule("compute_units_per_second", C::RateLimited)
        .any(&[
            "compute units per second", "concurrent requests capacity", "exceeded its throughput",
            "maximum cups limit", "not enough cups", "credits limited to %n", "requests limited to %n",
            "upgrade from discover plan",
        ])
        .like("Your app has exceeded its compute units per second capacity. If you have retries enabled, you can safely ignore this message."),
    rule("requests_per_second", C::RateLimited)
        .any(&[
            "%n/second request limit reached", "request limit reached", "request rate exceeded", "maximum qps limit",
            "project rate limit", "requests per second", "request rate limited",
        ])
        .like("50/second request limit reached - reduce calls per second or upgrade your account at quicknode.com"),
    rule("rate_limit_text", C::RateLimited)
        .any(&[
            "rate limit", "rate-limit", "ratelimit", "too many requests", "connection rate limits exceeded",
            "session relay limit reached", "claimable portion fully consumed", "enhance_your_calm",
            "error code: 1015", "throttled",
        ])
        .like("over rate limit"),
    rule("free_tier_used", C::RateLimited)
        .any(&[
            "timeout on the free tier", "reached the free tier", "upgrade your tier", "upgrade your plan",
            "you reached the", "you have reached the", "you've reached the",
        ])
        .none(&["method", "archive"])
        .like("You've reached the free tier limit"),
    rule("account_over_limit", C::RateLimited)
        .any(&[
            "app has exceeded", "project has exceeded", "account has exceeded", "key has exceeded",
            "user has exceeded", "plan has exceeded", "usage limit has been exceeded",
            "compute units exceeded", "exceeded your plan",
        ])
        .like("Your app has exceeded its concurrent request allowance"),
    rule("limit_exceeded_whole", C::RateLimited)
        .any(&["^limit exceeded$", "^limit exceeded.$", "^request limit exceeded"])
        .like("limit exceeded"),
    rule("overwhelmed", C::RateLimited)
        .any(&[
            "under too much load", "no server available", "no matched providers found", "server is overloaded",
            "server is busy", "server busy",
        ])
        .like("No server available"),
    rule("throttle_by_status", C::RateLimited).statuses(&[429, 529])
        .like("slow down"),
    rule("throttle_by_code", C::RateLimited).codes(&[-32005, 429, -32016, -32017, -32024])
        .like("slow down"),
];

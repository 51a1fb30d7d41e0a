//! The sections about what providers charge, allow and carry, and about regions and overload. Like [`super`]: no defaults here, and a
//! key's first sentence is what an editor shows.

use super::{HOUR, MINUTE, SECOND};
use crate::kind::{Amount, FilePath, HeaderName, Money, Name, Span, Whole, section};
use crate::model::Period;
use crate::read::Named;

section! {
    /// What was agreed with a provider. The upstreams that name it, of whatever chain, share its limits, what it includes, and its hold-offs.
    Account {
        /// The most that may be sent to it. An upstream whose account has reached a limit is left out until there is room.
        optional limits: AccountLimits,
        /// What costs nothing: a free tier, or what a plan's fixed price pays for.
        optional included: Included,
    }
}

section! {
    /// The most that may be sent to an account, by all cores together. Each is a number and what the provider counts: `50 calls`, `330 compute_units`.
    AccountLimits {
        /// In a second. Each core has an equal part and what the others left in the second before, so where load moves between cores a second may have more.
        optional per_second: Amount,
        /// In a day, from midnight to midnight UTC.
        optional per_day: Amount,
        /// In a calendar month, UTC.
        optional per_month: Amount,
    }
}

section! {
    /// What costs nothing: a free tier, or what a plan's fixed price pays for.
    Included {
        /// So many compute units; so many calls where an upstream's `price` counts none.
        required compute_units: Whole<1, 1_000_000_000_000_000>,
        /// In each such period, in UTC.
        optional per: Period,
    }
}

section! {
    /// What the upstream's calls cost, in whatever currency all prices of the file are in.
    Price {
        /// The price of a million compute units beyond what the account includes.
        optional per_million: Money,
        /// What calls count as, by method or pattern; the most specific one wins, and what none matches counts as 1. Methods that are in no table count as `*` says.
        optional compute_units: Named<Whole<0, 1_000_000>>,
    }
}

section! {
    /// Which limits of the upstream are found by trying, to stay below them.
    Limiter {
        /// Whether the number of attempts at once is found that it serves without a queue, by their latency.
        optional in_flight: bool,
        /// Whether the number of attempts a second is found that it serves, by its throttles.
        optional rate: bool,
    }
}

section! {
    /// How long it is left alone after it throttled us where it names no time, or a shorter one. Clients' calls are meant: checks (`probe`) and questions for the head (`heads`) wait for the provider's own time only.
    HoldOff {
        /// The first time. Each throttle in a row doubles it, and a fifth at most is added at random. Where no other upstream can be asked, one attempt at a time is made sooner; never before the time that the upstream named.
        optional first: Span<{ SECOND / 10 }, HOUR>,
        /// The doubling ends here. Not below `first`.
        optional longest: Span<SECOND, { 24 * HOUR }>,
    }
}

section! {
    /// How a client's region matters. Upstreams that are in it are preferred, and with them whoever is measured to be as fast as the fastest of them.
    Geo {
        /// The region of clients of which nothing is known: where this process runs.
        optional home: Name,
        /// So much longer than the fastest upstream of all may one of the client's region take and still be preferred; and where none of its region can be had, so much longer may one of another take and still be asked.
        optional bound: Span<1, MINUTE>,
    }
}

section! {
    /// How the region of a client is known, for chains with `geo`. The first that tells one counts, in this order.
    ClientRegion {
        /// The request header that names the region. Only for clients, or a balancer, that may say so.
        optional header: HeaderName,
        /// Regions by network, as in `{ "10.0.0.0/8": eu }`; of those that a client's address is in, the narrowest counts.
        optional networks: Named<Name>,
        /// A database of addresses in MaxMind's format, read at the start.
        optional maxmind: MaxMind,
    }
}

section! {
    /// A database of addresses in MaxMind's format (`.mmdb`), and what its places are called here.
    MaxMind {
        /// The file. It must tell countries or continents.
        required file: FilePath,
        /// Regions by country, ISO 3166-1: `{ DE: eu }`. A country's counts before its continent's.
        optional countries: Named<Name>,
        /// Regions by continent: `AF`, `AN`, `AS`, `EU`, `NA`, `OC`, `SA`.
        optional continents: Named<Name>,
    }
}

section! {
    /// What tells sessions apart, for the strategy `sticky_session`.
    Session {
        /// The request header whose value does. Requests without it belong to their client's address, as all do without this key.
        optional header: HeaderName,
    }
}

section! {
    /// When calls are refused so that the others are served: scans and traces first, what has an effect last.
    Overload {
        /// Most calls in progress at once, of the process, split over the cores. From 70 % of it on scans and traces are refused, from 85 % other reads.
        optional max_live_calls: Whole<1, 100_000_000>,
        /// Work on a core that always waits for longer than this is a queue that does not drain, and calls are refused until it does; 0 is for never.
        optional max_wait: Span<0, { 10 * SECOND }>,
    }
}

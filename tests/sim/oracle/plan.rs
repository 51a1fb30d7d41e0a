//! The best plan for a goal, and the goal that can be reached: see the module's own page for the rules.

use core::time::Duration;

use engine::hedge::is_harmless;
use engine::method;
use engine::time::nanos;

use super::chance::{Chances, Hedge};
use super::service::{Service, Stretch};
use super::stretches::{Span, stretches};
use crate::distribution::WHOLE;
use crate::provider::Outlook;
use crate::scenario::Scenario;

/// An upstream that answers so many millionths, and rightly, is well.
const WELL: u64 = 990_000;
/// Where no order of attempts answers this share of the calls, nobody can serve them.
const SERVED: f64 = 0.5;
/// The longest time that is considered.
const LONGEST_NS: u64 = 60_000_000_000;
/// Hedges are counted over so long.
const WINDOW_NS: u64 = 10_000_000_000;
/// How often the goal is halved: to a thousandth and below.
const HALVINGS: usize = 40;
/// A limit can be used up to this part: arrivals are not even.
const USABLE: f64 = 0.95;

/// What was possible.
#[derive(Clone, Debug, Default)]
pub struct Possible {
    /// The best median, in nanoseconds.
    pub p50_ns: u64,
    /// The best 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// The best share of calls that end well.
    pub success: f64,
    /// The least that it had to cost, in millionths of a unit of money.
    pub spend_micros: f64,
    /// When somebody could serve what.
    pub service: Service,
}

/// One method in one stretch.
struct Part {
    /// Which ten seconds.
    window: usize,
    calls: f64,
    chances: usize,
    /// Where the calls may go first: each a share of them and the upstreams to choose from.
    routes: Vec<(f64, Vec<usize>)>,
    /// Hedges allowed in a thousand calls, and not before.
    hedge: Option<(u32, Duration)>,
}

/// The question, prepared.
struct Question {
    parts: Vec<Part>,
    chances: Vec<Chances>,
    windows: usize,
    shards: f64,
}

/// What was possible in a scenario.
#[must_use]
pub fn possible(scenario: &Scenario) -> Possible {
    let spans = stretches(scenario);
    let mut question = Question {
        parts: Vec::new(),
        chances: Vec::new(),
        windows: (scenario.until.0 / WINDOW_NS) as usize + 1,
        shards: f64::from(scenario.shards.max(1)),
    };
    let mut known: Vec<(usize, Vec<Outlook>)> = Vec::new();
    let (mut service, mut all, mut answered) = (Vec::new(), 0.0, 0.0);
    for span in &spans {
        let (mut served, mut well) = (0_u64, 0_u64);
        let room = room(scenario, span);
        for (dish, outlooks) in span.outlooks.iter().enumerate() {
            let calls = span.calls.get(dish).copied().unwrap_or(0.0);
            all += calls;
            let chances = prepare(scenario, dish, outlooks, &mut known, &mut question);
            let most = question.chances[chances].best(LONGEST_NS);
            if room < 1.0 {
                // Somebody is refused, and nobody in particular; the others are answered.
                answered += calls * most * room;
                continue;
            }
            if most < SERVED {
                continue;
            }
            answered += calls * most;
            served |= 1 << dish;
            if outlooks.iter().any(is_well) {
                well |= 1 << dish;
            }
            add_part(scenario, span, dish, calls, chances, &mut question);
        }
        service.push(Stretch {
            from: span.from,
            served,
            well,
        });
    }
    Possible {
        p50_ns: question.reach(0.50),
        p99_ns: question.reach(0.99),
        success: if all > 0.0 { answered / all } else { 1.0 },
        spend_micros: cheapest(scenario, &spans),
        service: Service::new(service),
    }
}

/// The position of these chances; those of a stretch before are used again where nothing has changed.
fn prepare(
    scenario: &Scenario,
    dish: usize,
    outlooks: &[Outlook],
    known: &mut Vec<(usize, Vec<Outlook>)>,
    question: &mut Question,
) -> usize {
    let before = known
        .iter()
        .position(|(of, same)| *of == dish && same == outlooks);
    before.unwrap_or_else(|| {
        let providers = scenario.upstreams.iter();
        let providers = providers.map(|script| script.config.provider.0).collect();
        let method = scenario.menu.dishes.get(dish).map(|dish| dish.method);
        let attempts = method.map_or(1, |method| scenario.policy_of(method).attempts);
        question
            .chances
            .push(Chances::new(outlooks.to_vec(), providers, attempts));
        known.push((dish, outlooks.to_vec()));
        known.len() - 1
    })
}

fn is_well(outlook: &Outlook) -> bool {
    outlook.answered() >= WELL && outlook.wrong == 0
}

fn add_part(
    scenario: &Scenario,
    span: &Span,
    dish: usize,
    calls: f64,
    chances: usize,
    question: &mut Question,
) {
    let Some(asked) = scenario.menu.dishes.get(dish) else {
        return;
    };
    let effect = method::policy(asked.method).effect;
    let hedge = scenario.policy_of(asked.method).hedge;
    let hedge = hedge.filter(|_| is_harmless(asked.method, effect));
    let hedge = hedge.map(|hedge| (hedge.max_extra_permille, hedge.min_delay));
    let routes = routes(scenario, span, dish);
    // Its calls are spread over the tens of seconds that it touches.
    let (from, until) = (span.from.0, span.until.0.max(span.from.0 + 1));
    let (first, last) = (from / WINDOW_NS, (until - 1) / WINDOW_NS);
    for window in first..=last {
        let begins = from.max(window * WINDOW_NS);
        let ends = until.min((window + 1) * WINDOW_NS);
        question.parts.push(Part {
            window: window as usize,
            calls: calls * (ends - begins) as f64 / (until - from) as f64,
            chances,
            routes: routes.clone(),
            hedge,
        });
    }
}

/// How many calls of this stretch an upstream can serve in a second, if that is limited.
fn capacity(scenario: &Scenario, span: &Span, upstream: usize) -> Option<f64> {
    let outlooks = span.outlooks.iter().filter_map(|each| each.get(upstream));
    let limit = outlooks.clone().filter_map(|one| one.per_second).min();
    let limit = limit.map(|limit| limit as f64 * USABLE);
    let script = scenario.upstreams.get(upstream)?;
    let servers = script.capacity.map(|capacity| {
        let all: f64 = span.calls.iter().sum();
        let work = outlooks
            .zip(&span.calls)
            .map(|(one, calls)| mean_s(one) * calls);
        let mean = work.sum::<f64>() / all.max(f64::MIN_POSITIVE);
        f64::from(capacity.at_once) / mean.max(1e-9) * USABLE
    });
    match (limit, servers) {
        (Some(limit), Some(servers)) => Some(limit.min(servers)),
        (limit, servers) => limit.or(servers),
    }
}

/// The mean time of an answer, in seconds.
fn mean_s(outlook: &Outlook) -> f64 {
    let percent = outlook
        .answers
        .first()
        .map_or(100, |answers| answers.percent);
    let points = (0..50).map(|step| outlook.latency.at(step * WHOLE / 50 + WHOLE / 100));
    points.sum::<u64>() as f64 / 50.0 * percent as f64 / 100.0 / 1e9
}

fn per_second(span: &Span) -> f64 {
    let seconds = nanos(span.until.saturating_duration_since(span.from)) as f64 / 1e9;
    span.calls.iter().sum::<f64>() / seconds.max(1e-9)
}

/// The share of what comes that all who answer can serve together.
fn room(scenario: &Scenario, span: &Span) -> f64 {
    let mut room = 0.0;
    for upstream in 0..scenario.upstreams.len() {
        let answers = span
            .outlooks
            .iter()
            .filter_map(|each| each.get(upstream))
            .any(|outlook| part(outlook.answered()) >= SERVED);
        if answers {
            match capacity(scenario, span, upstream) {
                Some(capacity) => room += capacity,
                None => return 1.0,
            }
        }
    }
    let comes = per_second(span);
    if comes > room { room / comes } else { 1.0 }
}

/// Where the calls of a method may go first. Without limits: anywhere. With limits, everybody's share of what comes is what fits, the fastest
/// first, by the median: which of two orders is better may depend on the goal, so the share that fits nowhere is free to choose.
fn routes(scenario: &Scenario, span: &Span, dish: usize) -> Vec<(f64, Vec<usize>)> {
    let upstreams = scenario.upstreams.len();
    let anywhere: Vec<usize> = (0..upstreams).collect();
    let limits: Vec<_> = anywhere
        .iter()
        .map(|&upstream| capacity(scenario, span, upstream))
        .collect();
    if limits.iter().all(Option::is_none) {
        return vec![(1.0, anywhere)];
    }
    let Some(outlooks) = span.outlooks.get(dish) else {
        return vec![(1.0, anywhere)];
    };
    let mut order = anywhere;
    order.retain(|&upstream| outlooks.get(upstream).is_some_and(|one| one.answered() > 0));
    let speed = |upstream: &usize| {
        let outlook = &outlooks[*upstream];
        let percent = outlook
            .answers
            .first()
            .map_or(100, |answers| answers.percent);
        outlook.latency.at(WHOLE / 2) * percent
    };
    order.sort_by_key(speed);
    let all = per_second(span).max(1e-9);
    let (mut left, mut routes) = (1.0_f64, Vec::new());
    for (place, &upstream) in order.iter().enumerate() {
        let Some(limit) = limits[upstream] else {
            routes.push((left, order[place..].to_vec()));
            return routes;
        };
        let share = (limit / all).min(left);
        routes.push((share, vec![upstream]));
        left -= share;
        if left <= 0.0 {
            break;
        }
    }
    routes
}

/// A hedge that can be bought: what of a call's chance it adds for a part of a hedge, and how many parts there are.
struct Offer {
    worth: f64,
    price: f64,
}

impl Question {
    /// The smallest time within which this share of the answerable calls can be answered, in nanoseconds.
    fn reach(&self, share: f64) -> u64 {
        let most = self.answered(LONGEST_NS);
        if most <= 0.0 {
            return 0;
        }
        let (mut low, mut high) = (0, LONGEST_NS);
        for _ in 0..HALVINGS {
            let middle = low + (high - low) / 2;
            if self.answered(middle) >= share * most {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }

    /// Expected calls that the best plan answers within this time.
    fn answered(&self, span_ns: u64) -> f64 {
        let mut total = 0.0;
        let mut budgets = vec![self.shards; self.windows];
        let mut offers: Vec<Vec<Offer>> = (0..self.windows).map(|_| Vec::new()).collect();
        // The same stretch is cut where ten seconds end: its plans are the same.
        let mut last: Option<(usize, Vec<Vec<Hedge>>)> = None;
        for part in &self.parts {
            let Some(chances) = self.chances.get(part.chances) else {
                continue;
            };
            let Some((permille, min_delay)) = part.hedge else {
                for (share, first) in &part.routes {
                    let through = first.iter().map(|&one| chances.through(one, span_ns));
                    total += part.calls * share * through.fold(0.0, f64::max);
                }
                continue;
            };
            if last
                .as_ref()
                .is_none_or(|(known, _)| *known != part.chances)
            {
                let plans = part.routes.iter();
                let plans = plans.map(|(_, first)| chances.hedges(first, span_ns, min_delay));
                last = Some((part.chances, plans.collect()));
            }
            let Some(budget) = budgets.get_mut(part.window) else {
                continue;
            };
            *budget += part.calls * f64::from(permille) / 1_000.0;
            let Some((_, plans)) = &last else {
                continue;
            };
            for ((share, _), plans) in part.routes.iter().zip(plans) {
                let calls = part.calls * share;
                total += calls * plans.first().map_or(0.0, |plain| plain.chance);
                for pair in plans.windows(2) {
                    let (price, gain) = (
                        pair[1].price - pair[0].price,
                        pair[1].chance - pair[0].chance,
                    );
                    offers[part.window].push(Offer {
                        worth: gain / price,
                        price: calls * price,
                    });
                }
            }
        }
        for (mut offers, mut budget) in offers.into_iter().zip(budgets) {
            offers.sort_by(|one, other| other.worth.total_cmp(&one.worth));
            for offer in offers {
                let bought = offer.price.min(budget);
                total += bought * offer.worth;
                budget -= bought;
            }
        }
        total
    }
}

/// What the answerable calls cost at least: the free allowances first, then the cheapest that answer, within their limits.
fn cheapest(scenario: &Scenario, spans: &[Span]) -> f64 {
    let mut free: Vec<f64> = scenario
        .upstreams
        .iter()
        .map(|script| script.price.free as f64)
        .collect();
    let mut spend = 0.0;
    for span in spans {
        let all: f64 = span.calls.iter().sum();
        if all <= 0.0 {
            continue;
        }
        let seconds = nanos(span.until.saturating_duration_since(span.from)) as f64 / 1e9;
        let mut room: Vec<f64> = (0..scenario.upstreams.len())
            .map(|upstream| {
                capacity(scenario, span, upstream).map_or(f64::MAX, |one| one * seconds)
            })
            .collect();
        for (dish, asked) in scenario.menu.dishes.iter().enumerate() {
            let outlooks = span.outlooks.get(dish);
            let price = |upstream: usize| scenario.upstreams[upstream].price.micros_per_million;
            let mut order: Vec<usize> = (0..scenario.upstreams.len()).collect();
            let answers = |upstream: &usize| {
                let outlook = outlooks.and_then(|each| each.get(*upstream));
                outlook.is_some_and(|one| part(one.answered()) >= SERVED && one.wrong == 0)
            };
            order.retain(answers);
            let has_free = |upstream: usize| free[upstream] >= f64::from(asked.units);
            order.sort_by_key(|&upstream| {
                if has_free(upstream) {
                    0
                } else {
                    price(upstream)
                }
            });
            let mut left = span.calls.get(dish).copied().unwrap_or(0.0);
            for upstream in order {
                let calls = left.min(room[upstream]);
                let units = calls * f64::from(asked.units);
                let gratis = units.min(free[upstream]);
                free[upstream] -= gratis;
                room[upstream] -= calls;
                spend += (units - gratis) * price(upstream) as f64 / 1e6;
                left -= calls;
                if left <= 0.0 {
                    break;
                }
            }
        }
    }
    spend
}

fn part(millionths: u64) -> f64 {
    millionths as f64 / WHOLE as f64
}

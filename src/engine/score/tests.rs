//! What the estimates say after which samples.

use super::*;

use std::vec::Vec;

const A: UpstreamIndex = UpstreamIndex(0);
const B: UpstreamIndex = UpstreamIndex(1);
const M: MethodId = MethodId(0);
const N: MethodId = MethodId(1);

struct Bench {
    board: Board,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            board: Board::new(2),
            now: Instant(0),
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    fn answer(&mut self, upstream: UpstreamIndex, method: MethodId, millis: u64) {
        self.end(
            upstream,
            method,
            millis,
            Sample::Answered(Duration::from_millis(millis)),
        );
    }

    fn end(&mut self, upstream: UpstreamIndex, method: MethodId, millis: u64, sample: Sample) {
        let started = self.now;
        self.board.started(upstream, method, started);
        self.wait(millis);
        self.board.ended(
            upstream,
            method,
            (started, Outing::default()),
            sample,
            self.now,
        );
    }

    fn estimate(&self, upstream: UpstreamIndex, method: MethodId) -> Estimate {
        self.board.estimate(upstream, method, self.now)
    }

    fn latency_ms(&self, upstream: UpstreamIndex, method: MethodId) -> u64 {
        self.estimate(upstream, method).latency_us / 1_000
    }
}

#[test]
fn the_first_answers_are_averaged() {
    let mut bench = Bench::new();
    bench.answer(A, M, 100);
    assert_eq!(bench.latency_ms(A, M), 100);
    bench.answer(A, M, 140);
    let latency = bench.latency_ms(A, M);
    assert!((119..=121).contains(&latency), "{latency}");
}

#[test]
fn one_slow_answer_moves_it_by_a_thirtieth() {
    let mut bench = Bench::new();
    for _ in 0..200 {
        bench.answer(A, M, 20);
    }
    bench.answer(A, M, 660);
    let latency = bench.latency_ms(A, M);
    assert!((36..=48).contains(&latency), "{latency}");
}

#[test]
fn three_in_a_row_replace_it_either_way() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.answer(A, M, 20);
    }
    bench.answer(A, M, 200);
    bench.answer(A, M, 200);
    assert!(bench.latency_ms(A, M) < 60);
    bench.answer(A, M, 200);
    assert_eq!(bench.latency_ms(A, M), 200);
    bench.answer(A, M, 20);
    assert!(bench.estimate(A, M).promising);
    bench.answer(A, M, 20);
    bench.answer(A, M, 20);
    assert_eq!(bench.latency_ms(A, M), 20);
    assert!(!bench.estimate(A, M).promising);
}

#[test]
fn answers_on_both_sides_are_no_run() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.answer(A, M, 20);
    }
    for _ in 0..10 {
        bench.answer(A, M, 100);
        bench.answer(A, M, 5);
    }
    let latency = bench.latency_ms(A, M);
    assert!((20..60).contains(&latency), "{latency}");
}

#[test]
fn what_hangs_counts_while_it_hangs() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.answer(A, M, 20);
    }
    for _ in 0..20 {
        bench.board.started(A, M, bench.now);
    }
    assert_eq!(
        bench.latency_ms(A, M),
        20,
        "what has just been sent is no news"
    );
    bench.wait(20);
    assert_eq!(
        bench.latency_ms(A, M),
        20,
        "nor what takes as long as usual"
    );
    bench.wait(480);
    let latency = bench.latency_ms(A, M);
    assert!(latency > 150, "{latency}");
}

#[test]
fn cancelled_attempts_leave_no_trace() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.answer(A, M, 20);
    }
    let before = bench.estimate(A, M);
    for _ in 0..5 {
        bench.board.started(A, M, bench.now);
        bench.board.ended(
            A,
            M,
            (bench.now, Outing::default()),
            Sample::Neutral,
            bench.now,
        );
    }
    assert_eq!(bench.estimate(A, M), before);
    assert_eq!(bench.board.load(A), Load::default());
}

#[test]
fn what_was_outrun_took_at_least_as_long_as_it_was_waited_for() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.answer(A, M, 20);
        bench.answer(B, M, 20);
    }
    let before = bench.estimate(A, M);
    bench.end(A, M, 20, Sample::Outrun(Duration::from_millis(20)));
    let after = bench.estimate(A, M);
    assert_eq!(after.latency_us, before.latency_us, "that is no news");
    for _ in 0..3 {
        bench.end(A, M, 90, Sample::Outrun(Duration::from_millis(90)));
    }
    let after = bench.estimate(A, M);
    assert_eq!(after.latency_us, 90_000);
    assert_eq!(after.health, ONE);
    assert_eq!(after.usual_us / 1_000, 20, "no answer came since");
    assert_eq!(bench.board.load(A), Load::default());
    bench.answer(A, M, 90);
    assert_eq!(bench.estimate(A, M).usual_us / 1_000, 90);
}

#[test]
fn a_hedge_that_was_cut_short_makes_nobody_look_fast() {
    let mut bench = Bench::new();
    bench.end(A, M, 1, Sample::Outrun(Duration::from_millis(1)));
    assert_eq!(bench.latency_ms(A, M), UNKNOWN_US / 1_000);
    for _ in 0..20 {
        bench.answer(B, M, 30);
    }
    for _ in 0..10 {
        bench.end(A, M, 1, Sample::Outrun(Duration::from_millis(1)));
    }
    let unknown = bench.estimate(A, M);
    assert_eq!(unknown.latency_us / 1_000, 30);
    assert!(unknown.cold && unknown.silent_for_us == u64::MAX);
}

#[test]
fn a_quantile_is_the_upstream_s_own_or_the_method_s_or_none() {
    let mut bench = Bench::new();
    let quantile = |bench: &mut Bench, upstream, method| {
        let quantile = bench.board.quantile(upstream, method, 980, bench.now);
        quantile.map(|quantile| quantile.as_millis())
    };
    assert_eq!(quantile(&mut bench, A, M), None, "never sent");
    bench.answer(A, M, 10);
    assert_eq!(quantile(&mut bench, A, M), None);
    for _ in 0..19 {
        bench.answer(A, M, 10);
    }
    assert_eq!(
        quantile(&mut bench, A, M),
        None,
        "counted from the first question on"
    );
    bench.answer(A, M, 10);
    assert_eq!(quantile(&mut bench, A, M), Some(10));
    assert_eq!(quantile(&mut bench, B, M), Some(10), "the method's");
    assert_eq!(quantile(&mut bench, A, N), None);
    for _ in 0..20 {
        bench.answer(B, M, 40);
    }
    assert!((40..=45).contains(&quantile(&mut bench, B, M).unwrap()));
    assert!((10..=11).contains(&quantile(&mut bench, A, M).unwrap()));
    bench.wait(30_000);
    assert_eq!(quantile(&mut bench, A, M), None, "long ago");
    assert_eq!(quantile(&mut bench, UpstreamIndex(9), M), None);
}

#[test]
fn what_was_given_up_counts_in_the_quantile_if_it_was_waited_for_long_enough() {
    let mut bench = Bench::new();
    let quantile = |bench: &mut Bench| {
        let quantile = bench.board.quantile(A, M, 900, bench.now);
        quantile.map(|quantile| quantile.as_millis())
    };
    bench.answer(A, M, 10);
    quantile(&mut bench);
    for _ in 0..40 {
        bench.answer(A, M, 10);
    }
    assert_eq!(quantile(&mut bench), Some(10));
    let gone = |millis| Sample::Outrun(Duration::from_millis(millis));
    for _ in 0..400 {
        bench.end(A, M, 1, gone(1));
    }
    bench.wait(100);
    assert_eq!(quantile(&mut bench), Some(10), "cut short of it: no news");
    for _ in 0..5 {
        bench.end(A, M, 15, gone(15));
    }
    bench.wait(100);
    assert!((15..=17).contains(&quantile(&mut bench).unwrap()));
    let late = Sample::Failed(50, Some(Duration::from_secs(4)));
    for _ in 0..10 {
        bench.end(A, M, 15, late);
    }
    bench.wait(100);
    let held_to = quantile(&mut bench).unwrap();
    assert!(
        (20..=22).contains(&held_to),
        "twice what answers took: {held_to}"
    );
}

#[test]
fn a_method_never_seen_there_is_guessed_from_the_upstreams_usual_ratio() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.answer(A, M, 10);
        bench.answer(B, M, 40);
    }
    for _ in 0..20 {
        bench.answer(A, N, 100);
    }
    let guess = bench.latency_ms(B, N);
    assert!((130..=500).contains(&guess), "{guess}");
    assert!(guess > bench.latency_ms(A, N));
    assert_eq!(bench.estimate(B, N).silent_for_us, u64::MAX);
}

#[test]
fn the_unknown_is_average_and_cold_until_it_has_been_tried() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.answer(A, M, 30);
    }
    let unknown = bench.estimate(B, M);
    assert_eq!(unknown.latency_us / 1_000, 30);
    assert!(unknown.cold && !bench.estimate(A, M).cold);
    for _ in 0..TRIAL_SAMPLES {
        bench.answer(B, M, 30);
    }
    assert!(!bench.estimate(B, M).cold);
}

#[test]
fn failures_cost_and_are_forgiven() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.answer(A, M, 10);
    }
    let healthy = bench.estimate(A, M).cost_us;
    for _ in 0..200 {
        bench.end(A, M, 10, Sample::Failed(100, None));
    }
    let broken = bench.estimate(A, M);
    assert!(broken.cost_us >= healthy * 60, "{broken:?}");
    assert_eq!(
        broken.latency_us, healthy,
        "a quick failure says nothing of latency"
    );
    bench.wait(30_000);
    bench.answer(A, M, 10);
    assert!(bench.estimate(A, M).health > ONE * 9 / 10);
}

#[test]
fn a_time_out_is_a_lower_bound_of_the_latency() {
    let mut bench = Bench::new();
    bench.end(
        A,
        M,
        1_000,
        Sample::Failed(100, Some(Duration::from_millis(1_000))),
    );
    assert_eq!(bench.latency_ms(A, M), 1_000);
    // One that was cut short of what is believed does not make it look faster.
    bench.end(
        A,
        M,
        10,
        Sample::Failed(100, Some(Duration::from_millis(10))),
    );
    assert_eq!(bench.latency_ms(A, M), 1_000);
}

#[test]
fn a_refusal_is_health_without_latency() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.answer(A, M, 50);
    }
    for _ in 0..100 {
        bench.end(A, M, 1, Sample::Refused);
    }
    assert_eq!(bench.latency_ms(A, M), 50);
    assert_eq!(bench.estimate(A, M).health, ONE);
}

#[test]
fn absurd_latencies_do_not_overflow() {
    let mut bench = Bench::new();
    for _ in 0..10 {
        bench.board.started(A, M, bench.now);
        let sample = Sample::Answered(Duration::MAX);
        bench
            .board
            .ended(A, M, (bench.now, Outing::default()), sample, bench.now);
        bench.end(A, M, 0, Sample::Answered(Duration::ZERO));
    }
    let estimate = bench.estimate(A, M);
    assert!(estimate.cost_us >= 1 && estimate.latency_us <= MAX_LATENCY_US);
}

#[test]
fn what_does_not_exist_is_ignored() {
    let mut bench = Bench::new();
    let nobody = UpstreamIndex(9);
    bench.board.started(nobody, M, bench.now);
    bench.board.ended(
        nobody,
        M,
        (bench.now, Outing::default()),
        Sample::Neutral,
        bench.now,
    );
    assert!(bench.estimate(nobody, M).cold);
    bench.answer(A, MethodId::OTHER, 5);
    assert_eq!(bench.latency_ms(A, MethodId::OTHER), 5);
}

#[test]
fn who_is_back_is_what_it_was_and_nobody_waits_for_what_it_was_sent_before() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.answer(A, M, 20);
    }
    // An outage: some fail after four seconds, some hang for good.
    let sent = bench.now;
    for _ in 0..10 {
        bench.board.started(A, M, sent);
    }
    for _ in 0..10 {
        let waited = Some(Duration::from_secs(4));
        bench.end(A, M, 4_000, Sample::Failed(100, waited));
    }
    let out = bench.estimate(A, M);
    assert!(out.latency_us > 1_000_000 && out.health < ONE / 2);
    bench.board.returned(A, bench.now);
    let back = bench.estimate(A, M);
    assert_eq!(back.latency_us / 1_000, 20);
    assert!(back.health >= RETURNED_HEALTH && back.health < ONE);
    assert_eq!(bench.board.load(A), Load { all: 10, fresh: 0 });
    // What they end with is of the past.
    bench.wait(60_000);
    assert_eq!(bench.estimate(A, M).latency_us / 1_000, 20);
    for _ in 0..10 {
        let sample = Sample::Failed(100, Some(Duration::from_secs(100)));
        bench
            .board
            .ended(A, M, (sent, Outing::default()), sample, bench.now);
    }
    assert_eq!(bench.estimate(A, M).latency_us / 1_000, 20);
    assert_eq!(bench.board.load(A), Load::default());
    // An upstream that was fast all the while is none the slower.
    bench.answer(B, M, 10);
    bench.board.returned(B, bench.now);
    assert_eq!(bench.latency_ms(B, M), 10);
}

#[test]
fn a_queue_is_as_long_as_what_is_in_flight_takes_at_the_pace_of_the_answers() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.answer(A, M, 20);
    }
    // A server of one place, 50 a second, to which a hundred were sent at once.
    let sent = bench.now;
    for _ in 0..100 {
        bench.board.started(A, M, sent);
    }
    let mut seen = Vec::new();
    for number in 1..=80 {
        bench.wait(20);
        let took = Sample::Answered(Duration::from_millis(20 * number));
        bench
            .board
            .ended(A, M, (sent, Outing::default()), took, bench.now);
        seen.push(bench.latency_ms(A, M));
    }
    // What is left when so many were answered, and not what those took.
    for (answered, left_ms) in [(40, 1_200), (60, 800), (80, 400)] {
        let believed = seen[answered - 1];
        assert!(
            believed.abs_diff(left_ms) <= left_ms / 10,
            "{believed} ms, {left_ms} are left"
        );
    }
    // Each that is sent makes it longer at once.
    for _ in 0..50 {
        bench.board.started(A, M, bench.now);
    }
    let longer = bench.latency_ms(A, M);
    assert!(longer.abs_diff(1_400) <= 140, "{longer}");
    // One that answers nothing has no pace, and is waited for.
    bench.wait(2_000);
    assert!(bench.latency_ms(A, M) > 1_400);
}

#[test]
fn what_hangs_among_quick_answers_is_no_queue() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.answer(A, M, 20);
    }
    for _ in 0..30 {
        bench.board.started(A, M, bench.now);
    }
    for _ in 0..100 {
        bench.answer(A, M, 20);
    }
    // The waits of those that hang are in it, and nothing else.
    assert!(bench.latency_ms(A, M) > 200);
}

#[test]
fn what_is_sent_in_the_instant_of_a_return_belongs_to_one_side_of_it() {
    let mut bench = Bench::new();
    bench.wait(1_000_000);
    for _ in 0..20 {
        bench.answer(A, M, 20);
    }
    let instant = bench.now;
    let before = bench.board.started(A, M, instant);
    bench.board.returned(A, instant);
    let after = bench.board.started(A, M, instant);
    assert_ne!(before, after);
    assert_eq!(bench.board.returned_since(A, before), Some(instant));
    assert_eq!(bench.board.returned_since(A, after), None);
    bench.wait(20);
    for outing in [before, after] {
        let took = Sample::Answered(Duration::from_millis(20));
        bench.board.ended(A, M, (instant, outing), took, bench.now);
    }
    assert_eq!(bench.board.load(A), Load::default());
    for _ in 0..50 {
        bench.wait(1_000);
        assert_eq!(bench.latency_ms(A, M), 20);
    }
}

//! Whether looking at the ring before a sleep is worth its price here and now. A look spends processor time while nothing is
//! there, a sleep spends it on falling asleep and on being woken, and which is dearer depends on the machine and on the traffic: on one
//! virtual machine looking saved a seventh of a request's cost at one connection, on another it added two thirds. So it is measured:
//! stretches of traffic with looking and without, by turns, each by what the kernel says this thread has used for each completion. It
//! reads the clock that it is given and decides nothing about one wait; that is [`Patience`](super::patience::Patience)'s.

/// A stretch is judged from so many completions on,
const MIN_EVENTS: u64 = 64;
/// and after so long.
const MIN_STRETCH_NS: u64 = 4_000_000;
/// A stretch that takes longer than this tells of rest, not of waiting.
const MAX_STRETCH_NS: u64 = 1_000_000_000;
/// Stretches between two trials of the other manner, at least and at most: what a wrong manner costs is spread over so many.
const SHORTEST_PAUSE: u32 = 4;
const LONGEST_PAUSE: u32 = 128;
/// A manner's figure is the mean of about so many of its last stretches.
const MEMORY: u64 = 4;
/// The other manner must be cheaper by this much, in per cent, to be taken: figures of two stretches differ by about as much by themselves.
const MARGIN_PERCENT: u64 = 3;

/// How to wait for completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Look for a moment, then sleep.
    Look,
    /// Sleep at once.
    Sleep,
}

impl Manner {
    const fn other(self) -> Self {
        match self {
            Self::Look => Self::Sleep,
            Self::Sleep => Self::Look,
        }
    }
}

/// The readings at the beginning of a stretch.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    now_ns: u64,
    cpu_ns: u64,
}

/// Which manner of waiting is the cheaper, by trial.
#[derive(Debug)]
pub(crate) struct Thrift {
    /// The one that is believed to be cheaper.
    settled: Manner,
    /// The other one is being tried.
    trying: bool,
    /// Nanoseconds of processor time a completion, of the settled manner; 0 for not known.
    cost_ns: u64,
    began: Option<Beginning>,
    events: u64,
    /// Stretches until the next trial, and the pause that follows it.
    left: u32,
    pause: u32,
}

impl Thrift {
    pub(crate) const fn new() -> Self {
        Self {
            settled: Manner::Look,
            trying: false,
            cost_ns: 0,
            began: None,
            events: 0,
            left: SHORTEST_PAUSE,
            pause: SHORTEST_PAUSE,
        }
    }

    /// How to wait now.
    pub(crate) const fn manner(&self) -> Manner {
        if self.trying {
            self.settled.other()
        } else {
            self.settled
        }
    }

    /// Completions came.
    pub(crate) const fn count(&mut self, events: usize) {
        self.events += events as u64;
    }

    /// To be called every now and then while there is traffic. `cpu_ns` reads this thread's processor time; it is asked only when a stretch begins or ends.
    pub(crate) fn tick(&mut self, now_ns: u64, cpu_ns: impl FnOnce() -> u64) {
        let Some(began) = self.began else {
            self.begin(now_ns, cpu_ns());
            return;
        };
        let took_ns = now_ns.saturating_sub(began.now_ns);
        if took_ns > MAX_STRETCH_NS {
            self.begin(now_ns, cpu_ns());
        } else if self.events >= MIN_EVENTS && took_ns >= MIN_STRETCH_NS {
            let cpu_ns = cpu_ns();
            let cost_ns = cpu_ns.saturating_sub(began.cpu_ns) / self.events;
            self.judge(cost_ns.max(1));
            self.begin(now_ns, cpu_ns);
        }
    }

    /// There is no traffic: the stretch tells nothing.
    pub(crate) const fn rest(&mut self) {
        self.began = None;
    }

    const fn begin(&mut self, now_ns: u64, cpu_ns: u64) {
        self.began = Some(Beginning { now_ns, cpu_ns });
        self.events = 0;
    }

    /// A stretch of the present manner cost so much a completion.
    fn judge(&mut self, cost_ns: u64) {
        if !self.trying {
            self.cost_ns = match self.cost_ns {
                0 => cost_ns,
                known => (known * (MEMORY - 1) + cost_ns) / MEMORY,
            };
            self.left = self.left.saturating_sub(1);
            self.trying = self.left == 0;
            return;
        }
        self.trying = false;
        if cost_ns * 100 < self.cost_ns * (100 - MARGIN_PERCENT) {
            self.settled = self.settled.other();
            self.cost_ns = cost_ns;
            self.pause = SHORTEST_PAUSE;
        } else {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        self.left = self.pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many stretches, each costing what `cost` says of its manner; the share of them, in per cent, that looked.
    fn looked(thrift: &mut Thrift, stretches: u64, cost: impl Fn(Manner, u64) -> u64) -> u64 {
        let (mut now_ns, mut cpu_ns, mut looked) = (0, 0, 0);
        thrift.rest();
        thrift.tick(now_ns, || cpu_ns);
        for stretch in 0..stretches {
            let manner = thrift.manner();
            looked += u64::from(manner == Manner::Look);
            thrift.count(100);
            now_ns += 5_000_000;
            cpu_ns += 100 * cost(manner, stretch);
            thrift.tick(now_ns, || cpu_ns);
        }
        looked * 100 / stretches
    }

    #[test]
    fn the_cheaper_manner_is_found_whichever_it_is_and_the_other_is_tried_rarely() {
        let dear_look = |manner, _| if manner == Manner::Look { 30 } else { 20 };
        let dear_sleep = |manner, _| if manner == Manner::Look { 20 } else { 30 };
        let mut thrift = Thrift::new();
        assert!(looked(&mut thrift, 2_000, dear_look) <= 3);
        assert!(looked(&mut thrift, 2_000, dear_sleep) >= 90);
        assert!(looked(&mut thrift, 10_000, dear_sleep) >= 98);
    }

    #[test]
    fn noise_within_the_margin_changes_nothing() {
        let noise = |_, stretch: u64| 1_000 + (stretch * 7919) % 20;
        assert!(looked(&mut Thrift::new(), 2_000, noise) >= 95);
    }

    #[test]
    fn too_few_completions_too_short_a_time_and_a_rest_are_no_stretch() {
        let mut thrift = Thrift::new();
        thrift.tick(0, || 0);
        thrift.count(MIN_EVENTS as usize - 1);
        thrift.tick(MIN_STRETCH_NS, || panic!("too few completions"));
        thrift.count(1);
        thrift.tick(MIN_STRETCH_NS - 1, || panic!("too short"));
        thrift.rest();
        thrift.tick(MIN_STRETCH_NS, || 1_000);
        assert_eq!(thrift.cost_ns, 0, "a rest is not judged");
        thrift.count(MIN_EVENTS as usize);
        thrift.tick(2 * MIN_STRETCH_NS + MAX_STRETCH_NS, || 2_000);
        assert_eq!(thrift.cost_ns, 0, "nor is what took too long");
        thrift.count(MIN_EVENTS as usize);
        thrift.tick(3 * MIN_STRETCH_NS + MAX_STRETCH_NS, || {
            2_000 + 640 * MIN_EVENTS
        });
        assert_eq!(thrift.cost_ns, 640);
    }
}

//! What several upstreams' numbers together say. It knows no upstream and no time.

/// With this many reporting, one voice does not decide what is newest.
pub const QUORUM: usize = 3;

/// The highest two of some numbers, and how many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voices {
    highest: Option<u64>,
    second: Option<u64>,
    count: usize,
}

impl Voices {
    /// Counts them.
    pub fn of(numbers: impl Iterator<Item = u64>) -> Self {
        let mut voices = Self::default();
        for number in numbers {
            voices.count += 1;
            if voices.highest.is_none_or(|highest| number > highest) {
                voices.second = voices.highest;
                voices.highest = Some(number);
            } else if voices.second.is_none_or(|second| number > second) {
                voices.second = Some(number);
            }
        }
        voices
    }

    /// How many there were.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// What is newest: the highest; with three or more the second highest, so that one that reports nonsense does not rule.
    pub const fn newest(&self) -> Option<u64> {
        if self.count >= QUORUM {
            self.second
        } else {
            self.highest
        }
    }

    /// What may be rested on: at least two of several must say so; one is believed only where it is alone.
    pub const fn certain(&self) -> Option<u64> {
        if self.count >= 2 {
            self.second
        } else {
            self.highest
        }
    }

    /// The second highest, if there were as many as a quorum.
    pub const fn outvotes(&self) -> Option<u64> {
        if self.count >= QUORUM {
            self.second
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_three_does_not_rule_and_one_of_two_is_not_rested_on() {
        let of = |numbers: &[u64]| Voices::of(numbers.iter().copied());
        assert_eq!(of(&[]).newest(), None);
        assert_eq!((of(&[5]).newest(), of(&[5]).certain()), (Some(5), Some(5)));
        assert_eq!(
            (of(&[5, 9]).newest(), of(&[5, 9]).certain()),
            (Some(9), Some(5))
        );
        assert_eq!(of(&[5, u64::MAX, 6]).newest(), Some(6));
        assert_eq!(of(&[7, 7, 1]).certain(), Some(7));
        assert_eq!(of(&[7, 7]).certain(), Some(7));
    }
}

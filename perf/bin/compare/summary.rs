//! From the cells of a lane to what is shown: medians with their range, and ratios of pairs of one round. Arithmetic only.

use crate::lane::Measure;
use crate::measure::Cell;
use crate::results::LaneRecord;

/// A median and its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Of some values; none of none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let lower = if values.len() % 2 == 1 {
            upper
        } else {
            *values.get(middle - 1)?
        };
        Some(Self {
            median: f64::midpoint(lower, upper),
            min,
            max,
        })
    }

    /// The same in another unit.
    pub fn times(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            min: self.min * factor,
            max: self.max * factor,
        }
    }
}

/// The cells of one side of a trial.
pub fn cells<'a>(
    lane: &'a LaneRecord,
    trial: &'a str,
    side: &'a str,
) -> impl Iterator<Item = &'a Cell> {
    let cells = lane.cells.iter();
    cells.filter(move |cell| cell.trial == trial && cell.side == side)
}

/// A measure over the rounds that count.
pub fn spread(lane: &LaneRecord, trial: &str, side: &str, measure: Measure) -> Option<Spread> {
    let figures = cells(lane, trial, side).filter_map(|cell| cell.figure(measure));
    Spread::of(figures.collect())
}

/// A measure of one side divided by that of another in the same round, over the rounds in which both count.
pub fn ratio(
    lane: &LaneRecord,
    trial: &str,
    side: &str,
    reference: &str,
    measure: Measure,
) -> Option<Spread> {
    let pair = |cell: &Cell| {
        let other = cells(lane, trial, reference).find(|other| other.round == cell.round)?;
        let below = other.figure(measure).filter(|value| *value > 0.0)?;
        Some(cell.figure(measure)? / below)
    };
    Spread::of(cells(lane, trial, side).filter_map(pair).collect())
}

/// How many rounds of a side count, of how many.
pub fn rounds(lane: &LaneRecord, trial: &str, side: &str) -> (usize, usize) {
    let counting = cells(lane, trial, side).filter(|cell| cell.rejected.is_none());
    (counting.count(), cells(lane, trial, side).count())
}

#[cfg(test)]
mod tests {
    use super::{Spread, ratio, rounds, spread};
    use crate::lane::Measure;
    use crate::sample;

    #[test]
    fn medians_have_their_range() {
        assert_eq!(Spread::of(vec![]), None);
        let spread = |values: &[f64]| Spread::of(values.to_vec()).map(|s| (s.median, s.min, s.max));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some((2.5, 1.0, 4.0)));
    }

    #[test]
    fn ratios_are_of_pairs_of_one_round() {
        // Rounds in which the machine was slower for both: the pairs agree although the medians do not.
        let mut lane = sample::lane("forward", 10.0);
        lane.cells = [
            (0, "a", 10.0),
            (0, "b", 11.0),
            (1, "a", 20.0),
            (1, "b", 22.0),
        ]
        .map(|(round, side, cpu)| sample::cell(round, side, cpu))
        .to_vec();
        let found = ratio(&lane, "t", "b", "a", Measure::CpuUsPerRequest).unwrap();
        assert!((found.median - 1.1).abs() < 1e-9 && (found.max - 1.1).abs() < 1e-9);
        assert_eq!(
            spread(&lane, "t", "b", Measure::CpuUsPerRequest)
                .unwrap()
                .median,
            16.5
        );
    }

    #[test]
    fn rejected_rounds_do_not_count_on_either_side() {
        let mut lane = sample::lane("forward", 10.0);
        lane.cells = [
            (0, "a", 10.0),
            (0, "b", 11.0),
            (1, "a", 20.0),
            (1, "b", 30.0),
        ]
        .map(|(round, side, cpu)| sample::cell(round, side, cpu))
        .to_vec();
        lane.cells[2].rejected = Some("noise".to_owned());
        let found = ratio(&lane, "t", "b", "a", Measure::CpuUsPerRequest).unwrap();
        assert_eq!((found.min, found.max), (1.1, 1.1));
        assert_eq!(rounds(&lane, "t", "a"), (1, 2));
        assert_eq!(rounds(&lane, "t", "b"), (2, 2));
    }
}

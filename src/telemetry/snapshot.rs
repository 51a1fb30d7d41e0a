//! A copy of one recorder's numbers that may travel, and the sum of several.
//! Never reads a recorder that still records; never renders.

use std::sync::Arc;

use crate::dimensions::Dimensions;
use crate::metrics::{Kind, Metric};
use crate::recorder::Shape;
use crate::series::Series;

/// Snapshots of different dimensions cannot be added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DimensionsDiffer;

impl std::fmt::Display for DimensionsDiffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the snapshots describe different chains, upstreams or methods")
    }
}

impl std::error::Error for DimensionsDiffer {}

/// The numbers of one shard, or of several merged.
#[derive(Clone, Debug)]
pub struct Snapshot {
    dimensions: Arc<Dimensions>,
    cells: Vec<u64>,
    /// Touched distributions by slot, ascending.
    series: Vec<(usize, Series)>,
}

/// One counter or level with its place on the metric's axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) point: [usize; 3],
    pub(crate) value: u64,
}

impl Snapshot {
    pub(crate) const fn new(
        dimensions: Arc<Dimensions>,
        cells: Vec<u64>,
        series: Vec<(usize, Series)>,
    ) -> Self {
        Self {
            dimensions,
            cells,
            series,
        }
    }

    pub(crate) fn push_series(&mut self, slot: usize, series: Series) {
        self.series.push((slot, series));
    }

    /// What the snapshot's indices mean.
    #[must_use]
    pub fn dimensions(&self) -> &Arc<Dimensions> {
        &self.dimensions
    }

    /// Adds another shard's numbers: counters, distributions and summed levels add up, of the other levels
    /// the highest stays. The order of merging does not matter.
    ///
    /// # Errors
    /// [`DimensionsDiffer`] when the two do not speak of the same things; nothing is changed then.
    pub fn merge(&mut self, other: &Self) -> Result<(), DimensionsDiffer> {
        if !Arc::ptr_eq(&self.dimensions, &other.dimensions) && self.dimensions != other.dimensions
        {
            return Err(DimensionsDiffer);
        }
        let shape = Shape::new(&self.dimensions);
        for metric in Metric::ALL {
            let kind = metric.spec().kind;
            if kind.is_histogram() {
                continue;
            }
            let range = shape.range(*metric);
            let theirs = other.cells.get(range.clone()).unwrap_or_default();
            let ours = self.cells.get_mut(range).unwrap_or_default();
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                *ours = if kind == Kind::GaugeMax {
                    (*ours).max(*theirs)
                } else {
                    ours.wrapping_add(*theirs)
                };
            }
        }
        for (slot, theirs) in &other.series {
            match self.series.binary_search_by_key(slot, |(slot, _)| *slot) {
                Ok(at) => {
                    if let Some((_, ours)) = self.series.get_mut(at) {
                        ours.merge(theirs);
                    }
                }
                Err(at) => self.series.insert(at, (*slot, theirs.clone())),
            }
        }
        Ok(())
    }

    /// Sets a level that only the collector of a scrape knows.
    pub fn set_level(&mut self, metric: Metric, to: u64) {
        let range = Shape::new(&self.dimensions).range(metric);
        if let Some(cell) = self.cells.get_mut(range.start).filter(|_| range.len() == 1) {
            *cell = to;
        }
    }

    /// One counter or level, by an index for each of its axes; `None` outside of them.
    #[must_use]
    pub fn value(&self, metric: Metric, at: &[usize]) -> Option<u64> {
        let shape = Shape::new(&self.dimensions);
        self.samples(&shape, metric)
            .find(|sample| sample.point.starts_with(at))
            .map(|sample| sample.value)
    }

    /// The sum of a counter or level over everything whose first indices are `at`.
    #[must_use]
    pub fn sum_at(&self, metric: Metric, at: &[usize]) -> u64 {
        self.samples(&Shape::new(&self.dimensions), metric)
            .filter(|sample| sample.point.starts_with(at))
            .map(|sample| sample.value)
            .sum()
    }

    /// The distributions of everything whose first indices are `at`, as one; `None` where nothing was recorded.
    #[must_use]
    pub fn distribution_at(&self, metric: Metric, at: &[usize]) -> Option<Series> {
        let shape = Shape::new(&self.dimensions);
        let range = shape.range(metric);
        let mut sum: Option<Series> = None;
        for (slot, series) in self.series.iter().filter(|(slot, _)| range.contains(slot)) {
            if !metric.spec().kind.is_histogram()
                || !shape.point(metric, slot - range.start).starts_with(at)
            {
                continue;
            }
            match &mut sum {
                Some(sum) => sum.merge(series),
                None => sum = Some(series.clone()),
            }
        }
        sum
    }

    /// The sum of a counter or level over all of its axes.
    #[must_use]
    pub fn total(&self, metric: Metric) -> u64 {
        self.samples(&Shape::new(&self.dimensions), metric)
            .map(|sample| sample.value)
            .sum()
    }

    pub(crate) fn samples<'a>(
        &'a self,
        shape: &'a Shape,
        metric: Metric,
    ) -> impl Iterator<Item = Sample> + 'a {
        let range = if metric.spec().kind.is_histogram() {
            0..0
        } else {
            shape.range(metric)
        };
        let cells = self.cells.get(range).unwrap_or_default();
        cells.iter().enumerate().map(move |(offset, value)| Sample {
            point: shape.point(metric, offset),
            value: *value,
        })
    }

    pub(crate) fn distributions<'a>(
        &'a self,
        shape: &'a Shape,
        metric: Metric,
    ) -> impl Iterator<Item = ([usize; 3], &'a Series)> + 'a {
        let range = if metric.spec().kind.is_histogram() {
            shape.range(metric)
        } else {
            0..0
        };
        let first = self.series.partition_point(|(slot, _)| *slot < range.start);
        self.series
            .iter()
            .skip(first)
            .take_while(move |(slot, _)| *slot < range.end)
            .map({
                let start = range.start;
                move |(slot, series)| (shape.point(metric, slot - start), series)
            })
    }
}

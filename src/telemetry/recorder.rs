//! A shard's own numbers: one flat row of cells for counters and levels, one histogram for each
//! distribution that was ever touched. Recording is an array look-up by index.
//! Never shared between threads, never atomic, never formats a name; memory is bounded by the dimensions
//! and by [`MAX_HISTOGRAMS`].

use std::sync::Arc;

use crate::dimensions::Dimensions;
use crate::metrics::{METRICS, Metric};
use crate::series::Series;
use crate::snapshot::Snapshot;

/// Distributions that one shard keeps at most (24 KiB each). Samples for one more are counted as refused.
pub const MAX_HISTOGRAMS: usize = 4096;

/// Histograms that a shard should copy between two turns of its loop: some 50 µs of work.
pub const COPY_STEP: usize = 4;

/// The longest list of axes in the table.
const MAX_AXES: usize = 3;

const _: () = {
    let mut row = 0;
    while row < METRICS.len() {
        assert!(
            METRICS[row].axes.len() <= MAX_AXES,
            "a metric has more axes than recorders keep"
        );
        row += 1;
    }
};

/// Where a metric's cells lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    first: usize,
    lens: [usize; MAX_AXES],
    axes: usize,
}

impl Place {
    fn len(&self) -> usize {
        self.lens.iter().take(self.axes).product()
    }
}

/// Where every metric's cells lie for some dimensions. Histograms and cells are numbered separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    places: Vec<Place>,
    cells: usize,
    series: usize,
}

impl Shape {
    pub(crate) fn new(dimensions: &Dimensions) -> Self {
        let (mut cells, mut series) = (0, 0);
        let mut places = Vec::with_capacity(METRICS.len());
        for spec in METRICS {
            let mut lens = [1; MAX_AXES];
            for (len, axis) in lens.iter_mut().zip(spec.axes) {
                *len = axis.len(dimensions);
            }
            let next = if spec.kind.is_histogram() {
                &mut series
            } else {
                &mut cells
            };
            let place = Place {
                first: *next,
                lens,
                axes: spec.axes.len(),
            };
            *next += place.len();
            places.push(place);
        }
        Self {
            places,
            cells,
            series,
        }
    }

    /// The cells or histograms of one metric.
    pub(crate) fn range(&self, metric: Metric) -> std::ops::Range<usize> {
        self.places
            .get(metric as usize)
            .map_or(0..0, |place| place.first..place.first + place.len())
    }

    /// The cell or histogram at a point of a metric; `None` outside of its axes.
    #[inline]
    fn slot<const N: usize>(&self, metric: Metric, at: [usize; N]) -> Option<usize> {
        let place = self.places.get(metric as usize)?;
        debug_assert_eq!(
            place.axes, N,
            "{metric:?} takes as many indices as it has axes"
        );
        let mut offset = 0;
        for (index, len) in at.iter().zip(&place.lens) {
            if index >= len {
                return None;
            }
            offset = offset * len + index;
        }
        Some(place.first + offset)
    }

    /// The point of a metric that a cell (counted from the metric's first) stands for, outermost axis first.
    pub(crate) fn point(&self, metric: Metric, mut offset: usize) -> [usize; MAX_AXES] {
        let mut point = [0; MAX_AXES];
        if let Some(place) = self.places.get(metric as usize) {
            for axis in (0..place.axes).rev() {
                let len = place.lens[axis].max(1);
                point[axis] = offset % len;
                offset /= len;
            }
        }
        point
    }
}

/// Where one chain's upstreams lie among all upstreams.
#[derive(Clone, Copy, Debug)]
struct ChainSpan {
    first: usize,
    len: usize,
}

/// One shard's recorder. The control plane has one too, for what it alone knows.
#[derive(Debug)]
pub struct Recorder {
    dimensions: Arc<Dimensions>,
    shape: Shape,
    shard: usize,
    chains: Vec<ChainSpan>,
    cells: Vec<u64>,
    series: Vec<Option<Box<Series>>>,
    histograms: usize,
}

impl Recorder {
    /// A recorder with every cell at 0. `shard` is the number under which per-shard levels appear; the
    /// control plane passes `dimensions.shards`, which appears under none.
    #[must_use]
    pub fn new(dimensions: Arc<Dimensions>, shard: usize) -> Self {
        let shape = Shape::new(&dimensions);
        let mut first = 0;
        let chains = dimensions
            .chains
            .iter()
            .map(|chain| {
                let span = ChainSpan {
                    first,
                    len: chain.upstreams.len(),
                };
                first += span.len;
                span
            })
            .collect();
        let cells = vec![0; shape.cells];
        let series = vec![None; shape.series];
        Self {
            dimensions,
            shape,
            shard,
            chains,
            cells,
            series,
            histograms: 0,
        }
    }

    /// What this recorder's indices mean.
    #[must_use]
    pub fn dimensions(&self) -> &Arc<Dimensions> {
        &self.dimensions
    }

    /// This recorder's shard number.
    #[must_use]
    pub const fn shard(&self) -> usize {
        self.shard
    }

    /// The flat number of a chain's upstream; beyond every axis when there is none, so nothing is counted.
    #[inline]
    #[must_use]
    pub fn flat_upstream(&self, chain: usize, upstream: usize) -> usize {
        match self.chains.get(chain) {
            Some(span) if upstream < span.len => span.first + upstream,
            _ => usize::MAX,
        }
    }

    /// The cell of a method: its own, or the one of all unknown methods.
    #[inline]
    #[must_use]
    pub fn method_cell(&self, method: usize) -> usize {
        method.min(self.dimensions.methods.len())
    }

    /// Adds to a counter or level. An index outside of the axes is ignored.
    #[inline]
    pub fn add<const N: usize>(&mut self, metric: Metric, at: [usize; N], by: u64) {
        if let Some(cell) = self.cell(metric, at) {
            *cell = cell.wrapping_add(by);
        }
    }

    /// Takes from a level; it stops at 0.
    #[inline]
    pub fn subtract<const N: usize>(&mut self, metric: Metric, at: [usize; N], by: u64) {
        if let Some(cell) = self.cell(metric, at) {
            *cell = cell.saturating_sub(by);
        }
    }

    /// Sets a level, or a counter whose total is kept elsewhere.
    #[inline]
    pub fn set<const N: usize>(&mut self, metric: Metric, at: [usize; N], to: u64) {
        if let Some(cell) = self.cell(metric, at) {
            *cell = to;
        }
    }

    /// Counts a value in a distribution (µs for durations). The first value at a point allocates.
    #[inline]
    pub fn observe<const N: usize>(&mut self, metric: Metric, at: [usize; N], value: u64) {
        debug_assert!(
            metric.spec().kind.is_histogram(),
            "{metric:?} is not a distribution"
        );
        let Some(slot) = self.shape.slot(metric, at) else {
            return;
        };
        match self.series.get_mut(slot) {
            Some(Some(series)) => series.record(value),
            Some(empty) if self.histograms < MAX_HISTOGRAMS => {
                let Some(mut series) = Series::new(metric.spec().kind) else {
                    return;
                };
                series.record(value);
                *empty = Some(Box::new(series));
                self.histograms += 1;
            }
            _ => self.add(Metric::HistogramsRefused, [], 1),
        }
    }

    #[inline]
    fn cell<const N: usize>(&mut self, metric: Metric, at: [usize; N]) -> Option<&mut u64> {
        debug_assert!(
            !metric.spec().kind.is_histogram(),
            "{metric:?} is a distribution"
        );
        let slot = self.shape.slot(metric, at)?;
        self.cells.get_mut(slot)
    }

    /// Everything recorded so far, copied at once. A shard with many histograms should copy in steps:
    /// [`Recorder::begin_copy`].
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut copying = self.begin_copy();
        while !self.copy_some(&mut copying, usize::MAX) {}
        copying.snapshot
    }

    /// Starts a copy: the counters and levels, all of one instant. The histograms follow in steps of
    /// [`Recorder::copy_some`], so that a scrape never holds a shard up for longer than one step.
    #[must_use]
    pub fn begin_copy(&self) -> Copying {
        let series = Vec::with_capacity(self.histograms);
        Copying {
            snapshot: Snapshot::new(self.dimensions.clone(), self.cells.clone(), series),
            next: 0,
        }
    }

    /// Copies up to `limit` histograms (24 KiB each); true when the copy is whole.
    pub fn copy_some(&self, copying: &mut Copying, limit: usize) -> bool {
        let mut copied = 0;
        while let Some(series) = self.series.get(copying.next) {
            if let Some(series) = series {
                if copied == limit {
                    return false;
                }
                copying
                    .snapshot
                    .push_series(copying.next, series.as_ref().clone());
                copied += 1;
            }
            copying.next += 1;
        }
        true
    }
}

/// A snapshot being taken.
#[derive(Debug)]
pub struct Copying {
    snapshot: Snapshot,
    next: usize,
}

impl Copying {
    /// The snapshot, as far as it was copied.
    #[must_use]
    pub fn finish(self) -> Snapshot {
        self.snapshot
    }
}

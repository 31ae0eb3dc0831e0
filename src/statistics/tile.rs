//! One tile: all kept rows of a few columns, passed twice or three times while they stay in the cache.

use std::ops::Range;

use super::passes::{Deviations, STEP, Standardised, first, second, third};
use super::plan::Plan;
use crate::numeric::{Counts, Format, LANES, Lanes, Real, count};

/// Squares left the range of single precision: the tile must be passed again in double precision.
pub struct TooNarrow;

/// The sums of a tile and what it needs to find them.
pub struct Tile<'a, F: Format> {
    /// How rows are processed.
    pub plan: &'a Plan,
    rows: &'a [&'a [u8]],
    bytes: Range<usize>,
    /// Sums over a run of rows.
    run: Vec<Lanes<F::Real>>,
    /// Another one.
    second_run: Vec<Lanes<F::Real>>,
    /// The means, as the passes use them.
    means: Vec<Lanes<F::Real>>,
    /// One over the standard deviations.
    inverses: Vec<Lanes<F::Real>>,
    /// Sums of the rows of one group.
    group: Vec<Lanes<f64>>,
    /// Sums of deviations from the means that the passes use.
    shift: Vec<Lanes<f64>>,
    /// Means of the columns, in lanes.
    pub mean: Vec<Lanes<f64>>,
    /// Unbiased variances of one example.
    pub variance: Vec<Lanes<f64>>,
    /// Sums of third powers of standardised deviations.
    pub cubes: Vec<Lanes<f64>>,
    /// Sums of their fourth powers.
    pub fourths: Vec<Lanes<f64>>,
    /// Per position, Σ g² and g·ḡ over the columns of the tile.
    pub rows_sums: Vec<[f64; 2]>,
    /// The same of standardised numbers.
    pub standardised: Vec<[f64; 2]>,
    /// Per group, |Σ b g|².
    pub group_norms: Vec<f64>,
    /// Elements that a report mentions.
    pub counts: Counts,
    /// Positions of rows that are not finite.
    pub non_finite: Vec<usize>,
}

/// Let a step meet the positions of a range, four at a time while there are four.
macro_rules! steps {
    ($tile:ident.$step:ident, $range:expr $(, $refuse:tt)?) => {
        let Range { mut start, end } = $range;
        while start + STEP <= end {
            $tile.$step::<STEP, WEIGHTED>(start)$($refuse)?;
            start += STEP;
        }
        while start < end {
            $tile.$step::<1, WEIGHTED>(start)$($refuse)?;
            start += 1;
        }
    };
}

impl<'a, F: Format> Tile<'a, F> {
    /// An empty tile over columns that begin at zero.
    pub fn new(plan: &'a Plan, rows: &'a [&'a [u8]]) -> Self {
        let (count, groups) = (plan.order.len(), plan.groups);
        Self {
            plan,
            rows,
            bytes: 0..0,
            run: Vec::new(),
            second_run: Vec::new(),
            means: Vec::new(),
            inverses: Vec::new(),
            group: Vec::new(),
            shift: Vec::new(),
            mean: Vec::new(),
            variance: Vec::new(),
            cubes: Vec::new(),
            fourths: Vec::new(),
            rows_sums: vec![[0.0; 2]; count],
            standardised: vec![[0.0; 2]; if plan.shape { count } else { 0 }],
            group_norms: vec![0.0; groups],
            counts: Counts::default(),
            non_finite: Vec::new(),
        }
    }

    /// Fill the tile with the sums of some columns.
    #[inline(always)]
    pub fn pass<const WEIGHTED: bool>(&mut self, columns: Range<usize>) -> Result<(), TooNarrow> {
        self.clear(columns);
        for segment in &self.plan.segments {
            for run in segment.runs() {
                steps!(self.first_step, run, ?);
                flush(&mut self.run, &mut self.group);
            }
            self.close_group(segment.group);
        }
        self.finish_means()?;
        for segment in &self.plan.segments {
            for run in segment.runs() {
                steps!(self.second_step, run);
                flush(&mut self.run, &mut self.shift);
                flush(&mut self.second_run, &mut self.variance);
            }
        }
        self.finish_variances()?;
        if self.plan.shape {
            for segment in &self.plan.segments {
                for run in segment.runs() {
                    steps!(self.third_step, run);
                    flush(&mut self.run, &mut self.cubes);
                    flush(&mut self.second_run, &mut self.fourths);
                }
            }
        }
        Ok(())
    }

    fn clear(&mut self, columns: Range<usize>) {
        let blocks = columns.len().div_ceil(LANES);
        self.bytes = columns.start * F::SIZE..columns.end * F::SIZE;
        for lanes in [&mut self.run, &mut self.second_run, &mut self.means, &mut self.inverses] {
            lanes.clear();
            lanes.resize(blocks, Lanes::zero());
        }
        for lanes in [
            &mut self.group,
            &mut self.shift,
            &mut self.mean,
            &mut self.variance,
            &mut self.cubes,
            &mut self.fourths,
        ] {
            lanes.clear();
            lanes.resize(blocks, Lanes::zero());
        }
        self.group_norms.fill(0.0);
        self.counts = Counts::default();
        self.non_finite.clear();
    }

    /// The columns of this tile in the rows from `position` on.
    #[inline(always)]
    fn pieces<const ROWS: usize>(&self, position: usize) -> [&'a [u8]; ROWS] {
        let mut pieces = [&[][..]; ROWS];
        for (piece, &row) in pieces.iter_mut().zip(&self.plan.order[position..position + ROWS]) {
            *piece = &self.rows[row][self.bytes.clone()];
        }
        pieces
    }

    /// Where the rows come from that are met after those before `position`: at the end, the first ones, in the next
    /// tile.
    #[inline(always)]
    fn ahead<const ROWS: usize>(&self, position: usize) -> [*const u8; ROWS] {
        let order = &self.plan.order;
        let mut ahead = [std::ptr::null(); ROWS];
        for (row, ahead) in ahead.iter_mut().enumerate() {
            let (position, byte) = match position + row {
                inside if inside < order.len() => (inside, self.bytes.start),
                beyond => (beyond % order.len(), self.bytes.end),
            };
            *ahead = self.rows[order[position]].as_ptr().wrapping_add(byte);
        }
        ahead
    }

    /// The weights of the rows from `position` on, and their roots.
    #[inline(always)]
    fn weights<const ROWS: usize>(&self, position: usize) -> [[F::Real; 2]; ROWS] {
        std::array::from_fn(|row| match &self.plan.weights {
            Some(weights) => weights[position + row].map(F::Real::narrow),
            None => [F::Real::narrow(1.0); 2],
        })
    }

    #[inline(always)]
    fn first_step<const ROWS: usize, const WEIGHTED: bool>(&mut self, at: usize) -> Result<(), TooNarrow> {
        let rows = self.pieces::<ROWS>(at);
        let ahead = self.ahead(at + ROWS);
        let weights = self.weights(at).map(|[weight, _]| weight);
        let found = first::<F, ROWS, WEIGHTED>(rows, ahead, weights, &mut self.run);
        let trusted = self.smallest()..=f64::MAX;
        for (row, norm) in found.norms.into_iter().enumerate() {
            self.rows_sums[at + row][0] = norm;
            if found.tiny || !trusted.contains(&norm) {
                self.inspect(at + row, rows[row], norm)?;
            }
        }
        Ok(())
    }

    /// The sum of squares of a row of this tile below which digits may have been lost.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn smallest(&self) -> f64 {
        F::Real::SMALLEST_SQUARE * (self.means.len() * LANES) as f64
    }

    /// Look closely at a row that has tiny numbers, or whose norm is too small or too large to trust.
    #[inline(always)]
    fn inspect(&mut self, position: usize, row: &[u8], norm: f64) -> Result<(), TooNarrow> {
        let found = count::<F>(row);
        self.counts.zeros += found.zeros;
        self.counts.subnormals += found.subnormals;
        self.counts.non_finite += found.non_finite;
        let zero = found.zeros == (row.len() / F::SIZE) as u64;
        if found.non_finite > 0 {
            self.non_finite.push(position);
        } else if F::Real::SMALLEST_SQUARE > 0.0 && !zero && !(self.smallest()..=f64::MAX).contains(&norm) {
            return Err(TooNarrow);
        }
        Ok(())
    }

    /// The sums of a group are complete: add them to those of all rows.
    #[inline(always)]
    fn close_group(&mut self, group: usize) {
        let mut norm = Lanes::zero();
        for (sum, total) in self.group.iter_mut().zip(&mut self.mean) {
            norm = norm.add(sum.mul(*sum));
            *total = total.add(*sum);
            *sum = Lanes::zero();
        }
        if let Some(found) = self.group_norms.get_mut(group) {
            *found = norm.total() * self.plan.common * self.plan.common;
        }
    }

    #[inline(always)]
    fn finish_means(&mut self) -> Result<(), TooNarrow> {
        let one_over = Lanes::splat(self.plan.common / self.plan.examples);
        let mut norm = Lanes::zero();
        for (sum, mean) in self.mean.iter_mut().zip(&mut self.means) {
            *sum = sum.mul(one_over);
            norm = norm.add(sum.mul(*sum));
            *mean = Lanes(sum.0.map(F::Real::narrow));
        }
        let norm = norm.total();
        // Products of rows with means must not lose digits either.
        if norm > 0.0 && norm < self.smallest() { Err(TooNarrow) } else { Ok(()) }
    }

    #[inline(always)]
    fn second_step<const ROWS: usize, const WEIGHTED: bool>(&mut self, at: usize) {
        let (rows, weights) = (self.pieces::<ROWS>(at), self.weights(at));
        let ahead = self.ahead(at + ROWS);
        let columns = Deviations { means: &self.means, sums: &mut self.run, squares: &mut self.second_run };
        let products = second::<F, ROWS, WEIGHTED>(rows, ahead, weights, columns);
        for (sums, product) in self.rows_sums[at..].iter_mut().zip(products) {
            sums[1] = product;
        }
    }

    /// Sums of deviations and their squares → means and variances, or a refusal where squares were too large or too small.
    #[inline(always)]
    #[expect(
        clippy::cast_precision_loss,
        clippy::needless_range_loop,
        reason = "a count of rows; lanes of six arrays"
    )]
    fn finish_variances(&mut self) -> Result<(), TooNarrow> {
        let (examples, common) = (self.plan.examples, self.plan.common);
        let count = self.plan.order.len() as f64;
        let smallest = F::Real::SMALLEST_SQUARE * count;
        let (one_over, per_freedom) = (common / examples, 1.0 / (count - 1.0));
        let mut narrow = [false; LANES];
        let sums = self.variance.iter_mut().zip(&mut self.mean).zip(self.shift.iter().zip(&self.means));
        for ((variance, mean), (shift, used)) in sums {
            for lane in 0..LANES {
                // The deviations were taken from a rounded mean; their sum says by how much.
                let shift = shift.0[lane] * one_over;
                let (sum, exact) = (variance.0[lane], used.0[lane].wide() + shift);
                let value = ((common * sum - examples * shift * shift) * per_freedom).max(0.0);
                let unresolved = value < F::Real::RESOLUTION * exact * exact;
                let lost = sum > 0.0 && sum < smallest;
                narrow[lane] |= unresolved || lost || sum > f64::MAX;
                mean.0[lane] = exact;
                variance.0[lane] = if unresolved { 0.0 } else { value };
            }
        }
        if self.plan.shape {
            for (inverse, variance) in self.inverses.iter_mut().zip(&self.variance) {
                for lane in 0..LANES {
                    let deviation = variance.0[lane].sqrt();
                    let divisor = if deviation > 0.0 { deviation } else { f64::INFINITY };
                    inverse.0[lane] = F::Real::narrow(1.0 / divisor);
                }
            }
        }
        let narrow = narrow.into_iter().any(|narrow| narrow);
        let finite = self.non_finite.is_empty();
        if narrow && finite && F::Real::SMALLEST_SQUARE > 0.0 { Err(TooNarrow) } else { Ok(()) }
    }

    #[inline(always)]
    fn third_step<const ROWS: usize, const WEIGHTED: bool>(&mut self, at: usize) {
        let (rows, roots) = (self.pieces::<ROWS>(at), self.weights(at).map(|[_, root]| root));
        let columns = Standardised {
            means: &self.means,
            inverses: &self.inverses,
            cubes: &mut self.run,
            fourths: &mut self.second_run,
        };
        let [norms, products] = third::<F, ROWS, WEIGHTED>(rows, roots, columns);
        for (row, sums) in self.standardised[at..at + ROWS].iter_mut().enumerate() {
            *sums = [norms[row], products[row]];
        }
    }
}

/// Move the sums over a run of rows into double precision.
#[inline(always)]
fn flush<R: Real>(run: &mut [Lanes<R>], sums: &mut [Lanes<f64>]) {
    for (run, sum) in run.iter_mut().zip(sums) {
        *sum = sum.add(Lanes(run.0.map(R::wide)));
        *run = Lanes::zero();
    }
}

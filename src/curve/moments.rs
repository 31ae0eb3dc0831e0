//! Moments of the parameters of a tile over the rows, sixteen columns at a time, in double precision.

use super::design::{Design, THIRDS};
use crate::numeric::{LANES, Lanes};

/// Moments, one entry per column of a tile.
#[derive(Default)]
pub struct Moments {
    /// Means of all rows.
    pub mean: Vec<f64>,
    /// Variances, the mean squares of the deviations.
    pub variance: Vec<f64>,
    /// Hᵢᵢ.
    pub curvature: Vec<f64>,
    /// μ/σ of all rows, then of the thirds.
    pub ratios: [Vec<f32>; 1 + THIRDS],
}

impl Moments {
    /// No columns.
    pub fn clear(&mut self) {
        let Self { mean, variance, curvature, ratios } = self;
        [mean, variance, curvature].into_iter().for_each(Vec::clear);
        ratios.iter_mut().for_each(Vec::clear);
    }

    /// Add sixteen columns of all rows, without their curvature; `group` hears of the sum of each group.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    pub fn add(
        &mut self,
        design: &Design,
        packed: &[Lanes<f32>],
        mut group_sums: impl FnMut(usize, Lanes<f64>),
    ) {
        let mut thirds = [Lanes([0.0; LANES]); THIRDS];
        for (group, positions) in design.groups.iter().enumerate() {
            let mut sum = Lanes([0.0_f64; LANES]);
            for row in &packed[positions.clone()] {
                for lane in 0..LANES {
                    sum.0[lane] += f64::from(row.0[lane]);
                }
            }
            let third = &mut thirds[group / (design.groups.len() / THIRDS)];
            *third = third.add(sum);
            group_sums(group, sum);
        }
        let rows = design.rows() as f64;
        let mean: [f64; LANES] =
            std::array::from_fn(|lane| thirds.iter().map(|third| third.0[lane]).sum::<f64>() / rows);
        let mut squares = [0.0; LANES];
        for row in packed {
            for lane in 0..LANES {
                let deviation = f64::from(row.0[lane]) - mean[lane];
                squares[lane] += deviation * deviation;
            }
        }
        for lane in 0..LANES {
            let variance = squares[lane] / rows;
            self.mean.push(mean[lane]);
            self.variance.push(variance);
            self.ratios[0].push(ratio(mean[lane], variance));
            for (third, sum) in thirds.iter().enumerate() {
                let mean = sum.0[lane] / design.third(third).len() as f64;
                self.ratios[1 + third].push(ratio(mean, variance));
            }
        }
    }
}

/// μ/σ; infinite, with the sign of μ, where nothing varies.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rows of single precision")]
fn ratio(mean: f64, variance: f64) -> f32 {
    if variance > 0.0 {
        (mean / variance.sqrt()) as f32
    } else if mean == 0.0 {
        0.0
    } else {
        f32::INFINITY.copysign(mean as f32)
    }
}

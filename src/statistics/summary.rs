//! Sums over the columns of a tile.

use super::tile::Tile;
use crate::numeric::{Format, LANES, Lanes};

/// Sums over the columns of a tile.
#[derive(Debug, Default)]
pub struct Summary {
    /// Σ ḡ²
    pub mean_norm_squared: f64,
    /// Σ of the unbiased (μ/σ)², over varying columns.
    pub signal: f64,
    /// Columns with a positive variance.
    pub varying: u64,
    /// Σ ḡ²/s²
    pub standardised_mean_norm_squared: f64,
    /// Σ of squared skewness.
    pub skewness_squared: f64,
    /// Σ of excess kurtosis.
    pub excess_kurtosis: f64,
}

impl<F: Format> Tile<'_, F> {
    /// Sum over the tile's columns.
    #[inline(always)]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "small counts"
    )]
    pub fn summary(&self) -> Summary {
        let mut norm = Lanes::zero();
        let mut ratio = Lanes([0.0; LANES]);
        let mut varying = Lanes([0.0; LANES]);
        for (mean, variance) in self.mean.iter().zip(&self.variance) {
            let square = mean.mul(*mean);
            norm = norm.add(square);
            for lane in 0..LANES {
                let varies = variance.0[lane] > 0.0;
                ratio.0[lane] += square.0[lane] / if varies { variance.0[lane] } else { f64::INFINITY };
                varying.0[lane] += f64::from(u8::from(varies));
            }
        }
        let n = self.plan.order.len() as f64;
        let (ratio, varying) = (ratio.total(), varying.total());
        let mut summary = Summary {
            mean_norm_squared: norm.total(),
            signal: if n > 3.0 {
                (n - 3.0) / (n - 1.0) * ratio - varying / self.plan.examples
            } else {
                f64::NAN
            },
            varying: varying as u64,
            standardised_mean_norm_squared: ratio,
            ..Summary::default()
        };
        if self.plan.shape {
            // g₁ and g₂ divide by the biased variance, whose square root is smaller than s; G₁ and G₂ are what they
            // become without bias under normality.
            let [third, fourth] = self.plan.power_scales();
            let biased = (n - 1.0) / n;
            let mut skewness = Lanes::zero();
            let mut kurtosis = Lanes::zero();
            for (cube, fourth_power) in self.cubes.iter().zip(&self.fourths) {
                skewness = skewness.add(cube.mul(*cube));
                kurtosis = kurtosis.add(*fourth_power);
            }
            let squared = third * third / (biased * biased * biased) * skewness.total();
            summary.skewness_squared = n * (n - 1.0) / ((n - 2.0) * (n - 2.0)) * squared;
            let excess = fourth / (biased * biased) * kurtosis.total() - 3.0 * varying;
            summary.excess_kurtosis =
                (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * excess + 6.0 * varying);
        }
        summary
    }
}

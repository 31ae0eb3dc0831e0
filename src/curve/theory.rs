//! The theory of independent signs, parameter by parameter (arXiv 2405.14578, Theorems 2 to 4).

use std::f32::consts::PI;

use super::design::{Design, THIRDS};
use super::direction::sign;
use super::sums::{BatchCurve, TensorCurve};

/// Moments of one parameter over the rows, in stored units.
pub struct Parameter {
    /// Mean of all rows.
    pub mean: f64,
    /// Means of the thirds.
    pub thirds: [f64; THIRDS],
    /// Variance, the mean square of the deviations.
    pub variance: f64,
    /// Hᵢᵢ.
    pub curvature: f64,
}

/// Add one parameter, write its column of the rows of the theory, and return nothing.
#[inline(always)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts; rows of single precision"
)]
pub fn parameter(
    design: &Design,
    held: &Parameter,
    sums: &mut TensorCurve,
    mut write: impl FnMut(usize, f32),
) {
    let rows = design.rows() as f64;
    let h = held.curvature;
    let ratio = |mean: f64| ratio(mean, held.variance);
    let (all, thirds) = (ratio(held.mean), held.thirds.map(ratio));
    let unbiased = held.variance * rows / (rows - 1.0);
    let varies = held.variance > 0.0;
    sums.parameters += 1;
    sums.constant += u64::from(!varies);
    sums.curvature += h;
    sums.absolute_curvature += h.abs();
    if held.mean * held.mean * rows <= 4.0 * unbiased {
        sums.unresolved[0] += 1.0;
        sums.unresolved[1] += h.abs();
    }
    write(design.mean_signs(), sign(held.mean as f32));
    if varies {
        sums.drift += (held.mean * held.mean - unbiased / rows) / unbiased.sqrt();
        let pairs = thirds[0] * thirds[1] + thirds[1] * thirds[2] + thirds[2] * thirds[0];
        sums.ratio_curvature += h * pairs / 3.0;
        for (third, &value) in thirds.iter().enumerate() {
            write(design.ratios_of(third), value as f32);
        }
    }
    let signal = (rows - 3.0) / (rows - 1.0) * held.mean * held.mean / unbiased - 1.0 / rows;
    for (index, (&batch, found)) in design.theory.iter().zip(&mut sums.batches).enumerate() {
        let expected = expected_sign(all, batch);
        let of: [f32; THIRDS] = std::array::from_fn(|third| {
            without_noise(batch, design.third(third).len() as f64)
                .map_or(0.0, |batch| expected_sign(thirds[third], batch))
        });
        write(design.expected(index), expected);
        write(design.influence(index), expected + tilt(all as f32, batch as f32));
        for (third, &value) in of.iter().enumerate() {
            write(design.expected_of(index, third), value);
        }
        let squared = f64::from(expected * expected);
        let split = f64::from(of[0] * of[1] + of[1] * of[2] + of[2] * of[0]) / 3.0;
        found.independent += (1.0 - squared) * h;
        found.independent_split += (1.0 - split) * h;
        if signal * batch * 2.0 >= std::f64::consts::PI || (!varies && held.mean != 0.0) {
            found.saturated[0] += 1.0;
            found.saturated[1] += h.abs();
        }
        found.overlap_variance += 1.0 - squared * squared;
    }
}

/// Compare the mean sign over resamples with the expected one.
#[inline(always)]
pub fn agreement(mean_sign: f32, mean_square: f32, expected: f32, sums: &mut BatchCurve) {
    let (mean, expected) = (f64::from(mean_sign), f64::from(expected));
    sums.mean_expected += mean * expected;
    sums.expected_squared += expected * expected;
    sums.disagreement += (mean - expected) * (mean - expected);
    sums.scatter += f64::from(mean_square) - mean * mean;
}

/// μ/σ; infinite, with the sign of μ, where nothing varies.
#[inline(always)]
fn ratio(mean: f64, variance: f64) -> f64 {
    if variance > 0.0 {
        mean / variance.sqrt()
    } else if mean == 0.0 {
        0.0
    } else {
        f64::INFINITY.copysign(mean)
    }
}

/// 𝓔 = erf(√(B/2)·μ/σ).
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rows of single precision")]
fn expected_sign(ratio: f64, batch: f64) -> f32 {
    erf(((0.5 * batch).sqrt() * ratio) as f32)
}

/// The batch size at which the expected sign of a mean over `rows` gradients is, on average over what the mean may be,
/// that of the true mean at `batch`: 𝔼 erf(√(B′/2)(t + n)) = erf(√(B/2) t) for n ~ N(0, 1/rows), B = B′/(1 + B′/rows).
#[inline(always)]
fn without_noise(batch: f64, rows: f64) -> Option<f64> {
    (batch < rows).then(|| batch / (1.0 - batch / rows))
}

/// t times the derivative of the expected sign with respect to t = μ/σ, from its approximation t/√(π/(2B) + t²).
#[inline(always)]
fn tilt(ratio: f32, batch: f32) -> f32 {
    let scale = PI / (2.0 * batch);
    let square = scale + ratio * ratio;
    if square.is_finite() { ratio * scale / (square * square.sqrt()) } else { 0.0 }
}

/// The error function, to a few units in the last place of single precision: a rational function on |x| ≤ 4, beyond
/// which it is ±1 (the coefficients of Eigen's `erf` for single precision).
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let over = |coefficients: &[f32]| coefficients.iter().fold(0.0, |sum, c| sum * square + c);
    let above = over(&[
        -2.726_142_4e-10,
        2.770_681_3e-8,
        -2.101_024_e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_600_1e-3,
        -1.609_603_3e-2,
    ]);
    let below = over(&[-1.456_606_5e-5, -2.133_740_6e-4, -1.682_827_e-3, -7.373_329_3e-3, -1.426_473_9e-2]);
    (x * above / below).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use statrs::function::erf::erf as reference;

    use super::*;

    #[test]
    fn the_error_function_is_that_of_double_precision() {
        for step in -500_i16..=500 {
            let x = f32::from(step) / 100.0;
            assert!((f64::from(erf(x)) - reference(f64::from(x))).abs() < 3e-7, "{x}");
        }
        assert_eq!([erf(f32::INFINITY), erf(f32::NEG_INFINITY), erf(0.0)], [1.0, -1.0, 0.0]);
    }

    /// The mean of erf(√(B′/2)(t + n)) over n ~ N(0, 1/rows), by the midpoint rule over ±8 standard deviations.
    #[test]
    fn the_noise_of_a_mean_is_taken_out() {
        let (ratio, batch, rows) = (0.3_f64, 20.0, 100.0_f64);
        let inflated = without_noise(batch, rows).unwrap();
        let (mut mean, mut weight) = (0.0, 0.0);
        for step in -800_i16..800 {
            let deviation = (f64::from(step) + 0.5) / 100.0;
            let density = (-0.5 * deviation * deviation).exp();
            mean += density * reference((0.5 * inflated).sqrt() * (ratio + deviation / rows.sqrt()));
            weight += density;
        }
        assert!((mean / weight - reference((0.5 * batch).sqrt() * ratio)).abs() < 1e-6);
        assert_eq!(without_noise(100.0, rows), None);
    }
}

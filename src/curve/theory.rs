//! The theory of independent signs, parameter by parameter (arXiv 2405.14578, Theorems 2 to 4).

use std::f32::consts::PI;

use super::design::{Design, THIRDS};
use super::direction::sign;
use super::moments::Moments;
use super::sums::{BatchCurve, TensorCurve};

/// A row of the matrix of a tile, to write to.
pub type Row<'a> = &'a mut [f32];

/// Add what does not depend on the batch size, and write the rows of the thirds and of the signs of the means.
#[inline(always)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts; rows of single precision"
)]
pub fn parameters(
    design: &Design,
    held: &Moments,
    sums: &mut TensorCurve,
    [mean_signs, thirds @ ..]: [Row<'_>; 1 + THIRDS],
) {
    let rows = design.rows() as f64;
    for (column, &mean) in held.mean.iter().enumerate() {
        let (variance, h) = (held.variance[column], held.curvature[column]);
        let unbiased = variance * rows / (rows - 1.0);
        let varies = variance > 0.0;
        sums.parameters += 1;
        sums.constant += u64::from(!varies);
        sums.curvature += h;
        sums.absolute_curvature += h.abs();
        if mean * mean * rows <= 4.0 * unbiased {
            sums.unresolved[0] += 1.0;
            sums.unresolved[1] += h.abs();
        }
        mean_signs[column] = sign(mean as f32);
        if varies {
            sums.drift += (mean * mean - unbiased / rows) / unbiased.sqrt();
            let of: [f64; THIRDS] = std::array::from_fn(|third| f64::from(held.ratios[1 + third][column]));
            sums.ratio_curvature += h * mean_product(of);
        }
    }
    for (row, ratios) in thirds.into_iter().zip(&held.ratios[1..]) {
        for (target, &ratio) in row.iter_mut().zip(ratios) {
            *target = if ratio.is_finite() { ratio } else { 0.0 };
        }
    }
}

/// Add what one batch size needs, and write its expected signs, those of the thirds, and the derivative.
#[inline(always)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts; rows of single precision"
)]
pub fn batch(
    design: &Design,
    held: &Moments,
    batch: f64,
    sums: &mut BatchCurve,
    [expected, influence, mut thirds @ ..]: [Row<'_>; 2 + THIRDS],
) {
    let rows = design.rows() as f64;
    expected_signs(&held.ratios[0], batch, expected);
    for ((target, &expected), &ratio) in influence.iter_mut().zip(expected.iter()).zip(&held.ratios[0]) {
        *target = expected + tilt(ratio, batch as f32);
    }
    for (third, row) in thirds.iter_mut().enumerate() {
        match without_noise(batch, design.third(third).len() as f64) {
            Some(batch) => expected_signs(&held.ratios[1 + third], batch, row),
            None => row.fill(0.0),
        }
    }
    for (column, (&mean, &variance)) in held.mean.iter().zip(&held.variance).enumerate() {
        let h = held.curvature[column];
        let squared = f64::from(expected[column] * expected[column]);
        let split = mean_product(std::array::from_fn(|third| f64::from(thirds[third][column])));
        sums.independent += (1.0 - squared) * h;
        sums.independent_split += (1.0 - split) * h;
        // The unbiased (μ/σ)² is (N − 3)/N·μ²/s² − 1/N, with s² the mean square of the deviations.
        let signal = (rows - 3.0) * mean * mean - variance;
        if 2.0 * batch * signal >= std::f64::consts::PI * rows * variance && mean != 0.0 {
            sums.saturated[0] += 1.0;
            sums.saturated[1] += h.abs();
        }
        sums.overlap_variance += 1.0 - squared * squared;
    }
}

/// The mean over pairs of thirds of their products.
#[inline(always)]
fn mean_product([a, b, c]: [f64; THIRDS]) -> f64 {
    (a * b + b * c + c * a) / 3.0
}

/// 𝓔 = erf(√(B/2)·μ/σ).
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rows of single precision")]
fn expected_signs(ratios: &[f32], batch: f64, target: Row<'_>) {
    let scale = (0.5 * batch).sqrt() as f32;
    for (target, &ratio) in target.iter_mut().zip(ratios) {
        *target = erf(scale * ratio);
    }
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
            assert!((f64::from(erf(x)) - reference(f64::from(x))).abs() < 1e-6, "{x}");
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

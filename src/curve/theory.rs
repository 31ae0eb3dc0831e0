//! The theory of independent signs, parameter by parameter (arXiv 2405.14578, Theorems 2 to 4).

use std::f64::consts::PI;

use super::design::{Design, THIRDS};
use super::direction::sign;
use super::moments::Moments;
use super::sums::{BatchSums, SizeSums};

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
    moments: &Moments,
    sums: &mut BatchSums,
    [mean_signs, thirds @ ..]: [Row<'_>; 1 + THIRDS],
) {
    let rows = design.rows() as f64;
    for (column, &mean) in moments.mean.iter().enumerate() {
        let (variance, h) = (moments.variance[column], moments.curvature[column]);
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
            let of: [f64; THIRDS] = std::array::from_fn(|third| f64::from(moments.ratios[1 + third][column]));
            sums.ratio_curvature += h * mean_product(of);
        }
    }
    for (row, ratios) in thirds.into_iter().zip(&moments.ratios[1..]) {
        for (target, &ratio) in row.iter_mut().zip(ratios) {
            *target = if ratio.is_finite() { ratio } else { 0.0 };
        }
    }
}

/// Add what one batch size needs, and write its expected signs, the derivative, the approximate expected signs, and the
/// expected signs of the thirds.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "counts")]
pub fn batch(
    design: &Design,
    moments: &Moments,
    batch: f64,
    sums: &mut SizeSums,
    [expected, influence, approximate, mut thirds @ ..]: [Row<'_>; 3 + THIRDS],
) {
    let rows = design.rows() as f64;
    expected_signs(&moments.ratios[0], batch, expected);
    approximate_signs(&moments.ratios[0], batch, approximate);
    for ((target, &expected), &approximate) in influence.iter_mut().zip(&*expected).zip(&*approximate) {
        *target = expected + tilt(approximate);
    }
    for (third, row) in thirds.iter_mut().enumerate() {
        match without_noise(batch, design.third(third).len() as f64) {
            Some(batch) => expected_signs(&moments.ratios[1 + third], batch, row),
            None => row.fill(0.0),
        }
    }
    for (column, (&mean, &variance)) in moments.mean.iter().zip(&moments.variance).enumerate() {
        let h = moments.curvature[column];
        let squared = f64::from(expected[column] * expected[column]);
        let split = mean_product(std::array::from_fn(|third| f64::from(thirds[third][column])));
        sums.independent += (1.0 - squared) * h;
        sums.independent_split += (1.0 - split) * h;
        sums.independent_approximate += (1.0 - f64::from(approximate[column] * approximate[column])) * h;
        // The unbiased (μ/σ)² is (N − 3)/N·μ²/s² − 1/N, with s² the mean square of the deviations.
        let signal = (rows - 3.0) * mean * mean - variance;
        if 2.0 * batch * signal >= PI * rows * variance && mean != 0.0 {
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

/// 𝓐 = t/√(π/(2B) + t²) with t = μ/σ, which has the slope of 𝓔 at t = 0 and its limits, and is at most 𝓔 in size.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rows of single precision")]
fn approximate_signs(ratios: &[f32], batch: f64, target: Row<'_>) {
    let scale = (2.0 * batch / PI).sqrt() as f32;
    for (target, &ratio) in target.iter_mut().zip(ratios) {
        // Beyond 1e9 the sign is certain, infinite ratios included.
        let x = (scale * ratio).clamp(-1e9, 1e9);
        *target = x / (1.0 + x * x).sqrt();
    }
}

/// t·∂𝓔/∂t by its approximation: t·∂𝓐/∂t = 𝓐(1 − 𝓐²).
#[inline(always)]
fn tilt(approximate: f32) -> f32 {
    approximate * (1.0 - approximate * approximate)
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
#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
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

    /// With y = √(B/2)·t, 𝓔 = erf(y) and 𝓐 = y/√(π/4 + y²). Both have the slope 2/√π at 0 and tend to ±1. 𝓔 − 𝓐 has one
    /// stationary point beyond 0, where 2/√π·exp(−y²) = π/4·(π/4 + y²)^(−3/2), that is y² = 3/2·log(1 + 4y²/π): y =
    /// 1.330102868. It is the largest difference, 0.107837765.
    #[test]
    fn approximate_signs_are_smaller_by_what_calculus_says_and_tend_to_the_exact_ones() {
        let stationary = 1.330_102_868_f64;
        let square = stationary * stationary;
        assert!((square - 1.5 * (4.0 * square / PI).ln_1p()).abs() < 1e-8);
        for batch in [1.0_f64, 7.0, 4096.0] {
            let ratio = |y: f64| (y / (0.5 * batch).sqrt()) as f32;
            let both = |y: f64| -> [f64; 2] {
                let (mut exact, mut approximate) = ([0.0], [0.0]);
                expected_signs(&[ratio(y)], batch, &mut exact);
                approximate_signs(&[ratio(y)], batch, &mut approximate);
                [exact, approximate].map(|[sign]| f64::from(sign))
            };
            let [exact, approximate] = both(stationary);
            assert!((exact - approximate - 0.107_837_765).abs() < 1e-6);
            for step in 1_i16..=600 {
                let y = f64::from(step) / 100.0;
                let [exact, approximate] = both(y);
                assert!((-1e-6..0.107_838_5).contains(&(exact - approximate)), "{y}");
                assert!((approximate - y / (PI / 4.0 + y * y).sqrt()).abs() < 1e-6, "{y}");
                assert_eq!(both(-y), [-exact, -approximate]);
            }
            let [exact, approximate] = both(1e-4);
            assert!((exact / approximate - 1.0).abs() < 1e-6);
            assert_eq!(both(1e4), [1.0, 1.0]);
        }
    }

    #[test]
    fn an_approximate_sign_is_certain_where_nothing_varies_and_zero_where_nothing_is() {
        let ratios = [f32::INFINITY, f32::NEG_INFINITY, 0.0, f32::MAX, -f32::MAX];
        for batch in [1e-6, 1.0, 1e12] {
            let mut found = [f32::NAN; 5];
            approximate_signs(&ratios, batch, &mut found);
            assert_eq!(found, [1.0, -1.0, 0.0, 1.0, -1.0]);
            assert_eq!(found.map(tilt), [0.0; 5]);
        }
    }

    /// ∂/∂t of t/√(s + t²) is s/(s + t²)^(3/2), with s = π/(2B).
    #[test]
    fn the_tilt_is_the_derivative_of_the_approximate_sign() {
        for (ratio, batch) in [(0.01_f32, 1.0), (-0.3, 8.0), (1.5, 2.0), (0.2, 1000.0)] {
            let mut approximate = [0.0];
            approximate_signs(&[ratio], batch, &mut approximate);
            let (s, t) = (PI / (2.0 * batch), f64::from(ratio));
            let expected = t * s / (s + t * t).powf(1.5);
            assert!((f64::from(tilt(approximate[0])) - expected).abs() < 1e-6, "{ratio} {batch}");
        }
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

//! The saturating surge law (mean-field theory of sign descent, kexue.fm/archives/11280):
//! `log ε = log ε_max − log cosh(log(β_n/β))` with `β = (1 + B_s/B)^(−½)`.
//!
//! It rises like √B, peaks only if β_n < 1, and tends to a limit other than zero.

use super::columns::{Column, Columns, Curve, Output, fill, is_scalable};
use super::{LOG_MAX_LEARNING_RATE, LOG_NOISE_SCALE, Law};
use crate::simd::{Arithmetic, Plain, log, log_cosh, logistic, softplus};

#[derive(Debug)]
pub struct SaturatingSurge;

/// The curve for any arguments: two exponentials and two logarithms.
#[derive(Clone, Copy)]
struct Approach {
    log_max: f64,
    log_noise: f64,
    /// log β_n.
    peak_ratio: f64,
}

impl Approach {
    fn new(parameters: &[f64]) -> Self {
        Self { log_max: parameters[0], log_noise: parameters[1], peak_ratio: parameters[2] }
    }

    fn log_ratio<A: Arithmetic>(self, log_batch_size: f64) -> f64 {
        A::multiply_add(0.5, softplus::<A>(self.log_noise - log_batch_size), self.peak_ratio)
    }
}

impl Curve for Approach {
    #[inline(always)]
    fn at<A: Arithmetic>(self, column: Column) -> f64 {
        self.log_max - log_cosh::<A>(self.log_ratio::<A>(column.log_batch_size))
    }
}

/// The same curve through w = (β_n/β)² = β_n²·(1 + B_s/B): `log cosh(½ log w) = ½ log((1 + w)²/(4w))`. One logarithm
/// and one division.
#[derive(Clone, Copy)]
struct ScaledApproach {
    log_max: f64,
    noise_scale: f64,
    squared_ratio: f64,
}

impl Curve for ScaledApproach {
    #[inline(always)]
    fn at<A: Arithmetic>(self, column: Column) -> f64 {
        let w = self.squared_ratio * A::multiply_add(self.noise_scale, column.reciprocal, 1.0);
        let sum = 1.0 + w;
        A::multiply_add(-0.5, log::<A>(sum * sum / (4.0 * w)), self.log_max)
    }
}

impl Law for SaturatingSurge {
    fn name(&self) -> &'static str {
        "saturating_surge"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &[LOG_MAX_LEARNING_RATE, LOG_NOISE_SCALE, "log_peak_ratio"]
    }

    fn value(&self, parameters: &[f64], log_batch_size: f64) -> f64 {
        Approach::new(parameters).at::<Plain>(Column::new(log_batch_size))
    }

    fn gradient(&self, parameters: &[f64], log_batch_size: f64, out: &mut [f64]) {
        let curve = Approach::new(parameters);
        let pull = curve.log_ratio::<Plain>(log_batch_size).tanh();
        out[0] = 1.0;
        out[1] = -0.5 * pull * logistic::<Plain>(curve.log_noise - log_batch_size);
        out[2] = -pull;
    }

    /// β = β_n, that is `B_s/B = β_n^(−2) − 1`, if β_n < 1.
    fn peak(&self, parameters: &[f64]) -> f64 {
        let Approach { log_noise, peak_ratio, .. } = Approach::new(parameters);
        if peak_ratio < 0.0 {
            log_noise + 2.0 * peak_ratio - (-(2.0 * peak_ratio).exp_m1()).ln()
        } else {
            f64::INFINITY
        }
    }

    fn supremum(&self, parameters: &[f64]) -> f64 {
        parameters[0] - log_cosh::<Plain>(parameters[2].max(0.0))
    }

    fn limits(&self, _: &[f64]) -> (f64, f64) {
        (0.5, 0.0)
    }

    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>) {
        let curve = Approach::new(parameters);
        // Squared, cubed with B_s/B and squared again: a quarter of the range is what w can afford.
        let scalable = is_scalable(curve.log_noise) && is_scalable(4.0 * curve.peak_ratio);
        if columns.scalable && scalable {
            let Approach { log_max, log_noise, peak_ratio } = curve;
            let (noise_scale, squared_ratio) = (log_noise.exp(), (2.0 * peak_ratio).exp());
            fill(ScaledApproach { log_max, noise_scale, squared_ratio }, columns, out);
        } else {
            fill(curve, columns, out);
        }
    }
}

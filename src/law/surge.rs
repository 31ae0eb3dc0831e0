//! The surge law (arXiv 2405.14578, theorem 3): `log ε = log ε_max − log cosh(p·log(B_noise/B))` with p = ½, and the
//! same with a free exponent p.

use super::columns::{Column, Columns, Curve, Output, fill, is_scalable};
use super::{LOG_MAX_LEARNING_RATE, LOG_NOISE_SCALE, Law};
use crate::simd::{Arithmetic, Plain, log, log_cosh};

/// The curve for any arguments: one exponential and one logarithm.
#[derive(Clone, Copy)]
struct Peak {
    log_max: f64,
    log_noise: f64,
    exponent: f64,
}

impl Peak {
    fn gradient(self, log_batch_size: f64) -> [f64; 3] {
        let distance = self.log_noise - log_batch_size;
        let pull = (self.exponent * distance).tanh();
        [1.0, -self.exponent * pull, -distance * pull]
    }
}

impl Curve for Peak {
    #[inline(always)]
    fn at<A: Arithmetic>(self, column: Column) -> f64 {
        self.log_max - log_cosh::<A>(self.exponent * (self.log_noise - column.log_batch_size))
    }
}

/// The curve for p = ½ with r = B_noise/B as a product: `log cosh(½ log r) = log((1 + r)/2) − ½ log r`, and
/// `½ log r = ½ log B_noise − ½ log B` is known beforehand. One logarithm.
#[derive(Clone, Copy)]
struct ScaledPeak {
    /// log ε_max + ½ log B_noise.
    level: f64,
    half_noise_scale: f64,
}

impl Curve for ScaledPeak {
    #[inline(always)]
    fn at<A: Arithmetic>(self, column: Column) -> f64 {
        let mean = log::<A>(A::multiply_add(self.half_noise_scale, column.reciprocal, 0.5));
        A::multiply_add(-0.5, column.log_batch_size, self.level) - mean
    }
}

/// The surge law of the paper.
#[derive(Debug)]
pub struct Surge;

impl Surge {
    fn curve(parameters: &[f64]) -> Peak {
        Peak { log_max: parameters[0], log_noise: parameters[1], exponent: 0.5 }
    }
}

impl Law for Surge {
    fn name(&self) -> &'static str {
        "surge"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &[LOG_MAX_LEARNING_RATE, LOG_NOISE_SCALE]
    }

    fn value(&self, parameters: &[f64], log_batch_size: f64) -> f64 {
        Self::curve(parameters).at::<Plain>(Column::new(log_batch_size))
    }

    fn gradient(&self, parameters: &[f64], log_batch_size: f64, out: &mut [f64]) {
        out.copy_from_slice(&Self::curve(parameters).gradient(log_batch_size)[..2]);
    }

    fn peak(&self, parameters: &[f64]) -> f64 {
        parameters[1]
    }

    fn supremum(&self, parameters: &[f64]) -> f64 {
        parameters[0]
    }

    fn limits(&self, _: &[f64]) -> (f64, f64) {
        (0.5, -0.5)
    }

    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>) {
        let curve = Self::curve(parameters);
        if columns.scalable && is_scalable(curve.log_noise) {
            let Peak { log_max, log_noise, .. } = curve;
            let (level, half_noise_scale) = (log_max + 0.5 * log_noise, 0.5 * log_noise.exp());
            fill(ScaledPeak { level, half_noise_scale }, columns, out);
        } else {
            fill(curve, columns, out);
        }
    }
}

/// The surge law with a free exponent, whose sign does not matter.
#[derive(Debug)]
pub struct SurgeFreeExponent;

impl SurgeFreeExponent {
    fn curve(parameters: &[f64]) -> Peak {
        Peak { log_max: parameters[0], log_noise: parameters[1], exponent: parameters[2] }
    }
}

impl Law for SurgeFreeExponent {
    fn name(&self) -> &'static str {
        "surge_free_exponent"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &[LOG_MAX_LEARNING_RATE, LOG_NOISE_SCALE, "exponent"]
    }

    fn value(&self, parameters: &[f64], log_batch_size: f64) -> f64 {
        Self::curve(parameters).at::<Plain>(Column::new(log_batch_size))
    }

    fn gradient(&self, parameters: &[f64], log_batch_size: f64, out: &mut [f64]) {
        out.copy_from_slice(&Self::curve(parameters).gradient(log_batch_size));
    }

    fn peak(&self, parameters: &[f64]) -> f64 {
        if parameters[2] == 0.0 { f64::NAN } else { parameters[1] }
    }

    fn supremum(&self, parameters: &[f64]) -> f64 {
        parameters[0]
    }

    fn limits(&self, parameters: &[f64]) -> (f64, f64) {
        (parameters[2].abs(), -parameters[2].abs())
    }

    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>) {
        fill(Self::curve(parameters), columns, out);
    }
}

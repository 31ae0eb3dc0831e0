//! The large-batch law (arXiv 1812.06162): `log ε = log ε_max − α log(1 + B_noise/B)`, with α = 1 for SGD and
//! α = ½ as the slowest saturation proposed for Adam. A free α is not identified, so it is fixed.

use super::columns::{Column, Columns, Curve, Output, fill, is_scalable};
use super::{LOG_MAX_LEARNING_RATE, LOG_NOISE_SCALE, Law};
use crate::simd::{Arithmetic, Plain, log, logistic, softplus};

#[derive(Debug)]
pub struct LargeBatch {
    name: &'static str,
    alpha: f64,
}

pub static SGD: LargeBatch = LargeBatch { name: "sgd", alpha: 1.0 };
pub static LARGE_BATCH_HALF: LargeBatch = LargeBatch { name: "large_batch_half", alpha: 0.5 };

/// The curve for any arguments: one exponential and one logarithm.
#[derive(Clone, Copy)]
struct Saturation {
    log_max: f64,
    log_noise: f64,
    alpha: f64,
}

impl Curve for Saturation {
    #[inline(always)]
    fn at<A: Arithmetic>(self, column: Column) -> f64 {
        let excess = softplus::<A>(self.log_noise - column.log_batch_size);
        A::multiply_add(-self.alpha, excess, self.log_max)
    }
}

/// The same curve with `B_noise/B` as the product of two numbers known beforehand: one logarithm.
#[derive(Clone, Copy)]
struct ScaledSaturation {
    log_max: f64,
    noise_scale: f64,
    alpha: f64,
}

impl Curve for ScaledSaturation {
    #[inline(always)]
    fn at<A: Arithmetic>(self, column: Column) -> f64 {
        let excess = log::<A>(A::multiply_add(self.noise_scale, column.reciprocal, 1.0));
        A::multiply_add(-self.alpha, excess, self.log_max)
    }
}

impl LargeBatch {
    fn curve(&self, parameters: &[f64]) -> Saturation {
        Saturation { log_max: parameters[0], log_noise: parameters[1], alpha: self.alpha }
    }
}

impl Law for LargeBatch {
    fn name(&self) -> &'static str {
        self.name
    }

    fn parameters(&self) -> &'static [&'static str] {
        &[LOG_MAX_LEARNING_RATE, LOG_NOISE_SCALE]
    }

    fn value(&self, parameters: &[f64], log_batch_size: f64) -> f64 {
        self.curve(parameters).at::<Plain>(Column::new(log_batch_size))
    }

    fn gradient(&self, parameters: &[f64], log_batch_size: f64, out: &mut [f64]) {
        out[0] = 1.0;
        out[1] = -self.alpha * logistic::<Plain>(parameters[1] - log_batch_size);
    }

    fn peak(&self, _: &[f64]) -> f64 {
        f64::INFINITY
    }

    fn supremum(&self, parameters: &[f64]) -> f64 {
        parameters[0]
    }

    fn limits(&self, _: &[f64]) -> (f64, f64) {
        (self.alpha, 0.0)
    }

    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>) {
        let curve = self.curve(parameters);
        if columns.scalable && is_scalable(curve.log_noise) {
            let noise_scale = curve.log_noise.exp();
            fill(ScaledSaturation { log_max: curve.log_max, noise_scale, alpha: self.alpha }, columns, out);
        } else {
            fill(curve, columns, out);
        }
    }
}

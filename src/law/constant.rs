//! The constant law: `log ε = log ε_max`. The batch size does not matter.

use super::columns::{Column, Columns, Curve, Output, fill};
use super::{LOG_MAX_LEARNING_RATE, Law};
use crate::simd::Arithmetic;

#[derive(Debug)]
pub struct Constant;

#[derive(Clone, Copy)]
struct Flat(f64);

impl Curve for Flat {
    #[inline(always)]
    fn at<A: Arithmetic>(self, _: Column) -> f64 {
        self.0
    }
}

impl Law for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &[LOG_MAX_LEARNING_RATE]
    }

    fn value(&self, parameters: &[f64], _: f64) -> f64 {
        parameters[0]
    }

    fn gradient(&self, _: &[f64], _: f64, out: &mut [f64]) {
        out[0] = 1.0;
    }

    fn peak(&self, _: &[f64]) -> f64 {
        f64::NAN
    }

    fn supremum(&self, parameters: &[f64]) -> f64 {
        parameters[0]
    }

    fn limits(&self, _: &[f64]) -> (f64, f64) {
        (0.0, 0.0)
    }

    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>) {
        fill(Flat(parameters[0]), columns, out);
    }
}

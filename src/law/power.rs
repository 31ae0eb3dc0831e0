//! Power laws: `log ε = log c + a log B`, with a free slope `a`, or with the fixed slopes of the linear (`a = 1`)
//! and the square-root rule (`a = ½`; arXiv 2006.09092, 2205.10287).

use super::columns::{Column, Columns, Curve, Output, fill};
use super::{LOG_LEARNING_RATE_SCALE, Law};
use crate::simd::Arithmetic;

#[derive(Clone, Copy)]
struct Line {
    log_scale: f64,
    slope: f64,
}

impl Line {
    fn peak(self) -> f64 {
        match self.slope {
            slope if slope > 0.0 => f64::INFINITY,
            slope if slope < 0.0 => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }

    fn supremum(self) -> f64 {
        if self.slope == 0.0 { self.log_scale } else { f64::INFINITY }
    }
}

impl Curve for Line {
    #[inline(always)]
    fn at<A: Arithmetic>(self, column: Column) -> f64 {
        A::multiply_add(self.slope, column.log_batch_size, self.log_scale)
    }
}

/// The power law with a free slope.
#[derive(Debug)]
pub struct Power;

impl Power {
    fn line(parameters: &[f64]) -> Line {
        Line { log_scale: parameters[0], slope: parameters[1] }
    }
}

impl Law for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &[LOG_LEARNING_RATE_SCALE, "slope"]
    }

    fn value(&self, parameters: &[f64], log_batch_size: f64) -> f64 {
        parameters[0] + parameters[1] * log_batch_size
    }

    fn gradient(&self, _: &[f64], log_batch_size: f64, out: &mut [f64]) {
        out[0] = 1.0;
        out[1] = log_batch_size;
    }

    fn peak(&self, parameters: &[f64]) -> f64 {
        Self::line(parameters).peak()
    }

    fn supremum(&self, parameters: &[f64]) -> f64 {
        Self::line(parameters).supremum()
    }

    fn limits(&self, parameters: &[f64]) -> (f64, f64) {
        (parameters[1], parameters[1])
    }

    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>) {
        fill(Self::line(parameters), columns, out);
    }
}

/// A power law whose slope is given by theory.
#[derive(Debug)]
pub struct FixedPower {
    name: &'static str,
    slope: f64,
}

pub static LINEAR: FixedPower = FixedPower { name: "linear", slope: 1.0 };
pub static SQUARE_ROOT: FixedPower = FixedPower { name: "square_root", slope: 0.5 };

impl FixedPower {
    fn line(&self, parameters: &[f64]) -> Line {
        Line { log_scale: parameters[0], slope: self.slope }
    }
}

impl Law for FixedPower {
    fn name(&self) -> &'static str {
        self.name
    }

    fn parameters(&self) -> &'static [&'static str] {
        &[LOG_LEARNING_RATE_SCALE]
    }

    fn value(&self, parameters: &[f64], log_batch_size: f64) -> f64 {
        parameters[0] + self.slope * log_batch_size
    }

    fn gradient(&self, _: &[f64], _: f64, out: &mut [f64]) {
        out[0] = 1.0;
    }

    fn peak(&self, parameters: &[f64]) -> f64 {
        self.line(parameters).peak()
    }

    fn supremum(&self, parameters: &[f64]) -> f64 {
        self.line(parameters).supremum()
    }

    fn limits(&self, _: &[f64]) -> (f64, f64) {
        (self.slope, self.slope)
    }

    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>) {
        fill(self.line(parameters), columns, out);
    }
}

//! The smoothly broken power law (as in arXiv 2210.14891): `log ε = log ε_c − log ½(e^(−px) + e^(qx))` with
//! `x = log(B/B_c)`.
//!
//! p is the slope at small batch sizes and q the fall at large ones, as long as p > −q; otherwise they swap roles.
//! It holds the other laws: p = q = ½ is the surge law, p = 1 with q = 0 is SGD's (with ε_c = ε_max/2), q = −p a power
//! law, p = q = 0 a constant.

use super::columns::{Column, Columns, Curve, Output, fill};
use super::{LOG_LEARNING_RATE_SCALE, LOG_NOISE_SCALE, Law};
use crate::simd::{Arithmetic, Kernel, Plain, Softened, dispatch, log_cosh};

#[derive(Debug)]
pub struct BrokenPower;

/// `½(e^(−px) + e^(qx)) = e^((q−p)x/2)·cosh((p+q)x/2)`.
#[derive(Clone, Copy)]
struct Bend {
    log_scale: f64,
    log_noise: f64,
    rise: f64,
    fall: f64,
}

impl Bend {
    fn new(parameters: &[f64]) -> Self {
        Self { log_scale: parameters[0], log_noise: parameters[1], rise: parameters[2], fall: parameters[3] }
    }

    /// The curve at x/2, given log cosh((p + q)x/2).
    #[inline(always)]
    fn given_log_cosh<A: Arithmetic>(self, half: f64, log_cosh: f64) -> f64 {
        self.log_scale - A::multiply_add(self.fall - self.rise, half, log_cosh)
    }

    /// The curve, and its derivatives by all parameters.
    #[inline(always)]
    fn partials<A: Arithmetic>(self, log_batch_size: f64) -> (f64, [f64; 4]) {
        let Self { log_noise, rise, fall, .. } = self;
        let x = log_batch_size - log_noise;
        // Shares of e^(−px) and e^(qx) in their sum.
        let Softened { log_cosh, below: rising, above: falling } = Softened::at::<A>(0.5 * (rise + fall) * x);
        let slopes = [1.0, fall * falling - rise * rising, x * rising, -x * falling];
        (self.given_log_cosh::<A>(0.5 * x, log_cosh), slopes)
    }

    /// Slopes at small and at large batch sizes: the curve is concave, so the first is the larger.
    fn limits(self) -> (f64, f64) {
        (self.rise.max(-self.fall), self.rise.min(-self.fall))
    }
}

impl Curve for Bend {
    #[inline(always)]
    fn at<A: Arithmetic>(self, column: Column) -> f64 {
        let half = 0.5 * (column.log_batch_size - self.log_noise);
        self.given_log_cosh::<A>(half, log_cosh::<A>((self.rise + self.fall) * half))
    }
}

/// Values and derivatives at many batch sizes.
struct Partials<'a> {
    bend: Bend,
    log_batch_size: &'a [f64],
    values: &'a mut [f64],
    slopes: &'a mut [f64],
}

impl Kernel for Partials<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let count = self.log_batch_size.len();
        let (log_batch_size, values) = (&self.log_batch_size[..count], &mut self.values[..count]);
        let (by_scale, rest) = self.slopes[..4 * count].split_at_mut(count);
        let (by_noise, rest) = rest.split_at_mut(count);
        let (by_rise, by_fall) = rest.split_at_mut(count);
        for i in 0..count {
            let (value, slopes) = self.bend.partials::<A>(log_batch_size[i]);
            values[i] = value;
            [by_scale[i], by_noise[i], by_rise[i], by_fall[i]] = slopes;
        }
    }
}

impl Law for BrokenPower {
    fn name(&self) -> &'static str {
        "broken_power"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &[LOG_LEARNING_RATE_SCALE, LOG_NOISE_SCALE, "small_batch_slope", "large_batch_fall"]
    }

    fn value(&self, parameters: &[f64], log_batch_size: f64) -> f64 {
        Bend::new(parameters).at::<Plain>(Column::new(log_batch_size))
    }

    fn gradient(&self, parameters: &[f64], log_batch_size: f64, out: &mut [f64]) {
        out.copy_from_slice(&Bend::new(parameters).partials::<Plain>(log_batch_size).1);
    }

    fn values_and_gradients(
        &self,
        parameters: &[f64],
        log_batch_size: &[f64],
        values: &mut [f64],
        slopes: &mut [f64],
    ) {
        dispatch(Partials { bend: Bend::new(parameters), log_batch_size, values, slopes });
    }

    /// `log(p/q)/(p + q)` from B_c if the curve rises first and falls later.
    fn peak(&self, parameters: &[f64]) -> f64 {
        let bend = Bend::new(parameters);
        match bend.limits() {
            (small, large) if small > 0.0 && large < 0.0 => {
                bend.log_noise + (bend.rise / bend.fall).ln() / (bend.rise + bend.fall)
            }
            (0.0, 0.0) => f64::NAN,
            (_, large) if large >= 0.0 => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        }
    }

    /// The peak; twice ε_c if the curve tends to a limit on one side; nothing if it rises without end.
    fn supremum(&self, parameters: &[f64]) -> f64 {
        let bend = Bend::new(parameters);
        match bend.limits() {
            (small, large) if small > 0.0 && large < 0.0 => self.value(parameters, self.peak(parameters)),
            (0.0, 0.0) => bend.log_scale,
            (small, large) if large > 0.0 || small < 0.0 => f64::INFINITY,
            _ => bend.log_scale + std::f64::consts::LN_2,
        }
    }

    fn limits(&self, parameters: &[f64]) -> (f64, f64) {
        Bend::new(parameters).limits()
    }

    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>) {
        fill(Bend::new(parameters), columns, out);
    }
}

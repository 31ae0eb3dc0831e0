//! The laws: the best log learning rate as a function of the log batch size.
//!
//! Every law has the anatomy `log ε(B) = log_scale + shape(log B; θ)`. Its first parameter is the additive scale, a
//! natural logarithm of a learning rate. Values are finite for any finite arguments: everything is computed in log
//! space.

mod batch;
mod broken_power;
mod builtin;
mod columns;
mod constant;
mod large_batch;
mod power;
mod reduce;
mod saturating_surge;
mod surge;

use std::fmt::Debug;

pub use batch::{evaluate, gradient, per_draw};
pub use builtin::{LAWS, by_name};
pub(crate) use columns::{Columns, Output};
pub use reduce::{Landscape, expected_regret, quantiles};

/// A law, with its parameters given as a slice in the order of [`Law::parameters`].
pub trait Law: Debug + Sync {
    /// The public name.
    fn name(&self) -> &'static str;

    /// Names of the parameters, the additive scale first.
    fn parameters(&self) -> &'static [&'static str];

    /// log ε at one log batch size.
    fn value(&self, parameters: &[f64], log_batch_size: f64) -> f64;

    /// Derivatives of [`Law::value`] with respect to the parameters.
    fn gradient(&self, parameters: &[f64], log_batch_size: f64, out: &mut [f64]);

    /// [`Law::value`] and [`Law::gradient`] at many batch sizes, the slopes of shape (parameter, batch size).
    fn values_and_gradients(
        &self,
        parameters: &[f64],
        log_batch_size: &[f64],
        values: &mut [f64],
        slopes: &mut [f64],
    ) {
        let mut here = [0.0; MOST_PARAMETERS];
        let here = &mut here[..parameters.len()];
        for (column, (&x, value)) in log_batch_size.iter().zip(values).enumerate() {
            *value = self.value(parameters, x);
            self.gradient(parameters, x, here);
            for (row, slope) in slopes.chunks_mut(log_batch_size.len()).zip(&*here) {
                row[column] = *slope;
            }
        }
    }

    /// log B where the curve is highest: `+inf` if it never stops rising (or rises to its limit), `-inf` if it
    /// only falls, NaN if it is flat.
    fn peak(&self, parameters: &[f64]) -> f64;

    /// The least upper bound of log ε over all batch sizes; `+inf` if there is none.
    fn supremum(&self, parameters: &[f64]) -> f64;

    /// d log ε / d log B in the limits of small and of large batch sizes.
    fn limits(&self, parameters: &[f64]) -> (f64, f64);

    /// [`Law::value`] at many batch sizes, to the last few units of log ε.
    fn row(&self, parameters: &[f64], columns: Columns<'_>, out: Output<'_>);
}

/// No law has more parameters than this.
const MOST_PARAMETERS: usize = 4;

/// The additive scale, alone or first of all parameters.
const LOG_MAX_LEARNING_RATE: &str = "log_max_learning_rate";
const LOG_LEARNING_RATE_SCALE: &str = "log_learning_rate_scale";
const LOG_NOISE_SCALE: &str = "log_noise_scale";

#[cfg(test)]
mod tests;

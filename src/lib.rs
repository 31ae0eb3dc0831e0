//! Learning-rate laws, evaluated over posterior draws.
//!
//! Which learning rate for which batch size? Every law here is a curve `log ε(B)`: the surge law of Adam
//! ([arXiv 2405.14578](https://arxiv.org/abs/2405.14578)), the saturation of SGD
//! ([arXiv 1812.06162](https://arxiv.org/abs/1812.06162)), power laws, and the smoothly broken power law
//! ([arXiv 2210.14891](https://arxiv.org/abs/2210.14891)) that holds them. The kernels evaluate a law for thousands of
//! draws of its parameters at once, in parallel and in log space, and reduce over draws without holding the table.
//!
//! ```
//! use ndarray::array;
//! use surge_fit::{by_name, evaluate, quantiles};
//!
//! let surge = by_name("surge")?;
//! // Two draws of (log_max_learning_rate, log_noise_scale); three batch sizes.
//! let draws = array![[-6.0, 4.0], [-6.2, 4.5]];
//! let log_batch_size = array![2.0, 4.0, 6.0];
//!
//! let mut curves = vec![0.0; 6];
//! evaluate(surge, draws.view(), log_batch_size.view(), &mut curves)?;
//! // The curve of the first draw peaks at log B = 4, with the value -6.
//! assert!((curves[1] + 6.0).abs() < 1e-15);
//!
//! let median = quantiles(surge, draws.view(), log_batch_size.view(), array![0.5].view(), None)?;
//! assert!((median[[0, 1]] - 0.5 * (curves[1] + curves[4])).abs() < 1e-15);
//! # Ok::<(), surge_fit::Error>(())
//! ```

// Tests compare with exact values.
#![cfg_attr(test, allow(clippy::float_cmp))]

mod dump;
mod error;
mod law;
#[cfg(feature = "python")]
mod python;
mod statistics;
mod surface;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use dump::fuzzing;
pub use dump::{Buffer, Container, Contents, Dtype, Entry, Format, Location, Options, index_files};
pub use error::Error;
pub use law::{LAWS, Landscape, Law, by_name, evaluate, expected_regret, gradient, per_draw, quantiles};
pub use statistics::{
    Estimate, Interval, Inverse, Moments, Pair, ParameterFile, Part, PartialRows, PartlyScanned, Request,
    Resolvable, Rows, Scanned, Shape, Sink, Standardised, Sums, estimate, resolvable, scan, scan_partial,
    two_batch_sizes,
};
pub use surface::Valley;

/// The kernels as Python sees them: `surge_fit._core`.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use crate::python::dump::{GradientFile, index_files};
    #[pymodule_export]
    use crate::python::law::{
        evaluate_law, law_expected_regret, law_gradient, law_limits, law_parameters, law_peak, law_quantiles,
        law_supremum, valley,
    };
    #[pymodule_export]
    use crate::python::noise::{
        estimate_noise, estimate_resolvable, estimate_two_batch_noise, merge_moments,
    };
    #[pymodule_export]
    use crate::python::statistics::scan_gradients;
}

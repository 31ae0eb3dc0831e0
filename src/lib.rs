//! Learning-rate laws, evaluated over posterior draws; gradient dumps, summed at the speed of memory.
//!
//! # Laws
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
//!
//! # Gradient noise
//!
//! How noisy is a gradient? A [`Container`] maps a file of gradients without trusting it, [`scan`] sums the rows of its
//! tensors in one tiled pass, the same to the last bit for any number of threads, and [`estimate`] gives |G|², tr Σ and
//! the simple noise scale of [arXiv 1812.06162](https://arxiv.org/abs/1812.06162) without bias, with the jackknife's
//! intervals.
//!
//! ```
//! use surge_fit::{Dtype, Part, Request, Rows, estimate, scan};
//!
//! // Four examples of a gradient of two parameters: (1, 1), (1, -1), (3, 1), (3, -1).
//! let bytes: Vec<u8> = [1.0_f32, 1.0, 1.0, -1.0, 3.0, 1.0, 3.0, -1.0].iter().flat_map(|g| g.to_le_bytes()).collect();
//! let tensor = Rows::new(Dtype::F32, 2, bytes.chunks(8).collect())?;
//! let found = scan(&[tensor], &[true; 4], &Request::default(), None, &mut |_| true)?;
//!
//! let sums = &found.sums[0];
//! assert_eq!(sums.mean_norm_squared, 4.0);
//! assert_eq!(sums.norms, [2.0, 2.0, 10.0, 10.0]);
//!
//! let (rows, norms, projections) = (&[0, 1, 2, 3], &sums.norms, &sums.projections);
//! let mean_norm_squared = sums.mean_norm_squared;
//! let part = Part { rows, norms, projections, mean_norm_squared, weights: None, groups: None };
//! let noise = estimate(&[part], 0.95)?;
//! // Each parameter varies by ±1: the unbiased variances are 4/3, and |G|² = 4 - (8/3)/4.
//! assert!((noise.gradient_covariance_trace.value - 8.0 / 3.0).abs() < 1e-12);
//! assert!((noise.gradient_norm_squared.value - 10.0 / 3.0).abs() < 1e-12);
//! # Ok::<(), surge_fit::Error>(())
//! ```

// Tests compare with exact values.
#![cfg_attr(test, allow(clippy::float_cmp))]

mod curve;
mod dump;
mod error;
mod law;
mod numeric;
mod planning;
mod posterior;
#[cfg(feature = "python")]
mod python;
mod simd;
mod statistics;
mod surface;

pub use curve::{
    BatchSums, DirectionSums, Directions, Minibatches, Optimizer, SizeSums, State, bilinear_forms,
    directions, scan_directions,
};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use dump::fuzzing;
pub use dump::{Buffer, Container, Contents, Dtype, Entry, Format, Location, Options, index_files};
pub use error::Error;
pub use law::{LAWS, Landscape, Law, by_name, evaluate, expected_regret, gradient, per_draw, quantiles};
pub use numeric::Rows;
pub use planning::{Known, Prospect, values_of_blocks};
pub use posterior::{
    Cells, Chain, FloorPlaces, Geometry, Model, Observed, Per, Prior, Priors, Runs, Scale, Settings, Task,
    Variable, integrate_floor, sample,
};
pub use statistics::{
    Estimate, Interval, Inverse, Moments, Pair, ParameterFile, Part, PartialRows, PartlyScanned, Request,
    Resolvable, Scanned, Shape, Sink, Standardised, Sums, estimate, resolvable, scan, scan_partial,
    two_batch_sizes,
};
pub use surface::Valley;

/// The kernels as Python sees them: `surge_fit._core`.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use crate::python::batch_sums::BatchSums;
    #[pymodule_export]
    use crate::python::curve::{bilinear_forms, scan_directions, write_directions};
    #[pymodule_export]
    use crate::python::direction_sums::DirectionSums;
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
    use crate::python::planning::values_of_blocks;
    #[pymodule_export]
    use crate::python::posterior::{PosteriorModel, integrate_floor, sample_posteriors};
    #[pymodule_export]
    use crate::python::statistics::scan_gradients;
    #[pymodule_export]
    use crate::python::tensor_sums::TensorSums;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python uses")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

//! Estimates of gradient noise for Python.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::require_shape;
use crate::python::numbered;
use crate::python::tensor_sums::{Lent, TensorSums};
use crate::statistics::{self, Estimate, Interval, Moments, Pair, Part, Standardised};

type Floats<'py> = PyReadonlyArray1<'py, f64>;
/// Value, standard error, lower and upper end.
type Quantity = (f64, f64, f64, f64);

/// Relative error that the advice on examples aims at.
const GOOD: f64 = 0.2;

/// Sums of tensors, each with what is known of its rows.
type Tensors<'py> = Vec<Bound<'py, TensorSums>>;

#[pyfunction]
pub fn estimate_noise<'py>(
    py: Python<'py>,
    sums: Tensors<'py>,
    microbatch_size: Floats<'py>,
    groups: Option<PyReadonlyArray1<'py, i64>>,
    probability: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let groups = groups.map(|groups| numbered("groups", groups)).transpose()?;
    let lent = lend(&sums, &microbatch_size, groups.as_deref())?;
    let parts: Vec<Part<'_>> = lent.iter().map(Lent::part).collect();
    let found = statistics::estimate(&parts, probability)?;
    to_dict(py, &found, sums.iter().all(|sums| sums.get().has_projections()))
}

#[pyfunction]
pub fn estimate_resolvable(
    sums: Tensors<'_>,
    microbatch_size: Floats<'_>,
    probability: f64,
) -> PyResult<Quantity> {
    let lent = lend(&sums, &microbatch_size, None)?;
    let parts: Vec<Standardised<'_>> = lent.iter().filter_map(Lent::standardised).collect();
    Ok(quantity(&statistics::resolvable(&parts, probability)?.mean_signal))
}

fn lend<'a>(
    sums: &'a Tensors<'_>,
    microbatch_size: &Floats<'_>,
    groups: Option<&[u32]>,
) -> PyResult<Vec<Lent<'a>>> {
    let weights = microbatch_size.as_array().to_vec();
    sums.iter().map(|sums| sums.get().lend(&weights, groups)).collect()
}

#[pyfunction]
pub fn estimate_two_batch_noise<'py>(
    py: Python<'py>,
    small: Floats<'py>,
    small_norm_squared: Floats<'py>,
    big: Floats<'py>,
    big_norm_squared: Floats<'py>,
    probability: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let columns = [&small, &small_norm_squared, &big, &big_norm_squared].map(|column| column.as_array());
    let steps = columns.iter().map(ndarray::ArrayBase::len).min().unwrap_or(0);
    let pairs: Vec<Pair> = (0..steps)
        .map(|step| Pair {
            small: columns[0][step],
            small_norm_squared: columns[1][step],
            big: columns[2][step],
            big_norm_squared: columns[3][step],
        })
        .collect();
    to_dict(py, &statistics::two_batch_sizes(&pairs, probability)?, true)
}

/// Count, means, and sums of second, third and fourth powers of deviations, one per parameter.
type MomentsArgument<'py> = (f64, Floats<'py>, Floats<'py>, Floats<'py>, Floats<'py>);

#[pyfunction]
pub fn merge_moments<'py>(
    py: Python<'py>,
    parts: Vec<MomentsArgument<'py>>,
) -> PyResult<[Bound<'py, PyArray1<f64>>; 4]> {
    let mut merged: Vec<Moments> = Vec::new();
    for (count, mean, second, third, fourth) in &parts {
        let columns = [mean, second, third, fourth].map(|column| column.as_array());
        for column in &columns {
            require_shape("parts", "(parameter,)", &[columns[0].len()], column.shape())?;
        }
        merged.resize(columns[0].len(), Moments::default());
        for (index, moments) in merged.iter_mut().enumerate() {
            let [mean, second, third, fourth] = columns.map(|column| column[index]);
            *moments = moments.merge(Moments { count: *count, mean, second, third, fourth });
        }
    }
    let column = |of: fn(&Moments) -> f64| merged.iter().map(of).collect::<Vec<_>>().into_pyarray(py);
    Ok([column(|of| of.mean), column(|of| of.second), column(|of| of.third), column(|of| of.fourth)])
}

fn quantity(interval: &Interval) -> Quantity {
    (interval.value, interval.standard_error, interval.low, interval.high)
}

/// Estimates by name; without intervals where the sums tell none.
fn to_dict<'py>(py: Python<'py>, found: &Estimate, intervals: bool) -> PyResult<Bound<'py, PyDict>> {
    let known = |number: f64| if intervals { number } else { f64::NAN };
    let estimated = |interval: &Interval| {
        let (value, error, low, high) = quantity(interval);
        (value, known(error), known(low), known(high))
    };
    let dict = PyDict::new(py);
    dict.set_item("gradient_norm_squared", estimated(&found.gradient_norm_squared))?;
    dict.set_item("gradient_covariance_trace", estimated(&found.gradient_covariance_trace))?;
    dict.set_item("inverse_noise_scale", estimated(&found.inverse_noise_scale))?;
    dict.set_item("relative_error", known(found.relative_error()))?;
    dict.set_item("examples_needed", known(found.examples_needed(GOOD).unwrap_or(f64::INFINITY)))?;
    Ok(dict)
}

//! Estimates of gradient noise for Python.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::require_shape;
use crate::python::numbered;
use crate::statistics::{self, Estimate, Interval, Moments, Pair, Part, Standardised};

type Floats<'py> = PyReadonlyArray1<'py, f64>;
/// Value, standard error, lower and upper end.
type Quantity = (f64, f64, f64, f64);

/// Relative error that the advice on examples aims at.
const GOOD: f64 = 0.2;

/// Sums of one tensor: its rows in the dump, norms, projections, |ḡ|², group norms.
type SumsArgument<'py> = (Vec<usize>, Floats<'py>, Floats<'py>, f64, Floats<'py>);
/// Standardised sums of one tensor: rows, norms, projections, |ḡ|², parameters.
type StandardisedArgument<'py> = (Vec<usize>, Floats<'py>, Floats<'py>, f64, u64);

#[pyfunction]
pub fn estimate_noise<'py>(
    py: Python<'py>,
    sums: Vec<SumsArgument<'py>>,
    microbatch_size: Floats<'py>,
    groups: Option<PyReadonlyArray1<'py, i64>>,
    probability: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let lists: Vec<Lists> = sums
        .iter()
        .map(|(rows, norms, projections, _, _)| Lists::new(rows, norms, projections, &microbatch_size))
        .collect();
    let groups = groups.map(numbered).transpose()?;
    let labels: Vec<Option<Vec<u32>>> = sums
        .iter()
        .map(|(rows, ..)| groups.as_ref().map(|groups| rows.iter().map(|&row| groups[row]).collect()))
        .collect();
    let norms: Vec<Vec<f64>> = sums.iter().map(|held| held.4.as_array().to_vec()).collect();
    let parts: Vec<Part<'_>> = sums
        .iter()
        .zip(lists.iter().zip(labels.iter().zip(&norms)))
        .map(|(held, (lists, (labels, norms)))| Part {
            groups: labels.as_deref().map(|labels| (labels, norms.as_slice())),
            ..lists.part(&held.0, held.3)
        })
        .collect();
    to_dict(py, &statistics::estimate(&parts, probability)?)
}

#[pyfunction]
pub fn estimate_resolvable(
    sums: Vec<StandardisedArgument<'_>>,
    microbatch_size: Floats<'_>,
    probability: f64,
) -> PyResult<Quantity> {
    let lists: Vec<Lists> = sums
        .iter()
        .map(|(rows, norms, projections, _, _)| Lists::new(rows, norms, projections, &microbatch_size))
        .collect();
    let parts: Vec<Standardised<'_>> = sums
        .iter()
        .zip(&lists)
        .map(|(held, lists)| Standardised { part: lists.part(&held.0, held.3), parameters: held.4 })
        .collect();
    Ok(quantity(&statistics::resolvable(&parts, probability)?.mean_signal))
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
    to_dict(py, &statistics::two_batch_sizes(&pairs, probability)?)
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

/// Lists of one tensor as the kernels want them.
struct Lists {
    weights: Vec<f64>,
    norms: Vec<f64>,
    projections: Vec<f64>,
}

impl Lists {
    fn new(
        rows: &[usize],
        norms: &Floats<'_>,
        projections: &Floats<'_>,
        microbatch_size: &Floats<'_>,
    ) -> Self {
        let sizes = microbatch_size.as_array();
        Self {
            weights: rows.iter().map(|&row| sizes[row]).collect(),
            norms: norms.as_array().to_vec(),
            projections: projections.as_array().to_vec(),
        }
    }

    fn part<'a>(&'a self, rows: &'a [usize], mean_norm_squared: f64) -> Part<'a> {
        Part {
            rows,
            weights: Some(&self.weights),
            norms: &self.norms,
            projections: &self.projections,
            mean_norm_squared,
            groups: None,
        }
    }
}

fn quantity(interval: &Interval) -> Quantity {
    (interval.value, interval.standard_error, interval.low, interval.high)
}

fn to_dict<'py>(py: Python<'py>, found: &Estimate) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("gradient_norm_squared", quantity(&found.gradient_norm_squared))?;
    dict.set_item("gradient_covariance_trace", quantity(&found.gradient_covariance_trace))?;
    dict.set_item("inverse_noise_scale", quantity(&found.inverse_noise_scale))?;
    dict.set_item("relative_error", found.relative_error())?;
    dict.set_item("examples_needed", found.examples_needed(GOOD).unwrap_or(f64::INFINITY))?;
    Ok(dict)
}

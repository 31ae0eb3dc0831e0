//! Laws for Python.

use ndarray::Array2;
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyReadwriteArray2, PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use crate::error::{Error, require_shape};
use crate::law::{self, Landscape, Law};
use crate::surface::Valley;

type Pair<'py, T> = (Bound<'py, T>, Bound<'py, T>);
type Triple<'py, T> = (Bound<'py, T>, Bound<'py, T>, Bound<'py, T>);

/// Every built-in law with the names of its parameters.
#[pyfunction]
pub fn law_parameters() -> Vec<(&'static str, Vec<&'static str>)> {
    law::LAWS.iter().map(|law| (law.name(), law.parameters().to_vec())).collect()
}

#[pyfunction]
#[pyo3(signature = (name, parameters, log_batch_size, out=None))]
pub fn evaluate_law<'py>(
    py: Python<'py>,
    name: &str,
    parameters: PyReadonlyArray2<'py, f64>,
    log_batch_size: PyReadonlyArray1<'py, f64>,
    out: Option<Bound<'py, PyArray2<f64>>>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let law = law::by_name(name)?;
    let (parameters, log_batch_size) = (parameters.as_array(), log_batch_size.as_array());
    let shape = [parameters.nrows(), log_batch_size.len()];
    let out = match out {
        Some(out) => {
            require_shape("out", "(draw, batch_size)", &shape, out.shape())?;
            out
        }
        None => PyArray2::zeros(py, shape, false),
    };
    let unusable = Error::Buffer { argument: "out" };
    if !out.is_c_contiguous() {
        return Err(unusable.into());
    }
    let mut target: PyReadwriteArray2<'_, f64> = out.try_readwrite().map_err(|_| unusable.clone())?;
    let cells = target.as_slice_mut().map_err(|_| unusable)?;
    py.detach(|| law::evaluate(law, parameters, log_batch_size, cells))?;
    Ok(out)
}

#[pyfunction]
pub fn law_gradient<'py>(
    py: Python<'py>,
    name: &str,
    parameters: PyReadonlyArray2<'py, f64>,
    log_batch_size: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray3<f64>>> {
    let law = law::by_name(name)?;
    let (parameters, log_batch_size) = (parameters.as_array(), log_batch_size.as_array());
    let shape = [parameters.nrows(), log_batch_size.len(), law.parameters().len()];
    let mut cells = vec![0.0; shape.iter().product()];
    py.detach(|| law::gradient(law, parameters, log_batch_size, &mut cells))?;
    cells.into_pyarray(py).reshape(shape)
}

fn of_draws<'py>(
    py: Python<'py>,
    name: &str,
    parameters: &PyReadonlyArray2<'py, f64>,
    property: impl Fn(&dyn Law, &[f64]) -> f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    Ok(law::per_draw(law::by_name(name)?, parameters.as_array(), property)?.into_pyarray(py))
}

#[pyfunction]
pub fn law_peak<'py>(
    py: Python<'py>,
    name: &str,
    parameters: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    of_draws(py, name, &parameters, |law, draw| law.peak(draw))
}

#[pyfunction]
pub fn law_supremum<'py>(
    py: Python<'py>,
    name: &str,
    parameters: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    of_draws(py, name, &parameters, |law, draw| law.supremum(draw))
}

#[pyfunction]
pub fn law_limits<'py>(
    py: Python<'py>,
    name: &str,
    parameters: PyReadonlyArray2<'py, f64>,
) -> PyResult<Pair<'py, PyArray1<f64>>> {
    Ok((
        of_draws(py, name, &parameters, |law, draw| law.limits(draw).0)?,
        of_draws(py, name, &parameters, |law, draw| law.limits(draw).1)?,
    ))
}

#[pyfunction]
#[pyo3(signature = (name, parameters, log_batch_size, probabilities, offset=None))]
pub fn law_quantiles<'py>(
    py: Python<'py>,
    name: &str,
    parameters: PyReadonlyArray2<'py, f64>,
    log_batch_size: PyReadonlyArray1<'py, f64>,
    probabilities: PyReadonlyArray1<'py, f64>,
    offset: Option<PyReadonlyArray2<'py, f64>>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let law = law::by_name(name)?;
    let (parameters, log_batch_size) = (parameters.as_array(), log_batch_size.as_array());
    let (probabilities, offset) = (probabilities.as_array(), offset.as_ref().map(|array| array.as_array()));
    let found = py.detach(|| law::quantiles(law, parameters, log_batch_size, probabilities, offset))?;
    Ok(found.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (
    name, parameters, log_batch_size, log_learning_rate, *, log_curvature, curvature_slope,
    reference_log_batch_size, rate, asymmetry, wall, wall_width, divergence_cost, offset=None
))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
pub fn law_expected_regret<'py>(
    py: Python<'py>,
    name: &str,
    parameters: PyReadonlyArray2<'py, f64>,
    log_batch_size: PyReadonlyArray1<'py, f64>,
    log_learning_rate: PyReadonlyArray2<'py, f64>,
    log_curvature: PyReadonlyArray1<'py, f64>,
    curvature_slope: PyReadonlyArray1<'py, f64>,
    reference_log_batch_size: f64,
    rate: PyReadonlyArray1<'py, f64>,
    asymmetry: PyReadonlyArray1<'py, f64>,
    wall: PyReadonlyArray1<'py, f64>,
    wall_width: PyReadonlyArray1<'py, f64>,
    divergence_cost: f64,
    offset: Option<PyReadonlyArray2<'py, f64>>,
) -> PyResult<Pair<'py, PyArray2<f64>>> {
    let law = law::by_name(name)?;
    let (parameters, log_batch_size) = (parameters.as_array(), log_batch_size.as_array());
    let (candidates, offset) = (log_learning_rate.as_array(), offset.as_ref().map(|array| array.as_array()));
    let landscape = Landscape {
        log_curvature: log_curvature.as_array(),
        curvature_slope: curvature_slope.as_array(),
        reference_log_batch_size,
        rate: rate.as_array(),
        asymmetry: asymmetry.as_array(),
        wall: wall.as_array(),
        wall_width: wall_width.as_array(),
        divergence_cost,
    };
    let (regret, divergence): (Array2<f64>, Array2<f64>) =
        py.detach(|| law::expected_regret(law, parameters, log_batch_size, candidates, &landscape, offset))?;
    Ok((regret.into_pyarray(py), divergence.into_pyarray(py)))
}

#[pyfunction]
pub fn valley<'py>(
    py: Python<'py>,
    u: PyReadonlyArray1<'py, f64>,
    rate: f64,
    asymmetry: f64,
) -> Triple<'py, PyArray1<f64>> {
    let (valley, u) = (Valley::new(rate, asymmetry), u.as_array());
    let value: Vec<f64> = u.iter().map(|&u| valley.value(u)).collect();
    let first: Vec<f64> = u.iter().map(|&u| valley.derivatives(u).0).collect();
    let second: Vec<f64> = u.iter().map(|&u| valley.derivatives(u).1).collect();
    (value.into_pyarray(py), first.into_pyarray(py), second.into_pyarray(py))
}

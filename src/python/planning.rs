//! The values of further runs for Python.

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::planning::{self, Known, Prospect};

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct KnownArgument<'py> {
    log_likelihood: PyReadonlyArray2<'py, f32>,
    floor_mean: PyReadonlyArray2<'py, f32>,
    floor_variance: PyReadonlyArray2<'py, f32>,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct ProspectArgument<'py> {
    loss: PyReadonlyArray1<'py, f32>,
    survived: PyReadonlyArray1<'py, bool>,
    depth: PyReadonlyArray1<'py, f32>,
    noise_variance: PyReadonlyArray1<'py, f32>,
    log_survival: PyReadonlyArray1<'py, f32>,
    log_divergence: PyReadonlyArray1<'py, f32>,
}

/// How far each block of runs shrinks the expected regret.
#[pyfunction]
pub fn values_of_blocks(
    py: Python<'_>,
    known: KnownArgument<'_>,
    prospects: Vec<ProspectArgument<'_>>,
    blocks: Vec<Vec<usize>>,
    regrets: Vec<PyReadonlyArray2<'_, f32>>,
) -> PyResult<Vec<f64>> {
    let known = Known {
        log_likelihood: known.log_likelihood.as_array(),
        floor_mean: known.floor_mean.as_array(),
        floor_variance: known.floor_variance.as_array(),
    };
    let prospects: Vec<_> = prospects
        .iter()
        .map(|run| Prospect {
            loss: run.loss.as_array(),
            survived: run.survived.as_array(),
            depth: run.depth.as_array(),
            noise_variance: run.noise_variance.as_array(),
            log_survival: run.log_survival.as_array(),
            log_divergence: run.log_divergence.as_array(),
        })
        .collect();
    let regrets: Vec<_> = regrets.iter().map(|table| table.as_array()).collect();
    Ok(py.detach(|| planning::values_of_blocks(known, &prospects, &blocks, &regrets))?)
}

//! The native engine for Python.

use ndarray::{Array1, Array2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{Error, require_shape};
use crate::law;
use crate::posterior::{
    self, Cells, Chain, FloorPlaces, Geometry, Model, Observed, Per, Prior, Runs, Settings, Task, Variable,
    sample,
};

/// A statistic of the sampler: its name, and where a chain keeps it.
type Statistic<T> = (&'static str, fn(&Chain) -> &Vec<T>);
/// Values and gradients.
type Densities<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray2<f64>>);

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct RunsArgument {
    cell: Vec<usize>,
    log_learning_rate: Vec<f64>,
    value: Vec<f64>,
    se: Vec<f64>,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct CellsArgument {
    log_batch_size: Vec<f64>,
    group: Vec<usize>,
    log_reference: f64,
    covariates: Vec<f64>,
    factor: Vec<f64>,
    whitening: Vec<f64>,
    log_determinant: f64,
    best_loss: Vec<f64>,
    gap: Vec<f64>,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct ObservedArgument {
    cells: CellsArgument,
    finished: RunsArgument,
    censored: RunsArgument,
    wall: RunsArgument,
    optimum: RunsArgument,
    steps: RunsArgument,
    censored_steps: RunsArgument,
}

impl From<RunsArgument> for Runs {
    fn from(argument: RunsArgument) -> Self {
        let RunsArgument { cell, log_learning_rate, value, se } = argument;
        Self { cell, log_learning_rate, value, se }
    }
}

impl From<ObservedArgument> for Observed {
    fn from(argument: ObservedArgument) -> Self {
        let c = argument.cells;
        Self {
            cells: Cells {
                log_batch_size: c.log_batch_size,
                group: c.group,
                log_reference: c.log_reference,
                covariates: c.covariates,
                factor: c.factor,
                whitening: c.whitening,
                log_determinant: c.log_determinant,
                best_loss: c.best_loss,
                gap: c.gap,
            },
            finished: argument.finished.into(),
            censored: argument.censored.into(),
            wall: argument.wall.into(),
            optimum: argument.optimum.into(),
            steps: argument.steps.into(),
            censored_steps: argument.censored_steps.into(),
        }
    }
}

fn prior(family: &str, numbers: &[f64]) -> Result<Prior, Error> {
    match (family, numbers) {
        ("Normal", &[mean, sd]) => Ok(Prior::Normal { mean, sd }),
        ("LogNormal", &[median, log_sd]) => Ok(Prior::LogNormal { log_median: median.ln(), log_sd }),
        ("HalfNormal", &[sd]) => Ok(Prior::HalfNormal { sd }),
        ("StudentT", &[degrees, location, scale]) => Ok(Prior::StudentT { degrees, location, scale }),
        _ => Err(Error::UnknownPrior { family: family.to_owned() }),
    }
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct GeometryArgument {
    scales: Vec<usize>,
    reference: Vec<f64>,
    centre: Vec<f64>,
    others: Vec<usize>,
    blocks: Vec<usize>,
    mean: Vec<f64>,
    slope: Vec<f64>,
    axes: Vec<f64>,
    lean: Vec<f64>,
    exponent: Vec<f64>,
    starts: Vec<f64>,
}

impl From<GeometryArgument> for Geometry {
    fn from(argument: GeometryArgument) -> Self {
        Self {
            scales: argument.scales,
            reference: argument.reference,
            centre: argument.centre,
            others: argument.others,
            blocks: argument.blocks,
            mean: argument.mean,
            slope: argument.slope,
            axes: argument.axes,
            coupling: argument.lean,
            exponent: argument.exponent,
            starts: argument.starts,
        }
    }
}

/// A model of one sweep.
#[pyclass(frozen, module = "surge_fit._core")]
pub struct PosteriorModel(Model);

#[pymethods]
impl PosteriorModel {
    #[new]
    fn new(law: &str, observed: ObservedArgument, priors: Vec<(String, String, Vec<f64>)>) -> PyResult<Self> {
        let priors = priors
            .into_iter()
            .map(|(name, family, numbers)| Ok((name, prior(&family, &numbers)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self(Model::new(law::by_name(law)?, observed.into(), &priors)?))
    }

    /// Name, first entry, number of entries (None: a scalar), and the scale on which it is sampled.
    fn variables(&self) -> Vec<(String, usize, Option<usize>, &'static str)> {
        let variables = self.0.variables().iter();
        let entries = |v: &Variable| (v.per != Per::Model).then_some(v.len);
        variables.map(|v| (v.name.clone(), v.start, entries(v), v.scale().name())).collect()
    }

    /// The group of each entry; None for those of the model as a whole.
    fn group_of_entries(&self) -> Vec<Option<usize>> {
        self.0.group_of_entries()
    }

    /// Whether a geometry of it pays.
    fn is_small(&self) -> bool {
        self.0.is_small()
    }

    fn log_density<'py>(
        &self,
        py: Python<'py>,
        positions: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Densities<'py>> {
        let positions = positions.as_array();
        let (points, size) = (positions.nrows(), self.0.size());
        require_shape("positions", "(point, variable entry)", &[points, size], positions.shape())?;
        let (mut values, mut gradients) = (Array1::zeros(points), Array2::zeros((points, size)));
        let mut model = self.0.clone();
        let mut slopes = vec![0.0; size];
        for (i, row) in positions.rows().into_iter().enumerate() {
            values[i] = model.log_density(&row.to_vec(), &mut slopes);
            gradients.row_mut(i).assign(&ndarray::aview1(&slopes));
        }
        Ok((values.into_pyarray(py), gradients.into_pyarray(py)))
    }
}

/// Chains of every model, one dict of arrays per model: draws (chain, draw, entry), statistics (chain, draw).
#[pyfunction]
#[pyo3(signature = (models, seeds, geometries, *, chains, tune, draws, target_accept, threads, progress))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
pub fn sample_posteriors(
    py: Python<'_>,
    models: Vec<Py<PosteriorModel>>,
    seeds: Vec<u64>,
    geometries: Vec<Option<GeometryArgument>>,
    chains: usize,
    tune: usize,
    draws: usize,
    target_accept: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let settings = Settings { chains, tune, draws, target_accept, threads };
    require_shape("seeds", "(model,)", &[models.len()], &[seeds.len()])?;
    require_shape("geometries", "(model,)", &[models.len()], &[geometries.len()])?;
    let named = models.iter().zip(seeds).zip(geometries);
    let tasks: Vec<_> = named
        .map(|((model, seed), geometry)| Task {
            model: model.get().0.clone(),
            seed,
            geometry: geometry.map(Geometry::from),
        })
        .collect();
    let mut raised = None;
    let found = py.detach(|| {
        sample(&tasks, settings, &mut |made| {
            let answer = Python::attach(|py| {
                py.check_signals()?;
                progress.as_ref().map_or(Ok(()), |progress| progress.call1(py, (made,)).map(drop))
            });
            raised = answer.err();
            raised.is_none()
        })
    });
    if let Some(error) = raised {
        return Err(error);
    }
    let sizes = tasks.iter().map(|task| task.model.size());
    found?.into_iter().zip(sizes).map(|(chains, size)| as_dict(py, chains, draws, size)).collect()
}

fn as_dict(py: Python<'_>, chains: Vec<Chain>, draws: usize, size: usize) -> PyResult<Bound<'_, PyDict>> {
    let found = PyDict::new(py);
    let shape = (chains.len(), draws);
    let positions = gather(&chains, |chain| &chain.draws);
    let positions = positions.into_pyarray(py).reshape([shape.0, shape.1, size])?;
    found.set_item("draws", positions)?;
    let numbers: [Statistic<f64>; 4] = [
        ("logp", |chain| &chain.log_density),
        ("energy", |chain| &chain.energy),
        ("step_size", |chain| &chain.step_size),
        ("mean_tree_accept", |chain| &chain.acceptance),
    ];
    for (name, of) in numbers {
        found.set_item(name, gather(&chains, of).into_pyarray(py).reshape(shape)?)?;
    }
    let counts: [Statistic<i64>; 2] = [("depth", |chain| &chain.depth), ("n_steps", |chain| &chain.steps)];
    for (name, of) in counts {
        found.set_item(name, gather(&chains, of).into_pyarray(py).reshape(shape)?)?;
    }
    let flags: [Statistic<bool>; 2] =
        [("diverging", |chain| &chain.diverging), ("maxdepth_reached", |chain| &chain.maxdepth_reached)];
    for (name, of) in flags {
        found.set_item(name, gather(&chains, of).into_pyarray(py).reshape(shape)?)?;
    }
    Ok(found)
}

/// One statistic of all chains, one after another.
fn gather<T: Copy>(chains: &[Chain], of: fn(&Chain) -> &Vec<T>) -> Vec<T> {
    chains.iter().flat_map(|chain| of(chain).iter().copied()).collect()
}

/// Log of the integral over the floor, shape (draw,).
#[pyfunction]
pub fn integrate_floor<'py>(
    py: Python<'py>,
    finished: PyReadonlyArray2<'py, f64>,
    finished_sd: PyReadonlyArray2<'py, f64>,
    censored: PyReadonlyArray2<'py, f64>,
    censored_sd: PyReadonlyArray2<'py, f64>,
    censored_logit: PyReadonlyArray2<'py, f64>,
    prior: [f64; 3],
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let places = FloorPlaces {
        finished: finished.as_array(),
        finished_sd: finished_sd.as_array(),
        censored: censored.as_array(),
        censored_sd: censored_sd.as_array(),
        censored_logit: censored_logit.as_array(),
        prior,
    };
    Ok(py.detach(|| posterior::integrate_floor(places))?.into_pyarray(py))
}

//! Learning-rate curves for Python.

use numpy::{
    IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray2, PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use crate::curve::{self, Directions, Minibatches, Optimizer, State};
use crate::error::Error;
use crate::numeric::Rows;
use crate::python::batch_sums::BatchSums;
use crate::python::direction_sums::DirectionSums;
use crate::python::statistics::{TensorArgument, partial_rows, zeros_for};

type Singles<'py> = PyReadonlyArray1<'py, f32>;

/// Minibatches, optimizer and curvature, as Python holds them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Request<'py> {
    order: PyReadonlyArray1<'py, i64>,
    groups: usize,
    permutations: PyReadonlyArray2<'py, u32>,
    sizes: Vec<usize>,
    theory: PyReadonlyArray1<'py, f64>,
    optimizer: String,
    constants: Vec<f64>,
    first: Singles<'py>,
    second: Singles<'py>,
    weights: Singles<'py>,
    decay: f32,
    diagonal: Singles<'py>,
    scale: f32,
    fisher: bool,
}

/// A request, borrowed and free of Python.
struct Lent<'a> {
    order: Vec<usize>,
    groups: usize,
    permutations: &'a [u32],
    sizes: &'a [usize],
    theory: &'a [f64],
    directions: Directions<'a>,
}

impl Request<'_> {
    fn lend(&self) -> PyResult<Lent<'_>> {
        let order =
            self.order.as_array().iter().map(|&row| usize::try_from(row)).collect::<Result<_, _>>()?;
        let state = State {
            first: self.first.as_slice()?,
            second: self.second.as_slice()?,
            weights: self.weights.as_slice()?,
            decay: self.decay,
        };
        let directions = Directions {
            optimizer: rule(&self.optimizer, &self.constants)?,
            state,
            diagonal: self.diagonal.as_slice()?,
            scale: self.scale,
            fisher: self.fisher,
        };
        Ok(Lent {
            order,
            groups: self.groups,
            permutations: self.permutations.as_slice()?,
            sizes: &self.sizes,
            theory: self.theory.as_slice()?,
            directions,
        })
    }
}

impl Lent<'_> {
    fn minibatches(&self) -> Minibatches<'_> {
        Minibatches {
            order: &self.order,
            groups: self.groups,
            permutations: self.permutations,
            sizes: self.sizes,
            theory: self.theory,
        }
    }
}

/// An optimizer by name: momentum; nothing; or β1, β2, eps and the number of this step.
#[expect(clippy::cast_possible_truncation, reason = "kernels compute in single precision")]
fn rule(name: &str, constants: &[f64]) -> Result<Optimizer, Error> {
    match (name, constants) {
        ("sgd", &[momentum]) => Ok(Optimizer::Sgd { momentum: momentum as f32 }),
        ("sign", []) => Ok(Optimizer::Sign),
        ("adam", &[beta1, beta2, eps, step]) => Ok(Optimizer::Adam {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            corrections: [beta1, beta2].map(|beta| (1.0 - beta.powf(step)) as f32),
            eps: eps as f32,
        }),
        _ => Err(Error::Shape {
            argument: "constants",
            expected: "(momentum) of sgd, () of sign, (beta1, beta2, eps, step) of adam".to_owned(),
            found: format!("{constants:?} of {name}"),
        }),
    }
}

/// The rows of every tensor; each must have all of them.
fn all_rows<'a>(tensors: &'a [TensorArgument], zeros: &'a [u8]) -> PyResult<Vec<Rows<'a>>> {
    let rows = tensors.iter().map(|tensor| partial_rows(tensor, zeros).map(|partial| partial.rows));
    rows.collect()
}

/// Run a pass detached from Python, with progress reported and signals handled.
fn detached<T: Send>(
    py: Python<'_>,
    tensors: &[TensorArgument],
    progress: &Py<PyAny>,
    pass: impl FnOnce(&[Rows<'_>], &mut dyn FnMut(u64) -> bool) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let mut raised = None;
    let found = py.detach(|| -> PyResult<T> {
        let zeros = zeros_for(tensors)?;
        let rows = all_rows(tensors, &zeros)?;
        Ok(pass(&rows, &mut |bytes| {
            let answer = Python::attach(|py| py.check_signals().and_then(|()| progress.call1(py, (bytes,))));
            raised = answer.err();
            raised.is_none()
        })?)
    });
    raised.map_or(found, Err)
}

#[pyfunction]
pub fn scan_directions<'py>(
    py: Python<'py>,
    tensors: Vec<TensorArgument>,
    request: Request<'py>,
    progress: Py<PyAny>,
) -> PyResult<(DirectionSums, Vec<BatchSums>)> {
    let lent = request.lend()?;
    let (sums, found) = detached(py, &tensors, &progress, |rows, heard| {
        curve::scan_directions(rows, &lent.minibatches(), &lent.directions, heard)
    })?;
    let total = DirectionSums::new(lent.sizes.len(), lent.groups, lent.order.len(), sums);
    Ok((total, found.into_iter().map(|sums| BatchSums::new(lent.sizes.len(), sums)).collect()))
}

#[pyfunction]
pub fn write_directions<'py>(
    py: Python<'py>,
    tensors: Vec<TensorArgument>,
    request: Request<'py>,
    mut target: PyReadwriteArray2<'py, f32>,
    progress: Py<PyAny>,
) -> PyResult<()> {
    let lent = request.lend()?;
    let target = target.as_slice_mut().map_err(|_| Error::Buffer { argument: "target" })?;
    detached(py, &tensors, &progress, |rows, heard| {
        curve::directions(rows, &lent.minibatches(), &lent.directions, target, heard)
    })
}

#[pyfunction]
pub fn bilinear_forms<'py>(
    py: Python<'py>,
    left: PyReadonlyArray2<'py, f32>,
    right: PyReadonlyArray2<'py, f32>,
    hessian: PyReadonlyArray2<'py, f32>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let parameters = left.shape()[1];
    let (left, right, hessian) = (left.as_slice()?, right.as_slice()?, hessian.as_slice()?);
    Ok(py.detach(|| curve::bilinear_forms(left, right, hessian, parameters))?.into_pyarray(py))
}

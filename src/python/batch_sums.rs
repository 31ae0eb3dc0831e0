//! The curve's sums of one tensor as a value of Python.

use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::curve::{self, SizeSums};
use crate::python::arrays::{require_alike, require_lengths, same_bits, view};

type Floats<'py> = PyReadonlyArray1<'py, f64>;

/// Sums over the parameters of one tensor at every batch size; `surge_fit._core` in Python tells its fields.
#[pyclass(frozen, eq, module = "surge_fit._core")]
#[derive(Debug, Clone)]
pub struct BatchSums {
    /// Minibatches of one resample.
    sizes: usize,
    sums: curve::BatchSums,
}

/// A sum at one batch size, by its name in Python.
type AtSize = (&'static str, fn(&mut SizeSums) -> &mut f64);

const AT_SIZE: [AtSize; 10] = [
    ("independent", |sums| &mut sums.independent),
    ("independent_split", |sums| &mut sums.independent_split),
    ("independent_approximate", |sums| &mut sums.independent_approximate),
    ("saturated_parameters", |sums| &mut sums.saturated[0]),
    ("saturated_curvature", |sums| &mut sums.saturated[1]),
    ("overlap_variance", |sums| &mut sums.overlap_variance),
    ("mean_expected", |sums| &mut sums.mean_expected),
    ("expected_squared", |sums| &mut sums.expected_squared),
    ("disagreement", |sums| &mut sums.disagreement),
    ("scatter", |sums| &mut sums.scatter),
];

impl BatchSums {
    /// The sums of a pass over resamples of so many minibatches.
    pub fn new(sizes: usize, sums: curve::BatchSums) -> Self {
        Self { sizes, sums }
    }

    fn scalars(&self) -> [f64; 6] {
        let curve::BatchSums { curvature, absolute_curvature, unresolved, drift, ratio_curvature, .. } =
            self.sums;
        [curvature, absolute_curvature, unresolved[0], unresolved[1], drift, ratio_curvature]
    }

    /// One sum at every batch size.
    fn at_sizes(&self, (_, of): AtSize) -> Vec<f64> {
        self.sums.batches.iter().map(|&(mut sums)| *of(&mut sums)).collect()
    }

    fn by_size<'py>(&self, py: Python<'py>, place: usize) -> Bound<'py, PyArray1<f64>> {
        self.at_sizes(AT_SIZE[place]).into_pyarray(py)
    }
}

impl PartialEq for BatchSums {
    fn eq(&self, other: &Self) -> bool {
        let counts = |of: &Self| (of.sizes, of.sums.parameters, of.sums.constant, of.sums.batches.len());
        counts(self) == counts(other)
            && same_bits(&self.scalars(), &other.scalars())
            && same_bits(&self.sums.overlaps, &other.sums.overlaps)
            && AT_SIZE.iter().all(|&sum| same_bits(&self.at_sizes(sum), &other.at_sizes(sum)))
    }
}

#[pymethods]
impl BatchSums {
    #[new]
    #[pyo3(signature = (
        *, parameters, constant, curvature, absolute_curvature, unresolved_parameters, unresolved_curvature, drift,
        ratio_curvature, overlaps, independent, independent_split, independent_approximate, saturated_parameters,
        saturated_curvature, overlap_variance, mean_expected, expected_squared, disagreement, scatter
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python class")]
    fn from_python(
        parameters: u64,
        constant: u64,
        curvature: f64,
        absolute_curvature: f64,
        unresolved_parameters: f64,
        unresolved_curvature: f64,
        drift: f64,
        ratio_curvature: f64,
        overlaps: PyReadonlyArray2<'_, f64>,
        independent: Floats<'_>,
        independent_split: Floats<'_>,
        independent_approximate: Floats<'_>,
        saturated_parameters: Floats<'_>,
        saturated_curvature: Floats<'_>,
        overlap_variance: Floats<'_>,
        mean_expected: Floats<'_>,
        expected_squared: Floats<'_>,
        disagreement: Floats<'_>,
        scatter: Floats<'_>,
    ) -> PyResult<Self> {
        let columns = [
            independent,
            independent_split,
            independent_approximate,
            saturated_parameters,
            saturated_curvature,
            overlap_variance,
            mean_expected,
            expected_squared,
            disagreement,
            scatter,
        ];
        let mut batches = vec![SizeSums::default(); columns[0].len()];
        for ((name, of), column) in AT_SIZE.into_iter().zip(&columns) {
            require_lengths("(batch,)", batches.len(), &[(name, column.len())])?;
            batches.iter_mut().zip(column.as_array()).for_each(|(sums, &value)| *of(sums) = value);
        }
        let sums = curve::BatchSums {
            parameters,
            constant,
            curvature,
            absolute_curvature,
            unresolved: [unresolved_parameters, unresolved_curvature],
            drift,
            ratio_curvature,
            batches,
            overlaps: overlaps.as_array().iter().copied().collect(),
        };
        Ok(Self::new(overlaps.shape()[1], sums))
    }

    #[getter]
    fn parameters(&self) -> u64 {
        self.sums.parameters
    }

    #[getter]
    fn constant(&self) -> u64 {
        self.sums.constant
    }

    #[getter]
    fn curvature(&self) -> f64 {
        self.sums.curvature
    }

    #[getter]
    fn absolute_curvature(&self) -> f64 {
        self.sums.absolute_curvature
    }

    #[getter]
    fn unresolved_parameters(&self) -> f64 {
        self.sums.unresolved[0]
    }

    #[getter]
    fn unresolved_curvature(&self) -> f64 {
        self.sums.unresolved[1]
    }

    #[getter]
    fn drift(&self) -> f64 {
        self.sums.drift
    }

    #[getter]
    fn ratio_curvature(&self) -> f64 {
        self.sums.ratio_curvature
    }

    #[getter]
    fn overlaps<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let Self { sizes, sums } = slf.get();
        view(slf.as_any(), (sums.overlaps.len() / (*sizes).max(1), *sizes), &sums.overlaps)
    }

    #[getter]
    fn independent<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 0)
    }

    #[getter]
    fn independent_split<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 1)
    }

    #[getter]
    fn independent_approximate<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 2)
    }

    #[getter]
    fn saturated_parameters<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 3)
    }

    #[getter]
    fn saturated_curvature<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 4)
    }

    #[getter]
    fn overlap_variance<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 5)
    }

    #[getter]
    fn mean_expected<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 6)
    }

    #[getter]
    fn expected_squared<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 7)
    }

    #[getter]
    fn disagreement<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 8)
    }

    #[getter]
    fn scatter<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.by_size(py, 9)
    }

    fn merge(&self, other: &Self) -> PyResult<Self> {
        let sizes = |of: &Self| (of.sizes, of.sums.overlaps.len());
        require_alike("batch sizes", self.sums.batches.len() == other.sums.batches.len())?;
        require_alike("minibatches", sizes(self) == sizes(other))?;
        let mut merged = self.clone();
        merged.sums.add(&other.sums);
        Ok(merged)
    }

    fn __getnewargs_ex__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let fields = PyDict::new(slf.py());
        for name in WHOLE.into_iter().chain(AT_SIZE.map(|(name, _)| name)) {
            fields.set_item(name, slf.getattr(name)?)?;
        }
        Ok((PyTuple::empty(slf.py()), fields))
    }

    fn __repr__(&self) -> String {
        let curve::BatchSums { parameters, batches, .. } = &self.sums;
        format!("BatchSums(parameters={parameters}, batch_sizes={})", batches.len())
    }
}

/// The arguments of the constructor that are not at one batch size.
const WHOLE: [&str; 9] = [
    "parameters",
    "constant",
    "curvature",
    "absolute_curvature",
    "unresolved_parameters",
    "unresolved_curvature",
    "drift",
    "ratio_curvature",
    "overlaps",
];

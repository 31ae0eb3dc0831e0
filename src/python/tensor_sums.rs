//! The noise sums of one tensor as a value of Python.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::python::arrays::{require_alike, require_lengths, same_bits, view};
use crate::python::numbered;
use crate::statistics::{Part, Shape, Standardised, Sums};

type Floats<'py> = PyReadonlyArray1<'py, f64>;
type FloatArray<'py> = PyResult<Bound<'py, PyArray1<f64>>>;

/// Sums of one pass over the gradients of one tensor; `surge_fit._core` in Python tells its fields.
#[pyclass(frozen, eq, module = "surge_fit._core")]
#[derive(Debug, Clone)]
pub struct TensorSums {
    #[pyo3(get)]
    name: String,
    #[pyo3(get)]
    dtype: String,
    /// Stored numbers, those of rows that the sums leave out included.
    #[pyo3(get)]
    elements: u64,
    rows: Vec<usize>,
    sums: Sums,
}

/// Sums of one tensor with the weights and groups of its rows, as the estimates take them.
pub struct Lent<'a> {
    of: &'a TensorSums,
    weights: Vec<f64>,
    groups: Option<Vec<u32>>,
}

impl TensorSums {
    /// The sums over these rows of the dump.
    pub fn new(name: &str, dtype: &str, rows: Vec<usize>, sums: Sums) -> Self {
        let elements = sums.columns * rows.len() as u64;
        Self { name: name.to_owned(), dtype: dtype.to_owned(), elements, rows, sums }
    }

    /// Whether the products g·ḡ are there: merged over examples they are not.
    pub fn has_projections(&self) -> bool {
        !self.sums.projections.iter().any(|projection| projection.is_nan())
    }

    /// With what is known of the rows of the dump: their weights and their groups.
    pub fn lend(&self, weights: &[f64], groups: Option<&[u32]>) -> PyResult<Lent<'_>> {
        let last = self.rows.iter().max().copied().unwrap_or(0);
        require_lengths(
            "(row,)",
            last.max(weights.len().saturating_sub(1)) + 1,
            &[("weights", weights.len())],
        )?;
        if let Some(groups) = groups {
            require_lengths("(row,)", weights.len(), &[("groups", groups.len())])?;
        }
        Ok(Lent {
            of: self,
            weights: self.rows.iter().map(|&row| weights[row]).collect(),
            groups: groups.map(|groups| self.rows.iter().map(|&row| groups[row]).collect()),
        })
    }

    fn shape(&self) -> Option<&Shape> {
        self.sums.shape.as_ref()
    }

    /// Every sum, in a fixed order.
    fn numbers(&self) -> impl Iterator<Item = &f64> {
        let Sums { mean_norm_squared, norms, projections, group_norms, signal, .. } = &self.sums;
        let of_shape = self.shape().into_iter().flat_map(|shape| {
            let scalars = [&shape.mean_norm_squared, &shape.skewness_squared, &shape.excess_kurtosis];
            scalars.into_iter().chain(&shape.norms).chain(&shape.projections)
        });
        let scalars = [mean_norm_squared, signal].into_iter();
        scalars.chain(norms).chain(projections).chain(group_norms).chain(of_shape)
    }

    fn counts(&self) -> [u64; 6] {
        let Sums { columns, varying, zeros, subnormals, non_finite, .. } = self.sums;
        [self.elements, columns, varying, zeros, subnormals, non_finite]
    }
}

impl<'a> Lent<'a> {
    /// The sums of the gradients; without projections the norms stand for them, which no estimate but its interval uses.
    pub fn part(&'a self) -> Part<'a> {
        let sums = &self.of.sums;
        let projections = if self.of.has_projections() { &sums.projections } else { &sums.norms };
        Part {
            rows: &self.of.rows,
            weights: Some(&self.weights),
            norms: &sums.norms,
            projections,
            mean_norm_squared: sums.mean_norm_squared,
            groups: self.groups.as_deref().map(|groups| (groups, sums.group_norms.as_slice())),
        }
    }

    /// The standardised sums; none where they were not asked for.
    pub fn standardised(&'a self) -> Option<Standardised<'a>> {
        let shape = self.of.shape()?;
        let part = Part {
            norms: &shape.norms,
            projections: &shape.projections,
            mean_norm_squared: shape.mean_norm_squared,
            groups: None,
            ..self.part()
        };
        Some(Standardised { part, parameters: self.of.sums.varying })
    }
}

impl PartialEq for TensorSums {
    fn eq(&self, other: &Self) -> bool {
        let names =
            |of: &Self| (of.name.clone(), of.dtype.clone(), of.shape().map(|shape| shape.norms.len()));
        names(self) == names(other)
            && self.rows == other.rows
            && self.counts() == other.counts()
            && same_bits(self.numbers(), other.numbers())
    }
}

#[pymethods]
impl TensorSums {
    #[new]
    #[pyo3(signature = (
        *, name, dtype, parameters, rows, mean_norm_squared, norms, projections, group_norms, signal,
        signal_parameters, elements, zeros, subnormals, non_finite, standardized_mean_norm_squared,
        standardized_norms, standardized_projections, skewness_squared, excess_kurtosis
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python class")]
    fn from_python(
        name: String,
        dtype: String,
        parameters: u64,
        rows: PyReadonlyArray1<'_, i64>,
        mean_norm_squared: f64,
        norms: Floats<'_>,
        projections: Floats<'_>,
        group_norms: Floats<'_>,
        signal: f64,
        signal_parameters: u64,
        elements: u64,
        zeros: u64,
        subnormals: u64,
        non_finite: u64,
        standardized_mean_norm_squared: f64,
        standardized_norms: Floats<'_>,
        standardized_projections: Floats<'_>,
        skewness_squared: f64,
        excess_kurtosis: f64,
    ) -> PyResult<Self> {
        let list = |array: Floats<'_>| array.as_array().to_vec();
        let rows: Vec<usize> = numbered("rows", rows)?.into_iter().map(|row| row as usize).collect();
        let shape = Shape {
            norms: list(standardized_norms),
            projections: list(standardized_projections),
            mean_norm_squared: standardized_mean_norm_squared,
            skewness_squared,
            excess_kurtosis,
        };
        let sums = Sums {
            columns: parameters,
            mean_norm_squared,
            norms: list(norms),
            projections: list(projections),
            group_norms: list(group_norms),
            signal,
            varying: signal_parameters,
            zeros,
            subnormals,
            non_finite,
            shape: Some(shape).filter(|shape| !shape.norms.is_empty() || !shape.skewness_squared.is_nan()),
        };
        let lists = [("norms", sums.norms.len()), ("projections", sums.projections.len())];
        require_lengths("(row,)", rows.len(), &lists)?;
        if let Some(Shape { norms, projections, .. }) = &sums.shape {
            let expected = if norms.is_empty() { 0 } else { rows.len() };
            let lists =
                [("standardized_norms", norms.len()), ("standardized_projections", projections.len())];
            require_lengths("(row,)", expected, &lists)?;
        }
        Ok(Self { name, dtype, elements, rows, sums })
    }

    #[getter]
    fn parameters(&self) -> u64 {
        self.sums.columns
    }

    #[getter]
    fn rows<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        let rows: Vec<i64> = self.rows.iter().map(|&row| row.try_into().unwrap_or(i64::MAX)).collect();
        rows.into_pyarray(py)
    }

    #[getter]
    fn mean_norm_squared(&self) -> f64 {
        self.sums.mean_norm_squared
    }

    #[getter]
    fn norms<'py>(slf: &Bound<'py, Self>) -> FloatArray<'py> {
        of_rows(slf, &slf.get().sums.norms)
    }

    #[getter]
    fn projections<'py>(slf: &Bound<'py, Self>) -> FloatArray<'py> {
        of_rows(slf, &slf.get().sums.projections)
    }

    #[getter]
    fn group_norms<'py>(slf: &Bound<'py, Self>) -> FloatArray<'py> {
        of_rows(slf, &slf.get().sums.group_norms)
    }

    #[getter]
    fn signal(&self) -> f64 {
        self.sums.signal
    }

    #[getter]
    fn signal_parameters(&self) -> u64 {
        self.sums.varying
    }

    #[getter]
    fn zeros(&self) -> u64 {
        self.sums.zeros
    }

    #[getter]
    fn subnormals(&self) -> u64 {
        self.sums.subnormals
    }

    #[getter]
    fn non_finite(&self) -> u64 {
        self.sums.non_finite
    }

    #[getter]
    fn standardized_mean_norm_squared(&self) -> f64 {
        self.shape().map_or(f64::NAN, |shape| shape.mean_norm_squared)
    }

    #[getter]
    fn standardized_norms<'py>(slf: &Bound<'py, Self>) -> FloatArray<'py> {
        of_rows(slf, slf.get().shape().map_or(&[], |shape| &shape.norms))
    }

    #[getter]
    fn standardized_projections<'py>(slf: &Bound<'py, Self>) -> FloatArray<'py> {
        of_rows(slf, slf.get().shape().map_or(&[], |shape| &shape.projections))
    }

    #[getter]
    fn skewness_squared(&self) -> f64 {
        self.shape().map_or(f64::NAN, |shape| shape.skewness_squared)
    }

    #[getter]
    fn excess_kurtosis(&self) -> f64 {
        self.shape().map_or(f64::NAN, |shape| shape.excess_kurtosis)
    }

    fn merge(&self, other: &Self) -> PyResult<Self> {
        let shapes = [self, other].map(|of| of.shape().map(|shape| shape.norms.len()));
        require_alike("name and dtype", self.name == other.name && self.dtype == other.dtype)?;
        require_alike("rows", self.rows == other.rows)?;
        require_alike("groups", self.sums.group_norms.len() == other.sums.group_norms.len())?;
        require_alike("standardized sums", shapes[0] == shapes[1])?;
        let mut merged = self.clone();
        merged.elements += other.elements;
        merged.sums.add(&other.sums);
        Ok(merged)
    }

    fn with_counts_of(&self, other: &Self) -> Self {
        let Sums { zeros, subnormals, non_finite, .. } = other.sums;
        let sums = Sums { zeros, subnormals, non_finite, ..self.sums.clone() };
        Self { elements: other.elements, sums, ..self.clone() }
    }

    fn __getnewargs_ex__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let fields = PyDict::new(slf.py());
        for name in FIELDS {
            fields.set_item(name, slf.getattr(name)?)?;
        }
        Ok((PyTuple::empty(slf.py()), fields))
    }

    fn __repr__(&self) -> String {
        let Self { name, dtype, rows, sums, .. } = self;
        format!(
            "TensorSums(name={name:?}, dtype={dtype:?}, parameters={}, rows={})",
            sums.columns,
            rows.len()
        )
    }
}

/// The arguments of the constructor, each the name of an attribute.
const FIELDS: [&str; 19] = [
    "name",
    "dtype",
    "parameters",
    "rows",
    "mean_norm_squared",
    "norms",
    "projections",
    "group_norms",
    "signal",
    "signal_parameters",
    "elements",
    "zeros",
    "subnormals",
    "non_finite",
    "standardized_mean_norm_squared",
    "standardized_norms",
    "standardized_projections",
    "skewness_squared",
    "excess_kurtosis",
];

fn of_rows<'py>(owner: &Bound<'py, TensorSums>, numbers: &[f64]) -> FloatArray<'py> {
    view(owner.as_any(), numbers.len(), numbers)
}

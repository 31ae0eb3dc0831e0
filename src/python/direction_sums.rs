//! The sums over all parameters of a pass as a value of Python.

use numpy::{PyArray2, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::curve;
use crate::python::arrays::{require_alike, same_bits, view};

type Matrix<'py> = PyResult<Bound<'py, PyArray2<f64>>>;

/// Products of directions with gradients; `surge_fit._core` in Python tells its fields.
#[pyclass(frozen, eq, module = "surge_fit._core")]
#[derive(Debug, Clone)]
pub struct DirectionSums {
    /// Columns of the three matrices.
    columns: [usize; 3],
    sums: curve::DirectionSums,
}

impl DirectionSums {
    /// The sums of a pass: minibatches of one resample, groups of rows, and rows.
    pub fn new(sizes: usize, groups: usize, rows: usize, sums: curve::DirectionSums) -> Self {
        Self { columns: [sizes, groups, rows], sums }
    }

    fn matrices(&self) -> [&Vec<f64>; 3] {
        [&self.sums.own, &self.sums.groups, &self.sums.rows]
    }

    fn matrix<'py>(slf: &Bound<'py, Self>, place: usize) -> Matrix<'py> {
        let (numbers, columns) = (slf.get().matrices()[place], slf.get().columns[place]);
        view(slf.as_any(), (numbers.len() / columns.max(1), columns), numbers)
    }
}

impl PartialEq for DirectionSums {
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns
            && self.matrices().into_iter().zip(other.matrices()).all(|(one, other)| same_bits(one, other))
    }
}

#[pymethods]
impl DirectionSums {
    #[new]
    #[pyo3(signature = (*, own, groups, rows))]
    fn from_python(
        own: PyReadonlyArray2<'_, f64>,
        groups: PyReadonlyArray2<'_, f64>,
        rows: PyReadonlyArray2<'_, f64>,
    ) -> Self {
        let list = |matrix: &PyReadonlyArray2<'_, f64>| matrix.as_array().iter().copied().collect();
        let sums = curve::DirectionSums { own: list(&own), groups: list(&groups), rows: list(&rows) };
        Self { columns: [own.shape()[1], groups.shape()[1], rows.shape()[1]], sums }
    }

    #[getter]
    fn own<'py>(slf: &Bound<'py, Self>) -> Matrix<'py> {
        Self::matrix(slf, 0)
    }

    #[getter]
    fn groups<'py>(slf: &Bound<'py, Self>) -> Matrix<'py> {
        Self::matrix(slf, 1)
    }

    #[getter]
    fn rows<'py>(slf: &Bound<'py, Self>) -> Matrix<'py> {
        Self::matrix(slf, 2)
    }

    fn merge(&self, other: &Self) -> PyResult<Self> {
        let shape = |of: &Self| (of.columns, of.matrices().map(Vec::len));
        require_alike("shapes", shape(self) == shape(other))?;
        let mut merged = self.clone();
        merged.sums.add(&other.sums);
        Ok(merged)
    }

    fn __getnewargs_ex__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let fields = PyDict::new(slf.py());
        for (place, name) in ["own", "groups", "rows"].into_iter().enumerate() {
            fields.set_item(name, Self::matrix(slf, place)?)?;
        }
        Ok((PyTuple::empty(slf.py()), fields))
    }

    fn __repr__(&self) -> String {
        let [sizes, groups, rows] = self.columns;
        format!("DirectionSums(sizes={sizes}, groups={groups}, rows={rows})")
    }
}

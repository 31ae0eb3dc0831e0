//! Gradient statistics for Python.

use std::path::Path;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{Error, require_shape};
use crate::numeric::Rows;
use crate::python::dump::{GradientFile, parse};
use crate::python::numbered;
use crate::statistics::{
    ParameterFile, PartialRows, PartlyScanned, Request, Shape, Sink, Sums, scan_partial,
};

/// Rows of one tensor in one file: the file (None: rows of zeros), the entry, and how many rows it holds.
type SegmentArgument = (Option<Py<GradientFile>>, usize, usize);
/// Name, dtype, shape of the parameter, segments, and the rows of the dump that are there.
pub(super) type TensorArgument = (String, String, Vec<usize>, Vec<SegmentArgument>, Option<Vec<usize>>);

#[pyfunction]
#[pyo3(signature = (tensors, keep, *, weights, groups, shape, scale, output, progress))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
#[expect(clippy::type_complexity, reason = "one dict per tensor, and the rows that are not finite")]
pub fn scan_gradients<'py>(
    py: Python<'py>,
    tensors: Vec<TensorArgument>,
    keep: PyReadonlyArray1<'py, bool>,
    weights: PyReadonlyArray1<'py, f64>,
    groups: Option<PyReadonlyArray1<'py, i64>>,
    shape: bool,
    scale: f64,
    output: Option<String>,
    progress: Py<PyAny>,
) -> PyResult<(Vec<Bound<'py, PyDict>>, Bound<'py, PyArray1<i64>>)> {
    let (keep, weights) = (keep.as_array().to_vec(), weights.as_array().to_vec());
    let groups = groups.map(numbered).transpose()?;
    let mut raised = None;
    let found = py.detach(|| -> PyResult<PartlyScanned> {
        let zeros = zeros_for(&tensors)?;
        let rows =
            tensors.iter().map(|tensor| partial_rows(tensor, &zeros)).collect::<Result<Vec<_>, _>>()?;
        let request = Request { weights: Some(&weights), groups: groups.as_deref(), shape };
        let mut file = match &output {
            None => None,
            Some(path) => {
                let names: Vec<_> = tensors.iter().map(|held| (held.0.clone(), held.2.clone())).collect();
                Some(ParameterFile::create(Path::new(path), &names, shape, scale)?)
            }
        };
        let sink = file.as_mut().map(|file| file as &mut dyn Sink);
        let found = scan_partial(&rows, &keep, &request, sink, &mut |bytes| {
            let told = Python::attach(|py| py.check_signals().and_then(|()| progress.call1(py, (bytes,))));
            raised = told.err();
            raised.is_none()
        });
        Ok(found?)
    });
    if let Some(error) = raised {
        return Err(error);
    }
    let found = found?;
    let dicts = found.sums.into_iter().map(|sums| to_dict(py, sums, scale)).collect::<PyResult<_>>()?;
    let rows = found.non_finite_rows.into_iter().map(i64::try_from);
    let rows: Vec<i64> = rows.collect::<Result<_, _>>()?;
    Ok((dicts, rows.into_pyarray(py)))
}

/// One row of zeros, as long as the longest row that is needed.
pub(super) fn zeros_for(tensors: &[TensorArgument]) -> Result<Vec<u8>, Error> {
    let mut longest = 0;
    for (_, dtype, shape, segments, _) in tensors {
        if segments.iter().any(|segment| segment.0.is_none()) {
            longest = longest.max(shape.iter().product::<usize>() * parse("tensors", dtype)?.size());
        }
    }
    Ok(vec![0; longest])
}

pub(super) fn partial_rows<'a>(tensor: &'a TensorArgument, zeros: &'a [u8]) -> PyResult<PartialRows<'a>> {
    let (_, dtype, shape, segments, present) = tensor;
    let (dtype, columns) = (parse("tensors", dtype)?, shape.iter().product::<usize>());
    let length = columns * dtype.size();
    let mut rows = Vec::new();
    for (file, entry, count) in segments {
        let Some(file) = file else {
            rows.extend(std::iter::repeat_n(&zeros[..length], *count));
            continue;
        };
        let data = file.get().unpacked(*entry)?;
        require_shape("tensors", "(bytes of a segment,)", &[count * length], &[data.len()])?;
        rows.extend((0..*count).map(|row| &data[row * length..(row + 1) * length]));
    }
    Ok(PartialRows { rows: Rows::new(dtype, columns, rows)?, present: present.as_deref() })
}

/// Sums as Python names them, of gradients that are `scale` times the stored numbers.
fn to_dict(py: Python<'_>, sums: Sums, scale: f64) -> PyResult<Bound<'_, PyDict>> {
    let square = scale * scale;
    let scaled = |values: Vec<f64>| -> Vec<f64> { values.into_iter().map(|value| square * value).collect() };
    let dict = PyDict::new(py);
    let elements = sums.columns * sums.norms.len() as u64;
    dict.set_item("mean_norm_squared", square * sums.mean_norm_squared)?;
    dict.set_item("norms", scaled(sums.norms).into_pyarray(py))?;
    dict.set_item("projections", scaled(sums.projections).into_pyarray(py))?;
    dict.set_item("group_norms", scaled(sums.group_norms).into_pyarray(py))?;
    dict.set_item("signal", sums.signal)?;
    dict.set_item("signal_parameters", sums.varying)?;
    dict.set_item("elements", elements)?;
    dict.set_item("zeros", sums.zeros)?;
    dict.set_item("subnormals", sums.subnormals)?;
    dict.set_item("non_finite", sums.non_finite)?;
    let nothing = Shape {
        mean_norm_squared: f64::NAN,
        skewness_squared: f64::NAN,
        excess_kurtosis: f64::NAN,
        ..Shape::default()
    };
    let shape = sums.shape.unwrap_or(nothing);
    dict.set_item("standardized_mean_norm_squared", shape.mean_norm_squared)?;
    dict.set_item("standardized_norms", shape.norms.into_pyarray(py))?;
    dict.set_item("standardized_projections", shape.projections.into_pyarray(py))?;
    dict.set_item("skewness_squared", shape.skewness_squared)?;
    dict.set_item("excess_kurtosis", shape.excess_kurtosis)?;
    Ok(dict)
}

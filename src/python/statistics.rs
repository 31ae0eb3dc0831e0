//! Gradient statistics for Python.

use std::path::Path;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::error::{Error, require_shape};
use crate::numeric::Rows;
use crate::python::dump::{GradientFile, parse};
use crate::python::numbered;
use crate::python::tensor_sums::TensorSums;
use crate::statistics::{ParameterFile, PartialRows, PartlyScanned, Request, Sink, scan_partial};

/// Rows of one tensor in one file: the file (None: rows of zeros), the entry, and how many rows it holds.
type SegmentArgument = (Option<Py<GradientFile>>, usize, usize);
/// Name, dtype, shape of the parameter, segments, and the rows of the dump that are there.
pub(super) type TensorArgument = (String, String, Vec<usize>, Vec<SegmentArgument>, Option<Vec<usize>>);

#[pyfunction]
#[pyo3(signature = (tensors, keep, *, weights, groups, shape, scale, output, progress))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
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
) -> PyResult<(Vec<TensorSums>, Bound<'py, PyArray1<i64>>)> {
    let (keep, weights) = (keep.as_array().to_vec(), weights.as_array().to_vec());
    let groups = groups.map(|groups| numbered("groups", groups)).transpose()?;
    let mut raised = None;
    let found = py.detach(|| -> PyResult<PartlyScanned> {
        let zeros = zeros_for(&tensors)?;
        let rows =
            tensors.iter().map(|tensor| partial_rows(tensor, &zeros)).collect::<Result<Vec<_>, _>>()?;
        let request = Request { weights: Some(&weights), groups: groups.as_deref(), shape };
        let mut file = match &output {
            None => None,
            Some(path) => {
                let names: Vec<_> =
                    tensors.iter().map(|tensor| (tensor.0.clone(), tensor.2.clone())).collect();
                Some(ParameterFile::create(Path::new(path), &names, shape, scale)?)
            }
        };
        let sink = file.as_mut().map(|file| file as &mut dyn Sink);
        let found = scan_partial(&rows, &keep, &request, sink, &mut |bytes| {
            let answer = Python::attach(|py| py.check_signals().and_then(|()| progress.call1(py, (bytes,))));
            raised = answer.err();
            raised.is_none()
        });
        Ok(found?)
    });
    if let Some(error) = raised {
        return Err(error);
    }
    let found = found?;
    let sums = tensors.iter().zip(found.sums).map(|((name, dtype, _, _, present), sums)| {
        let rows = present.clone().unwrap_or_else(|| (0..keep.len()).collect());
        let kept = rows.into_iter().filter(|&row| keep[row]).collect();
        TensorSums::new(name, dtype, kept, sums.scaled(scale))
    });
    let sums = sums.collect();
    let rows = found.non_finite_rows.into_iter().map(i64::try_from);
    let rows: Vec<i64> = rows.collect::<Result<_, _>>()?;
    Ok((sums, rows.into_pyarray(py)))
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

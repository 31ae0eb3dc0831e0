//! Gradient dumps for Python.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use numpy::{IntoPyArray, PyArray1};
use pyo3::buffer::PyUntypedBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::dump::{self, Buffer, Container, Dtype, Entry, Location, Options};
use crate::error::Error;

/// How long signals may wait.
const PATIENCE: Duration = Duration::from_millis(50);

/// Name, type, shape and first byte (none for what is packed or strided) of an array.
type Row<'py> = (String, &'static str, Bound<'py, PyTuple>, Option<usize>);

/// The arrays of one file, or one array that Python holds.
#[pyclass(frozen, module = "surge_fit._core")]
pub struct GradientFile(Container);

impl GradientFile {
    /// The bytes of an entry, unpacked if need be; meanwhile Python's signals are heard. Called detached from Python.
    pub fn unpacked(&self, index: usize) -> PyResult<&[u8]> {
        let (mut raised, mut heard) = (None, Instant::now());
        let outcome = self.0.prepare(index, &mut |_| {
            // Seldom: to attach may mean to wait for another thread of Python.
            if heard.elapsed() >= PATIENCE {
                raised = Python::attach(|py| py.check_signals().err());
                heard = Instant::now();
            }
            raised.is_none()
        });
        match raised {
            Some(error) => Err(error),
            None => Ok(outcome.and_then(|()| self.0.data(index))?),
        }
    }
}

#[pymethods]
impl GradientFile {
    #[staticmethod]
    #[pyo3(signature = (path, void_dtype=None))]
    pub fn open(py: Python<'_>, path: PathBuf, void_dtype: Option<&str>) -> PyResult<Self> {
        let options = options(void_dtype)?;
        Ok(Self(py.detach(|| Container::open(&path, &options))?))
    }

    #[staticmethod]
    #[pyo3(signature = (name, array, dtype=None))]
    pub fn from_array(name: &str, array: &Bound<'_, PyAny>, dtype: Option<&str>) -> PyResult<Self> {
        let refuse = |problem: String| Error::in_file(name, None, None, problem);
        let Ok(buffer) = PyUntypedBuffer::get(array) else {
            let kind = array.get_type().name()?;
            let problem = format!(
                "it must be an array that shares its memory (the buffer protocol) and has an axis or more; got {kind}. \
                 Pass it as a NumPy array, bfloat16 and float8 viewed as integers of their size."
            );
            return Err(refuse(problem).into());
        };
        if !buffer.is_c_contiguous() {
            let problem = "it must be C-contiguous; it is not. Pass numpy.ascontiguousarray of it.";
            return Err(refuse(problem.to_owned()).into());
        }
        let wanted = dtype.map(|name| parse("dtype", name)).transpose()?;
        let dtype = dtype_of(&buffer, wanted).map_err(refuse)?;
        let entry = Entry {
            name: name.to_owned(),
            dtype,
            shape: buffer.shape().to_vec(),
            location: Location::Plain { offset: 0 },
        };
        Ok(Self(Container::from_buffer(name.to_owned(), vec![entry], Box::new(Shared(buffer)))?))
    }

    #[getter]
    pub fn path(&self) -> &str {
        self.0.label()
    }

    #[getter]
    pub fn format(&self) -> &'static str {
        self.0.format().name()
    }

    #[getter]
    pub fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let metadata = PyDict::new(py);
        for (key, value) in &self.0.contents().metadata {
            metadata.set_item(key, value)?;
        }
        Ok(metadata)
    }

    #[getter]
    pub fn skipped(&self) -> Vec<(String, String)> {
        self.0.contents().skipped.clone()
    }

    #[getter]
    pub fn entries<'py>(&self, py: Python<'py>) -> PyResult<Vec<Row<'py>>> {
        let row = |entry: &Entry| {
            let offset = match entry.location {
                Location::Plain { offset } => Some(offset),
                Location::Strided { .. } | Location::Deflated { .. } => None,
            };
            Ok((entry.name.clone(), entry.dtype.name(), PyTuple::new(py, &entry.shape)?, offset))
        };
        self.0.contents().entries.iter().map(row).collect()
    }

    pub fn read<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        start: usize,
        count: usize,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let numbers = py.detach(|| self.0.numbers(index, start, count))?;
        Ok(numbers.into_pyarray(py))
    }
}

#[pyfunction]
#[pyo3(signature = (path, void_dtype=None))]
pub fn index_files(py: Python<'_>, path: PathBuf, void_dtype: Option<&str>) -> PyResult<Vec<PathBuf>> {
    let options = options(void_dtype)?;
    Ok(py.detach(|| dump::index_files(&path, &options))?)
}

fn options(void_dtype: Option<&str>) -> Result<Options, Error> {
    Ok(Options { void_dtype: void_dtype.map(|name| parse("void_dtype", name)).transpose()? })
}

pub(super) fn parse(argument: &'static str, name: &str) -> Result<Dtype, Error> {
    Dtype::from_name(name).ok_or_else(|| Error::UnknownDtype { argument, found: name.to_owned() })
}

/// The type of a buffer's numbers: the caller's word where Python has no name for it, else Python's.
fn dtype_of(buffer: &PyUntypedBuffer, wanted: Option<Dtype>) -> Result<Dtype, String> {
    let format = buffer.format().to_string_lossy();
    let own = match format.trim_start_matches(['<', '@', '=']) {
        "d" => Some(Dtype::F64),
        "f" => Some(Dtype::F32),
        "e" => Some(Dtype::F16),
        _ => None,
    };
    let untyped = matches!(
        format.trim_start_matches(['<', '@', '=', '|']),
        "b" | "B" | "h" | "H" | "c" | "x" | "1x" | "2x" | "xx"
    );
    match (wanted, own) {
        (None, Some(own)) => Ok(own),
        (Some(wanted), own) if own == Some(wanted) || (untyped && buffer.item_size() == wanted.size()) => {
            Ok(wanted)
        }
        (None, None) => Err(format!(
            "its numbers must be float64, float32 or float16 of this machine's byte order, or 'dtype' must say what \
             they are; their format is '{format}'. Convert them, or name 'dtype'."
        )),
        (Some(wanted), _) => Err(format!(
            "to be {}, its numbers must be integers or untyped bytes of size {}; their format is '{format}', of size \
             {}. View them as such, or leave 'dtype' out.",
            wanted.name(),
            wanted.size(),
            buffer.item_size()
        )),
    }
}

/// Memory that a Python object shares.
struct Shared(PyUntypedBuffer);

impl Buffer for Shared {
    fn bytes(&self) -> &[u8] {
        if self.0.len_bytes() == 0 {
            return &[];
        }
        // SAFETY: Python keeps a C-contiguous buffer of this length in place until it is released, which happens
        // when `self` is dropped. That nobody writes to the array meanwhile is asked of the caller, as of a file.
        unsafe { std::slice::from_raw_parts(self.0.buf_ptr().cast::<u8>(), self.0.len_bytes()) }
    }
}

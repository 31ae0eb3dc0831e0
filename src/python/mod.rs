//! The only place that knows Python: every function converts, detaches, calls, converts.

pub mod law;

use pyo3::PyErr;

use crate::error::Error;

pyo3::import_exception!(surge_fit.errors, InputError);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        InputError::new_err(error.to_string())
    }
}

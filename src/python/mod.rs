//! The only place that knows Python: every function converts, detaches, calls, converts.

pub mod dump;
pub mod law;
pub mod noise;
pub mod statistics;

use pyo3::PyErr;
use pyo3::exceptions::PyKeyboardInterrupt;

use crate::error::Error;

pyo3::import_exception!(surge_fit.errors, DumpError);
pyo3::import_exception!(surge_fit.errors, InputError);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::File { .. } => DumpError::new_err(message),
            Error::Stopped => PyKeyboardInterrupt::new_err(message),
            _ => InputError::new_err(message),
        }
    }
}

//! The only place that knows Python: every function converts, detaches, calls, converts.

pub mod arrays;
pub mod batch_sums;
pub mod curve;
pub mod direction_sums;
pub mod dump;
pub mod law;
pub mod noise;
pub mod planning;
pub mod posterior;
pub mod statistics;
pub mod tensor_sums;

use numpy::PyReadonlyArray1;
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

/// Groups or rows, which Python numbers from 0.
fn numbered(argument: &'static str, numbers: PyReadonlyArray1<'_, i64>) -> Result<Vec<u32>, Error> {
    let number = |(index, &number): (usize, &i64)| {
        #[expect(clippy::cast_precision_loss, reason = "shown in a message")]
        let found = number as f64;
        let requirement = "a whole number from 0 on that fits into 32 bits";
        u32::try_from(number).map_err(|_| Error::Value { argument, requirement, found, index })
    };
    numbers.as_array().iter().enumerate().map(number).collect()
}

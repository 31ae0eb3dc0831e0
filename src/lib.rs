//! Learning-rate laws, evaluated in batches.
#![warn(missing_docs)]

#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _core {}

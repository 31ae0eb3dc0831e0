//! What PyTorch wrote is read to the last bit, what is not plain data is refused, and no bytes do harm.

mod expected;
mod fixtures;
mod forge;
mod gather;
mod hostile;
mod objects;
mod old;
mod properties;
mod refusals;
mod views;

use crate::{Contents, Error};

/// A file beside the tests.
fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/torch/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Bytes as a file `run/grads.pt`.
fn read(bytes: &[u8]) -> Result<Contents, Error> {
    super::read(bytes, "run/grads.pt")
}

/// Why a file is refused, place included.
fn refusal(bytes: &[u8]) -> String {
    match read(bytes) {
        Err(error) => error.to_string(),
        Ok(contents) => panic!("read {contents:?}"),
    }
}

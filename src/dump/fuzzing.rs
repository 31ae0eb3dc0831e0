//! The readers as the fuzz targets in `fuzz/` call them; compiled for them alone.
//!
//! Whatever the bytes are, a reader must return; and what it returns must lie inside them.

use super::{Container, Contents, Dtype, Format, bergson, layout, npy, npz, raw, safetensors, torch};
use crate::error::Error;

/// Arrays of a file that are unpacked, and the largest that is: enough to try the code, and quick.
const UNPACKED: usize = 4;
const LARGEST: usize = 1 << 20;

/// A safetensors file.
pub fn safetensors(bytes: &[u8]) {
    check(bytes, safetensors::read(bytes, "fuzz.safetensors"));
}

/// A `.npy` file.
pub fn npy(bytes: &[u8]) {
    check(bytes, npy::read(bytes, "fuzz.npy", Some(Dtype::Bf16)));
}

/// An `.npz` file.
pub fn npz(bytes: &[u8]) {
    check(bytes, npz::read(bytes, "fuzz.npz", Some(Dtype::Bf16)));
}

/// The description of 64 bytes of numbers.
pub fn raw(bytes: &[u8]) {
    if let Ok(sidecar) = std::str::from_utf8(bytes) {
        let numbers = [0; 64];
        check(&numbers, raw::read(&numbers, sidecar, "fuzz.bin"));
    }
}

/// bergson's description of 64 bytes of numbers.
pub fn bergson(bytes: &[u8]) {
    if let Ok(info) = std::str::from_utf8(bytes) {
        let numbers = [0; 64];
        check(&numbers, bergson::read(&numbers, info, "info.json"));
    }
}

/// A PyTorch file.
pub fn torch(bytes: &[u8]) {
    check(bytes, torch::read(bytes, "fuzz.pt"));
}

fn check(bytes: &[u8], outcome: Result<Contents, Error>) {
    let Ok(contents) = outcome else { return };
    let container = Container::new("fuzz".to_owned(), Format::Memory, contents, Box::new(bytes.to_vec()))
        .expect("a reader returns only what lies inside the file");
    let sizes = container.contents().entries.iter().map(layout::size).enumerate();
    for (index, size) in sizes.filter(|&(_, size)| size <= LARGEST).take(UNPACKED) {
        if let Ok(data) = container.data(index) {
            assert_eq!(data.len(), size);
        }
    }
}

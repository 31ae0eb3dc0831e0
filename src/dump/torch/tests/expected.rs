//! `expected.npz`: what PyTorch itself has in each fixture, as float32, by 'file|tensor'.

use std::collections::BTreeMap;

use super::fixture;
use crate::dump::zip::{self, Method};

/// A shape and the bits of its numbers.
pub(super) type Bits = (Vec<usize>, Vec<u32>);

/// The tensors of each file.
pub(super) fn all() -> BTreeMap<String, BTreeMap<String, Bits>> {
    let bytes = fixture("expected.npz");
    let mut files: BTreeMap<String, BTreeMap<String, Bits>> = BTreeMap::new();
    for member in zip::members(&bytes).unwrap() {
        let (file, tensor) = member.name.strip_suffix(".npy").unwrap().split_once('|').unwrap();
        assert_eq!(member.method, Method::Stored);
        files.entry(file.to_owned()).or_default().insert(tensor.to_owned(), npy(&bytes[member.span]));
    }
    files
}

/// An array of version 1: magic, version, length of the header, header, numbers.
fn npy(bytes: &[u8]) -> Bits {
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = str::from_utf8(&bytes[10..10 + length]).unwrap();
    assert!(header.contains("'descr': '<f4', 'fortran_order': False"), "{header}");
    let (_, shape) = header.split_once("'shape': (").unwrap();
    let (shape, _) = shape.split_once(')').unwrap();
    let shape = shape.split(',').map(str::trim).filter(|part| !part.is_empty());
    let numbers = bytes[10 + length..].as_chunks::<4>().0;
    (
        shape.map(|part| part.parse().unwrap()).collect(),
        numbers.iter().copied().map(u32::from_le_bytes).collect(),
    )
}

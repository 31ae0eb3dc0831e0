//! Files that PyTorch wrote.

use std::collections::BTreeMap;

use super::super::read;
use super::expected::{self, Bits};
use super::fixture;
use super::gather::numbers;
use crate::{Contents, Location};

fn contents(name: &str) -> Contents {
    read(&fixture(name), name).unwrap()
}

#[test]
fn every_file_has_the_tensors_of_pytorch_to_the_last_bit() {
    let files = expected::all();
    assert_eq!(files.len(), 18);
    for (name, mut tensors) in files {
        // A bare tensor has no name in PyTorch, and that of the file here.
        if let Some(bare) = tensors.remove("") {
            tensors.insert(name.strip_suffix(".pt").unwrap().to_owned(), bare);
        }
        let bytes = fixture(&name);
        let found: BTreeMap<String, Bits> = contents(&name)
            .entries
            .into_iter()
            .map(|entry| {
                let bits = numbers(&bytes, &entry).into_iter().map(f32::to_bits).collect();
                (entry.name, (entry.shape, bits))
            })
            .collect();
        assert_eq!(found, tensors, "{name}");
    }
}

#[test]
fn numbers_beside_tensors_are_metadata() {
    let found = contents("nested_f32.pt");
    let text = |key: &str| found.metadata[key].as_str();
    assert_eq!(text("step"), "100");
    assert_eq!(text("loss"), "2.5");
    assert_eq!(text("meta.batch_size"), "16");
    assert_eq!(text("meta.note"), "per-sample gradients");
    assert_eq!(found.metadata.len(), 4);
    assert!(found.skipped.is_empty());
}

#[test]
fn tensors_are_in_the_order_of_the_dict() {
    let names: Vec<_> = contents("ordered_dict_f32.pt").entries.into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["layer1.weight", "layer1.bias", "head.weight"]);
}

#[test]
fn contiguous_tensors_are_plain_and_aligned_as_pytorch_aligns_them() {
    for entry in contents("dict_bf16.pt").entries {
        assert!(matches!(entry.location, Location::Plain { offset } if offset % 64 == 0), "{entry:?}");
    }
}

#[test]
fn a_transposed_tensor_is_a_view() {
    // Saved as the transpose of a contiguous 6 × 16 array: columns are 16 apart, rows 1.
    let [entry] = &contents("non_contiguous_f32.pt").entries[..] else { panic!("one tensor") };
    assert_eq!(entry.shape, [16, 6]);
    assert!(matches!(&entry.location, Location::Strided { strides, .. } if strides == &[1, 16]), "{entry:?}");
}

#[test]
fn views_of_one_storage_share_its_bytes() {
    // Columns 0–3 and 4–9 of a 16 × 10 array: the second begins four numbers, 16 bytes, after the first.
    let entries = contents("shared_storage_f32.pt").entries;
    let [Location::Strided { offset: first, .. }, Location::Strided { offset: second, .. }] =
        [&entries[0].location, &entries[1].location]
    else {
        panic!("two views: {entries:?}")
    };
    assert_eq!(second - first, 16);
}

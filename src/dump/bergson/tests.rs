//! Both generations of descriptions, and what is refused with which words.

use proptest::prelude::*;

use super::*;
use crate::dump::container::{Container, Options};
use crate::dump::convert::to_f64;

const NEW: &str = r#"{"num_items": 2, "num_grads": 2, "grad_sizes": {"a": 1, "none": 0, "b": 2},
    "base_dtype": "float32", "attribute_tokens": false}"#;

fn refusal(length: usize, info: &str) -> String {
    read(&vec![0; length], info, "info.json").unwrap_err().to_string()
}

/// The tensors of a folder with these two rows of three numbers: 0, 1, 2 and 3, 4, 5.
fn opened(info: &str) -> Vec<(String, Vec<usize>, Vec<f64>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NUMBERS);
    std::fs::write(folder.path().join(DESCRIPTION), info).unwrap();
    let numbers: Vec<u8> = (0_u8..6).flat_map(|number| f32::from(number).to_le_bytes()).collect();
    std::fs::write(&path, numbers).unwrap();
    let container = Container::open(&path, &Options::default()).unwrap();
    let entries = container.contents().entries.iter().enumerate();
    entries
        .map(|(index, entry)| {
            (entry.name.clone(), entry.shape.clone(), to_f64(entry.dtype, container.data(index).unwrap()))
        })
        .collect()
}

#[test]
fn tensors_stand_side_by_side_in_each_row() {
    let expected = [
        ("a".to_owned(), vec![2, 1], vec![0.0, 3.0]),
        ("b".to_owned(), vec![2, 2], vec![1.0, 2.0, 4.0, 5.0]),
    ];
    assert_eq!(opened(NEW), expected);
    let old = r#"{"num_grads": 2, "dtype": {"names": ["a", "b"], "formats": ["(1,)<f4", "(2,)<f4"], "itemsize": 12}}"#;
    assert_eq!(opened(old), expected);
    assert_eq!(read(&[0; 24], NEW, "info.json").unwrap().metadata["attribute_tokens"], "false");
}

#[test]
fn numbers_of_two_bytes_without_a_type_are_bfloat16() {
    let info = NEW.replace("float32", "<V2");
    assert_eq!(read(&[0; 12], &info, "info.json").unwrap().entries[0].dtype, Dtype::Bf16);
}

#[test]
fn what_cannot_be_read_is_refused_in_these_words() {
    assert_eq!(
        refusal(23, NEW),
        "'info.json': its 2 rows of 3 numbers of float32 must fill 'gradients.bin', which has 23 bytes; they do not. \
         The file is cut: copy or build the index again."
    );
    assert!(refusal(24, &NEW.replace("float32", "int8")).contains("'base_dtype' must be one of float64"));
    assert!(
        refusal(24, r#"{"num_grads": 2}"#).contains("must have 'grad_sizes' and 'base_dtype', or 'dtype'")
    );
    assert!(refusal(24, r#"{"grad_sizes": {}}"#).contains("must have 'num_grads'"));
    let huge = format!(
        r#"{{"num_grads": 3, "grad_sizes": {{"a": {0}, "b": {0}}}, "base_dtype": "<f4"}}"#,
        usize::MAX
    );
    assert!(refusal(24, &huge).contains("3 rows of too many numbers"));
    let twice = r#"{"num_grads": 1, "grad_sizes": {"a": 1, "a": 1}, "base_dtype": "<f4"}"#;
    assert!(refusal(8, twice).contains("a name must occur once"));
    let mixed = r#"{"num_grads": 1, "dtype": {"names": ["a", "b"], "formats": ["(1,)<f4", "(1,)<f2"]}}"#;
    assert!(refusal(6, mixed).contains("all of one type"));
}

proptest! {
    #[test]
    fn whatever_is_found_lies_inside_the_file(
        rows in 0_usize..5, sizes in prop::collection::vec(0_usize..4, 0..4), length in 0_usize..200,
    ) {
        let sizes: Vec<String> = sizes.iter().enumerate().map(|(at, size)| format!(r#""{at}": {size}"#)).collect();
        let info =
            format!(r#"{{"num_grads": {rows}, "grad_sizes": {{{}}}, "base_dtype": "<f2"}}"#, sizes.join(", "));
        if let Ok(contents) = read(&vec![0; length], &info, "info.json") {
            prop_assert!(contents.entries.iter().all(|entry| layout::fits(entry, length)));
        }
    }
}

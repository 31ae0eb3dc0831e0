//! What is accepted, and what is refused with which words.

use proptest::prelude::*;

use super::super::convert::to_f64;
use super::*;

/// A file of version 1 with this header, as NumPy pads it.
pub(in crate::dump) fn file(descr: &str, fortran_order: bool, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let order = if fortran_order { "True" } else { "False" };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([1, 0]);
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(numbers);
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes, "g.npy", None).unwrap_err().to_string()
}

#[test]
fn an_array_is_named_by_its_file() {
    let bytes = file("'<f4'", false, "(2, 3)", &[0; 24]);
    let contents = read(&bytes, "folder/w.grad.npy", None).unwrap();
    let [entry] = &contents.entries[..] else { panic!("one array") };
    assert_eq!((&*entry.name, entry.dtype, &entry.shape[..]), ("w.grad", Dtype::F32, &[2, 3][..]));
    assert_eq!(entry.location, Location::Plain { offset: 128 });
}

#[test]
fn column_major_arrays_are_views() {
    let bytes = file("'<f2'", true, "(2, 3)", &[0; 12]);
    let entry = read(&bytes, "g.npy", None).unwrap().entries.remove(0);
    assert_eq!(entry.location, Location::Strided { offset: 128, strides: vec![1, 2] });
    let bytes = file("'<f2'", true, "(6,)", &[0; 12]);
    let entry = read(&bytes, "g.npy", None).unwrap().entries.remove(0);
    assert_eq!(entry.location, Location::Plain { offset: 128 });
}

#[test]
fn later_versions_have_longer_lengths() {
    let first = file("'<f8'", false, "()", &1.5_f64.to_le_bytes());
    for version in [2, 3] {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([version, 0, first[8], first[9], 0, 0]);
        bytes.extend(&first[10..]);
        let entry = read(&bytes, "g.npy", None).unwrap().entries.remove(0);
        assert_eq!(entry.location, Location::Plain { offset: 130 });
        assert_eq!(to_f64(entry.dtype, &bytes[130..]), [1.5]);
    }
}

#[test]
fn untyped_numbers_are_read_on_the_callers_word_alone() {
    let bytes = file("'<V2'", false, "(1,)", &[0x80, 0x3f]);
    assert_eq!(
        refusal(&bytes),
        "'g.npy', byte 10: it holds untyped numbers of 2 bytes ('<V2'), as NumPy writes bfloat16. Say what they \
         are with 'void_dtype'."
    );
    let entry = read(&bytes, "g.npy", Some(Dtype::Bf16)).unwrap().entries.remove(0);
    assert_eq!(entry.dtype, Dtype::Bf16);
    let wrong = read(&bytes, "g.npy", Some(Dtype::F8E4M3)).unwrap_err().to_string();
    assert_eq!(
        wrong,
        "'g.npy', byte 10: 'void_dtype' must be of 2 bytes, as the numbers of type '<V2' are; float8_e4m3fn has \
         1. Name another type, or leave this file out."
    );
    // What NumPy has a type for is that type, whatever the caller says.
    let typed = file("'<f4'", false, "(1,)", &[0; 4]);
    assert_eq!(read(&typed, "g.npy", Some(Dtype::Bf16)).unwrap().entries[0].dtype, Dtype::F32);
}

#[test]
fn numbers_that_are_no_gradients_are_left_out_by_name() {
    for (descr, why) in [
        ("'<i8'", "type <i8, which holds no gradients"),
        ("'|b1'", "type |b1, which holds no gradients"),
        (
            "'|O'",
            "Python objects (dtype object), a pickle, which is never unpickled: write arrays of numbers",
        ),
        ("'<c8'", "type <c8, which holds no gradients"),
        ("[('a', '<f4')]", "a structured type, which holds no gradients"),
    ] {
        let contents = read(&file(descr, false, "(3,)", &[0; 24]), "step.npy", None).unwrap();
        assert_eq!(contents.skipped, [("step".to_owned(), why.to_owned())]);
        assert!(contents.entries.is_empty());
    }
}

#[test]
fn what_cannot_be_read_is_refused_in_these_words() {
    let good = file("'<f4'", false, "(2, 3)", &[0; 24]);
    let mut version = good.clone();
    version[6] = 9;
    let cases = [
        (
            vec![],
            "'g.npy', byte 0: it must begin with NumPy's signature; it does not. Write it with numpy.save.",
        ),
        (version, "'g.npy', byte 6: its version must be 1, 2 or 3; it is 9."),
        (good[..8].to_vec(), "'g.npy', byte 8: the length of the header must be there and at most 65536."),
        (good[..50].to_vec(), "'g.npy', byte 10: the header must have 118 bytes; the file ends after 40."),
        (
            good[..good.len() - 1].to_vec(),
            "'g.npy', byte 128: the shape [2, 3] of float32 takes 24 bytes, after which the file must end; 23 follow \
             the header. The file is cut: copy or write it again.",
        ),
        (
            [&good[..], &[0]].concat(),
            "'g.npy', byte 128: the shape [2, 3] of float32 takes 24 bytes, after which the file must end; 25 follow \
             the header. Save each array in a file of its own, or all with numpy.savez.",
        ),
        (
            file("'>f4'", false, "(2, 3)", &[0; 24]),
            "'g.npy', byte 10: its numbers must be little-endian; they are '>f4'. Write array.astype('<f4').",
        ),
        (
            file("'<f4'", false, "(4294967296, 4294967296)", &[]),
            "'g.npy', byte 10: its shape must have at most 64 axes and fit into memory; got [4294967296, 4294967296].",
        ),
        (
            file("__import__('os')", false, "()", &[]),
            "'g.npy', byte 20: a string must stand here in the header. The file is damaged or no NumPy file",
        ),
    ];
    for (bytes, message) in cases {
        let found = refusal(&bytes);
        assert!(found.starts_with(message), "{found}");
    }
}

proptest! {
    #[test]
    fn a_changed_or_cut_file_is_refused_or_stays_inside_itself(
        changes in prop::collection::vec((0_usize..128, any::<u8>()), 0..4),
        length in 0_usize..153,
        fortran_order in any::<bool>(),
    ) {
        let mut bytes = file("'<f4'", fortran_order, "(2, 3)", &[0; 24]);
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.truncate(length);
        if let Ok(contents) = read(&bytes, "g.npy", Some(Dtype::Bf16)) {
            prop_assert!(contents.entries.iter().all(|entry| layout::fits(entry, bytes.len())));
        }
    }

    #[test]
    fn any_shape_is_refused_or_stays_inside_the_file(
        shape in prop::collection::vec(prop::sample::select(vec![0_u64, 1, 2, 3, u64::MAX, 1 << 32, 1 << 61]), 2..5),
        fortran_order in any::<bool>(),
    ) {
        let axes: Vec<String> = shape.iter().map(u64::to_string).collect();
        let bytes = file("'<f4'", fortran_order, &format!("({})", axes.join(", ")), &[0; 24]);
        if let Ok(contents) = read(&bytes, "g.npy", None) {
            prop_assert!(contents.entries.iter().all(|entry| layout::fits(entry, bytes.len())));
        }
    }
}

//! What is accepted, and what is refused with which words.

use proptest::prelude::*;

use super::super::convert::to_f64;
use super::super::{Container, Format, Options, npz};
use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/safetensors");

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/{name}.safetensors")).unwrap()
}

/// A file with this header and so many bytes of numbers.
fn file(header: &str, numbers: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + numbers, 0);
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes, "f").unwrap_err().to_string()
}

#[test]
fn the_fixtures_hold_what_their_writer_put_in() {
    let archive = std::fs::read(format!("{FOLDER}/expected.npz")).unwrap();
    let contents = npz::read(&archive, "expected.npz", None).unwrap();
    let expected = Container::new("expected.npz".into(), Format::Npz, contents, Box::new(archive)).unwrap();
    let names: Vec<&str> = expected.contents().entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names.len(), 19);
    for (index, key) in names.iter().enumerate() {
        let (name, tensor) = key.split_once('|').unwrap();
        let found = Container::open(format!("{FOLDER}/{name}").as_ref(), &Options::default()).unwrap();
        let position = found.contents().entries.iter().position(|entry| entry.name == tensor).unwrap();
        let entry = &found.contents().entries[position];
        assert_eq!(entry.shape, expected.contents().entries[index].shape, "{key}");
        let values = to_f64(entry.dtype, found.data(position).unwrap());
        // `expected` is single precision: what was stored in double precision is rounded to it.
        #[expect(clippy::cast_possible_truncation, reason = "as the writer of the fixtures rounded")]
        let bits: Vec<u8> = values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect();
        assert_eq!(bits, expected.data(index).unwrap(), "{key}");
    }
}

#[test]
fn the_header_says_more_than_shapes() {
    let contents = read(&fixture("bf16"), "f").unwrap();
    assert_eq!(contents.metadata["loss_reduction"], "mean");
    assert_eq!(contents.metadata.len(), 4);
    let head = &contents.entries[0];
    assert_eq!((&*head.name, head.dtype, &head.shape[..]), ("head.weight", Dtype::Bf16, &[16, 3, 8][..]));
    // Eight bytes, then a header of 0x138 bytes.
    assert_eq!(head.location, Location::Plain { offset: 8 + 0x138 });
}

#[test]
fn refused_fixtures_are_refused_in_these_words() {
    let cases = [
        (
            "empty",
            "'f', byte 0: a safetensors file must begin with the length of its header, 8 bytes; the file has 0. \
             It is empty or cut: write it again.",
        ),
        (
            "huge_header",
            "'f', byte 0: the length of the header must be at most 100000000 bytes and lie inside the file; it \
             is 4611686018427387904, with 2 bytes left. The file is cut or no safetensors file: write it again.",
        ),
        (
            "bad_json",
            "'f', byte 15: its header must be a JSON object; the parser says: EOF while parsing a value. The \
             file is damaged: write it again.",
        ),
        (
            "offset_past_end",
            "'f', tensor 'w', byte 13: 'data_offsets' must lie inside the 192 bytes of numbers; got [0, 200]. \
             The file is cut: copy or write it again.",
        ),
        (
            "overflow_shape",
            "'f', tensor 'w', byte 13: its shape must have at most 64 axes and fit into memory; got \
             [1099511627776, 1099511627776]. Write the file again.",
        ),
        (
            "shape_mismatch",
            "'f', tensor 'w', byte 13: its shape [16, 4] of float32 takes 256 bytes; 'data_offsets' span 192. \
             Write the file again.",
        ),
        (
            "overlap",
            "'f', tensor 'b', byte 71: its bytes must be its own; they overlap those of 'a'. The file may be \
             damaged: write it again.",
        ),
    ];
    for (name, message) in cases {
        assert_eq!(refusal(&fixture(&format!("refuse_{name}"))), message, "{name}");
    }
    let files = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(files.filter(|name| name.to_string_lossy().starts_with("refuse_")).count(), cases.len());
}

#[test]
fn other_headers_are_refused_in_these_words() {
    let twice = r#"{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#;
    let late = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    let first = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let back = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#;
    let negative = r#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#;
    let number = r#"{"__metadata__":{"step":1}}"#;
    let cases = [
        (file(twice, 0), "'f', tensor 'w': a name must occur once; this one occurs twice."),
        (file(late, 8), "'f', tensor 'w', byte 13: its bytes must follow the last tensor's; 4 are unused."),
        (file(first, 6), "'f', byte 66: the file must end with the last number; 2 more bytes follow."),
        (file(back, 4), "'f', tensor 'w', byte 13: 'data_offsets' must not decrease; got [4, 0]."),
        (
            file(negative, 4),
            "'f', tensor 'w', byte 38: its description must have 'dtype', 'shape' and 'data_offsets';",
        ),
        (
            file(number, 0),
            "'f', byte 32: '__metadata__' must map names to strings; the parser says: invalid type: integer",
        ),
        (file("\u{7}", 0), "'f', byte 8: its header must be a JSON object;"),
    ];
    for (bytes, message) in cases {
        let found = refusal(&bytes);
        assert!(found.starts_with(message), "{found}");
    }
    let mut latin = file("{ }", 0);
    latin[9] = 0xe4;
    assert!(refusal(&latin).starts_with("'f', byte 9: its header must be UTF-8 text;"));
}

#[test]
fn numbers_that_are_no_gradients_are_left_out_by_name() {
    let header = r#"{"step":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"w":{"dtype":"F16","shape":[2,0],"data_offsets":[8,8]}}"#;
    let contents = read(&file(header, 8), "f").unwrap();
    assert_eq!(contents.skipped, [("step".to_owned(), "type I64, which holds no gradients".to_owned())]);
    assert_eq!(contents.entries.len(), 1);
    assert_eq!(contents.entries[0].shape, [2, 0]);
}

#[test]
fn a_name_that_would_write_to_the_terminal_is_escaped() {
    let header = r#"{"\u001b[2J":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#;
    assert!(refusal(&file(header, 4)).starts_with(r"'f', tensor '\u{1b}[2J', byte 21: its shape [2]"));
}

fn check(bytes: &[u8]) {
    if let Ok(contents) = read(bytes, "f") {
        assert!(contents.entries.iter().all(|entry| layout::fits(entry, bytes.len())));
    }
}

proptest! {
    #[test]
    fn a_cut_file_is_refused(length in 0_usize..2624) {
        prop_assert!(read(&fixture("bf16")[..length], "f").is_err());
    }

    #[test]
    fn a_changed_header_is_refused_or_stays_inside_the_file(
        changes in prop::collection::vec((0_usize..330, any::<u8>()), 1..4),
    ) {
        let mut bytes = fixture("f64");
        for (at, value) in changes {
            bytes[at] = value;
        }
        check(&bytes);
    }

    #[test]
    fn changed_numbers_of_a_header_are_refused_or_stay_inside_the_file(
        begin in prop::sample::select(vec![0_u64, 1, 4, 8, u64::MAX - 3, u64::MAX, 1 << 63]),
        end in prop::sample::select(vec![0_u64, 1, 4, 8, u64::MAX - 3, u64::MAX, 1 << 63]),
        shape in prop::collection::vec(prop::sample::select(vec![0_u64, 1, 2, u64::MAX, 1 << 32, 1 << 61]), 0..4),
    ) {
        let header = format!(r#"{{"w":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}}}"#);
        check(&file(&header, 8));
    }
}

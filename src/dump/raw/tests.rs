//! What is accepted, and what is refused with which words.

use proptest::prelude::*;

use super::*;

/// Characters that descriptions are made of.
const JSON: &[u8] = b"0123456789[]{},:\" a\\";

fn refusal(length: usize, sidecar: &str) -> String {
    read(&vec![0; length], sidecar, "g.bin").unwrap_err().to_string()
}

#[test]
fn one_array_is_named_by_its_file_unless_it_has_a_name() {
    let contents =
        read(&[0; 26], r#"{"dtype": "f4", "shape": [2, 3], "offset": 2}"#, "folder/g.bin").unwrap();
    let location = Location::Plain { offset: 2 };
    assert_eq!(
        contents.entries,
        [Entry { name: "g".into(), dtype: Dtype::F32, shape: vec![2, 3], location }]
    );
    let text = r#"{"dtype": "bfloat16", "shape": [2], "name": "w", "metadata": {"loss_reduction": "mean"}}"#;
    let contents = read(&[0; 4], text, "g.bin").unwrap();
    assert_eq!((&*contents.entries[0].name, contents.entries[0].dtype), ("w", Dtype::Bf16));
    assert_eq!(contents.metadata["loss_reduction"], "mean");
}

#[test]
fn arrays_may_be_aligned_and_stand_in_any_order() {
    let text = r#"{"tensors": [
        {"name": "b", "dtype": "float16", "shape": [2], "offset": 64},
        {"name": "a", "dtype": "float64", "shape": [2, 2]},
        {"name": "none", "dtype": "float64", "shape": [2, 0], "offset": 33}
    ], "metadata": {"step": "7"}}"#;
    let contents = read(&[0; 68], text, "g.bin").unwrap();
    let names: Vec<&str> = contents.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "none"]);
    assert_eq!(contents.entries[0].location, Location::Plain { offset: 64 });
}

#[test]
fn numbers_that_are_no_gradients_are_left_out_by_name() {
    let text = r#"{"tensors": [{"name": "step", "dtype": "int64", "shape": []}]}"#;
    let contents = read(&[0; 8], text, "g.bin").unwrap();
    assert_eq!(contents.skipped, [("step".to_owned(), "type int64, which holds no gradients".to_owned())]);
}

#[test]
fn what_cannot_be_read_is_refused_in_these_words() {
    let tensor = |name: &str, offset: usize| {
        format!(r#"{{"name": "{name}", "dtype": "float32", "shape": [2], "offset": {offset}}}"#)
    };
    let both = |a: &str, b: &str| format!(r#"{{"tensors": [{a}, {b}]}}"#);
    let cases = [
        (
            24,
            r#"{"dtype": "flot32", "shape": [6]}"#.to_owned(),
            "'g.bin.json', tensor 'g': 'dtype' must be one of float64, float32, float16, bfloat16, \
             float8_e4m3fn and float8_e5m2; got 'flot32'. Correct the name.",
        ),
        (
            24,
            r#"{"dtype": ">f4", "shape": [6]}"#.to_owned(),
            "'g.bin.json', tensor 'g': 'dtype' must be one of float64, float32, float16, bfloat16, \
             float8_e4m3fn and float8_e5m2; got '>f4'. Write the numbers little-endian: array.astype('<f4').",
        ),
        (
            24,
            r#"{"dtype": "float32", "shape": [7]}"#.to_owned(),
            "'g.bin.json', tensor 'g': its shape [7] of float32 from byte 0 on must lie inside 'g.bin', which \
             has 24 bytes.",
        ),
        (
            24,
            r#"{"dtype": "float32", "shape": [4294967296, 4294967296, 2]}"#.to_owned(),
            "'g.bin.json', tensor 'g': its shape [4294967296, 4294967296, 2] of float32 from byte 0 on must lie \
             inside",
        ),
        (
            24,
            r#"{"dtype": "float32", "shape": [5]}"#.to_owned(),
            "'g.bin', byte 20: the arrays of 'g.bin.json' must end where the file ends; 4 more bytes follow.",
        ),
        (
            24,
            r#"{"dtype": "float32"}"#.to_owned(),
            "'g.bin.json': it must have 'dtype' and 'shape' of one array, or 'tensors' alone.",
        ),
        (
            24,
            r#"{"dtype": "float32", "shpae": [6]}"#.to_owned(),
            "'g.bin.json', byte 27: it must be {\"dtype\": …",
        ),
        (24, r#"{"\u001b[2J": 1}"#.to_owned(), "'g.bin.json', byte 11: it must be {\"dtype\": …"),
        (
            16,
            both(&tensor("a", 0), &tensor("a", 8)),
            "'g.bin.json', tensor 'a': a name must occur once; this one occurs twice.",
        ),
        (
            12,
            both(&tensor("a", 4), &tensor("b", 0)),
            "'g.bin.json', tensor 'a': its bytes must be its own; they overlap those of 'b'.",
        ),
        (
            16,
            both(&tensor("a", 0), "{}"),
            "'g.bin.json', byte 76: each of 'tensors' must have 'name', 'dtype', 'shape' and, unless it is 0, \
             'offset'; the parser says: missing field `name`.",
        ),
    ];
    for (length, sidecar, message) in cases {
        let found = refusal(length, &sidecar);
        assert!(found.starts_with(message), "{found}\n{message}");
        assert!(!found.contains(char::is_control), "{found:?}");
    }
}

proptest! {
    #[test]
    fn any_numbers_are_refused_or_stay_inside_the_file(
        offset in prop::sample::select(vec![0_u64, 1, 4, 8, u64::MAX - 3, u64::MAX, 1 << 63]),
        shape in prop::collection::vec(prop::sample::select(vec![0_u64, 1, 2, u64::MAX, 1 << 32, 1 << 61]), 0..4),
    ) {
        let text = format!(r#"{{"dtype": "float32", "shape": {shape:?}, "offset": {offset}}}"#);
        if let Ok(contents) = read(&[0; 8], &text, "g.bin") {
            prop_assert!(contents.entries.iter().all(|entry| layout::fits(entry, 8)));
        }
    }

    #[test]
    fn a_changed_or_cut_description_is_refused_or_stays_inside_the_file(
        changes in prop::collection::vec((0_usize..80, prop::sample::select(JSON.to_vec())), 0..4),
        length in 0_usize..81,
    ) {
        let mut text = *br#"{"tensors":[{"name":"w","dtype":"float32","shape":[2,3],"offset":4}],"metadata":{}}"#;
        for (at, value) in changes {
            text[at] = value;
        }
        let text = std::str::from_utf8(&text).unwrap();
        for text in [text, &text[..length]] {
            if let Ok(contents) = read(&[0; 28], text, "g.bin") {
                prop_assert!(contents.entries.iter().all(|entry| layout::fits(entry, 28)));
            }
        }
    }
}

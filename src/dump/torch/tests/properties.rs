//! No bytes make the reader panic, and whatever it finds lies in the file.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::pickle;
use super::forge::{PROGRAM, call, dict, file, floats, int, storage, tensor, text, tuple};
use super::gather::numbers;
use super::{fixture, read};

const GOOD: [&str; 8] = [
    "dict_bf16.pt",
    "dict_f8_e4m3fn.pt",
    "legacy_f32.pt",
    "nested_f32.pt",
    "parameter_f32.pt",
    "scalar_and_empty_f32.pt",
    "shared_storage_f32.pt",
    "strided_view_f32.pt",
];

/// Read, and if that succeeds, every number too, at one name each.
fn exercise(bytes: &[u8]) {
    let Ok(contents) = read(bytes) else { return };
    let mut names = HashSet::new();
    for entry in &contents.entries {
        assert!(names.insert(&entry.name), "{contents:?}");
        let found = numbers(bytes, entry);
        assert_eq!(found.len(), entry.shape.iter().product::<usize>());
    }
}

/// One instruction of a pickle, with an argument of the right form.
fn instruction() -> impl Strategy<Value = Vec<u8>> {
    let plain: Vec<_> = b"(0)]}NR.abdelstuQ1\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94".to_vec();
    let names =
        vec!["storage", "0", "cpu", "torch", "FloatStorage", "torch._utils", "_rebuild_tensor_v2", "w"];
    let two = || tensor(storage("FloatStorage", "0", 2), 0, &[2], &[1]);
    prop_oneof![
        6 => prop::sample::select(plain).prop_map(|opcode| vec![opcode]),
        2 => (prop::sample::select(b"qhK".to_vec()), 0_u8..4).prop_map(|(opcode, slot)| vec![opcode, slot]),
        2 => prop::sample::select(names).prop_map(text),
        1 => (-1_i64..4).prop_map(int),
        1 => prop::sample::select(vec![
            two(),
            call("collections", "OrderedDict", &[]),
            tuple(&[int(2)]),
            dict(&[("a", two())]),
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_file_that_was_cut_is_refused(name in prop::sample::select(&GOOD[..]), cut in any::<prop::sample::Index>()) {
        let bytes = fixture(name);
        prop_assert!(read(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn a_changed_byte_does_no_harm(
        name in prop::sample::select(&GOOD[..]),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = fixture(name);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        exercise(&bytes);
    }

    #[test]
    fn a_changed_byte_of_a_pickle_does_no_harm(
        name in prop::sample::select(&GOOD[..]),
        at in 0_usize..600,
        byte in any::<u8>(),
    ) {
        let mut bytes = fixture(name);
        bytes[at] = byte;
        exercise(&bytes);
    }

    #[test]
    fn any_instructions_do_no_harm_and_build_no_more_than_there_are(
        instructions in prop::collection::vec(instruction(), 0..30),
    ) {
        // Something of each kind on the stack and in the memo, so that the instructions have what to work on.
        let start = b"\x80\x02(Nq\x00Nq\x01)q\x02}q\x03]q\x00".to_vec();
        let pickle = [start, instructions.concat(), b".".to_vec()].concat();
        let bytes = file(&pickle, &[("0", &floats(2))]);
        exercise(&bytes);
        if let Ok(found) = pickle::load(&bytes[..PROGRAM + pickle.len()], PROGRAM) {
            prop_assert!(found.footprint() <= 8 * pickle.len(), "{}", found.footprint());
        }
    }

    #[test]
    fn any_bytes_do_no_harm(magic in prop::sample::select(vec![b"PK\x03\x04", b"\x80\x02\x8a\x0a"]),
                            rest in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&[magic.as_slice(), &rest].concat());
    }
}

/// Every call site of a stack that was deep once: tuples must not keep the room of the whole stack.
#[test]
fn containers_have_the_room_of_their_items() {
    let deep = 10_000;
    let pickle =
        [b"\x80\x02".to_vec(), b"(".to_vec(), b"N".repeat(deep), b"t".to_vec(), b"0".to_vec()].concat();
    let pickle = [pickle, b"(Nt0".repeat(deep), b"}.".to_vec()].concat();
    let found = pickle::load(&pickle, 0).unwrap();
    assert!(found.footprint() <= 8 * pickle.len(), "{}", found.footprint());
}

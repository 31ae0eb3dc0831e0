//! Archives and pickles that are made to harm: to be read as something else, to loop, or to cost more than they weigh.

use super::forge::{PROGRAM, archive, dict, file, int, list, op, program, text};
use super::{read, refusal};
use crate::dump::zip::tests::{self as zip, Style};

const EMPTY: &[u8] = b"\x80\x02}.";

#[test]
fn the_forged_archive_is_sound_before_it_is_broken() {
    assert!(read(&archive(&[("r/data.pkl", EMPTY), ("r/byteorder", b"little")])).is_ok());
}

#[test]
fn compressed_members_are_refused_with_the_way_out() {
    let bytes = zip::archive(&[("r/data.pkl", true, EMPTY)], Style::default());
    assert_eq!(
        refusal(&bytes),
        format!(
            "'run/grads.pt', byte {PROGRAM}: members must be stored as torch.save does; 'r/data.pkl' is compressed. \
             Save the file again with torch.save, or zip it again without compression (zip -0)."
        )
    );
}

#[test]
fn an_archive_has_one_program() {
    assert!(refusal(&archive(&[("a/data.pkl", EMPTY), ("b/data.pkl", EMPTY)])).contains("this one has two"));
    assert!(
        refusal(&archive(&[("w.npy", b"")]))
            .contains("must have a member '<name>/data.pkl'; this one has none")
    );
}

#[test]
fn numbers_are_little_endian() {
    let message = refusal(&archive(&[("r/data.pkl", EMPTY), ("r/byteorder", b"big")]));
    assert!(message.contains("numbers must be little-endian; the file says they are not"), "{message}");
}

#[test]
fn deep_nesting_is_refused_and_dropped_in_peace() {
    let depth = 100_000;
    let lists = [vec![b']'; depth], vec![b'a'; depth - 1]].concat();
    let tuples = [b")".to_vec(), b"\x85".repeat(depth)].concat();
    for object in [lists, tuples] {
        let message = refusal(&file(&program(&[object]), &[]));
        assert!(message.contains("containers must be nested at most 64 deep"), "{message}");
    }
    let flat = |depth: usize| file(&program(&[[b"]".repeat(depth), b"a".repeat(depth - 1)].concat()]), &[]);
    assert!(read(&flat(64)).is_ok());
    assert!(read(&flat(65)).is_err());
}

#[test]
fn containers_that_hold_themselves_are_refused() {
    for object in [op(b"]q\x00h\x00a"), [op(b"}q\x00"), text("a"), op(b"h\x00s")].concat()] {
        let message = refusal(&file(&program(&[object]), &[]));
        assert!(message.contains("one is deeper or contains itself"), "{message}");
    }
}

#[test]
fn shared_containers_cannot_multiply_without_end() {
    // Level n holds level n - 1 twice: 2^60 leaves in some 1,500 bytes.
    let mut object = [list(&[int(1)]), op(b"q\x00")].concat();
    for level in 1..=60 {
        object.extend(
            [dict(&[("a", op(&[b'h', level - 1])), ("b", op(&[b'h', level - 1]))]), op(&[b'q', level])]
                .concat(),
        );
    }
    let message = refusal(&file(&program(&[object]), &[]));
    assert!(message.contains("names must be in proportion to the file"), "{message}");
}

#[test]
fn a_length_is_not_believed() {
    // Text, bytes, a large integer and a frame of as many bytes as there can be.
    let huge = u64::MAX.to_le_bytes();
    let most = u32::MAX.to_le_bytes();
    for object in [
        [b"\x8d".as_slice(), &huge].concat(),
        [b"\x8e".as_slice(), &huge].concat(),
        [b"X".as_slice(), &most].concat(),
        [b"\x8b".as_slice(), &most].concat(),
    ] {
        let message = refusal(&file(&program(&[object]), &[]));
        assert!(message.contains("it ends at byte"), "{message}");
    }
}

#[test]
fn stacks_and_memos_hold_what_they_are_asked_for() {
    // Nothing to pop, to recall, to return, to gather; a mark is no value; a dict with half a pair; text as a list.
    for object in [
        op(b"0"),
        op(b"h\x07"),
        op(b""),
        op(b"t"),
        op(b"N(\x85"),
        op(b"}(Nu"),
        op(b"(Nd"),
        op(b"NNa"),
        op(b"NNNs"),
        op(b"N(\x90"),
        op(b"NR"),
        op(b"N)R"),
        op(b"NN\x93"),
        op(b"N)\x81"),
        op(b"(q\x00"),
        op(b"(\x94"),
    ] {
        let found = read(&file(&program(std::slice::from_ref(&object)), &[]));
        assert!(found.is_err_and(|error| error.to_string().contains("The pickle is damaged")), "{object:?}");
    }
}

#[test]
fn a_pickle_has_a_protocol_and_an_end() {
    for pickle in [b"\x80\x01}.".as_slice(), b"\x80\x06}.", b"}."] {
        assert!(refusal(&file(pickle, &[])).contains("a pickle must be of protocol 2 to 5; this one is not"));
    }
    assert!(refusal(&file(b"\x80\x02}", &[])).contains("the pickle must go on for 1 bytes"));
}

#[test]
fn text_is_utf8_and_is_shown_as_it_is_or_escaped() {
    assert!(refusal(&file(b"\x80\x02X\x01\0\0\0\xff.", &[])).contains("text in a pickle must be UTF-8"));
    let message = refusal(&file(b"\x80\x02cos\nsys\x1b[2Jtem\n)R.", &[]));
    assert!(message.contains(r"'os.sys\u{1b}[2Jtem'"), "{message}");
    let message =
        refusal(&file(&[b"\x80\x02".as_slice(), "cos\nsys\u{202e}met\n)R.".as_bytes()].concat(), &[]));
    assert!(message.contains(r"'os.sys\u{202e}met'"), "{message}");
}

#[test]
fn a_pickle_of_something_else_is_refused() {
    let message = refusal(b"\x80\x02}.");
    assert!(message.contains("a pickle must be one of torch.save; this one is not"), "{message}");
}

#[test]
fn a_pickle_has_a_length_that_its_values_can_be_held_at() {
    // A text of 64 MiB, all of it there.
    let mut bytes = vec![0; (64 << 20) + 16];
    bytes[..7].copy_from_slice(b"\x80\x02X\0\0\0\x04");
    let found = super::super::pickle::load(&bytes, 0);
    let message = found.unwrap_err().in_file("grads.pt").to_string();
    assert!(message.contains("a pickle must have at most 67108864 bytes"), "{message}");
}

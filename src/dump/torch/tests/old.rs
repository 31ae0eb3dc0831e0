//! Files of PyTorch before 1.6 that contradict themselves.

use super::forge::{call, dict, global, int, list, op, program, storage, tensor, text, tuple};
use super::{read, refusal};

const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// A file of one object, these keys, and these bytes after them.
fn file(version: i64, object: Vec<u8>, keys: Vec<u8>, storages: &[u8]) -> Vec<u8> {
    let pickles = [int(version), dict(&[]), object, keys].map(|object| program(&[object])).concat();
    [MAGIC, &pickles, storages].concat()
}

fn one() -> Vec<u8> {
    dict(&[("w", tensor(storage("FloatStorage", "9", 1), 0, &[1], &[1]))])
}

/// A storage of one number.
const NUMBER: &[u8] = b"\x01\0\0\0\0\0\0\0\0\0\x80\x3f";

#[test]
fn the_forged_file_is_sound_before_it_is_broken() {
    let bytes = file(1001, one(), list(&[text("9")]), NUMBER);
    let entry = read(&bytes).unwrap().entries.remove(0);
    assert_eq!(super::gather::numbers(&bytes, &entry), [1.0]);
}

#[test]
fn what_an_old_file_says_must_agree() {
    let keys = || list(&[text("9")]);
    let two = dict(&[
        ("w", tensor(storage("FloatStorage", "9", 1), 0, &[1], &[1])),
        ("v", tensor(storage("DoubleStorage", "9", 1), 0, &[1], &[1])),
    ]);
    let huge = dict(&[("w", tensor(storage("FloatStorage", "9", i64::MAX), 0, &[1], &[1]))]);
    let most = i64::MAX.to_le_bytes();
    for (bytes, problem) in [
        (file(1000, one(), keys(), NUMBER), "the version of the file must be 1001"),
        (
            file(1001, one(), keys(), &[2, 0, 0, 0, 0, 0, 0, 0]),
            "must have 1 numbers, as its tensors say; it has 2",
        ),
        (file(1001, one(), keys(), &NUMBER[..7]), "storage '9' must begin here; the file ends"),
        (file(1001, one(), keys(), &NUMBER[..11]), "storage '9' must be complete; the file ends"),
        (file(1001, huge, keys(), &most), "storage '9' must be complete; the file ends"),
        (file(1001, two, keys(), NUMBER), "storage '9' must have one length; it has two"),
        (file(1001, one(), list(&[text("8")]), NUMBER), "this key is that of none"),
        (file(1001, one(), list(&[]), NUMBER), "the storage '9' must be in the file; it is not"),
        (file(1001, one(), int(1), NUMBER), "the keys of the storages must be a list"),
        (
            file(1001, one(), list(&[text("9"), text("9")]), &NUMBER.repeat(2)),
            "storage '9' must be there once; it is there twice",
        ),
    ] {
        let message = refusal(&bytes);
        assert!(message.contains(problem), "{message}");
    }
}

#[test]
fn views_of_storages_and_other_objects_outside_the_pickle_are_refused() {
    let kept = |items: &[Vec<u8>]| {
        let tensor = tensor([tuple(items), op(b"Q")].concat(), 0, &[1], &[1]);
        file(1001, dict(&[("w", tensor)]), list(&[text("9")]), NUMBER)
    };
    let class = || global("torch", "FloatStorage");
    let storage = |view| [text("storage"), class(), text("9"), text("cpu"), int(1), view];
    assert!(read(&kept(&storage(op(b"N")))).is_ok());
    let view = tuple(&[text("8"), int(0), int(1)]);
    let module = [text("module"), class(), text("net.py"), text("class Net: ...")];
    for items in [storage(view).as_slice(), &module, &[]] {
        let message = refusal(&kept(items));
        assert!(message.contains("a persistent id must be that of a storage"), "{message}");
    }
}

#[test]
fn code_is_refused_in_every_pickle_of_the_file() {
    let code = call("os", "system", &[text("echo")]);
    for bytes in [
        [MAGIC, &program(&[int(1001)]), &program(std::slice::from_ref(&code))].concat(),
        file(1001, code.clone(), list(&[]), &[]),
        file(1001, one(), code.clone(), NUMBER),
    ] {
        assert!(refusal(&bytes).contains("the file asks to call 'os.system'"));
    }
}

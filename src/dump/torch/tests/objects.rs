//! The names of tensors in containers, and what becomes of everything else.

use super::forge::{
    PROGRAM, call, dict, file, floats, global, int, list, op, program, storage, tensor, text, tuple,
};
use super::{read, refusal};
use crate::{Contents, Error};

fn saved(object: Vec<u8>) -> Vec<u8> {
    file(&program(&[object]), &[("0", &floats(2))])
}

fn two() -> Vec<u8> {
    tensor(storage("FloatStorage", "0", 2), 0, &[2], &[1])
}

fn names(contents: &Contents) -> Vec<&str> {
    contents.entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn keys_and_indices_are_joined_with_dots() {
    // The state of an optimizer has integers for keys.
    let state = [op(b"}("), int(17), dict(&[("exp_avg", two())]), op(b"u")].concat();
    let object = dict(&[("layers", list(&[two(), tuple(&[two()])])), ("state", state)]);
    assert_eq!(names(&read(&saved(object)).unwrap()), ["layers.0", "layers.1.0", "state.17.exp_avg"]);
}

#[test]
fn a_tensor_without_a_container_has_the_name_of_the_file() {
    assert_eq!(names(&read(&saved(two())).unwrap()), ["grads"]);
    assert_eq!(names(&super::super::read(&saved(two()), "").unwrap()), ["tensor"]);
}

#[test]
fn one_tensor_may_have_two_names() {
    // Tied weights: q remembers the tensor as 5, h recalls it.
    let tied = [two(), op(b"q\x05")].concat();
    assert_eq!(names(&read(&saved(dict(&[("in", tied), ("out", op(b"h\x05"))]))).unwrap()), ["in", "out"]);
}

#[test]
fn a_name_may_have_one_tensor() {
    let object = dict(&[("a.b", two()), ("a", dict(&[("b", two())]))]);
    let message = refusal(&saved(object));
    assert!(message.contains("tensor 'a.b', byte ") && message.contains("'a.b' is there twice"), "{message}");
}

#[test]
fn keys_are_text_or_integers() {
    let message = refusal(&saved([op(b"}N"), two(), op(b"s")].concat()));
    assert_eq!(
        message,
        format!(
            "'run/grads.pt', byte {}: the keys of a dict must be strings or ints; found None. Rename that key.",
            // After the protocol and the dict.
            PROGRAM + 3
        )
    );
}

#[test]
fn scalars_in_dicts_are_metadata_as_text() {
    let float = |value: f64| [b"G".as_slice(), &value.to_be_bytes()].concat();
    let meta = dict(&[("reduction", text("none")), ("clipped", op(b"\x89"))]);
    let found = read(&saved(dict(&[("step", int(-10)), ("loss", float(2.0)), ("meta", meta)]))).unwrap();
    let pairs: Vec<_> = found.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        pairs,
        [("loss", "2.0"), ("meta.clipped", "false"), ("meta.reduction", "none"), ("step", "-10")]
    );
}

#[test]
fn lists_of_scalars_are_metadata_as_json() {
    let float = |value: f64| [b"G".as_slice(), &value.to_be_bytes()].concat();
    let group = dict(&[
        ("betas", tuple(&[float(0.9), float(0.999)])),
        ("params", list(&[int(0), int(1)])),
        ("param_names", list(&[text("w"), text("\"b\"")])),
        ("flags", list(&[op(b"N"), op(b"\x88")])),
        ("size", call("torch", "Size", &[tuple(&[int(2)])])),
        ("none", list(&[])),
    ]);
    let found = read(&saved(dict(&[("param_groups", list(&[group]))]))).unwrap();
    let pairs: Vec<_> = found.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        pairs,
        [
            ("param_groups.0.betas", "[0.9,0.999]"),
            ("param_groups.0.flags", "[null,true]"),
            ("param_groups.0.none", "[]"),
            ("param_groups.0.param_names", r#"["w","\"b\""]"#),
            ("param_groups.0.params", "[0,1]"),
            ("param_groups.0.size", "[2]"),
        ]
    );
    assert!(found.skipped.is_empty());
}

#[test]
fn a_shared_text_is_not_written_out_without_end() {
    // 60 kB of text, recalled 2,000 times in one list: 120 MB of JSON out of a file of 64 kB.
    let long = [text(&"x".repeat(60_000)), op(b"q\x05")].concat();
    let mut items = vec![long];
    items.resize(2_000, op(b"h\x05"));
    let message = refusal(&saved(dict(&[("names", list(&items))])));
    assert!(message.contains("names must be in proportion to the file"), "{message}");
}

#[test]
fn everything_else_is_left_out_with_a_reason() {
    let large = [b"\x8a\x09".as_slice(), &[1; 9]].concat();
    let object = dict(&[
        ("none", op(b"N")),
        ("dtype", global("torch", "float32")),
        ("large", large),
        ("bytes", op(b"C\x01x")),
        ("set", op(b"\x8f(K\x01\x90")),
        ("large_list", list(&[int(1), [b"\x8a\x09".as_slice(), &[1; 9]].concat()])),
        ("infinite", tuple(&[[b"G".as_slice(), &f64::INFINITY.to_be_bytes()].concat()])),
        ("storage", storage("FloatStorage", "0", 2)),
    ]);
    let found = read(&saved(object)).unwrap();
    let skipped: Vec<_> = found.skipped.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    assert_eq!(
        skipped,
        [
            ("none", "None"),
            ("dtype", "the name of a Python object"),
            ("large", "an int"),
            ("bytes", "bytes"),
            ("set", "a set"),
            ("large_list", "a list of Python values"),
            ("infinite", "a tuple of Python values"),
            ("storage", "a storage"),
        ]
    );
    assert!(found.entries.is_empty() && found.metadata.is_empty());
}

#[test]
fn attributes_of_an_ordered_dict_are_ignored() {
    // state_dict() has the versions of its modules in the attribute `_metadata`.
    let versions = dict(&[("_metadata", dict(&[("version", int(1))]))]);
    let ordered = call("collections", "OrderedDict", &[]);
    let object = [ordered, text("w"), two(), op(b"s"), versions, op(b"b")].concat();
    let found = read(&saved(object)).unwrap();
    assert_eq!(names(&found), ["w"]);
    assert!(found.metadata.is_empty());
}

#[test]
fn later_protocols_are_read() {
    // Protocol 4: a frame, short text, names from the stack, and a memo that counts for itself.
    let short =
        |text: &str| [b"\x8c", [u8::try_from(text.len()).unwrap()].as_slice(), text.as_bytes()].concat();
    let name = |module, name| [short(module), short(name), op(b"\x93")].concat();
    let storage = [
        op(b"("),
        short("storage"),
        op(b"\x94"),
        name("torch", "FloatStorage"),
        short("0"),
        short("cpu"),
        op(b"K\x02tQ"),
    ];
    let flags = [op(b"\x89"), name("collections", "OrderedDict"), op(b")R")];
    let object = [
        op(b"}("),
        short("w"),
        name("torch._utils", "_rebuild_tensor_v2"),
        op(b"("),
        storage.concat(),
        op(b"K\x00K\x02\x85K\x01\x85"),
        flags.concat(),
        op(b"tR"),
        short("kind"),
        op(b"h\x00u"),
    ];
    let object = object.concat();
    for protocol in [4, 5] {
        let frame = (object.len() as u64).to_le_bytes();
        let pickle = [&[0x80, protocol, 0x95], frame.as_slice(), &object, b"."].concat();
        let found = read(&file(&pickle, &[("0", &floats(2))])).unwrap();
        assert_eq!(names(&found), ["w"]);
        assert_eq!(found.metadata["kind"], "storage");
    }
}

#[test]
fn code_is_named_and_never_run() {
    let argument = tuple(&[text("echo")]);
    let reduce = [op(b"K\x00"), global("os", "system"), argument.clone(), op(b"R")].concat();
    let stacked =
        [op(b"K\x00"), text("os"), text("system"), op(b"\x93"), argument.clone(), op(b"R")].concat();
    // After the protocol: a number of two bytes, the name, the arguments.
    let after = |name: usize, arguments: &[u8]| PROGRAM + 2 + 2 + name + arguments.len();
    for (object, offset) in [
        (reduce, after(global("os", "system").len(), &argument)),
        (stacked, after(text("os").len() + text("system").len() + 1, &argument)),
    ] {
        assert_eq!(
            refusal(&saved(object)),
            format!(
                "'run/grads.pt', byte {offset}: the file asks to call 'os.system'; \
                 surge_fit reads tensors only and never runs code. Save a plain dict of tensors."
            )
        );
    }
    let created = [global("my", "Trainer"), tuple(&[]), op(b"\x81")].concat();
    assert!(refusal(&saved(created)).contains("the file asks to create 'my.Trainer'"));
    let attributes = [two(), dict(&[]), op(b"b")].concat();
    assert!(refusal(&saved(attributes)).contains("the file asks to set attributes of a tensor"));
    // OBJ, INST, EXT1: other ways to call.
    for opcode in [b"o", b"i", b"\x82"] {
        let found = read(&saved(op(opcode)));
        assert!(
            matches!(&found, Err(Error::File { problem, .. }) if problem.contains("never runs code")),
            "{found:?}"
        );
    }
}

#[test]
fn a_call_that_is_not_used_is_refused_all_the_same() {
    let call = call("builtins", "eval", &[text("1")]);
    let message = refusal(&saved([call, op(b"0"), dict(&[])].concat()));
    assert!(message.contains("the file asks to call 'builtins.eval'"), "{message}");
}

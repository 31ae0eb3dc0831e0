//! Tensors as views into storages, in every dtype: what fits is found, what does not is refused.

use super::forge::{call, dict, file, floats, global, int, op, program, storage, tensor, text, tuple};
use super::gather::numbers;
use super::{read, refusal};
use crate::{Contents, Dtype, Error, Location};

/// A file with one tensor 't' over a storage of `count` float32.
fn view(count: u16, offset: i64, size: &[i64], stride: &[i64]) -> Vec<u8> {
    let tensor = tensor(storage("FloatStorage", "0", count.into()), offset, size, stride);
    file(&program(&[dict(&[("t", tensor)])]), &[("0", &floats(count))])
}

/// A file with one tensor 't' that these instructions build, over a storage of 8 bytes.
fn built(tensor: Vec<u8>) -> Vec<u8> {
    file(&program(&[dict(&[("t", tensor)])]), &[("0", &[0; 8])])
}

/// A tensor of two numbers over an untyped storage of 8 bytes.
fn untyped(dtype: &str) -> Vec<u8> {
    let items =
        [text("storage"), global("torch.storage", "UntypedStorage"), text("0"), text("cuda:0"), int(8)];
    let storage = [tuple(&items), op(b"Q")].concat();
    let two = || tuple(&[int(2)]);
    let dtype = global("torch", dtype);
    call(
        "torch._utils",
        "_rebuild_tensor_v3",
        &[storage, int(0), two(), tuple(&[int(1)]), op(b"\x89"), op(b"}"), dtype],
    )
}

fn location(bytes: &[u8]) -> Location {
    read(bytes).unwrap().entries.remove(0).location
}

#[test]
fn a_view_has_the_numbers_of_its_offset_and_strides() {
    // Element (i, j) of 0..12 is 1 + 4i + 2j.
    let bytes = view(12, 1, &[2, 3], &[4, 2]);
    let entry = &read(&bytes).unwrap().entries[0];
    assert_eq!(numbers(&bytes, entry), [1.0, 3.0, 5.0, 5.0, 7.0, 9.0]);
}

#[test]
fn strides_of_single_items_do_not_make_a_view() {
    assert!(matches!(location(&view(6, 0, &[2, 1, 3], &[3, 99, 1])), Location::Plain { .. }));
    assert!(matches!(location(&view(6, 0, &[2, 2, 1], &[3, 1, 1])), Location::Strided { .. }));
}

#[test]
fn a_tensor_ends_with_its_storage() {
    // The last element is at 0 + 1·3 + 2·1 = 5, the last of 6; one further is beyond.
    assert!(read(&view(6, 0, &[2, 3], &[3, 1])).is_ok());
    let message = refusal(&view(6, 1, &[2, 3], &[3, 1]));
    assert!(message.starts_with("'run/grads.pt', tensor 't', byte "), "{message}");
    assert!(
        message.contains("a tensor must lie inside its storage of 6 numbers; offset 1, shape [2, 3]"),
        "{message}"
    );
    assert!(refusal(&view(6, i64::MAX, &[2], &[i64::MAX])).contains("reach beyond"));
    assert!(refusal(&view(6, 0, &[3], &[i64::MAX])).contains("reach beyond"));
}

#[test]
fn shapes_and_strides_count() {
    for (offset, size, stride) in [(-1, 2, 1), (0, -2, 1), (0, 2, -1)] {
        let message = refusal(&view(6, offset, &[size], &[stride]));
        assert!(
            message.contains("a tensor must be a storage with its offset, shape and strides"),
            "{message}"
        );
    }
    assert!(refusal(&view(6, 0, &[2, 3], &[1])).contains("this one is not"));
    assert!(read(&view(6, 0, &[1; 64], &[1; 64])).is_ok());
    assert!(refusal(&view(6, 0, &[1; 65], &[1; 65])).contains("this one is not"));
}

#[test]
fn numbers_may_repeat_a_little() {
    // 65,536 numbers over 4, and 16 · 5,000 over 5,000, but none more.
    assert!(read(&view(4, 0, &[16_384, 4], &[0, 1])).is_ok());
    assert!(
        refusal(&view(4, 0, &[16_385, 4], &[0, 1]))
            .contains("at most 65536 (65,536, or 16 times its storage)")
    );
    assert!(read(&view(5_000, 0, &[16, 5_000], &[0, 1])).is_ok());
    assert!(refusal(&view(5_000, 0, &[17, 5_000], &[0, 1])).contains("at most 80000"));
    assert!(refusal(&view(4, 0, &[1 << 40, 1 << 20], &[0, 0])).contains("'t'"));
}

#[test]
fn empty_tensors_have_a_shape_that_can_be_multiplied() {
    assert!(read(&view(0, 0, &[0, 1_000_000], &[1, 1])).is_ok());
    let message = refusal(&view(0, 0, &[1 << 40, 1 << 40, 0], &[1, 1, 1]));
    assert!(message.contains("a tensor must fit the memory of a machine"), "{message}");
}

#[test]
fn a_storage_is_as_long_as_it_says() {
    let claimed = |numel| built(tensor(storage("FloatStorage", "0", numel), 0, &[1], &[1]));
    assert!(read(&claimed(2)).is_ok());
    for numel in [1, 3, i64::MAX] {
        let message = refusal(&claimed(numel));
        assert!(
            message.contains(&format!("must have {numel} numbers of 4 bytes; it has 8 bytes")),
            "{message}"
        );
    }
    let message = refusal(&built(tensor(storage("FloatStorage", "7", 2), 0, &[1], &[1])));
    assert!(message.contains("the storage '7' must be in the file; it is not"), "{message}");
}

#[test]
fn each_dtype_is_known_by_its_storage_and_by_its_name() {
    for (class, name, dtype) in [
        ("DoubleStorage", "float64", Dtype::F64),
        ("FloatStorage", "float32", Dtype::F32),
        ("HalfStorage", "float16", Dtype::F16),
        ("BFloat16Storage", "bfloat16", Dtype::Bf16),
        ("Float8_e4m3fnStorage", "float8_e4m3fn", Dtype::F8E4M3),
        ("Float8_e5m2Storage", "float8_e5m2", Dtype::F8E5M2),
    ] {
        let numel = i64::try_from(8 / dtype.size()).unwrap();
        let typed = built(tensor(storage(class, "0", numel), 0, &[1], &[1]));
        assert_eq!(read(&typed).unwrap().entries[0].dtype, dtype, "{class}");
        let named = read(&built(untyped(name)));
        match dtype {
            // Two of eight bytes each are beyond the storage.
            Dtype::F64 => assert!(named.unwrap_err().to_string().contains("inside its storage of 1 numbers")),
            _ => assert_eq!(named.unwrap().entries[0].dtype, dtype, "{name}"),
        }
    }
}

#[test]
fn whole_numbers_are_left_out() {
    for (class, dtype) in [("LongStorage", "int64"), ("BoolStorage", "bool")] {
        let found = read(&built(tensor(storage(class, "0", 8), 0, &[1], &[1]))).unwrap();
        let skipped = vec![("t".to_owned(), format!("a tensor of {dtype}"))];
        assert_eq!(found, Contents { skipped, ..Contents::default() });
    }
    assert_eq!(read(&built(untyped("uint16"))).unwrap().skipped[0].1, "a tensor of uint16");
}

#[test]
fn numbers_that_are_not_read_are_refused_by_name() {
    for (instructions, what) in [
        (tensor(storage("QInt8Storage", "0", 8), 0, &[1], &[1]), "this one is of dtype qint8"),
        (untyped("float8_e4m3fnuz"), "this one is of dtype float8_e4m3fnuz"),
        (untyped("float4_e2m1fn_x2"), "this one is of dtype float4_e2m1fn_x2"),
        (tensor(storage("MoonStorage", "0", 8), 0, &[1], &[1]), "found 'torch.MoonStorage'"),
        (call("torch._utils", "_rebuild_nested_tensor", &[]), "this one is nested"),
        (call("torch._utils", "_rebuild_meta_tensor_no_storage", &[]), "this one is without data"),
        (call("torch._tensor", "_rebuild_from_type_v2", &[]), "this one is of a subclass"),
        (call("torch._utils", "_rebuild_device_tensor_from_numpy", &[]), "this one is of a device"),
    ] {
        let message = refusal(&built(instructions));
        assert!(message.contains("tensor 't', byte ") && message.contains(what), "{message}");
    }
}

#[test]
fn negated_views_are_not_what_their_bytes_say() {
    let flagged = |flags: Vec<u8>| {
        let one = || tuple(&[int(1)]);
        let storage = storage("FloatStorage", "0", 2);
        built(call(
            "torch._utils",
            "_rebuild_tensor_v2",
            &[storage, int(0), one(), one(), op(b"\x89"), op(b"}"), flags],
        ))
    };
    assert!(read(&flagged(op(b"}"))).is_ok());
    assert!(
        refusal(&flagged(dict(&[("neg", op(b"\x88"))]))).contains("this one is a negated or conjugated view")
    );
}

#[test]
fn tensors_without_data_are_refused() {
    let items = [text("storage"), global("torch", "FloatStorage"), text("0"), text("meta"), int(2)];
    let message = refusal(&built(tensor([tuple(&items), op(b"Q")].concat(), 0, &[1], &[1])));
    assert!(message.contains("this one is on the device 'meta', without any"), "{message}");
}

#[test]
fn parameters_are_tensors_and_nothing_else() {
    let parameter = |data| call("torch._utils", "_rebuild_parameter", &[data, op(b"\x88"), op(b"}")]);
    let tensor = tensor(storage("FloatStorage", "0", 2), 0, &[2], &[1]);
    assert_eq!(read(&built(parameter(tensor.clone()))).unwrap().entries[0].shape, [2]);
    for data in [parameter(tensor), int(1)] {
        assert!(matches!(read(&built(parameter(data))), Err(Error::File { tensor: Some(_), .. })));
    }
}

#[test]
fn the_oldest_call_is_known() {
    let one = || tuple(&[int(2)]);
    let old = call(
        "torch._utils",
        "_rebuild_tensor",
        &[storage("FloatStorage", "0", 2), int(0), one(), tuple(&[int(1)])],
    );
    assert_eq!(read(&built(old)).unwrap().entries[0].shape, [2]);
}

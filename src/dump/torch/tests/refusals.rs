//! Files that PyTorch wrote, or half of them, and that must not be read.

use super::super::read;
use super::fixture;

fn assert_refused(name: &str, message: &str) {
    let error = read(&fixture(name), name).expect_err(name);
    assert_eq!(error.to_string(), message);
}

const NO_END: &str = "a zip file must end with its directory; there is none. \
                      The zip file is cut or damaged: copy or write it again.";

const DENSE: &str =
    "a tensor must be dense and of dtype float64, float32, float16, bfloat16, float8_e4m3fn or float8_e5m2";

/// The pickle begins at byte 64, as PyTorch aligns it; the call is its byte 232.
#[test]
fn a_file_that_calls_a_program_is_refused_by_the_name_of_the_program() {
    assert_refused(
        "refuse_executes_code.pt",
        "'refuse_executes_code.pt', byte 296: the file asks to call 'posix.system'; \
         surge_fit reads tensors only and never runs code. Save a plain dict of tensors.",
    );
}

/// The call that would build the tensor is byte 168 of the pickle.
#[test]
fn complex_tensors_are_refused() {
    assert_refused(
        "refuse_complex.pt",
        &format!(
            "'refuse_complex.pt', tensor 'w', byte 232: {DENSE}; this one is of dtype complex64. \
             Save a dense copy of it in one of these."
        ),
    );
}

/// Byte 200 of the pickle.
#[test]
fn quantized_tensors_are_refused() {
    assert_refused(
        "refuse_quantized.pt",
        &format!(
            "'refuse_quantized.pt', tensor 'w', byte 264: {DENSE}; this one is quantized. \
             Save a dense copy of it in one of these."
        ),
    );
}

/// Byte 370 of the pickle.
#[test]
fn sparse_tensors_are_refused() {
    assert_refused(
        "refuse_sparse.pt",
        &format!(
            "'refuse_sparse.pt', tensor 'w', byte 434: {DENSE}; this one is sparse. \
             Save a dense copy of it in one of these."
        ),
    );
}

/// The file has 99 bytes.
#[test]
fn what_only_begins_like_a_zip_archive_is_refused() {
    assert_refused("refuse_not_a_zip.pt", &format!("'refuse_not_a_zip.pt', byte 99: {NO_END}"));
}

/// The file was cut to 3381 bytes.
#[test]
fn half_a_file_is_refused() {
    assert_refused("refuse_truncated.pt", &format!("'refuse_truncated.pt', byte 3381: {NO_END}"));
}

#[test]
fn what_is_no_pytorch_file_is_refused() {
    for bytes in [b"".as_slice(), b"P", b"\x93NUMPY"] {
        let error = read(bytes, "grads.pt").unwrap_err();
        assert!(error.to_string().contains("begins with neither. Write it with torch.save."), "{error}");
    }
}

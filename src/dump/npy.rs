//! NumPy's `.npy`: a signature, a header that is a Python dictionary, then the numbers.

use std::path::Path;

use super::bytes::{u16_at, u32_at};
use super::literal::{self, Descr};
use super::problem::Problem;
use super::{Contents, Dtype, Entry, Location, layout};
use crate::error::{Error, shown};

const SIGNATURE: &[u8] = b"\x93NUMPY";

/// NumPy's own limit is 10,000; only types with many fields have longer headers.
const LONGEST_HEADER: usize = 1 << 16;

/// Bytes before the header, from version 2 on.
const PREFIX: usize = 12;

/// Facts of the header of an array.
pub(super) struct Array {
    /// None if its numbers are no gradients; then why.
    pub dtype: Result<Dtype, String>,
    pub shape: Vec<usize>,
    pub strides: Option<Vec<usize>>,
    /// Bytes before the numbers.
    pub skip: usize,
    /// Bytes of the numbers; only if they are gradients.
    pub size: usize,
}

/// Contents of a `.npy` file: one array, named by the file's stem.
pub(super) fn read(bytes: &[u8], file: &str, void_dtype: Option<Dtype>) -> Result<Contents, Error> {
    let refuse = |problem: Problem| problem.in_file(file);
    let array = array(bytes, void_dtype).map_err(refuse)?;
    let name =
        Path::new(file).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mut contents = Contents::default();
    match array.dtype {
        Err(why) => contents.skipped.push((name, why)),
        Ok(dtype) => {
            check_size(&array, dtype, bytes.len()).map_err(refuse)?;
            let location = match array.strides {
                None => Location::Plain { offset: array.skip },
                Some(strides) => Location::Strided { offset: array.skip, strides },
            };
            contents.entries.push(Entry { name, dtype, shape: array.shape, location });
        }
    }
    Ok(contents)
}

/// Refuse an array whose numbers do not end where its file of `length` bytes ends.
pub(super) fn check_size(array: &Array, dtype: Dtype, length: usize) -> Result<(), Problem> {
    let found = length - array.skip;
    if found == array.size {
        return Ok(());
    }
    let remedy = if found < array.size {
        "The file is cut: copy or write it again."
    } else {
        "Save each array in a file of its own, or all with numpy.savez."
    };
    let problem = format!(
        "the shape {} of {} takes {} bytes, after which the file must end; {found} follow the header. {remedy}",
        layout::shown(&array.shape),
        dtype.name(),
        array.size
    );
    Err(Problem::at(array.skip, problem))
}

/// Read the header of an array from its first bytes.
pub(super) fn array(bytes: &[u8], void_dtype: Option<Dtype>) -> Result<Array, Problem> {
    let skip = skip(bytes)?;
    let first = if bytes[6] == 1 { 10 } else { PREFIX };
    let Some(header) = bytes.get(first..skip) else {
        let problem = format!(
            "the header must have {} bytes; the file ends after {}. It is cut: copy or write it again.",
            skip - first,
            bytes.len().saturating_sub(first)
        );
        return Err(Problem::at(first, problem));
    };
    let header = literal::header(header).map_err(|problem| {
        problem.after(first).advise("The file is damaged or no NumPy file: write it with numpy.save.")
    })?;
    let dtype = match &header.descr {
        Descr::Fields => Err("a structured type, which holds no gradients".to_owned()),
        Descr::Name(name) => dtype(name, void_dtype).map_err(|problem| Problem::at(first, problem))?,
    };
    let size = match &dtype {
        Err(_) => 0,
        Ok(dtype) => layout::bytes(&header.shape, *dtype).ok_or_else(|| {
            let problem = format!(
                "its shape must have at most {} axes and fit into memory; got {}. The file is damaged: write it again.",
                layout::MOST_AXES,
                layout::shown(&header.shape)
            );
            Problem::at(first, problem)
        })?,
    };
    let strides = (dtype.is_ok() && header.fortran_order && header.shape.len() > 1)
        .then(|| layout::column_major(&header.shape));
    Ok(Array { dtype, shape: header.shape, strides, skip, size })
}

/// Bytes before the numbers, as the first 12 bytes tell.
pub(super) fn skip(bytes: &[u8]) -> Result<usize, Problem> {
    if !bytes.starts_with(SIGNATURE) {
        let problem = "it must begin with NumPy's signature; it does not. Write it with numpy.save.";
        return Err(Problem::at(0, problem));
    }
    let (first, length) = match bytes.get(6) {
        Some(1) => (10, u16_at(bytes, 8).map(u32::from)),
        Some(2 | 3) => (PREFIX, u32_at(bytes, 8)),
        Some(other) => {
            let problem = format!(
                "its version must be 1, 2 or 3; it is {other}. Write it with numpy.save of a current NumPy."
            );
            return Err(Problem::at(6, problem));
        }
        None => (PREFIX, None),
    };
    let length =
        length.and_then(|length| usize::try_from(length).ok()).filter(|&length| length <= LONGEST_HEADER);
    match length {
        Some(length) => Ok(first + length),
        None => Err(Problem::at(
            bytes.len().min(8),
            format!(
                "the length of the header must be there and at most {LONGEST_HEADER}. The file is damaged: \
                 write it again."
            ),
        )),
    }
}

/// The type that NumPy names so, or why it holds no gradients.
fn dtype(name: &str, void_dtype: Option<Dtype>) -> Result<Result<Dtype, String>, String> {
    let untyped = match name {
        "<f2" | "<f4" | "<f8" => {
            return Ok(Ok(Dtype::from_name(name).expect("NumPy's short names are known")));
        }
        ">f2" | ">f4" | ">f8" => {
            return Err(format!(
                "its numbers must be little-endian; they are '{name}'. Write array.astype('<{}').",
                &name[1..]
            ));
        }
        "|V2" | "<V2" | "V2" => 2,
        "|V1" | "<V1" | "V1" | "|f1" | "<f1" => 1,
        "|O" | "O" => {
            let why =
                "Python objects (dtype object), a pickle, which is never unpickled: write arrays of numbers";
            return Ok(Err(why.to_owned()));
        }
        other => return Ok(Err(format!("type {}, which holds no gradients", shown(other)))),
    };
    match void_dtype {
        Some(dtype) if dtype.size() == untyped => Ok(Ok(dtype)),
        Some(dtype) => Err(format!(
            "'void_dtype' must be of {untyped} bytes, as the numbers of type '{name}' are; {} has {}. Name \
             another type, or leave this file out.",
            dtype.name(),
            dtype.size()
        )),
        None => Err(format!(
            "it holds untyped numbers of {untyped} bytes ('{name}'), as NumPy writes {}. Say what they are with \
             'void_dtype'.",
            if untyped == 2 { "bfloat16" } else { "float8" }
        )),
    }
}

#[cfg(test)]
pub(super) mod tests;

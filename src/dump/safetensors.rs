//! safetensors: the length of a header, a JSON header, then the numbers without a gap.
//!
//! The checks are those of the reference implementation, which refuses overlaps and holes, and one more: no name
//! occurs twice.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, Object};
use super::{Contents, Dtype, Entry, Location, layout};
use crate::error::{Error, shown};

/// Bytes before the header: its length.
pub(super) const PREFIX: usize = 8;

/// The reference implementation's limit, 100 MB.
pub(super) const LONGEST_HEADER: usize = 100_000_000;

#[derive(Deserialize)]
struct Description<'a> {
    #[serde(borrow)]
    dtype: std::borrow::Cow<'a, str>,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// A tensor of the header, whatever its type; the bytes count from the start of the file.
struct Tensor {
    name: String,
    /// First byte of its description.
    described: usize,
    begin: usize,
    end: usize,
}

/// Contents of a safetensors file.
pub(super) fn read(bytes: &[u8], file: &str) -> Result<Contents, Error> {
    let header = header(bytes, file)?;
    let data = PREFIX + header.len();
    let members: Object<&RawValue> = serde_json::from_str(header).map_err(|error| {
        let problem = format!(
            "its header must be a JSON object; the parser says: {}. The file is damaged: write it again.",
            json::objection(&error)
        );
        Error::in_file(file, None, Some(PREFIX + json::byte(&error, header)), problem)
    })?;
    let mut contents = Contents::default();
    let mut tensors = Vec::new();
    for (name, raw) in members.unique(file)? {
        let described = PREFIX + json::offset_of(raw.get(), header);
        if name == "__metadata__" {
            contents.metadata = metadata(raw.get(), file, described)?;
            continue;
        }
        let refuse = |offset, problem: String| Error::in_file(file, Some(&name), Some(offset), problem);
        let description: Description<'_> = serde_json::from_str(raw.get()).map_err(|error| {
            let problem = format!(
                "its description must have 'dtype', 'shape' and 'data_offsets'; the parser says: {}. Write the \
                 file again.",
                json::objection(&error)
            );
            refuse(described + json::byte(&error, raw.get()), problem)
        })?;
        let (begin, end) =
            span(&description, data, bytes.len()).map_err(|problem| refuse(described, problem))?;
        if let Some(dtype) = dtype(&description.dtype) {
            check_size(&description, dtype, end - begin).map_err(|problem| refuse(described, problem))?;
            let location = Location::Plain { offset: begin };
            contents.entries.push(Entry { name: name.clone(), dtype, shape: description.shape, location });
        } else {
            let why = format!("type {}, which holds no gradients", shown(&description.dtype));
            contents.skipped.push((name.clone(), why));
        }
        tensors.push(Tensor { name, described, begin, end });
    }
    check_gaps(tensors, data, bytes.len(), file)?;
    Ok(contents)
}

/// The text of the header.
fn header<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str, Error> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        let problem = format!(
            "a safetensors file must begin with the length of its header, {PREFIX} bytes; the file has {}. It is \
             empty or cut: write it again.",
            bytes.len()
        );
        return Err(Error::in_file(file, None, Some(0), problem));
    };
    let claimed = u64::from_le_bytes(*prefix);
    let length = usize::try_from(claimed).ok().filter(|&length| length <= LONGEST_HEADER.min(rest.len()));
    let Some(length) = length else {
        let problem = format!(
            "the length of the header must be at most {LONGEST_HEADER} bytes and lie inside the file; it is \
             {claimed}, with {} bytes left. The file is cut or no safetensors file: write it again.",
            rest.len()
        );
        return Err(Error::in_file(file, None, Some(0), problem));
    };
    std::str::from_utf8(&rest[..length]).map_err(|error| {
        let problem = "its header must be UTF-8 text; this byte is not. The file is damaged: write it again.";
        Error::in_file(file, None, Some(PREFIX + error.valid_up_to()), problem)
    })
}

fn metadata(
    text: &str,
    file: &str,
    described: usize,
) -> Result<std::collections::BTreeMap<String, String>, Error> {
    let members: Object<String> = serde_json::from_str(text).map_err(|error| {
        let problem = format!(
            "'__metadata__' must map names to strings; the parser says: {}. Write the numbers as text.",
            json::objection(&error)
        );
        Error::in_file(file, None, Some(described + json::byte(&error, text)), problem)
    })?;
    Ok(members.unique(file)?.into_iter().collect())
}

fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "F8_E4M3" => Dtype::F8E4M3,
        "F8_E5M2" => Dtype::F8E5M2,
        _ => return None,
    })
}

/// The bytes of a tensor, counted from the start of the file.
fn span(description: &Description<'_>, data: usize, length: usize) -> Result<(usize, usize), String> {
    let (first, last) = description.data_offsets;
    if first > last {
        return Err(format!(
            "'data_offsets' must not decrease; got [{first}, {last}]. Write the file again."
        ));
    }
    if last > length - data {
        return Err(format!(
            "'data_offsets' must lie inside the {} bytes of numbers; got [{first}, {last}]. The file is cut: copy \
             or write it again.",
            length - data
        ));
    }
    Ok((data + first, data + last))
}

fn check_size(description: &Description<'_>, dtype: Dtype, found: usize) -> Result<(), String> {
    let shape = &description.shape;
    let Some(expected) = layout::bytes(shape, dtype) else {
        return Err(format!(
            "its shape must have at most {} axes and fit into memory; got {}. Write the file again.",
            layout::MOST_AXES,
            layout::shown(shape)
        ));
    };
    if expected == found {
        return Ok(());
    }
    Err(format!(
        "its shape {} of {} takes {expected} bytes; 'data_offsets' span {found}. Write the file again.",
        layout::shown(shape),
        dtype.name()
    ))
}

/// Refuse overlaps and holes: the tensors must tile the file from the end of the header to its last byte.
fn check_gaps(mut tensors: Vec<Tensor>, data: usize, length: usize, file: &str) -> Result<(), Error> {
    tensors.sort_by_key(|tensor| (tensor.begin, tensor.end));
    let mut covered = data;
    let mut previous = None;
    for tensor in &tensors {
        let problem = match (tensor.begin.cmp(&covered), previous) {
            (std::cmp::Ordering::Less, Some(other)) => {
                format!("its bytes must be its own; they overlap those of '{}'.", shown(other))
            }
            (std::cmp::Ordering::Greater, _) => {
                format!("its bytes must follow the last tensor's; {} are unused.", tensor.begin - covered)
            }
            _ => {
                covered = tensor.end;
                previous = Some(&tensor.name);
                continue;
            }
        };
        let remedy = " The file may be damaged: write it again.";
        return Err(Error::in_file(file, Some(&tensor.name), Some(tensor.described), problem + remedy));
    }
    if covered == length {
        return Ok(());
    }
    let problem = format!(
        "the file must end with the last number; {} more bytes follow. It may be damaged: write it again.",
        length - covered
    );
    Err(Error::in_file(file, None, Some(covered), problem))
}

#[cfg(test)]
mod tests;

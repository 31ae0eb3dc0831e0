//! Numbers alone, as `numpy.memmap` writes them, described by a JSON file beside them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, Object};
use super::{Contents, Dtype, Entry, Location, layout};
use crate::error::{Error, shown};

/// Either one array, or a list of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar<'a> {
    #[serde(borrow)]
    tensors: Option<Vec<&'a RawValue>>,
    name: Option<String>,
    dtype: Option<String>,
    shape: Option<Vec<usize>>,
    offset: Option<usize>,
    metadata: Option<Object<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    #[serde(default)]
    offset: usize,
}

/// NumPy's types that hold no gradients.
const OTHERS: [&str; 11] = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
];

/// Contents of a file whose description is `sidecar`, the text of the file of the same name with `.json` behind it.
pub(super) fn read(bytes: &[u8], sidecar: &str, file: &str) -> Result<Contents, Error> {
    let beside = format!("{file}.json");
    let found: Sidecar<'_> = serde_json::from_str(sidecar).map_err(|error| {
        let problem = format!(
            "it must be {{\"dtype\": …, \"shape\": […], \"offset\": 0}} or {{\"tensors\": [{{\"name\": …, \
             \"dtype\": …, \"shape\": […], \"offset\": …}}, …]}}, either with \"metadata\"; the parser says: {}. \
             Correct it.",
            json::objection(&error)
        );
        Error::in_file(&beside, None, Some(json::byte(&error, sidecar)), problem)
    })?;
    let metadata = found.metadata.unwrap_or_default().unique(&beside)?.into_iter().collect();
    let tensors = match (found.tensors, found.dtype, found.shape) {
        (Some(tensors), None, None) if found.name.is_none() && found.offset.is_none() => {
            listed(&tensors, sidecar, &beside)?
        }
        (None, Some(dtype), Some(shape)) => {
            let stem = std::path::Path::new(file).file_stem().unwrap_or_default();
            let name = found.name.unwrap_or_else(|| stem.to_string_lossy().into_owned());
            vec![Description { name, dtype, shape, offset: found.offset.unwrap_or(0) }]
        }
        _ => {
            let problem = "it must have 'dtype' and 'shape' of one array, or 'tensors' alone. Correct it.";
            return Err(Error::in_file(&beside, None, None, problem));
        }
    };
    check_names(&tensors, &beside)?;
    let mut contents = Contents { metadata, ..Contents::default() };
    for tensor in tensors {
        let refuse = |problem: String| Error::in_file(&beside, Some(&tensor.name), None, problem);
        if OTHERS.contains(&tensor.dtype.as_str()) {
            let why = format!("type {}, which holds no gradients", tensor.dtype);
            contents.skipped.push((tensor.name, why));
            continue;
        }
        let dtype = dtype(&tensor.dtype).map_err(refuse)?;
        let location = Location::Plain { offset: tensor.offset };
        let entry = Entry { name: tensor.name.clone(), dtype, shape: tensor.shape.clone(), location };
        if !layout::fits(&entry, bytes.len()) {
            let problem = format!(
                "its shape {} of {} from byte {} on must lie inside '{file}', which has {} bytes. Correct the \
                 description, or copy the file again.",
                layout::shown(&entry.shape),
                dtype.name(),
                tensor.offset,
                bytes.len()
            );
            return Err(refuse(problem));
        }
        contents.entries.push(entry);
    }
    if contents.skipped.is_empty() {
        check_cover(&contents.entries, bytes.len(), file)?;
    }
    Ok(contents)
}

fn listed(tensors: &[&RawValue], sidecar: &str, beside: &str) -> Result<Vec<Description>, Error> {
    let parse = |raw: &&RawValue| {
        serde_json::from_str(raw.get()).map_err(|error| {
            let problem = format!(
                "each of 'tensors' must have 'name', 'dtype', 'shape' and, unless it is 0, 'offset'; the parser \
                 says: {}. Correct it.",
                json::objection(&error)
            );
            let at = json::offset_of(raw.get(), sidecar) + json::byte(&error, raw.get());
            Error::in_file(beside, None, Some(at), problem)
        })
    };
    tensors.iter().map(parse).collect()
}

fn dtype(name: &str) -> Result<Dtype, String> {
    Dtype::from_name(name).ok_or_else(|| {
        let remedy = if name.starts_with('>') {
            "Write the numbers little-endian: array.astype('<f4')."
        } else {
            "Correct the name."
        };
        format!("'dtype' must be one of {}; got '{}'. {remedy}", Dtype::NAMES, shown(name))
    })
}

fn check_names(tensors: &[Description], beside: &str) -> Result<(), Error> {
    let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let problem = "a name must occur once; this one occurs twice. Correct the description.";
            Err(Error::in_file(beside, Some(pair[0]), None, problem))
        }
    }
}

/// Refuse arrays that overlap, and numbers behind the last one: both come of a wrong type or shape, which would go
/// unnoticed otherwise. Gaps between arrays are allowed, because writers align them.
fn check_cover(entries: &[Entry], length: usize, file: &str) -> Result<(), Error> {
    let beside = format!("{file}.json");
    let span = |entry: &Entry| {
        let Location::Plain { offset } = entry.location else { return None };
        Some((offset, offset + layout::size(entry)))
    };
    let mut order: Vec<((usize, usize), &str)> =
        entries.iter().filter_map(|entry| Some((span(entry)?, entry.name.as_str()))).collect();
    order.sort_unstable();
    if let Some(pair) = order.windows(2).find(|pair| pair[1].0.0 < pair[0].0.1) {
        let problem = format!(
            "its bytes must be its own; they overlap those of '{}'. Correct 'offset'.",
            shown(pair[0].1)
        );
        return Err(Error::in_file(&beside, Some(pair[1].1), None, problem));
    }
    let end = order.last().map_or(0, |last| last.0.1);
    if end == length {
        return Ok(());
    }
    let problem = format!(
        "the arrays of '{beside}' must end where the file ends; {} more bytes follow. Correct type or shape.",
        length - end
    );
    Err(Error::in_file(file, None, Some(end), problem))
}

#[cfg(test)]
mod tests;

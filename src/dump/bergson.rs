//! The gradient index of bergson: `gradients.bin`, in which the tensors of a row stand side by side, and `info.json`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, Object};
use super::{Contents, Dtype, Entry, Location, layout};
use crate::error::{Error, shown};

const NUMBERS: &str = "gradients.bin";
const DESCRIPTION: &str = "info.json";

/// What is read of the description; it says more.
#[derive(Deserialize)]
struct Info<'a> {
    num_grads: usize,
    /// Numbers of each tensor in a row, in the order of the file.
    grad_sizes: Option<Object<usize>>,
    /// NumPy's name of the numbers, short or long.
    base_dtype: Option<String>,
    /// Before there were the two above: NumPy's structured type of a row.
    dtype: Option<Structure>,
    /// Whether a row is a token, of which `offsets.npy` says how many a document has.
    #[serde(borrow)]
    attribute_tokens: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Structure {
    names: Vec<String>,
    formats: Vec<String>,
}

/// The description of the numbers at this path, if it has the name that bergson gives.
pub(super) fn description(path: &Path) -> Option<PathBuf> {
    (path.file_name()? == NUMBERS).then(|| path.with_file_name(DESCRIPTION)).filter(|info| info.is_file())
}

/// What `gradients.bin` holds whose description is `info`, the text of the file at `beside`.
pub(super) fn read(bytes: &[u8], info: &str, beside: &str) -> Result<Contents, Error> {
    let found: Info<'_> = serde_json::from_str(info).map_err(|error| {
        let problem = format!(
            "bergson's description must have 'num_grads', 'grad_sizes' and 'base_dtype'; the parser says: {}. Is it \
             the right file?",
            json::objection(&error)
        );
        Error::in_file(beside, None, Some(json::byte(&error, info)), problem)
    })?;
    let rows = found.num_grads;
    let refuse = |problem: String| Error::in_file(beside, None, None, problem);
    let (sizes, name) = match (found.grad_sizes, found.base_dtype, found.dtype) {
        (Some(sizes), Some(name), _) => (sizes.unique(beside)?, name),
        (_, _, Some(structure)) => structure.sizes().ok_or_else(|| {
            refuse(
                "its 'dtype' must have a name and a format such as '(256,)<f4' for each tensor, all of one \
                    type. Is it the right file?"
                    .to_owned(),
            )
        })?,
        _ => {
            let problem = "it must have 'grad_sizes' and 'base_dtype', or 'dtype'. Is it the right file?";
            return Err(refuse(problem.to_owned()));
        }
    };
    let dtype = dtype(&name).ok_or_else(|| {
        refuse(format!(
            "'base_dtype' must be one of {}; got '{}'. Convert the numbers.",
            Dtype::NAMES,
            shown(&name)
        ))
    })?;
    let width = sizes.iter().try_fold(0_usize, |sum, (_, size)| sum.checked_add(*size));
    let size = width.and_then(|width| layout::bytes(&[rows, width], dtype));
    let Some((width, _)) = width.zip(size).filter(|(_, size)| *size == bytes.len()) else {
        return Err(refuse(format!(
            "its {rows} rows of {} numbers of {} must fill '{NUMBERS}', which has {} bytes; they do not. The file is \
             cut: copy or build the index again.",
            width.map_or_else(|| "too many".to_owned(), |width| width.to_string()),
            dtype.name(),
            bytes.len()
        )));
    };
    let mut contents = Contents::default();
    if let Some(tokens) = found.attribute_tokens {
        contents.metadata.insert("attribute_tokens".to_owned(), tokens.get().to_owned());
    }
    let mut first = 0;
    for (name, size) in sizes {
        let offset = first * dtype.size();
        let location = if size == width {
            Location::Plain { offset }
        } else {
            Location::Strided { offset, strides: vec![width, 1] }
        };
        if size == 0 {
            contents.skipped.push((name, "empty".to_owned()));
        } else {
            contents.entries.push(Entry { name, dtype, shape: vec![rows, size], location });
        }
        first += size;
    }
    Ok(contents)
}

impl Structure {
    /// Numbers of each tensor, and the type that all have.
    fn sizes(self) -> Option<(Vec<(String, usize)>, String)> {
        let formats = self.formats.iter().map(|format| {
            let (size, dtype) = format.strip_prefix('(')?.split_once(",)")?;
            Some((size.parse::<usize>().ok()?, dtype))
        });
        let (sizes, dtypes): (Vec<usize>, Vec<&str>) =
            formats.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        let dtype = (*dtypes.first()?).to_owned();
        let fits = self.names.len() == sizes.len() && dtypes.iter().all(|other| *other == dtype);
        fits.then(|| (self.names.into_iter().zip(sizes).collect(), dtype))
    }
}

/// NumPy writes bfloat16 as untyped numbers of two bytes; bergson stores no others of that size but float16.
fn dtype(name: &str) -> Option<Dtype> {
    if name == "<V2" || name == "|V2" { Some(Dtype::Bf16) } else { Dtype::from_name(name) }
}

#[cfg(test)]
mod tests;

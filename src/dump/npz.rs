//! NumPy's `.npz`: a zip file of `.npy` files, stored or deflated.

use super::inflate::{MOST_GROWTH, beginning};
use super::npy::{self, Array};
use super::problem::Problem;
use super::zip::{self, Member, Method};
use super::{Contents, Dtype, Entry, Location};
use crate::error::Error;

/// Length of the header that NumPy writes for an array of few axes.
const TYPICAL_HEADER: usize = 128;

/// Contents of an `.npz` file; an array is named by its member without `.npy`.
pub(super) fn read(bytes: &[u8], file: &str, void_dtype: Option<Dtype>) -> Result<Contents, Error> {
    let mut contents = Contents::default();
    for member in zip::members(bytes).map_err(|problem| problem.in_file(file))? {
        let Some(name) = member.name.strip_suffix(".npy") else {
            contents
                .skipped
                .push((member.name.to_owned(), "no .npy member, which holds no array".to_owned()));
            continue;
        };
        let packed = &bytes[member.span.clone()];
        let refuse = |problem: Problem| {
            let start = member.span.start;
            let problem = match member.method {
                Method::Stored => problem.after(start),
                // Inside a packed member no byte of the file is the one at fault: the member is.
                Method::Deflated => problem.blamed_on(start),
            };
            problem.of_tensor(name).in_file(file)
        };
        let array = match member.method {
            Method::Stored => npy::array(packed, void_dtype),
            Method::Deflated => deflated(packed, &member, void_dtype),
        }
        .map_err(refuse)?;
        match array.dtype {
            Err(why) => contents.skipped.push((name.to_owned(), why)),
            Ok(dtype) => {
                npy::check_size(&array, dtype, member.unpacked).map_err(refuse)?;
                let location = location(&member, &array);
                contents.entries.push(Entry { name: name.to_owned(), dtype, shape: array.shape, location });
            }
        }
    }
    Ok(contents)
}

/// Read the header of a packed array; no more than the header is unpacked.
fn deflated(packed: &[u8], member: &Member<'_>, void_dtype: Option<Dtype>) -> Result<Array, Problem> {
    if member.unpacked / MOST_GROWTH > packed.len() {
        let problem = format!(
            "{} bytes cannot unpack to the {} that the directory claims. The zip file is damaged or hostile: write \
             it again.",
            packed.len(),
            member.unpacked
        );
        return Err(Problem::at(0, problem));
    }
    let unpack = |length| {
        beginning(packed, length).map_err(|broken| {
            Problem::at(broken.at, broken.problem)
                .advise("The file is cut or damaged: copy or write it again.")
        })
    };
    let first = unpack(TYPICAL_HEADER)?;
    let skip = npy::skip(&first)?;
    let array = if skip <= first.len() {
        npy::array(&first, void_dtype)
    } else {
        npy::array(&unpack(skip)?, void_dtype)
    }?;
    if array.skip > member.unpacked {
        let problem = format!(
            "its header takes {} bytes; the directory claims {} for the whole. The zip file is damaged: write it again.",
            array.skip, member.unpacked
        );
        return Err(Problem::at(0, problem));
    }
    Ok(array)
}

fn location(member: &Member<'_>, array: &Array) -> Location {
    let (offset, skip) = (member.span.start, array.skip);
    match (member.method, array.strides.clone()) {
        (Method::Stored, None) => Location::Plain { offset: offset + skip },
        (Method::Stored, Some(strides)) => Location::Strided { offset: offset + skip, strides },
        (Method::Deflated, strides) => {
            Location::Deflated { offset, length: member.span.len(), skip, strides }
        }
    }
}

#[cfg(test)]
mod tests;

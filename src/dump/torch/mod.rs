//! Files of `torch.save`, read without running anything they ask for.
//!
//! A PyTorch file is a pickle, a program that builds the saved object, beside raw numbers. The program is interpreted
//! here by a machine that knows data and a handful of names (`pickle`), and its result is only ever looked at: `walk`
//! names what lies in the nested containers, `tensors` checks every view against the storage it points into.
//! Nothing is allocated because a header says so; all work is linear in the bytes of the pickle.

mod elements;
mod legacy;
mod pickle;
mod storages;
mod tensors;
mod walk;

#[cfg(test)]
mod tests;

use super::problem::Problem;
use super::{Contents, zip};
use crate::Error;

/// Find the arrays of a PyTorch file; `file` is its name in messages, and names a tensor that was saved bare.
pub(super) fn read(bytes: &[u8], file: &str) -> Result<Contents, Error> {
    let found = if bytes.starts_with(zip::MAGIC) {
        read_archive(bytes, file)
    } else if bytes.starts_with(pickle::MAGIC) {
        legacy::read(bytes, file)
    } else {
        Err(Problem::at(
            0,
            "a PyTorch file begins with a zip archive or a pickle; this one begins with neither. \
             Write it with torch.save.",
        ))
    };
    found.map_err(|problem| problem.in_file(file))
}

fn read_archive(bytes: &[u8], file: &str) -> Result<Contents, Problem> {
    let members = zip::members(bytes)?;
    let (program, storages) = storages::of_archive(bytes, &members)?;
    let pickle = pickle::load(&bytes[..program.end], program.start)?;
    walk::contents(&pickle, program.len(), &storages, file)
}

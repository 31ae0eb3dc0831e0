//! Row-major copies of arrays that a file holds in another way, on disk instead of in memory.

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::Mmap;

use super::inflate::{Broken, Failure, inflate};
use super::{Entry, gather, layout};
use crate::error::Error;

/// The row-major bytes of a view that is not empty and whose first element is that of `source`.
pub(super) fn strided(source: &[u8], entry: &Entry, strides: &[usize], file: &str) -> Result<Mmap, Error> {
    gathered(source, entry, strides).map_err(|error| no_room(&error, entry, file))
}

/// The row-major bytes of an array that is not empty and packed in this part of the file, after `skip` bytes.
pub(super) fn deflated(
    bytes: &[u8],
    part: Range<usize>,
    skip: usize,
    strides: Option<&[usize]>,
    entry: &Entry,
    file: &str,
) -> Result<Mmap, Error> {
    let (first, stream) = (part.start, &bytes[part]);
    let size = layout::size(entry);
    // Unbuffered: pieces are large, and a buffer that is dropped keeps its errors to itself.
    let flat = written(|out| inflate(stream, skip, size, out));
    let flat = flat.map_err(|failure| match failure {
        Failure::Stream(Broken { at, problem }) => {
            let problem = format!("{problem}. The file is cut or damaged: copy or write it again.");
            Error::in_file(file, Some(&entry.name), Some(first + at), problem)
        }
        Failure::Write(error) => no_room(&error, entry, file),
    })?;
    match strides {
        None => Ok(flat),
        Some(strides) => strided(&flat, entry, strides, file),
    }
}

fn no_room(error: &io::Error, entry: &Entry, file: &str) -> Error {
    let problem = format!(
        "it must be unpacked to {} bytes in the folder for temporary files, '{}'; the system says: {error}. Free \
         space there, or name another folder in the environment variable TMPDIR.",
        layout::size(entry),
        std::env::temp_dir().display()
    );
    Error::in_file(file, Some(&entry.name), None, problem)
}

fn gathered(source: &[u8], entry: &Entry, strides: &[usize]) -> io::Result<Mmap> {
    written(|out| gather::gather(source, entry.dtype.size(), &entry.shape, strides, out))
}

/// What a function writes to a new temporary file, mapped.
fn written<E: From<io::Error>>(write: impl FnOnce(&mut File) -> Result<(), E>) -> Result<Mmap, E> {
    // Written and not mapped for writing: a full disk is then an error and no signal.
    let mut file = tempfile::tempfile()?;
    write(&mut file)?;
    // SAFETY: the file has no name, and nobody but this process, which is done with writing, has it open.
    Ok(unsafe { Mmap::map(&file) }?)
}

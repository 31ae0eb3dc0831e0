//! Row-major copies of arrays that a file holds in another way, on disk instead of in memory.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use memmap2::Mmap;

use super::inflate::{Broken, Failure, inflate};
use super::{Entry, Location, gather, layout};
use crate::error::Error;

/// The row-major bytes of an entry that is not empty, in a mapped temporary file without a name.
pub(super) fn spill(bytes: &[u8], entry: &Entry, file: &str) -> Result<Mmap, Error> {
    let size = layout::size(entry);
    let (offset, outcome) = match &entry.location {
        Location::Plain { offset } => {
            (*offset, written(|out| Ok(out.write_all(&bytes[*offset..*offset + size])?)))
        }
        Location::Strided { offset, strides } => (*offset, gathered(&bytes[*offset..], entry, strides)),
        Location::Deflated { offset, length, skip, strides } => {
            let stream = &bytes[*offset..*offset + *length];
            let flat = written(|out| inflate(stream, *skip, size, &mut BufWriter::new(out)));
            let outcome = match strides {
                None => flat,
                Some(strides) => flat.and_then(|flat| gathered(&flat, entry, strides)),
            };
            (*offset, outcome)
        }
    };
    outcome.map_err(|failure| match failure {
        Failure::Stream(Broken { at, problem }) => {
            let problem = format!("{problem}. The file is cut or damaged: copy or write it again.");
            Error::in_file(file, Some(&entry.name), Some(offset + at), problem)
        }
        Failure::Write(error) => {
            let problem = format!(
                "it must be unpacked to {size} bytes in the folder for temporary files, '{}'; the system says: \
                 {error}. Free space there, or name another folder in the environment variable TMPDIR.",
                std::env::temp_dir().display()
            );
            Error::in_file(file, Some(&entry.name), None, problem)
        }
    })
}

fn gathered(source: &[u8], entry: &Entry, strides: &[usize]) -> Result<Mmap, Failure> {
    written(|out| Ok(gather::gather(source, entry.dtype.size(), &entry.shape, strides, out)?))
}

/// What a function writes to a new temporary file, mapped.
fn written(write: impl FnOnce(&mut File) -> Result<(), Failure>) -> Result<Mmap, Failure> {
    // Written and not mapped for writing: a full disk is then an error and no signal.
    let mut file = tempfile::tempfile()?;
    write(&mut file)?;
    Ok(map(&file)?)
}

fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the file has no name, and nobody but this process, which is done with writing, has it open.
    unsafe { Mmap::map(file) }
}

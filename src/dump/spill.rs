//! Row-major copies of arrays that a file holds in another way, on disk instead of in memory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use memmap2::Mmap;

use super::inflate::{Broken, Failure, inflate};
use super::{Entry, gather, layout};
use crate::error::Error;

/// Hears how many bytes of a copy are written, and answers whether to go on.
pub(super) type GoOn<'a> = dyn FnMut(u64) -> bool + 'a;

/// A copy that is made when first asked for, and then kept; so is the reason why there is none.
#[derive(Debug, Default)]
pub(super) struct Spilled {
    outcome: OnceLock<Result<Mmap, Error>>,
    making: Mutex<()>,
}

impl Spilled {
    /// The copy, made by one thread while others wait; one that was stopped is made anew the next time.
    pub fn get_or_make(&self, make: impl FnOnce() -> Result<Mmap, Error>) -> Result<&[u8], Error> {
        // A thread that panicked has kept nothing: the next one begins anew.
        let _turn = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match self.outcome.get() {
            Some(outcome) => outcome,
            None => match make() {
                Err(Error::Stopped) => return Err(Error::Stopped),
                made => self.outcome.get_or_init(|| made),
            },
        };
        outcome.as_ref().map(|map| &map[..]).map_err(Clone::clone)
    }
}

/// The row-major bytes of a view that is not empty and whose first element is that of `source`.
pub(super) fn strided(
    source: &[u8],
    entry: &Entry,
    strides: &[usize],
    file: &str,
    go_on: &mut GoOn<'_>,
) -> Result<Mmap, Error> {
    let refuse = |error: io::Error| no_room(&error, entry, file);
    written(|out| gather::gather(source, entry.dtype.size(), &entry.shape, strides, out), refuse, go_on)
}

/// The row-major bytes of an array that is not empty and packed in this part of the file, after `skip` bytes.
pub(super) fn deflated(
    bytes: &[u8],
    part: Range<usize>,
    skip: usize,
    strides: Option<&[usize]>,
    entry: &Entry,
    file: &str,
    go_on: &mut GoOn<'_>,
) -> Result<Mmap, Error> {
    let (first, stream) = (part.start, &bytes[part]);
    let refuse = |failure| match failure {
        Failure::Stream(Broken { at, problem }) => {
            let problem = format!("{problem}. The file is cut or damaged: copy or write it again.");
            Error::in_file(file, Some(&entry.name), Some(first + at), problem)
        }
        Failure::Write(error) => no_room(&error, entry, file),
    };
    // Unbuffered: pieces are large, and a buffer that is dropped keeps its errors to itself.
    let flat = written(|out| inflate(stream, skip, layout::size(entry), out), refuse, go_on)?;
    match strides {
        None => Ok(flat),
        Some(strides) => strided(&flat, entry, strides, file, go_on),
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

/// A new temporary file with the output of a function, mapped.
fn written<E: From<io::Error>>(
    write: impl FnOnce(&mut Watched<'_>) -> Result<(), E>,
    refuse: impl Fn(E) -> Error,
    go_on: &mut GoOn<'_>,
) -> Result<Mmap, Error> {
    // Written and not mapped for writing: a full disk is then an error and no signal.
    let file = tempfile::tempfile().map_err(|error| refuse(error.into()))?;
    let mut out = Watched { file, done: 0, go_on, stopped: false };
    match write(&mut out) {
        Err(_) if out.stopped => return Err(Error::Stopped),
        outcome => outcome.map_err(&refuse)?,
    }
    // SAFETY: the file has no name, and nobody but this process, which is done with writing, has it open.
    unsafe { Mmap::map(&out.file) }.map_err(|error| refuse(error.into()))
}

/// A file that asks before every write whether to go on.
struct Watched<'a> {
    file: File,
    done: u64,
    go_on: &'a mut GoOn<'a>,
    stopped: bool,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !(self.go_on)(self.done) {
            self.stopped = true;
            return Err(io::Error::other(Error::Stopped));
        }
        let count = self.file.write(bytes)?;
        self.done += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

//! One open file: its map, what it holds, and the bytes of each array.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::spill::{self, GoOn, Spilled};
use super::{Contents, Dtype, Entry, Format, Location, bergson, layout, npy, npz, raw, safetensors, torch};
use crate::error::Error;

/// Facts that a file cannot say of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Type of NumPy's untyped bytes (`V2`, `V1`): it writes bfloat16 and float8 arrays under that name.
    pub void_dtype: Option<Dtype>,
}

/// Bytes that somebody else holds, unchanged for as long as the container lives.
pub trait Buffer: Send + Sync {
    /// All of them; the same at every call.
    fn bytes(&self) -> &[u8];
}

impl Buffer for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Buffer for Mmap {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// The arrays of one file, or of one buffer.
pub struct Container {
    label: String,
    format: Format,
    buffer: Box<dyn Buffer>,
    contents: Contents,
    /// For each entry: where its bytes are not row-major in the buffer, a copy that is.
    spilled: Vec<Spilled>,
}

impl Container {
    /// Map a file and read what it says about itself; no number is touched.
    ///
    /// The file must not be cut or written to while the container lives: the bytes are those on the disk.
    ///
    /// # Errors
    /// The file cannot be opened, is of no known format, or breaks the rules of its format.
    pub fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let label = path.display().to_string();
        let buffer = map(path, &label)?;
        let bytes = buffer.bytes();
        let sidecar = sidecar(path);
        let (described, description) = match bergson::description(path) {
            _ if sidecar.is_file() => (Some(Format::Raw), sidecar),
            Some(info) => (Some(Format::Bergson), info),
            None => (None, sidecar),
        };
        let format = Format::of(bytes, path, described).ok_or_else(|| unknown(path, &label))?;
        let contents = match format {
            Format::Safetensors => safetensors::read(bytes, &label),
            Format::Npy => npy::read(bytes, &label, options.void_dtype),
            Format::Npz => npz::read(bytes, &label, options.void_dtype),
            Format::Torch => torch::read(bytes, &label),
            Format::Bergson => {
                bergson::read(bytes, &read_text(&description)?, &description.display().to_string())
            }
            Format::Raw | Format::Memory => raw::read(bytes, &read_text(&description)?, &label),
        }?;
        Self::new(label, format, contents, buffer)
    }

    /// Arrays that are in memory already.
    ///
    /// # Errors
    /// An entry is not row-major or does not lie inside the buffer.
    pub fn from_buffer(label: String, entries: Vec<Entry>, buffer: Box<dyn Buffer>) -> Result<Self, Error> {
        Self::new(label, Format::Memory, Contents { entries, ..Contents::default() }, buffer)
    }

    pub(super) fn new(
        label: String,
        format: Format,
        contents: Contents,
        buffer: Box<dyn Buffer>,
    ) -> Result<Self, Error> {
        let length = buffer.bytes().len();
        if let Some(entry) = contents.entries.iter().find(|entry| !layout::fits(entry, length)) {
            let problem = format!(
                "its shape {} of {} must lie inside the {length} bytes at hand; it does not. Correct the shape.",
                layout::shown(&entry.shape),
                entry.dtype.name()
            );
            return Err(Error::in_file(&label, Some(&entry.name), None, problem));
        }
        let spilled = contents.entries.iter().map(|_| Spilled::default()).collect();
        Ok(Self { label, format, buffer, contents, spilled })
    }

    /// The file, as the caller named it.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The format of the file.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The arrays and what the file says about them.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The numbers of entry `index`: row-major, little-endian, of any alignment.
    ///
    /// Borrowed from the map where the file has them so. Compressed arrays and views are unpacked once, into a
    /// temporary file without a name that is mapped in turn; they take disk space, not memory. Any number of threads
    /// may call this.
    ///
    /// # Errors
    /// A compressed array does not hold what the file claims, or there is no room to unpack it.
    ///
    /// # Panics
    /// If there is no such entry.
    pub fn data(&self, index: usize) -> Result<&[u8], Error> {
        self.unpacked(index, &mut |_| true)
    }

    /// Unpack entry `index`, if it is compressed or a view, so that [`Container::data`] has it at once.
    ///
    /// `go_on` hears, every few MB at the latest, how many bytes of the copy are written, and answers whether to go on; a compressed
    /// view is written twice. A copy that was stopped leaves nothing behind and can be asked for again.
    ///
    /// # Errors
    /// [`Error::Stopped`] on request; else as [`Container::data`].
    ///
    /// # Panics
    /// If there is no such entry.
    pub fn prepare(&self, index: usize, go_on: &mut dyn FnMut(u64) -> bool) -> Result<(), Error> {
        self.unpacked(index, go_on).map(drop)
    }

    fn unpacked(&self, index: usize, go_on: &mut GoOn<'_>) -> Result<&[u8], Error> {
        let (entry, bytes) = (&self.contents.entries[index], self.buffer.bytes());
        let (spilled, size) = (&self.spilled[index], layout::size(entry));
        match &entry.location {
            _ if size == 0 => Ok(&[]),
            Location::Plain { offset } => Ok(&bytes[*offset..offset + size]),
            Location::Strided { offset, strides } => {
                spilled.get_or_make(|| spill::strided(&bytes[*offset..], entry, strides, &self.label, go_on))
            }
            Location::Deflated { offset, length, skip, strides } => spilled.get_or_make(|| {
                let part = *offset..offset + length;
                spill::deflated(bytes, part, *skip, strides.as_deref(), entry, &self.label, go_on)
            }),
        }
    }
}

/// The JSON file that describes a file of numbers alone: its name with `.json` behind it.
fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn map(path: &Path, label: &str) -> Result<Box<dyn Buffer>, Error> {
    let refuse = |error: std::io::Error| {
        let problem =
            format!("the file must be there and readable; the system says: {error}. Check path and rights.");
        Error::in_file(label, None, None, problem)
    };
    let file = File::open(path).map_err(refuse)?;
    let about = file.metadata().map_err(refuse)?;
    if !about.is_file() {
        let problem = "it must be a file; it is a folder or a device. Name the files one by one.";
        return Err(Error::in_file(label, None, None, problem));
    }
    if about.len() == 0 {
        // No system maps an empty file.
        return Ok(Box::new(Vec::new()));
    }
    // SAFETY: the map is read-only and private to this container. Rust asks that the bytes do not change while they
    // are borrowed, and no system can promise that for a file: `open` asks it of the caller. If another process does
    // write, numbers change between two readings, and no check of a header is relied on for memory safety after
    // that: offsets are kept in `Contents`, not read twice. If it cuts the file, the system ends this process at
    // the next access (SIGBUS), as it does for every program that maps files.
    let map = unsafe { Mmap::map(&file) }.map_err(refuse)?;
    Ok(Box::new(map))
}

/// The text of a small file beside the numbers.
pub(super) fn read_text(path: &Path) -> Result<String, Error> {
    let label = path.display().to_string();
    let map = map(path, &label)?;
    let bytes = map.bytes();
    if bytes.len() > safetensors::LONGEST_HEADER {
        let problem = format!(
            "a description must have at most {} bytes; this one has {}. Is it the right file?",
            safetensors::LONGEST_HEADER,
            bytes.len()
        );
        return Err(Error::in_file(&label, None, None, problem));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let problem = "a description must be UTF-8 text; this byte is not. Write the file again.";
            Err(Error::in_file(&label, None, Some(error.valid_up_to()), problem))
        }
    }
}

fn unknown(path: &Path, label: &str) -> Error {
    let problem = if path.extension().is_some_and(|suffix| suffix == "json") {
        "it must hold arrays; a JSON file describes them. Name the file that it describes, or the shards of \
         the index."
            .to_owned()
    } else {
        let sidecar = sidecar(path);
        format!(
            "it must be a safetensors, .npy, .npz or PyTorch file, or numbers described by '{}'; neither its first \
             bytes nor its name tell, and there is no such description. Write one, or convert the file.",
            sidecar.file_name().unwrap_or_default().display()
        )
    };
    Error::in_file(label, None, None, problem)
}

#[cfg(test)]
mod tests;

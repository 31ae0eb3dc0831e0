//! The bytes of a pickle, read once from front to back.

use crate::dump::problem::Problem;

/// The pickle of a hundred thousand tensors has 20 MB. Values take some fifty times the bytes that ask for them, so a
/// hostile pickle should not be as long as it likes.
const LONGEST: usize = 64 << 20;

/// A position in a pickle; bytes before it are the file's own, so that positions are offsets in the file.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    limit: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, at: start, limit: start.saturating_add(LONGEST) }
    }

    /// The next byte's offset in the file.
    pub fn offset(&self) -> usize {
        self.at
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let end = self.at.saturating_add(length);
        if end > self.limit && end <= self.bytes.len() {
            return Err(Problem::at(
                self.at,
                format!(
                    "a pickle must have at most {LONGEST} bytes; this one has more. \
                     Save tensors, and keep long lists of Python values elsewhere."
                ),
            ));
        }
        let found = self.bytes.get(self.at..end).ok_or_else(|| {
            Problem::at(
                self.at,
                format!(
                    "the pickle must go on for {length} bytes; it ends at byte {}. \
                     The file is damaged or cut short: copy or save it again.",
                    self.bytes.len()
                ),
            )
        })?;
        self.at = end;
        Ok(found)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        self.take(N).map(|found| found.try_into().expect("N bytes were taken"))
    }

    /// A little-endian number of `N` bytes.
    pub fn length<const N: usize>(&mut self) -> Result<usize, Problem> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.array::<N>()?);
        Ok(usize::try_from(u64::from_le_bytes(wide)).unwrap_or(usize::MAX))
    }

    /// Bytes that begin with their number, of `N` bytes itself.
    pub fn counted<const N: usize>(&mut self) -> Result<&'a [u8], Problem> {
        let length = self.length::<N>()?;
        self.take(length)
    }

    /// Text that begins with its length in `N` bytes.
    pub fn text<const N: usize>(&mut self) -> Result<&'a str, Problem> {
        let start = self.at;
        utf8(self.counted::<N>()?, start)
    }

    /// Text up to the end of the line.
    pub fn line(&mut self) -> Result<&'a str, Problem> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = self.take(length)?;
        self.take(1)?;
        utf8(line, start)
    }
}

fn utf8(bytes: &[u8], at: usize) -> Result<&str, Problem> {
    str::from_utf8(bytes).map_err(|_| {
        Problem::at(at, "text in a pickle must be UTF-8; this is not. Name the tensors in plain characters.")
    })
}

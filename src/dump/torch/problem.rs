//! A refusal before the file's name is known to it.

use crate::Error;

/// What is wrong with a file, and where in it.
#[derive(Debug)]
pub(super) struct Problem {
    tensor: Option<String>,
    offset: usize,
    text: String,
}

impl Problem {
    /// A problem that shows at this byte of the file.
    pub fn at(offset: usize, text: impl Into<String>) -> Self {
        Self { tensor: None, offset, text: text.into() }
    }

    /// The same, of this tensor.
    pub fn of_tensor(mut self, name: &str) -> Self {
        self.tensor = Some(name.to_owned());
        self
    }

    /// As callers see it.
    pub fn in_file(self, file: &str) -> Error {
        Error::File {
            file: file.to_owned(),
            tensor: self.tensor.map(|name| printable(&name)),
            offset: Some(self.offset),
            problem: self.text,
        }
    }
}

/// Text of a file, fit for one line of a terminal: files may hold megabytes and control characters.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let escaped: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() { escaped + "…" } else { escaped }
}

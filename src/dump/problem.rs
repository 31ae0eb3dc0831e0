//! A refusal before the file's name is known to it.

use crate::error::Error;

/// A problem of a file, and where in it.
#[derive(Debug, PartialEq, Eq)]
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

    /// The same, where the bytes that were read begin at this byte of the file.
    pub fn after(mut self, start: usize) -> Self {
        self.offset += start;
        self
    }

    /// The same, blamed on this byte of the file.
    pub fn blamed_on(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }

    /// The same with a sentence that says what to do.
    pub fn advise(mut self, remedy: &str) -> Self {
        self.text = format!("{}. {remedy}", self.text);
        self
    }

    /// The byte where it shows.
    #[cfg(test)]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// As callers see it.
    pub fn in_file(self, file: &str) -> Error {
        Error::in_file(file, self.tensor.as_deref(), Some(self.offset), self.text)
    }
}

//! A refusal before the file's name is known to it.

use crate::error::Error;

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
        Error::in_file(file, self.tensor.as_deref(), Some(self.offset), self.text)
    }
}

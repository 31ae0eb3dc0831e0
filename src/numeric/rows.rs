//! The rows of one parameter tensor, as bytes.

use crate::dump::Dtype;
use crate::error::Error;

/// One parameter tensor of a dump: row k holds the gradient of example (or micro-batch) k, as contiguous little-endian
/// numbers of any alignment.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    dtype: Dtype,
    columns: usize,
    bytes: Vec<&'a [u8]>,
}

impl<'a> Rows<'a> {
    /// Rows of `columns` numbers each.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for a row of another length.
    pub fn new(dtype: Dtype, columns: usize, rows: Vec<&'a [u8]>) -> Result<Self, Error> {
        let bytes = columns.checked_mul(dtype.size());
        match rows.iter().enumerate().find(|(_, row)| Some(row.len()) != bytes) {
            None => Ok(Self { dtype, columns, bytes: rows }),
            Some((index, row)) => Err(Error::Shape {
                argument: "rows",
                expected: format!("{columns} numbers of type {}, {} bytes each", dtype.name(), dtype.size()),
                found: format!("{} bytes in row {index}", row.len()),
            }),
        }
    }

    /// How the numbers are stored.
    #[must_use]
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Numbers in a row: the parameters of the tensor.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The bytes of every row.
    #[must_use]
    pub fn rows(&self) -> &[&'a [u8]] {
        &self.bytes
    }
}

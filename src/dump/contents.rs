//! Contents of one file as a reader of its format finds them, before any number is touched.

use std::collections::BTreeMap;

use super::Dtype;

/// The arrays of one file, and what it says about them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// In the order of the file's own index.
    pub entries: Vec<Entry>,
    /// Free text, as the safetensors header keeps it.
    pub metadata: BTreeMap<String, String>,
    /// Arrays left out: name, and why.
    pub skipped: Vec<(String, String)>,
}

/// One array of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Unique within its file; nested containers are joined with dots.
    pub name: String,
    /// How its numbers are stored.
    pub dtype: Dtype,
    /// Empty for a scalar.
    pub shape: Vec<usize>,
    /// Where its numbers are.
    pub location: Location,
}

/// Where the numbers of an array are; a reader has checked that they lie inside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Row-major, from this byte of the file on (of any alignment).
    Plain {
        /// The first byte.
        offset: usize,
    },
    /// A view: the element with index i is at `offset + size · Σ strides·i`.
    Strided {
        /// The byte of the element with index 0.
        offset: usize,
        /// In elements, one per axis.
        strides: Vec<usize>,
    },
    /// Inside a raw DEFLATE stream.
    Deflated {
        /// The first byte of the stream.
        offset: usize,
        /// Its length in bytes.
        length: usize,
        /// Bytes of inflated data before the first number.
        skip: usize,
        /// Strides of the inflated numbers, in elements; none if they are row-major.
        strides: Option<Vec<usize>>,
    },
}

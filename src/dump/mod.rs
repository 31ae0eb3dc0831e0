//! Gradient dumps: files that hold arrays, mapped into memory and read without trusting them.
//!
//! Each format has one file with a function `read` from the bytes of a file to its [`Contents`]; it checks all that a
//! header claims and touches no number. A [`Container`] holds the map and hands out the bytes of an array.

mod bergson;
mod bytes;
mod container;
mod contents;
mod convert;
mod dtype;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gather;
mod index;
mod inflate;
mod json;
mod layout;
mod literal;
mod npy;
mod npz;
mod problem;
mod raw;
mod safetensors;
mod spill;
mod torch;
mod zip;

pub use container::{Buffer, Container, Options};
pub use contents::{Contents, Entry, Location};
pub use dtype::Dtype;
pub use format::Format;
pub use index::index_files;

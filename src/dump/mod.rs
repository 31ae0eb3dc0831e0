//! Gradient dumps: files that hold arrays, mapped into memory and read without trusting them.

mod contents;
mod dtype;

pub use contents::{Contents, Entry, Location};
pub use dtype::Dtype;

//! Gradient dumps: files that hold arrays, mapped into memory and read without trusting them.

mod contents;
mod dtype;
#[cfg_attr(not(test), expect(dead_code, reason = "the container of dumps is what calls it"))]
mod torch;

pub use contents::{Contents, Entry, Location};
pub use dtype::Dtype;

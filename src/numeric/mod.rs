//! Stored numbers as vectors: the formats of dumps, the lanes that they are converted to, and the rows of a tensor.

mod format;
mod formats;
mod lanes;
mod rows;

pub use format::{Counts, Format, count};
pub use formats::{Bf16, F8E4M3, F8E5M2, F16, F32, F64};
pub use lanes::{HALF_LANES, Half, LANES, Lanes, Real};
pub use rows::Rows;

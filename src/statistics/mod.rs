//! Statistics of a gradient dump: one tiled pass over its bytes, and what its sums say about the noise.

mod format;
mod lanes;
mod output;
mod partial;
mod passes;
mod plan;
mod rows;
mod scan;
mod sums;
#[cfg(test)]
mod tests;
mod tile;
mod unit;

pub use output::ParameterFile;
pub use partial::{PartialRows, PartlyScanned, scan_partial};
pub use rows::Rows;
pub use scan::{Request, Scanned, Sink, scan};
pub use sums::{Shape, Sums};

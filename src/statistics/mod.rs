//! Statistics of a gradient dump: one tiled pass over its bytes, and what its sums say about the noise.

mod moments;
mod noise_scale;
mod output;
mod partial;
mod passes;
mod plan;
mod request;
mod scan;
mod summary;
mod sums;
#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(crate) mod tests;
mod tile;
mod unit;

pub use moments::Moments;
pub use noise_scale::{
    Estimate, Interval, Inverse, Pair, Part, Resolvable, Standardised, estimate, resolvable, two_batch_sizes,
};
pub use output::ParameterFile;
pub use partial::{PartialRows, PartlyScanned, scan_partial};
pub use request::Request;
pub use scan::{Scanned, Sink, scan};
pub use sums::{Shape, Sums};

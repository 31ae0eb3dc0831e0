//! Statistics of a gradient dump: one tiled pass over its bytes, and what its sums say about the noise.

mod format;
mod formats;
mod lanes;
mod moments;
mod noise_scale;
mod output;
mod partial;
mod passes;
mod plan;
mod rows;
mod scan;
mod summary;
mod sums;
#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(crate) mod tests;
mod tile;
mod unit;

pub(crate) use format::Format;
pub(crate) use formats::{Bf16, F8E4M3, F8E5M2, F16, F32, F64};
pub(crate) use lanes::{HALF_LANES, Half, LANES, Lanes, Real};
pub use moments::Moments;
pub use noise_scale::{
    Estimate, Interval, Inverse, Pair, Part, Resolvable, Standardised, estimate, resolvable, two_batch_sizes,
};
pub use output::ParameterFile;
pub use partial::{PartialRows, PartlyScanned, scan_partial};
pub use rows::Rows;
pub use scan::{Request, Scanned, Sink, scan};
pub use sums::{Shape, Sums};

//! Reductions over draws that never hold draws × batch sizes: a tile of a few batch sizes at a time.
//!
//! The result does not depend on the number of threads: a batch size is reduced by one task, in one order.

mod quantile;
mod regret;
mod tile;

pub use quantile::quantiles;
pub use regret::{Landscape, expected_regret};

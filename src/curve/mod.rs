//! Learning-rate curves from a gradient dump: update directions of many minibatches, and what they say of the best step.
//!
//! One pass over the rows gives, for every minibatch, its update direction V, its products with the gradients of other
//! examples, and the sums of the theory that takes signs for independent
//! ([arXiv 2405.14578](https://arxiv.org/abs/2405.14578)). Minibatches are prefixes of permutations, so that one running
//! sum serves all batch sizes. Everything is a sum over parameters: results of disjoint parameters add up.
//!
//! Results are the same to the last bit for any number of threads. For any instruction set they are, too, but for products
//! with every gradient and with a Hessian: those are the GEMM crate's, which fuses where the processor can.

mod convert;
mod design;
mod direction;
mod dots;
mod moments;
mod prefix;
mod products;
mod scan;
mod signs;
mod sums;
#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
mod tests;
mod theory;
mod tile;

pub use design::Minibatches;
pub use direction::{Optimizer, State};
pub use products::bilinear_forms;
pub use scan::{Directions, directions, scan_directions};
pub use sums::{BatchSums, DirectionSums, SizeSums};

//! Value of information of runs not yet made: the expected value of their outcomes, by reweighting draws.
//!
//! Some draws of a posterior play the truth and give outcomes, others are what one believes. After the outcomes of a
//! block of runs every believed draw weighs as much as its likelihood, and the best action is that of least weighted
//! regret: the value of the block is the mean over outcomes of what that action saves. Losses lie above a floor of
//! which each draw knows mean and variance, and which every loss tells more of, as a Kalman filter has it.

mod prospects;
mod value;
mod weighing;

pub use prospects::{Known, Prospect};
pub use value::values_of_blocks;

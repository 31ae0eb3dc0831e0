//! The native engine: log density and gradient of the built-in models, sampled by nuts-rs.
//!
//! A model is composed from parts, each a value with its derivatives: the prior of every variable, the population of
//! the groups, the law with the optima around it, published optima, the valleys with their wall, and the steps to a
//! target. Everything is on the unconstrained scale: positive variables as logarithms or, half-normal ones, with a sign.
//! A chain moves in these variables, or in the transformed ones of a [`Geometry`] that earlier draws have shown.

mod curve;
mod density;
mod entries;
mod floor;
mod geometry;
mod lanes;
mod layout;
mod observed;
mod points;
mod pooling;
mod prior;
mod process;
mod sampling;
mod start;
mod state;
mod steps;
mod student;
mod transformation;
mod valleys;

pub use density::{Model, Priors};
pub use floor::{FloorPlaces, integrate_floor};
pub use geometry::Geometry;
pub use layout::{Per, Variable};
pub use observed::{Cells, Observed, Runs};
pub use prior::{Prior, Scale};
pub use sampling::{Chain, Settings, Task, sample};
pub(crate) use student::DEGREES;

#[cfg(test)]
mod tests;

//! Runs that might be made: fantasies of their outcomes, and their predictive distributions.

use ndarray::{ArrayView1, ArrayView2};

/// Draws before the runs: log weights and floors; a table with one row holds for all outcomes.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Log likelihood of the runs before, up to a constant of each outcome; (outcome, draw).
    pub log_likelihood: ArrayView2<'a, f32>,
    /// Mean of the floor; (outcome, draw) or (1, draw).
    pub floor_mean: ArrayView2<'a, f32>,
    /// Its variance.
    pub floor_variance: ArrayView2<'a, f32>,
}

/// One run that might be made: its simulated outcomes, and what every believed draw expects of it.
#[derive(Debug, Clone, Copy)]
pub struct Prospect<'a> {
    /// Losses; (outcome,).
    pub loss: ArrayView1<'a, f32>,
    /// Whether it did not diverge; (outcome,).
    pub survived: ArrayView1<'a, bool>,
    /// Loss above the floor; (draw,).
    pub depth: ArrayView1<'a, f32>,
    /// Squared scale of the loss's noise; (draw,).
    pub noise_variance: ArrayView1<'a, f32>,
    /// Log probability not to diverge; (draw,).
    pub log_survival: ArrayView1<'a, f32>,
    /// Log probability to diverge; (draw,).
    pub log_divergence: ArrayView1<'a, f32>,
}

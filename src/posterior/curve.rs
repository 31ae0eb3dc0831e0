//! The law, and the optima of all cells around it.

use super::density::State;
use super::observed::Cells;
use super::prior::HALF_LOG_TAU;
use super::process::Blocks;
use crate::law::Law;

/// `log lr*(cell) ~ GP(log lr_ref + shape(x) − shape(x_ref), τ²)`.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    pub law: &'static dyn Law,
    /// Pooled parameter: the law at the reference batch size.
    pub reference: usize,
    /// Pooled parameters of the law but its scale, in its order.
    pub parameters: Vec<usize>,
    /// Slot of the process's scale.
    pub scale: usize,
    /// First slot of the optima.
    pub optimum: usize,
    pub whitening: Blocks,
    pub log_determinant: f64,
    pub scratch: Scratch,
}

/// Room for one evaluation.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    theta: Vec<f64>,
    slopes: Vec<f64>,
    slopes_at_reference: Vec<f64>,
    away: Vec<f64>,
    innovation: Vec<f64>,
    by_away: Vec<f64>,
    /// Derivatives of the curve by the law's parameters, shape (cell, parameter).
    by_theta: Vec<f64>,
}

impl Scratch {
    pub fn new(parameters: usize, cells: usize) -> Self {
        let count = parameters + 1;
        Self {
            theta: vec![0.0; count],
            slopes: vec![0.0; count],
            slopes_at_reference: vec![0.0; count],
            away: vec![0.0; cells],
            innovation: vec![0.0; cells],
            by_away: vec![0.0; cells],
            by_theta: vec![0.0; cells * parameters],
        }
    }
}

impl Curve {
    /// What does not depend on any variable.
    pub fn constant(&self, cells: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count of cells")]
        let count = cells as f64;
        self.log_determinant - count * HALF_LOG_TAU
    }

    pub fn add(&mut self, cells: &Cells, state: &mut State) -> f64 {
        self.follow(cells, state);
        let scratch = &mut self.scratch;
        let tau = state.values[self.scale];
        self.whitening.times(&scratch.away, &mut scratch.innovation);
        let squares: f64 = scratch.innovation.iter().map(|z| z * z).sum::<f64>() / (tau * tau);
        #[expect(clippy::cast_precision_loss, reason = "a count of cells")]
        let count = scratch.away.len() as f64;
        state.adjoint[self.scale] += (squares - count) / tau;

        scratch.by_away.fill(0.0);
        self.whitening.add_transposed(-1.0 / (tau * tau), &scratch.innovation, &mut scratch.by_away);
        let width = self.parameters.len();
        for (cell, &by) in scratch.by_away.iter().enumerate() {
            let group = cells.group[cell];
            state.adjoint[self.optimum + cell] += by;
            *state.by_group(self.reference, group) -= by;
            for (parameter, slope) in self.parameters.iter().zip(&scratch.by_theta[cell * width..]) {
                *state.by_group(*parameter, group) -= by * slope;
            }
        }
        -0.5 * squares - count * state.log_values[self.scale]
    }

    /// How far the optimum of every cell is from the law, and the law's derivatives there.
    fn follow(&mut self, cells: &Cells, state: &State) {
        let scratch = &mut self.scratch;
        let width = self.parameters.len();
        let (mut group, mut at_reference) = (usize::MAX, 0.0);
        for (cell, &x) in cells.log_batch_size.iter().enumerate() {
            if cells.group[cell] != group {
                group = cells.group[cell];
                for (theta, &parameter) in scratch.theta[1..].iter_mut().zip(&self.parameters) {
                    *theta = state.group(parameter, group);
                }
                let (at, out) = (cells.log_reference, &mut scratch.slopes_at_reference);
                at_reference =
                    self.law.value_and_gradient(&scratch.theta, at, out) - state.group(self.reference, group);
            }
            let curve = self.law.value_and_gradient(&scratch.theta, x, &mut scratch.slopes) - at_reference;
            scratch.away[cell] = state.values[self.optimum + cell] - curve;
            let slopes = scratch.slopes[1..].iter().zip(&scratch.slopes_at_reference[1..]);
            for (out, (here, there)) in scratch.by_theta[cell * width..].iter_mut().zip(slopes) {
                *out = here - there;
            }
        }
    }
}

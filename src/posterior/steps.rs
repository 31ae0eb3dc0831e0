//! Steps to a target: `log S ~ StudentT(5, log S_min + log(1 + B_crit/B) + δ_S, σ²)`.

use super::observed::{Cells, Observed, Runs};
use super::process::Blocks;
use super::state::State;
use super::student;
use crate::simd::{Plain, logistic, softplus};

#[derive(Debug, Clone)]
pub(super) struct Steps {
    /// Pooled parameter: log of the fewest steps.
    pub fewest: usize,
    /// Pooled parameter: log B_crit, or log B_noise where `ratio` is their difference.
    pub critical: usize,
    /// Slot of log B_crit − log B_noise.
    pub ratio: Option<usize>,
    pub noise: usize,
    /// Slot of the scale of δ_S, and the first of its innovations.
    pub scale: usize,
    pub innovation: usize,
    pub factor: Blocks,
    /// δ_S over its scale, and derivatives with respect to the curve; shape (cell,).
    pub away: Vec<f64>,
    pub by_curve: Vec<f64>,
}

impl Steps {
    pub fn add(&mut self, observed: &Observed, state: &mut State) -> f64 {
        let cells = &observed.cells;
        let count = cells.log_batch_size.len();
        let innovations = self.innovation..self.innovation + count;
        self.factor.times(&state.values[innovations.clone()], &mut self.away);
        self.by_curve.fill(0.0);
        let total = self.seen(cells, &observed.steps, state, student::log_density)
            + self.seen(cells, &observed.censored_steps, state, |residual, noise| {
                let (value, slope) = student::log_survival(residual / noise);
                (value, slope / noise, -slope * residual / (noise * noise))
            });
        let scale = state.values[self.scale];
        self.factor.add_transposed(scale, &self.by_curve, &mut state.adjoint[innovations]);
        for (cell, &by) in self.by_curve.iter().enumerate() {
            let group = cells.group[cell];
            state.adjoint[self.scale] += by * self.away[cell];
            *state.by_group(self.fewest, group) += by;
            // d log(1 + B_crit/B) / d log B_crit.
            let by_critical = by * logistic::<Plain>(self.over(cells, cell, state));
            *state.by_group(self.critical, group) += by_critical;
            if let Some(slot) = self.ratio {
                state.adjoint[slot] += by_critical;
            }
        }
        total
    }

    /// log(B_crit/B) of a cell.
    fn over(&self, cells: &Cells, cell: usize, state: &State) -> f64 {
        let ratio = self.ratio.map_or(0.0, |slot| state.values[slot]);
        state.group(self.critical, cells.group[cell]) + ratio - cells.log_batch_size[cell]
    }

    fn seen(
        &mut self,
        cells: &Cells,
        runs: &Runs,
        state: &mut State,
        density: impl Fn(f64, f64) -> (f64, f64, f64),
    ) -> f64 {
        let (noise, scale) = (state.values[self.noise], state.values[self.scale]);
        let mut total = 0.0;
        for (&cell, value) in runs.cell.iter().zip(&runs.value) {
            let law = state.group(self.fewest, cells.group[cell])
                + softplus::<Plain>(self.over(cells, cell, state));
            let residual = value - law - scale * self.away[cell];
            let (log_density, by_residual, by_noise) = density(residual, noise);
            total += log_density;
            self.by_curve[cell] -= by_residual;
            state.adjoint[self.noise] += by_noise;
        }
        total
    }
}

//! The losses around the optima, the divergence wall, and losses so huge that only their size counts.

use super::density::State;
use super::observed::{Cells, Observed, Runs};
use super::student;
use crate::law::{Plain, logistic, softplus};
use crate::surface::{Partials, Valley};

/// `loss ~ StudentT(5, floor + v, √(s² + (ρ v)² + se²))` with `v = κ h(u)`; slots of its variables.
#[derive(Debug, Clone)]
pub(super) struct Valleys {
    /// First slot of the cells' optima.
    pub optimum: usize,
    /// Pooled parameter: log κ at the reference batch size.
    pub curvature: usize,
    pub slope: usize,
    pub rate: usize,
    pub asymmetry: usize,
    /// First slot of the floors' distances below the best runs.
    pub floor_gap: usize,
    pub noise: usize,
    pub shape_error: usize,
    pub wall: usize,
    pub wall_width: usize,
    /// κ of every cell, and derivatives by log κ; shape (cell,).
    pub kappa: Vec<f64>,
    pub by_log_kappa: Vec<f64>,
}

/// A run on the surface: how deep it lies and how uncertain its loss is.
struct Placed {
    depth: f64,
    sd: f64,
    floor: f64,
    partials: Partials,
}

impl Valleys {
    pub fn add(&mut self, observed: &Observed, state: &mut State) -> f64 {
        let cells = &observed.cells;
        let slope = state.values[self.slope];
        for (cell, kappa) in self.kappa.iter_mut().enumerate() {
            let lever = cells.log_batch_size[cell] - cells.log_reference;
            *kappa = (state.group(self.curvature, cells.group[cell]) + slope * lever).exp();
        }
        self.by_log_kappa.fill(0.0);
        let valley = Valley::new(state.values[self.rate], state.values[self.asymmetry]);
        let total = self.finished(valley, cells, &observed.finished, state)
            + self.walls(&observed.wall, state)
            + self.censored(valley, cells, &observed.censored, state);
        for (cell, &by) in self.by_log_kappa.iter().enumerate() {
            *state.by_group(self.curvature, cells.group[cell]) += by;
            state.adjoint[self.slope] += by * (cells.log_batch_size[cell] - cells.log_reference);
        }
        total
    }

    fn finished(&mut self, valley: Valley, cells: &Cells, runs: &Runs, state: &mut State) -> f64 {
        let mut total = 0.0;
        for i in 0..runs.len() {
            let placed = self.place(valley, cells, runs, i, state);
            let residual = runs.value[i] - placed.floor - placed.depth;
            let (value, by_residual, by_sd) = student::log_density(residual, placed.sd);
            total += value;
            self.carry(&placed, runs.cell[i], -by_residual, by_sd, cells, state);
        }
        total
    }

    fn walls(&self, runs: &Runs, state: &mut State) -> f64 {
        let (wall, width) = (state.values[self.wall], state.values[self.wall_width]);
        let mut total = 0.0;
        for i in 0..runs.len() {
            let slot = self.optimum + runs.cell[i];
            let logit = (runs.log_learning_rate[i] - state.values[slot] - wall) / width;
            total += runs.value[i] * logit - softplus::<Plain>(logit);
            self.carry_logit(logit, width, slot, runs.value[i] - logistic::<Plain>(logit), state);
        }
        total
    }

    fn censored(&mut self, valley: Valley, cells: &Cells, runs: &Runs, state: &mut State) -> f64 {
        let (wall, width) = (state.values[self.wall], state.values[self.wall_width]);
        let mut total = 0.0;
        for i in 0..runs.len() {
            let placed = self.place(valley, cells, runs, i, state);
            let slot = self.optimum + runs.cell[i];
            let logit = (runs.log_learning_rate[i] - state.values[slot] - wall) / width;
            let t = (runs.value[i] - placed.floor - placed.depth) / placed.sd;
            let (survival, by_t) = student::log_survival(t);
            // log(π + (1 − π) S), π being the probability of divergence.
            let above = logit.max(survival);
            let sum = above + ((logit - above).exp() + (survival - above).exp()).ln();
            total += sum - softplus::<Plain>(logit);
            let share = (logit - sum).exp();
            self.carry_logit(logit, width, slot, share - logistic::<Plain>(logit), state);
            let by_t = (1.0 - share) * by_t;
            self.carry(&placed, runs.cell[i], -by_t / placed.sd, -by_t * t / placed.sd, cells, state);
        }
        total
    }

    fn place(&self, valley: Valley, cells: &Cells, runs: &Runs, i: usize, state: &State) -> Placed {
        let cell = runs.cell[i];
        let partials = valley.partials(runs.log_learning_rate[i] - state.values[self.optimum + cell]);
        let depth = self.kappa[cell] * partials.value;
        let (noise, wrong) = (state.values[self.noise], state.values[self.shape_error] * depth);
        let sd = (noise * noise + wrong * wrong + runs.se[i] * runs.se[i]).sqrt();
        let floor = cells.best_loss[cell] - cells.gap[cell] * state.values[self.floor_gap + cell];
        Placed { depth, sd, floor, partials }
    }

    /// Carry derivatives with respect to the predicted loss and its scale back to the variables.
    fn carry(
        &mut self,
        placed: &Placed,
        cell: usize,
        by_mean: f64,
        by_sd: f64,
        cells: &Cells,
        state: &mut State,
    ) {
        let Placed { depth, sd, ref partials, .. } = *placed;
        let (noise, shape_error) = (state.values[self.noise], state.values[self.shape_error]);
        let by_depth = by_mean + by_sd * shape_error * shape_error * depth / sd;
        let by_h = by_depth * self.kappa[cell];
        state.adjoint[self.noise] += by_sd * noise / sd;
        state.adjoint[self.shape_error] += by_sd * shape_error * depth * depth / sd;
        state.adjoint[self.floor_gap + cell] -= by_mean * cells.gap[cell];
        state.adjoint[self.optimum + cell] -= by_h * partials.by_distance;
        state.adjoint[self.rate] += by_h * partials.by_log_rate / state.values[self.rate];
        state.adjoint[self.asymmetry] += by_h * partials.by_asymmetry;
        self.by_log_kappa[cell] += by_depth * depth;
    }

    fn carry_logit(&self, logit: f64, width: f64, optimum: usize, by_logit: f64, state: &mut State) {
        let by = by_logit / width;
        state.adjoint[optimum] -= by;
        state.adjoint[self.wall] -= by;
        state.adjoint[self.wall_width] -= by * logit;
    }
}

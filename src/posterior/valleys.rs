//! The losses around the optima, the divergence wall, and losses so huge that only their size counts.

use std::ops::Range;

use super::lanes::{Losses, OfLosses, OfOutcomes, Outcomes, Shared, sum};
use super::observed::{Cells, Observed, Runs};
use super::state::State;
use super::student;
use crate::simd::{Plain, dispatch, logistic, softplus};
use crate::surface::Valley;

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
    pub scratch: Scratch,
}

/// Room for one evaluation.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    losses: Losses,
    outcomes: Outcomes,
    /// Finished runs, and runs at the wall, of every cell.
    finished: Vec<Range<usize>>,
    at_wall: Vec<Range<usize>>,
    /// κ and floor of every cell, and derivatives by log κ; shape (cell,).
    kappa: Vec<f64>,
    floor: Vec<f64>,
    by_log_kappa: Vec<f64>,
}

impl Scratch {
    pub fn new(observed: &Observed) -> Self {
        let cells = observed.cells.log_batch_size.len();
        Self {
            losses: Losses::new(&observed.finished.se),
            outcomes: Outcomes::new(&observed.wall.value),
            finished: observed.finished.of_cells(cells),
            at_wall: observed.wall.of_cells(cells),
            kappa: vec![0.0; cells],
            floor: vec![0.0; cells],
            by_log_kappa: vec![0.0; cells],
        }
    }
}

impl Valleys {
    pub fn add(&mut self, observed: &Observed, state: &mut State) -> f64 {
        let cells = &observed.cells;
        let slope = state.values[self.slope];
        for cell in 0..cells.log_batch_size.len() {
            let log_ratio = cells.log_batch_size[cell] - cells.log_reference;
            let level = state.group(self.curvature, cells.group[cell]);
            self.scratch.kappa[cell] = (level + slope * log_ratio).exp();
            self.scratch.floor[cell] =
                cells.best_loss[cell] - cells.gap[cell] * state.values[self.floor_gap + cell];
        }
        self.scratch.by_log_kappa.fill(0.0);
        let shared = Shared {
            valley: Valley::new(state.values[self.rate], state.values[self.asymmetry]),
            noise: state.values[self.noise],
            shape_error: state.values[self.shape_error],
        };
        let total = self.finished(shared, cells, &observed.finished, state)
            + self.walls(&observed.wall, state)
            + self.censored(shared, cells, &observed.censored, state);
        for (cell, &by) in self.scratch.by_log_kappa.iter().enumerate() {
            *state.by_group(self.curvature, cells.group[cell]) += by;
            state.adjoint[self.slope] += by * (cells.log_batch_size[cell] - cells.log_reference);
        }
        total
    }

    fn finished(&mut self, shared: Shared, cells: &Cells, runs: &Runs, state: &mut State) -> f64 {
        let Scratch { losses, finished, kappa, floor, .. } = &mut self.scratch;
        for (cell, of_cell) in finished.iter().enumerate() {
            let optimum = state.values[self.optimum + cell];
            let seen = runs.log_learning_rate[of_cell.clone()].iter().zip(&runs.value[of_cell.clone()]);
            let distance = losses.distance[of_cell.clone()].iter_mut();
            let found = distance.zip(&mut losses.above_floor[of_cell.clone()]);
            for ((log_learning_rate, loss), (distance, above_floor)) in seen.zip(found) {
                *distance = log_learning_rate - optimum;
                *above_floor = loss - floor[cell];
            }
            losses.kappa[of_cell.clone()].fill(kappa[cell]);
        }
        dispatch(OfLosses(shared, losses));
        self.collect(cells, state)
    }

    /// Carry the derivatives of the losses back to the variables, and sum their densities.
    fn collect(&mut self, cells: &Cells, state: &mut State) -> f64 {
        let Scratch { losses, finished, by_log_kappa, .. } = &mut self.scratch;
        for (cell, of_cell) in finished.iter().enumerate() {
            let total = |values: &[f64]| values[of_cell.clone()].iter().sum::<f64>();
            state.adjoint[self.optimum + cell] -= total(&losses.by_distance);
            state.adjoint[self.floor_gap + cell] -= total(&losses.by_floor) * cells.gap[cell];
            by_log_kappa[cell] += total(&losses.by_log_kappa);
        }
        state.adjoint[self.noise] += sum(&losses.by_noise);
        state.adjoint[self.shape_error] += sum(&losses.by_shape_error);
        state.adjoint[self.rate] += sum(&losses.by_log_rate) / state.values[self.rate];
        state.adjoint[self.asymmetry] += sum(&losses.by_asymmetry);
        sum(&losses.value)
    }

    fn walls(&mut self, runs: &Runs, state: &mut State) -> f64 {
        let (wall, inverse_width) = (state.values[self.wall], 1.0 / state.values[self.wall_width]);
        let Scratch { outcomes, at_wall, .. } = &mut self.scratch;
        for (cell, of_cell) in at_wall.iter().enumerate() {
            let nearest = state.values[self.optimum + cell] + wall;
            let logits = outcomes.logit[of_cell.clone()].iter_mut();
            for (logit, log_learning_rate) in logits.zip(&runs.log_learning_rate[of_cell.clone()]) {
                *logit = (log_learning_rate - nearest) * inverse_width;
            }
        }
        dispatch(OfOutcomes(outcomes));
        let (mut by_wall, mut by_width) = (0.0, 0.0);
        for (cell, of_cell) in at_wall.iter().enumerate() {
            let (mut by_logit, mut by_scale) = (0.0, 0.0);
            for (by, logit) in outcomes.by_logit[of_cell.clone()].iter().zip(&outcomes.logit[of_cell.clone()])
            {
                by_logit += by;
                by_scale += by * logit;
            }
            state.adjoint[self.optimum + cell] -= by_logit * inverse_width;
            by_wall -= by_logit;
            by_width -= by_scale;
        }
        state.adjoint[self.wall] += by_wall * inverse_width;
        state.adjoint[self.wall_width] += by_width * inverse_width;
        sum(&outcomes.value)
    }

    /// log(π + (1 − π) S), π being the probability of divergence and S that of a loss beyond the threshold.
    fn censored(&mut self, shared: Shared, cells: &Cells, runs: &Runs, state: &mut State) -> f64 {
        let Shared { valley, noise, shape_error } = shared;
        let (wall, width) = (state.values[self.wall], state.values[self.wall_width]);
        let mut total = 0.0;
        for (i, &cell) in runs.cell.iter().enumerate() {
            let slot = self.optimum + cell;
            let distance = runs.log_learning_rate[i] - state.values[slot];
            let partials = valley.partials::<Plain>(distance);
            let depth = self.scratch.kappa[cell] * partials.value;
            let sd = (noise * noise + (shape_error * depth).powi(2) + runs.se[i] * runs.se[i]).sqrt();
            let t = (runs.value[i] - self.scratch.floor[cell] - depth) / sd;
            let (survival, by_t) = student::log_survival(t);

            let logit = (distance - wall) / width;
            let either = student::log_either(logit, survival);
            total += either - softplus::<Plain>(logit);
            let share = (logit - either).exp();
            let by_logit = (share - logistic::<Plain>(logit)) / width;
            state.adjoint[self.wall] -= by_logit;
            state.adjoint[self.wall_width] -= by_logit * logit;

            let (by_mean, by_sd) = (-(1.0 - share) * by_t / sd, -(1.0 - share) * by_t * t / sd);
            let by_depth = by_mean + by_sd * shape_error * shape_error * depth / sd;
            let by_height = by_depth * self.scratch.kappa[cell];
            self.scratch.by_log_kappa[cell] += by_depth * depth;
            state.adjoint[slot] -= by_height * partials.by_distance + by_logit;
            state.adjoint[self.floor_gap + cell] -= by_mean * cells.gap[cell];
            state.adjoint[self.noise] += by_sd * noise / sd;
            state.adjoint[self.shape_error] += by_sd * shape_error * depth * depth / sd;
            state.adjoint[self.rate] += by_height * partials.by_log_rate / state.values[self.rate];
            state.adjoint[self.asymmetry] += by_height * partials.by_asymmetry;
        }
        total
    }
}

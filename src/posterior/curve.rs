//! The law, and the optima of all cells around it.

use std::ops::Range;

use super::observed::Observed;
use super::prior::HALF_LOG_TAU;
use super::process::Blocks;
use super::state::State;
use crate::law::Law;

/// `log lr*(cell) ~ GP(log lr_ref + shape(x) − shape(x_ref), τ²)`.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    law: &'static dyn Law,
    /// Pooled parameter: the law at the reference batch size.
    reference: usize,
    /// Pooled parameters of the law but its scale, in its order.
    parameters: Vec<usize>,
    /// Slot of the process's scale.
    scale: usize,
    /// First slot of the optima.
    pub optimum: usize,
    whitening: Blocks,
    log_determinant: f64,
    groups: Vec<Group>,
    innovation: Vec<f64>,
    away: Vec<f64>,
    by_away: Vec<f64>,
    theta: Vec<f64>,
}

/// The cells of a group, and the law there.
#[derive(Debug, Clone)]
struct Group {
    cells: Range<usize>,
    /// log B at the reference, and then of every cell.
    log_batch_size: Vec<f64>,
    values: Vec<f64>,
    /// Shape (parameter, batch size).
    slopes: Vec<f64>,
}

impl Curve {
    pub fn new(
        law: &'static dyn Law,
        reference: usize,
        parameters: Vec<usize>,
        scale: usize,
        optimum: usize,
        observed: &Observed,
    ) -> Self {
        let cells = &observed.cells;
        let count = cells.group.len();
        let group = |of_group: Range<usize>| {
            let there = cells.log_batch_size[of_group.clone()].iter().copied();
            let log_batch_size: Vec<f64> = std::iter::once(cells.log_reference).chain(there).collect();
            let columns = log_batch_size.len();
            let slopes = vec![0.0; (parameters.len() + 1) * columns];
            Group { cells: of_group, log_batch_size, values: vec![0.0; columns], slopes }
        };
        Self {
            law,
            reference,
            scale,
            optimum,
            whitening: observed.blocks(&cells.whitening),
            log_determinant: cells.log_determinant,
            groups: observed.of_groups().into_iter().map(group).collect(),
            innovation: vec![0.0; count],
            away: vec![0.0; count],
            by_away: vec![0.0; count],
            theta: vec![0.0; parameters.len() + 1],
            parameters,
        }
    }

    /// Terms of the log density that depend on no variable.
    pub fn constant(&self, cells: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count of cells")]
        let count = cells as f64;
        self.log_determinant - count * HALF_LOG_TAU
    }

    pub fn add(&mut self, state: &mut State) -> f64 {
        self.follow(state);
        let tau = state.values[self.scale];
        let over_square = 1.0 / (tau * tau);
        self.whitening.times(&self.away, &mut self.innovation);
        let squares: f64 = self.innovation.iter().map(|z| z * z).sum::<f64>() * over_square;
        #[expect(clippy::cast_precision_loss, reason = "a count of cells")]
        let count = self.away.len() as f64;
        state.adjoint[self.scale] += (squares - count) / tau;

        self.by_away.fill(0.0);
        self.whitening.add_transposed(-over_square, &self.innovation, &mut self.by_away);
        for (number, group) in self.groups.iter().enumerate() {
            let by_away = &self.by_away[group.cells.clone()];
            let total: f64 = by_away.iter().sum();
            *state.by_group(self.reference, number) -= total;
            let rows = group.slopes.chunks(group.values.len()).skip(1);
            for (&parameter, row) in self.parameters.iter().zip(rows) {
                let along: f64 = by_away.iter().zip(&row[1..]).map(|(by, slope)| by * slope).sum();
                *state.by_group(parameter, number) -= along - total * row[0];
            }
        }
        let optima = &mut state.adjoint[self.optimum..][..self.by_away.len()];
        optima.iter_mut().zip(&self.by_away).for_each(|(optimum, by)| *optimum += by);
        -0.5 * squares - count * state.values[self.scale].ln()
    }

    /// How far the optimum of every cell is from the law, and the law's derivatives there.
    fn follow(&mut self, state: &State) {
        let optima = &state.values[self.optimum..];
        for (number, group) in self.groups.iter_mut().enumerate() {
            for (theta, &parameter) in self.theta[1..].iter_mut().zip(&self.parameters) {
                *theta = state.group(parameter, number);
            }
            let Group { cells, log_batch_size, values, slopes } = group;
            self.law.values_and_gradients(&self.theta, log_batch_size, values, slopes);
            let level = state.group(self.reference, number) - values[0];
            let there = optima[cells.clone()].iter().zip(&values[1..]);
            for (away, (optimum, value)) in self.away[cells.clone()].iter_mut().zip(there) {
                *away = optimum - value - level;
            }
        }
    }
}

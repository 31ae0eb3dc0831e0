//! Observations: runs by the likelihood that they enter, and the cells they belong to.

use std::ops::Range;

use super::process::Blocks;
use crate::error::Error;

/// Runs that enter one likelihood together.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    /// Cell of every run.
    pub cell: Vec<usize>,
    /// Log learning rate; unused by steps.
    pub log_learning_rate: Vec<f64>,
    /// A loss, a censoring threshold, 1 or 0 for diverged or not, log learning rate or log steps.
    pub value: Vec<f64>,
    /// Standard error of the value; zero where none is known.
    pub se: Vec<f64>,
}

impl Runs {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cell.len()
    }

    /// The runs of every cell, where [`Runs::sort`] has been called.
    pub(super) fn of_cells(&self, cells: usize) -> Vec<Range<usize>> {
        stretches(&self.cell, cells)
    }

    /// Put the runs of a cell next to each other.
    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|&i| self.cell[i]);
        self.cell = order.iter().map(|&i| self.cell[i]).collect();
        for column in [&mut self.log_learning_rate, &mut self.value, &mut self.se] {
            *column = order.iter().map(|&i| column[i]).collect();
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cell.is_empty()
    }
}

/// The batch sizes tried, group by group, and what is known of the groups.
#[derive(Debug, Clone)]
pub struct Cells {
    /// log B of every cell, the cells of a group one after another.
    pub log_batch_size: Vec<f64>,
    /// Group of every cell, from 0 on, without gaps.
    pub group: Vec<usize>,
    /// log B at which the law is parametrised.
    pub log_reference: f64,
    /// Centred log covariates, row by row, shape (group, covariate).
    pub covariates: Vec<f64>,
    /// Rows of the lower factor of the process's kernel within each group, and of its inverse, shape (cell, width).
    pub factor: Vec<f64>,
    /// See `factor`.
    pub whitening: Vec<f64>,
    /// log |det| of the inverse factor.
    pub log_determinant: f64,
    /// Loss of the best run of every cell.
    pub best_loss: Vec<f64>,
    /// How far the floor may lie below it.
    pub gap: Vec<f64>,
}

/// A sweep as the model sees it.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Batch sizes of groups.
    pub cells: Cells,
    /// Finished runs and their losses.
    pub finished: Runs,
    /// Finite but huge losses, as thresholds.
    pub censored: Runs,
    /// All runs that could have diverged.
    pub wall: Runs,
    /// Published optima.
    pub optimum: Runs,
    /// Steps to the target.
    pub steps: Runs,
    /// Steps that did not suffice.
    pub censored_steps: Runs,
}

impl Observed {
    /// Number of groups; one where the sweep is not grouped.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.cells.group.last().map_or(1, |last| last + 1)
    }

    /// Whether anything is known of the optimal learning rate.
    #[must_use]
    pub fn has_learning_rates(&self) -> bool {
        !(self.finished.is_empty() && self.optimum.is_empty())
    }

    /// Check that everything fits together, so that nothing below can index out of bounds.
    pub(super) fn check(&self) -> Result<(), Error> {
        let count = self.cells.log_batch_size.len();
        let unsound = |what: &'static str| Err(Error::Observations { what });
        if count == 0 {
            return unsound("there must be at least one cell");
        }
        let width = self.cells.factor.len() / count;
        let groups = &self.cells.group;
        if groups.len() != count
            || groups[0] != 0
            || groups.windows(2).any(|w| w[1] != w[0] && w[1] != w[0] + 1)
        {
            return unsound("cells must be sorted by group, the groups numbered from 0 without gaps");
        }
        if self.cells.factor.len() != count * width || self.cells.whitening.len() != count * width {
            return unsound("the rows of the process must be as many as the cells");
        }
        if self.first_of_group().iter().enumerate().any(|(cell, first)| cell - first >= width) {
            return unsound("the rows of the process must be as wide as the largest group");
        }
        if !self.cells.covariates.len().is_multiple_of(self.groups()) {
            return unsound("every group must have the same covariates");
        }
        let per_cell = [&self.cells.best_loss, &self.cells.gap];
        if !self.finished.is_empty() && per_cell.iter().any(|values| values.len() != count) {
            return unsound("every cell must have a best loss and a gap");
        }
        let all =
            [&self.finished, &self.censored, &self.wall, &self.optimum, &self.steps, &self.censored_steps];
        for runs in all {
            let lengths = [runs.log_learning_rate.len(), runs.value.len(), runs.se.len()];
            if lengths.iter().any(|&length| length != runs.len()) {
                return unsound("the columns of the runs must be equally long");
            }
            if runs.cell.iter().any(|&cell| cell >= count) {
                return unsound("every run must belong to a cell");
            }
        }
        Ok(())
    }

    /// Put the runs of a cell next to each other.
    pub(super) fn sort(&mut self) {
        for runs in [&mut self.finished, &mut self.wall] {
            runs.sort();
        }
    }

    /// The cells of every group.
    pub(super) fn of_groups(&self) -> Vec<Range<usize>> {
        stretches(&self.cells.group, self.groups())
    }

    fn first_of_group(&self) -> Vec<usize> {
        self.of_groups().into_iter().flat_map(|cells| std::iter::repeat_n(cells.start, cells.len())).collect()
    }

    pub(super) fn blocks(&self, rows: &[f64]) -> Blocks {
        let width = rows.len() / self.cells.log_batch_size.len();
        Blocks { first: self.first_of_group(), width, rows: rows.to_vec() }
    }
}

/// Where each of the numbers from 0 on stands among sorted ones.
fn stretches(sorted: &[usize], count: usize) -> Vec<Range<usize>> {
    let start = |number: usize| sorted.partition_point(|&other| other < number);
    (0..count).map(|number| start(number)..start(number + 1)).collect()
}

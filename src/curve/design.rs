//! Which minibatches are drawn, and which rows of numbers a pass over a tile makes of them.

use std::ops::Range;

use crate::error::{Error, require};

/// Parts of the rows from which the theory is estimated without bias: two give moments, the third gives curvature.
pub const THIRDS: usize = 3;

/// The minibatches of a pass, as a caller describes them.
#[derive(Debug, Clone, Copy)]
pub struct Minibatches<'a> {
    /// The rows of the dump that take part, in an order that has nothing to do with them. A position is a place in it.
    pub order: &'a [usize],
    /// Neighbouring positions make so many groups of nearly equal size, a multiple of three.
    pub groups: usize,
    /// Positions, one run of as many as the largest batch has for each resample.
    pub permutations: &'a [u32],
    /// Rows of a minibatch, ascending: the first so many positions of every run.
    pub sizes: &'a [usize],
    /// Batch sizes of the theory, in rows; those of `sizes` first, in the same order.
    pub theory: &'a [f64],
}

/// Minibatches that were checked, and the layout of the matrix of a tile: one row for each direction, then those of the
/// theory.
#[derive(Debug)]
pub struct Design {
    /// The row at each position.
    pub order: Vec<usize>,
    /// Positions of each group.
    pub groups: Vec<Range<usize>>,
    /// Positions of every resample, one after another.
    pub permutations: Vec<u32>,
    /// Rows of a minibatch, ascending.
    pub sizes: Vec<usize>,
    /// Batch sizes of the theory.
    pub theory: Vec<f64>,
}

impl Design {
    /// Check a description for a dump of so many rows.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] and [`Error::Value`] where it contradicts itself.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts and numbers of rows"
    )]
    pub fn new(rows: usize, asked: &Minibatches<'_>) -> Result<Self, Error> {
        let count = asked.order.len();
        let mut met = vec![false; rows];
        let order: Vec<f64> = asked.order.iter().map(|&row| row as f64).collect();
        require("order", "rows of the dump, each at most once", &order, |row| {
            met.get_mut(row as usize).is_some_and(|met| !std::mem::replace(met, true))
        })?;
        let shape = |argument, expected: &str, found: usize| {
            Err(Error::Shape { argument, expected: expected.to_owned(), found: found.to_string() })
        };
        if asked.groups == 0 || !asked.groups.is_multiple_of(THIRDS) || asked.groups > count {
            return shape("groups", "a multiple of three, at most the number of rows", asked.groups);
        }
        let sizes: Vec<f64> = asked.sizes.iter().map(|&size| size as f64).collect();
        let mut last = 0.0;
        require("sizes", "ascending and less than the number of rows", &sizes, |size| {
            size > std::mem::replace(&mut last, size) && size < count as f64
        })?;
        require("theory", "positive and finite", asked.theory, |size| size > 0.0 && size < f64::INFINITY)?;
        if asked.theory.len() < sizes.len() || asked.theory[..sizes.len()] != sizes {
            return shape("theory", "the sizes first, then others", asked.theory.len());
        }
        let largest = asked.sizes.last().copied().unwrap_or(0);
        if (largest == 0 && !asked.permutations.is_empty())
            || (largest > 0 && !asked.permutations.len().is_multiple_of(largest))
        {
            return shape("permutations", "(resample, largest size)", asked.permutations.len());
        }
        let mut seen = vec![usize::MAX; count];
        for (resample, run) in asked.permutations.chunks(largest.max(1)).enumerate() {
            let run: Vec<f64> = run.iter().copied().map(f64::from).collect();
            require("permutations", "positions, each at most once in a resample", &run, |position| {
                let seen = seen.get_mut(position as usize);
                seen.is_some_and(|seen| std::mem::replace(seen, resample) != resample)
            })?;
        }
        let cut = |group: usize| group * count / asked.groups;
        Ok(Self {
            order: asked.order.to_vec(),
            groups: (0..asked.groups).map(|group| cut(group)..cut(group + 1)).collect(),
            permutations: asked.permutations.to_vec(),
            sizes: asked.sizes.to_vec(),
            theory: asked.theory.to_vec(),
        })
    }

    /// Rows that take part.
    pub fn rows(&self) -> usize {
        self.order.len()
    }

    /// Rows of the largest minibatch.
    pub fn largest(&self) -> usize {
        self.sizes.last().copied().unwrap_or(0)
    }

    /// Minibatches of each size.
    pub fn resamples(&self) -> usize {
        self.permutations.len() / self.largest().max(1)
    }

    /// The positions of one resample.
    pub fn permutation(&self, resample: usize) -> &[u32] {
        &self.permutations[resample * self.largest()..][..self.largest()]
    }

    /// Directions: the sizes of the first resample, then those of the second, …
    pub fn directions(&self) -> usize {
        self.resamples() * self.sizes.len()
    }

    /// Rows of the matrix: directions; then for every batch size of the theory the expected signs of all rows, and
    /// those of the three thirds; then the means over deviations of the thirds, the signs of the means, and for every
    /// batch size of the theory how its numerator moves with the means, and the approximate expected signs.
    pub fn matrix_rows(&self) -> usize {
        self.approximate(self.theory.len())
    }

    /// The row of the expected signs at a batch size of the theory.
    pub fn expected(&self, batch: usize) -> usize {
        self.directions() + batch
    }

    /// The row of the expected signs that a third gives.
    pub fn expected_of(&self, batch: usize, third: usize) -> usize {
        self.expected(self.theory.len()) + THIRDS * batch + third
    }

    /// The row of the means over deviations of a third.
    pub fn ratios_of(&self, third: usize) -> usize {
        self.expected_of(self.theory.len(), third)
    }

    /// The row of the signs of the means.
    pub fn mean_signs(&self) -> usize {
        self.ratios_of(THIRDS)
    }

    /// The row of the derivative of the theory's numerator.
    pub fn influence(&self, batch: usize) -> usize {
        self.mean_signs() + 1 + batch
    }

    /// The row of the approximate expected signs.
    pub fn approximate(&self, batch: usize) -> usize {
        self.influence(self.theory.len()) + batch
    }

    /// Rows of a third.
    pub fn third(&self, third: usize) -> Range<usize> {
        let of = self.groups.len() / THIRDS;
        self.groups[third * of].start..self.groups[third * of + of - 1].end
    }
}

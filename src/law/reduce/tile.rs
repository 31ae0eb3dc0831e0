//! The optimum of every draw at a few batch sizes, one batch size after another.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::error::{Error, require_shape};
use crate::law::batch::{Draws, prepare};
use crate::law::columns::ColumnTable;
use crate::law::{Law, Output};

/// Batch sizes in a tile: with a few thousand draws it stays in the second-level cache.
const WIDTH: usize = 32;

/// `log ε(B)` of every draw, plus an offset of each draw at each batch size.
pub struct Curves<'a> {
    law: &'a dyn Law,
    draws: Draws<'a>,
    table: ColumnTable,
    offset: Option<ArrayView2<'a, f64>>,
}

impl<'a> Curves<'a> {
    /// Check the arguments; `offset`, if any, has shape (draw, `batch_size`).
    pub fn new(
        law: &'a dyn Law,
        parameters: ArrayView2<'a, f64>,
        log_batch_size: ArrayView1<'_, f64>,
        offset: Option<ArrayView2<'a, f64>>,
    ) -> Result<Self, Error> {
        let draws = Draws::new(law, parameters)?;
        let table = prepare(log_batch_size)?;
        require_shape(
            "parameters",
            "(draw, …) with at least one draw",
            &[draws.len().max(1)],
            &[draws.len()],
        )?;
        if let Some(offset) = offset {
            require_shape("offset", "(draw, batch_size)", &[draws.len(), table.len()], offset.shape())?;
        }
        Ok(Self { law, draws, table, offset })
    }

    /// Number of draws.
    pub fn draws(&self) -> usize {
        self.draws.len()
    }

    /// Number of batch sizes.
    pub fn batch_sizes(&self) -> usize {
        self.table.len()
    }

    /// log B of one batch size.
    pub fn log_batch_size(&self, index: usize) -> f64 {
        self.table.slice(index..index + 1).log_batch_size[0]
    }

    /// Reduce every batch size: `reduce(index, optima of all draws)`, in parallel, results in order.
    pub fn reduce<T: Send>(&self, reduce: impl Fn(usize, &mut [f64]) -> T + Sync) -> Vec<T> {
        let width = (self.table.len() / 8).clamp(1, WIDTH);
        let starts: Vec<usize> = (0..self.table.len()).step_by(width).collect();
        let tiles = starts.into_par_iter().map(|start| {
            let range = start..(start + width).min(self.table.len());
            let mut tile = self.tile(range.clone());
            let columns = tile.par_chunks_mut(self.draws.len()).zip(range);
            columns.map(|(optima, index)| reduce(index, optima)).collect::<Vec<T>>()
        });
        tiles.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// Optima with shape (batch size, draw).
    fn tile(&self, range: Range<usize>) -> Vec<f64> {
        let (draws, width) = (self.draws.len(), range.len());
        let mut tile = vec![0.0; draws * width];
        let mut row = [0.0; WIDTH];
        let columns = self.table.slice(range.clone());
        for (draw, parameters) in self.draws.iter().enumerate() {
            self.law.row(parameters, columns, Output::Cached(&mut row[..width]));
            for (position, (value, index)) in row.iter().zip(range.clone()).enumerate() {
                let offset = self.offset.map_or(0.0, |offset| offset[[draw, index]]);
                tile[position * draws + draw] = value + offset;
            }
        }
        tile
    }
}

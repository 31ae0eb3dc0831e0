//! Draws × batch sizes, evaluated in parallel into a slice that the caller owns.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::columns::ColumnTable;
use super::{Law, Output};
use crate::error::{Error, require, require_shape};
use crate::simd::stream;

/// Values that one task computes before another may take over.
const TASK: usize = 32_768;

/// Draws of a law's parameters, checked and in row order.
pub(super) struct Draws<'a> {
    values: std::borrow::Cow<'a, [f64]>,
    width: usize,
}

impl<'a> Draws<'a> {
    pub(super) fn new(law: &dyn Law, parameters: ArrayView2<'a, f64>) -> Result<Self, Error> {
        let width = law.parameters().len();
        let axes = format!("(draw, parameter of '{}')", law.name());
        require_shape("parameters", &axes, &[parameters.nrows(), width], parameters.shape())?;
        require("parameters", "finite", parameters, f64::is_finite)?;
        let values = match parameters.to_slice() {
            Some(slice) => slice.into(),
            None => parameters.iter().copied().collect::<Vec<_>>().into(),
        };
        Ok(Self { values, width })
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() / self.width
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }
}

/// Check the batch sizes and prepare them.
pub(super) fn prepare(log_batch_size: ArrayView1<'_, f64>) -> Result<ColumnTable, Error> {
    require("log_batch_size", "finite", log_batch_size, f64::is_finite)?;
    Ok(ColumnTable::new(log_batch_size.to_vec()))
}

/// log ε of every draw at every batch size, row by row.
///
/// `parameters` has shape (draw, parameter), `out` holds draws × batch sizes.
///
/// # Errors
/// A wrong shape, or a number that is not finite.
pub fn evaluate(
    law: &dyn Law,
    parameters: ArrayView2<'_, f64>,
    log_batch_size: ArrayView1<'_, f64>,
    out: &mut [f64],
) -> Result<(), Error> {
    let draws = Draws::new(law, parameters)?;
    let table = prepare(log_batch_size)?;
    require_shape("out", "(draw, batch_size), flattened", &[draws.len() * table.len()], &[out.len()])?;
    if out.is_empty() {
        return Ok(());
    }
    let streamed = out.len() >= stream::STREAMED;
    let rows = (TASK / table.len()).max(1);
    out.par_chunks_mut(rows * table.len()).zip(draws.values.par_chunks(rows * draws.width)).for_each(
        |(block, draws_of_block)| {
            let rows_of_block = block.chunks_exact_mut(table.len());
            for (row, draw) in rows_of_block.zip(draws_of_block.chunks_exact(draws.width)) {
                let output = if streamed { Output::Streamed(row) } else { Output::Cached(row) };
                law.row(draw, table.slice(0..table.len()), output);
            }
            stream::finish();
        },
    );
    Ok(())
}

/// Derivatives of log ε with respect to the parameters, for every draw at every batch size.
///
/// `out` holds draws × batch sizes × parameters.
///
/// # Errors
/// A wrong shape, or a number that is not finite.
pub fn gradient(
    law: &dyn Law,
    parameters: ArrayView2<'_, f64>,
    log_batch_size: ArrayView1<'_, f64>,
    out: &mut [f64],
) -> Result<(), Error> {
    let draws = Draws::new(law, parameters)?;
    let table = prepare(log_batch_size)?;
    let width = draws.width;
    let cells = draws.len() * table.len() * width;
    require_shape("out", "(draw, batch_size, parameter), flattened", &[cells], &[out.len()])?;
    if out.is_empty() {
        return Ok(());
    }
    let columns = table.slice(0..table.len());
    out.par_chunks_mut(table.len() * width).zip(draws.values.par_chunks(width)).for_each(|(block, draw)| {
        for (cell, &log_batch_size) in block.chunks_exact_mut(width).zip(columns.log_batch_size) {
            law.gradient(draw, log_batch_size, cell);
        }
    });
    Ok(())
}

/// One number (or a few) for every draw: its peak, its supremum, its limits.
///
/// # Errors
/// A wrong shape, or a number that is not finite.
pub fn per_draw<T>(
    law: &dyn Law,
    parameters: ArrayView2<'_, f64>,
    property: impl Fn(&dyn Law, &[f64]) -> T,
) -> Result<Vec<T>, Error> {
    Ok(Draws::new(law, parameters)?.iter().map(|draw| property(law, draw)).collect())
}

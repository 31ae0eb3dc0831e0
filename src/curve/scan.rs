//! Passes over all tensors: in parallel, with bounded memory, and the same for any number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::design::{Design, Minibatches};
use super::direction::{Optimizer, State};
use super::sums::{BatchSums, DirectionSums};
use super::tile::{Pass, Task, Tile};
use crate::error::{Error, require_shape};
use crate::numeric::Rows;
use crate::simd::dispatch;

/// Columns of a tile.
const TILE: usize = 512;
/// Tiles of a unit of work; one in tests, so that small data has many.
const TILES: usize = if cfg!(test) { 1 } else { 16 };
/// Bytes of results in flight, unless one unit per thread needs more.
const SCRATCH: usize = 64 << 20;
/// Bytes of data between two reports of progress.
const WAVE: usize = 1 << 28;

/// Optimizer, state and curvature that make the directions.
#[derive(Debug, Clone, Copy)]
pub struct Directions<'a> {
    /// The rule.
    pub optimizer: Optimizer,
    /// State of the optimizer.
    pub state: State<'a>,
    /// Hᵢᵢ of every parameter, all tensors one after another; empty for the mean squares of the gradients.
    pub diagonal: &'a [f32],
    /// Stored numbers times this are gradients.
    pub scale: f32,
    /// Products of the directions with every gradient too: what the empirical Fisher needs.
    pub fisher: bool,
}

/// Sum over all parameters what the directions of minibatches say. `progress` hears how many bytes are done and answers
/// whether to go on.
///
/// # Errors
///
/// [`Error::Shape`] and [`Error::Value`] for a malformed request; [`Error::Stopped`] on request.
pub fn scan_directions(
    tensors: &[Rows<'_>],
    minibatches: &Minibatches<'_>,
    asked: &Directions<'_>,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<(DirectionSums, Vec<BatchSums>), Error> {
    let design = checked(tensors, minibatches, asked)?;
    let mut total = DirectionSums::new(&design, asked.fisher);
    let mut found: Vec<BatchSums> = tensors.iter().map(|_| BatchSums::new(&design)).collect();
    let results = 8 * (total.own.len() + total.groups.len() + total.rows.len()) + 8 * design.directions();
    let work = |unit: &Unit| {
        let (mut sums, mut tensor) = (DirectionSums::new(&design, asked.fisher), BatchSums::new(&design));
        let mut tile = Tile::new(task(&design, asked), TILE);
        for (columns, first) in unit.tiles() {
            tile.load(&tensors[unit.tensor], columns.clone());
            let columns = columns.len();
            dispatch(Pass { tile: &mut tile, columns, first, sums: &mut sums, tensor: &mut tensor });
        }
        tile.take_row_products(&mut sums);
        (sums, tensor)
    };
    waves(tensors, &design, results, progress, work, &mut |unit, (sums, tensor)| {
        total.add(&sums);
        found[unit.tensor].add(&tensor);
    })?;
    Ok((total, found))
}

/// Write the rows of the matrix of all parameters to `target`, row-major: the directions, then the rows of the theory.
///
/// # Errors
///
/// As [`scan_directions`]; [`Error::Shape`] for a target of another size.
pub fn directions(
    tensors: &[Rows<'_>],
    minibatches: &Minibatches<'_>,
    asked: &Directions<'_>,
    target: &mut [f32],
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<(), Error> {
    let asked = Directions { fisher: false, ..*asked };
    let design = checked(tensors, minibatches, &asked)?;
    let (rows, parameters) = (design.matrix_rows(), tensors.iter().map(Rows::columns).sum::<usize>());
    require_shape("target", "(rows · parameters,)", &[rows * parameters], &[target.len()])?;
    let work = |unit: &Unit| {
        let (mut sums, mut tensor) = (DirectionSums::new(&design, false), BatchSums::new(&design));
        let mut tile = Tile::new(task(&design, &asked), TILE);
        let mut found = Vec::with_capacity(rows * unit.columns.len());
        for (columns, first) in unit.tiles() {
            tile.load(&tensors[unit.tensor], columns.clone());
            let columns = columns.len();
            dispatch(Pass { tile: &mut tile, columns, first, sums: &mut sums, tensor: &mut tensor });
            found.extend((0..rows).flat_map(|row| tile.row(row, columns)));
        }
        found
    };
    let results = 4 * rows * TILE * TILES;
    waves(tensors, &design, results, progress, work, &mut |unit, found: Vec<f32>| {
        let mut rest = found.as_slice();
        for (columns, first) in unit.tiles() {
            for row in 0..rows {
                let (piece, later) = rest.split_at(columns.len());
                target[row * parameters + first..][..columns.len()].copy_from_slice(piece);
                rest = later;
            }
        }
    })
}

/// Neighbouring columns of one tensor.
struct Unit {
    tensor: usize,
    columns: Range<usize>,
    /// Parameters of the tensors before it.
    before: usize,
}

impl Unit {
    /// The columns of its tiles, and the first of them among the parameters of all tensors.
    fn tiles(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let (end, before) = (self.columns.end, self.before);
        self.columns.clone().step_by(TILE).map(move |start| (start..end.min(start + TILE), before + start))
    }
}

fn task<'a>(design: &'a Design, asked: &Directions<'a>) -> Task<'a> {
    let Directions { optimizer, state, diagonal, scale, fisher } = *asked;
    Task { design, optimizer, state, diagonal, scale, fisher }
}

fn checked(
    tensors: &[Rows<'_>],
    minibatches: &Minibatches<'_>,
    asked: &Directions<'_>,
) -> Result<Design, Error> {
    let rows = tensors.first().map_or(0, |tensor| tensor.rows().len());
    for tensor in tensors {
        require_shape("tensors", "(rows,) of every tensor", &[rows], &[tensor.rows().len()])?;
    }
    let parameters: usize = tensors.iter().map(Rows::columns).sum();
    let State { first, second, weights, .. } = asked.state;
    for (argument, values) in
        [("first", first), ("second", second), ("weights", weights), ("diagonal", asked.diagonal)]
    {
        if !values.is_empty() {
            require_shape(argument, "(parameters,)", &[parameters], &[values.len()])?;
        }
    }
    if matches!(asked.optimizer, Optimizer::Adam { .. }) {
        require_shape("first", "(parameters,)", &[parameters], &[first.len()])?;
        require_shape("second", "(parameters,)", &[parameters], &[second.len()])?;
    }
    Design::new(rows, minibatches)
}

/// Compute units in parallel, fold their results in order.
fn waves<T: Send>(
    tensors: &[Rows<'_>],
    design: &Design,
    results: usize,
    progress: &mut dyn FnMut(u64) -> bool,
    work: impl Fn(&Unit) -> T + Sync,
    fold: &mut dyn FnMut(&Unit, T),
) -> Result<(), Error> {
    let mut units = Vec::new();
    let mut before = 0;
    for (tensor, rows) in tensors.iter().enumerate() {
        let columns = rows.columns();
        let starts = (0..columns).step_by(TILE * TILES);
        units.extend(starts.map(|start| {
            let columns = start..columns.min(start + TILE * TILES);
            Unit { tensor, columns, before }
        }));
        before += columns;
    }
    let bytes = |unit: &Unit| design.rows() * unit.columns.len() * tensors[unit.tensor].dtype().size();
    let threads = rayon::current_num_threads();
    let widest = (WAVE / (design.rows() * TILE * TILES * 4)).max(1);
    let length = (SCRATCH / results.max(1)).min(widest).max(threads);
    let mut done = 0;
    for wave in units.chunks(length) {
        let found: Vec<T> = wave.par_iter().with_max_len(1).map(&work).collect();
        for (unit, found) in wave.iter().zip(found) {
            fold(unit, found);
            done += bytes(unit) as u64;
        }
        if !progress(done) {
            return Err(Error::Stopped);
        }
    }
    Ok(())
}

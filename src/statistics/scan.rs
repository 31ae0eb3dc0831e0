//! The scan: every tensor of a dump in one pass over memory, in parallel, with bounded scratch.
//!
//! Tensors are cut into units of columns; the cuts depend on the numbers of rows and columns alone. Units are computed
//! in waves, in parallel, and folded in order, so that results do not depend on the number of threads.

use std::collections::BTreeSet;
use std::ops::Range;

use rayon::prelude::*;

use super::plan::Plan;
use super::request::Request;
use super::sums::Sums;
use super::unit::{Partial, unit};
use crate::error::Error;
use crate::numeric::Rows;

/// Bytes of results in flight, unless one unit per thread needs more.
const SCRATCH: usize = 12 << 20;
/// Bytes of data between two reports of progress.
const WAVE: usize = 1 << 29;

/// Results of a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct Scanned {
    /// One per tensor.
    pub sums: Vec<Sums>,
    /// Rows of the dump that hold a number that is not finite, in any tensor. Where there are any, all sums but the
    /// counts of elements, and whatever a sink received, are meaningless: scan again without these rows.
    pub non_finite_rows: Vec<usize>,
}

/// Receives results per parameter.
pub trait Sink {
    /// Mean, unbiased variance and, with shapes, third and fourth central moments (otherwise empty) of neighbouring
    /// parameters of a tensor, from parameter `first` on. Called in the order of tensors and parameters.
    ///
    /// With weights b, the variance is that of one example, Σ b(g − ḡ)²/(N − 1), and the higher moments are means over
    /// rows of powers of √b·(g − ḡ).
    ///
    /// # Errors
    ///
    /// Whatever keeps the sink from going on; the scan stops with it.
    fn unit(
        &mut self,
        tensor: usize,
        first: usize,
        mean: &[f32],
        variance: &[f32],
        third: &[f32],
        fourth: &[f32],
    ) -> Result<(), Error>;
}

/// Sum the kept rows of every tensor. `progress` hears how many bytes are done and answers whether to go on.
///
/// # Errors
///
/// [`Error::Shape`] and [`Error::Value`] for tensors of another number of rows than `keep`, fewer than two kept rows, or
/// a malformed request; [`Error::Stopped`] on request; what the sink returns.
pub fn scan(
    tensors: &[Rows<'_>],
    keep: &[bool],
    request: &Request<'_>,
    mut sink: Option<&mut dyn Sink>,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Scanned, Error> {
    for (index, tensor) in tensors.iter().enumerate() {
        if tensor.rows().len() != keep.len() {
            return Err(Error::Shape {
                argument: "tensors",
                expected: format!("(rows, columns) with rows = {}, as 'keep' has", keep.len()),
                found: format!("{} rows in tensor {index}", tensor.rows().len()),
            });
        }
    }
    let plan = Plan::new(keep, request)?;
    let units: Vec<(usize, Range<usize>)> = tensors
        .iter()
        .enumerate()
        .flat_map(|(tensor, rows)| {
            let columns = rows.columns();
            let starts = (0..columns).step_by(plan.unit_columns);
            starts.map(move |start| (tensor, start..columns.min(start + plan.unit_columns)))
        })
        .collect();
    let new = || Sums::new(0, plan.order.len(), plan.groups, plan.shape);
    let mut sums: Vec<Sums> = tensors.iter().map(|_| new()).collect();
    let mut non_finite = BTreeSet::new();
    let mut bytes = 0_u64;
    let bytes_of = |(tensor, columns): &(usize, Range<usize>)| {
        plan.order.len() * columns.len() * tensors[*tensor].dtype().size()
    };
    let with_parameters = sink.is_some();
    let mut rest = units.as_slice();
    while !rest.is_empty() {
        let (wave, later) = rest.split_at(wave_length(&plan, rest.iter().map(bytes_of), with_parameters));
        rest = later;
        let partials: Vec<Partial> = wave
            .par_iter()
            .with_max_len(1)
            .map(|(tensor, columns)| unit(&plan, &tensors[*tensor], columns.clone(), with_parameters))
            .collect();
        for ((tensor, columns), partial) in wave.iter().zip(partials) {
            sums[*tensor].add_ranked(&partial.sums, Some(&plan.ranks));
            non_finite.extend(partial.non_finite.iter().map(|&position| plan.order[position]));
            if let (Some(sink), Some(found)) = (&mut sink, &partial.parameters) {
                let first = columns.start;
                sink.unit(*tensor, first, &found.mean, &found.variance, &found.third, &found.fourth)?;
            }
        }
        bytes += wave.iter().map(bytes_of).sum::<usize>() as u64;
        if !progress(bytes) {
            return Err(Error::Stopped);
        }
    }
    Ok(Scanned { sums, non_finite_rows: non_finite.into_iter().collect() })
}

/// Units to compute before their results are folded: bounded results, bounded time, work for every thread.
fn wave_length(plan: &Plan, bytes: impl ExactSizeIterator<Item = usize>, parameters: bool) -> usize {
    let (units, threads) = (bytes.len(), rayon::current_num_threads());
    let numbers = plan.order.len() * if plan.shape { 4 } else { 2 } + plan.groups;
    let of_parameters = if parameters { 4 * plan.unit_columns } else { 0 };
    let most = SCRATCH / (8 * numbers + 4 * of_parameters);
    let mut total = 0;
    let within = bytes.take(most).take_while(|bytes| {
        total += bytes;
        total <= WAVE
    });
    within.count().max(threads).min(units)
}

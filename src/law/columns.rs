//! Batch sizes, prepared once for all draws.

use std::ops::Range;

use crate::simd::stream;
use crate::simd::{Arithmetic, Kernel, dispatch};

/// Logarithms up to this size (B up to 1e43) may be exponentiated, multiplied and squared without overflow.
const SCALABLE: f64 = 100.0;

/// Whether `e^value` may enter a law's scaled form.
pub fn is_scalable(value: f64) -> bool {
    value.abs() <= SCALABLE
}

/// One batch size.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// log B.
    pub log_batch_size: f64,
    /// 1/B; meaningless where the batch sizes are not scalable.
    pub reciprocal: f64,
}

impl Column {
    /// A single batch size, from its logarithm.
    pub fn new(log_batch_size: f64) -> Self {
        Self { log_batch_size, reciprocal: (-log_batch_size).exp() }
    }
}

/// Batch sizes with what every law needs of them.
#[derive(Debug)]
pub struct ColumnTable {
    log_batch_size: Vec<f64>,
    reciprocal: Vec<f64>,
    scalable: bool,
}

impl ColumnTable {
    /// Prepare batch sizes, given as logarithms.
    pub fn new(log_batch_size: Vec<f64>) -> Self {
        let reciprocal = log_batch_size.iter().map(|x| (-x).exp()).collect();
        let scalable = log_batch_size.iter().copied().all(is_scalable);
        Self { log_batch_size, reciprocal, scalable }
    }

    /// Number of batch sizes.
    pub fn len(&self) -> usize {
        self.log_batch_size.len()
    }

    /// Some of the batch sizes. Whether they are scalable is decided for the whole table, so that a value does
    /// not depend on how the table is cut.
    pub fn slice(&self, range: Range<usize>) -> Columns<'_> {
        Columns {
            log_batch_size: &self.log_batch_size[range.clone()],
            reciprocal: &self.reciprocal[range],
            scalable: self.scalable,
        }
    }
}

/// A view of some batch sizes.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// log B.
    pub log_batch_size: &'a [f64],
    reciprocal: &'a [f64],
    /// Whether every 1/B may be used.
    pub scalable: bool,
}

/// One draw of a law: a curve over batch sizes.
pub trait Curve: Copy {
    /// log ε at one batch size.
    fn at<A: Arithmetic>(self, column: Column) -> f64;
}

/// Where a row is written.
#[derive(Debug)]
pub enum Output<'a> {
    /// To the caches: somebody reads it soon.
    Cached(&'a mut [f64]),
    /// Past the caches; see [`stream`].
    Streamed(&'a mut [f64]),
}

/// Values computed before they are written past the caches: few enough that the processor computes the next ones
/// while it writes.
const BLOCK: usize = 64;

struct Row<'a, C> {
    curve: C,
    columns: Columns<'a>,
    out: Output<'a>,
}

#[inline(always)]
fn evaluate<A: Arithmetic, C: Curve>(curve: C, log_batch_size: &[f64], reciprocal: &[f64], out: &mut [f64]) {
    let inputs = log_batch_size.iter().zip(reciprocal);
    for (value, (&log_batch_size, &reciprocal)) in out.iter_mut().zip(inputs) {
        *value = curve.at::<A>(Column { log_batch_size, reciprocal });
    }
}

impl<C: Curve> Kernel for Row<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Columns { log_batch_size, reciprocal, .. } = self.columns;
        match self.out {
            Output::Cached(out) => evaluate::<A, C>(self.curve, log_batch_size, reciprocal, out),
            Output::Streamed(out) => {
                let mut values = [0.0; BLOCK];
                let inputs = log_batch_size.chunks(BLOCK).zip(reciprocal.chunks(BLOCK));
                for (block, (log_batch_size, reciprocal)) in out.chunks_mut(BLOCK).zip(inputs) {
                    let values = &mut values[..block.len()];
                    evaluate::<A, C>(self.curve, log_batch_size, reciprocal, values);
                    stream::copy(values, block);
                }
            }
        }
    }
}

/// Evaluate one curve at all batch sizes.
pub fn fill<C: Curve>(curve: C, columns: Columns<'_>, out: Output<'_>) {
    dispatch(Row { curve, columns, out });
}

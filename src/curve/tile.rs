//! One tile: all rows of a few columns, the directions of all minibatches, and their products, while it is in the cache.

use std::ops::Range;

use super::convert::convert;
use super::design::{Design, THIRDS};
use super::direction::{Optimizer, State};
use super::prefix::prefix_sums;
use super::products::{Matrix, add_products};
use super::sums::{CurveSums, TensorCurve, add_all};
use super::theory::{Moments, agreement, batch, parameters, ratio};
use crate::law::{Arithmetic, Kernel};
use crate::statistics::{LANES, Lanes, Rows};

/// What a pass computes of every tile.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The minibatches.
    pub design: &'a Design,
    /// The rule.
    pub optimizer: Optimizer,
    /// What it remembers.
    pub state: State<'a>,
    /// Hᵢᵢ of every parameter, all tensors one after another; empty for the mean squares of the gradients.
    pub diagonal: &'a [f32],
    /// Stored numbers times this are gradients.
    pub scale: f32,
    /// Products with every gradient too.
    pub fisher: bool,
}

/// Memory for one tile after another.
pub struct Tile<'a> {
    task: Task<'a>,
    /// Numbers between two rows of the gradients and of the matrix: a row more than the widest tile needs, so that rows
    /// do not share the sets of a cache.
    stride: usize,
    gradients: Vec<f32>,
    matrix: Vec<f32>,
    packed: Vec<Lanes<f32>>,
    own: Vec<Lanes<f32>>,
    group_sums: Vec<f32>,
    group_products: Vec<f32>,
    /// Sums of products with gradients over the tiles of a unit.
    row_products: Vec<f32>,
}

impl<'a> Tile<'a> {
    /// Memory for tiles of up to so many columns, a multiple of sixteen.
    pub fn new(task: Task<'a>, widest: usize) -> Self {
        let (stride, design) = (widest + LANES, task.design);
        let (rows, matrix_rows, groups) = (design.rows(), design.matrix_rows(), design.groups.len());
        Self {
            task,
            stride,
            gradients: vec![0.0; rows * stride],
            matrix: vec![0.0; matrix_rows * stride],
            packed: vec![Lanes([0.0; LANES]); rows],
            own: vec![Lanes([0.0; LANES]); design.directions()],
            group_sums: vec![0.0; groups * stride],
            group_products: vec![0.0; matrix_rows * groups],
            row_products: vec![0.0; if task.fisher { matrix_rows * rows } else { 0 }],
        }
    }

    /// Read some columns of a tensor.
    pub fn load(&mut self, rows: &Rows<'_>, columns: Range<usize>) {
        let (size, width) = (rows.dtype().size(), columns.len());
        for (position, &row) in self.task.design.order.iter().enumerate() {
            let target = &mut self.gradients[position * self.stride..][..width.next_multiple_of(LANES)];
            target[width..].fill(0.0);
            let bytes = &rows.rows()[row][columns.start * size..columns.end * size];
            convert(rows.dtype(), bytes, &mut target[..width]);
            if self.task.scale.to_bits() != 1.0_f32.to_bits() {
                for number in target {
                    *number *= self.task.scale;
                }
            }
        }
    }

    /// A row of the matrix.
    pub fn row(&self, row: usize, columns: usize) -> &[f32] {
        &self.matrix[row * self.stride..][..columns]
    }

    /// Add the products with gradients over the tiles since the last time.
    pub fn take_row_products(&mut self, sums: &mut CurveSums) {
        add_all(&mut sums.rows, &self.row_products);
        self.row_products.fill(0.0);
    }

    #[inline(always)]
    fn directions(&mut self, blocks: usize, first: usize, columns: usize) {
        let (design, sizes) = (self.task.design, self.task.design.sizes.len());
        self.own.fill(Lanes([0.0; LANES]));
        for block in 0..blocks {
            let at = block * LANES;
            for (packed, row) in self.packed.iter_mut().zip(self.gradients.chunks(self.stride)) {
                packed.0 = *row[at..].first_chunk().expect("sixteen columns");
            }
            let state = self.task.state.block(first + at..first + columns.min(at + LANES));
            let (own, matrix, stride, optimizer) =
                (&mut self.own, &mut self.matrix, self.stride, self.task.optimizer);
            prefix_sums(design, &self.packed, |resample, size, sum| {
                let row = resample * sizes + size;
                #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
                let gradient = sum.mul(Lanes::splat(1.0 / design.sizes[size] as f32));
                let direction = optimizer.direction(gradient, &state);
                own[row] = own[row].add(direction.mul(sum));
                *matrix[row * stride + at..].first_chunk_mut().expect("sixteen columns") = direction.0;
            });
        }
    }

    /// Sums of groups, moments, and the rows of the theory.
    #[inline(always)]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "counts; sums of groups"
    )]
    fn moments(&mut self, first: usize, columns: usize, tensor: &mut TensorCurve) {
        let (design, stride) = (self.task.design, self.stride);
        let mut thirds = vec![[0.0_f64; THIRDS]; columns];
        let mut sums = vec![0.0_f64; columns];
        for (group, positions) in design.groups.iter().enumerate() {
            sums.fill(0.0);
            for row in self.gradients[positions.start * stride..positions.end * stride].chunks(stride) {
                add_all(&mut sums, &row[..columns]);
            }
            let third = group / (design.groups.len() / THIRDS);
            thirds.iter_mut().zip(&sums).for_each(|(thirds, sum)| thirds[third] += sum);
            let target = &mut self.group_sums[group * stride..][..columns];
            target.iter_mut().zip(&sums).for_each(|(target, sum)| *target = *sum as f32);
        }
        let rows = design.rows() as f64;
        let means: Vec<f64> = thirds.iter().map(|thirds| thirds.iter().sum::<f64>() / rows).collect();
        let mut squares = vec![0.0_f64; columns];
        for row in self.gradients.chunks(stride) {
            for ((square, mean), &number) in squares.iter_mut().zip(&means).zip(row) {
                let deviation = f64::from(number) - mean;
                *square += deviation * deviation;
            }
        }
        let mut held = Moments { mean: means, ..Moments::default() };
        for (column, &mean) in held.mean.iter().enumerate() {
            let variance = squares[column] / rows;
            held.variance.push(variance);
            held.curvature.push(match self.task.diagonal {
                [] => variance + mean * mean,
                diagonal => f64::from(diagonal[first + column]),
            });
            held.ratios[0].push(ratio(mean, variance));
            for (third, sum) in thirds[column].iter().enumerate() {
                let mean = sum / design.third(third).len() as f64;
                held.ratios[1 + third].push(ratio(mean, variance));
            }
        }
        let mut rest = self.matrix[design.expected(0) * stride..].chunks_mut(stride);
        let mut rows = |count: usize| -> Vec<&mut [f32]> {
            rest.by_ref().take(count).map(|row| &mut row[..columns]).collect()
        };
        let batches = design.theory.len();
        let expected = rows(batches);
        let of_thirds = rows(THIRDS * batches);
        let mut ratios = rows(THIRDS);
        ratios.splice(0..0, rows(1));
        parameters(design, &held, tensor, ratios.try_into().expect("one row and three"));
        let influence = rows(batches);
        let mut of_thirds = of_thirds.into_iter();
        for (index, (expected, influence)) in expected.into_iter().zip(influence).enumerate() {
            let mut rows = vec![expected, influence];
            rows.extend(of_thirds.by_ref().take(THIRDS));
            let rows = rows.try_into().expect("two rows and three");
            batch(design, &held, design.theory[index], &mut tensor.batches[index], rows);
        }
    }

    /// What the signs of the resamples have in common with the theory, and with each other.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "a count of resamples")]
    fn signs(&self, columns: usize, tensor: &mut TensorCurve) {
        let (design, sizes) = (self.task.design, self.task.design.sizes.len());
        let resamples = design.resamples();
        let one_over = 1.0 / resamples as f32;
        let (mut means, mut squares) = (vec![0.0_f32; columns], vec![0.0_f32; columns]);
        for size in 0..sizes {
            means.fill(0.0);
            squares.fill(0.0);
            for resample in 0..resamples {
                let row = self.row(resample * sizes + size, columns);
                let next = self.row((resample + 1) % resamples * sizes + size, columns);
                for ((mean, square), &sign) in means.iter_mut().zip(&mut squares).zip(row) {
                    *mean += sign;
                    *square += sign * sign;
                }
                tensor.overlaps[resample * sizes + size] += product(row, next);
            }
            let expected = self.row(design.expected(size), columns);
            for ((mean, square), &expected) in means.iter().zip(&squares).zip(expected) {
                agreement(one_over * mean, one_over * square, expected, &mut tensor.batches[size]);
            }
        }
    }

    fn products(&mut self, columns: usize, sums: &mut CurveSums) {
        let (design, stride) = (self.task.design, self.stride);
        let left = Matrix { values: &self.matrix, rows: design.matrix_rows(), stride };
        self.group_products.fill(0.0);
        let groups = Matrix { values: &self.group_sums, rows: design.groups.len(), stride };
        add_products(&mut self.group_products, left, groups, columns);
        add_all(&mut sums.groups, &self.group_products);
        if self.task.fisher {
            let gradients = Matrix { values: &self.gradients, rows: design.rows(), stride };
            add_products(&mut self.row_products, left, gradients, columns);
        }
    }
}

/// The product of two rows, in sixteen lanes.
#[inline(always)]
fn product(one: &[f32], other: &[f32]) -> f64 {
    let ((one, last), (other, last_other)) = (one.as_chunks(), other.as_chunks());
    let mut lanes = Lanes([0.0_f32; LANES]);
    for (one, other) in one.iter().zip(other) {
        lanes = lanes.add(Lanes(*one).mul(Lanes(*other)));
    }
    lanes.total() + last.iter().zip(last_other).map(|(a, b)| f64::from(a * b)).sum::<f64>()
}

/// The work on one tile, to be compiled for several instruction sets.
pub struct Pass<'t, 'a> {
    /// The tile, loaded.
    pub tile: &'t mut Tile<'a>,
    /// Its columns.
    pub columns: usize,
    /// The first of them among the parameters of all tensors.
    pub first: usize,
    /// Sums of all tensors.
    pub sums: &'t mut CurveSums,
    /// Sums of this tensor.
    pub tensor: &'t mut TensorCurve,
}

impl Kernel for Pass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { tile, columns, first, sums, tensor } = self;
        tile.directions(columns.div_ceil(LANES), first, columns);
        tile.moments(first, columns, tensor);
        if tile.task.optimizer == Optimizer::Sign && tile.task.design.resamples() > 1 {
            tile.signs(columns, tensor);
        }
        for (sum, lanes) in sums.own.iter_mut().zip(&tile.own) {
            *sum += lanes.total();
        }
        tile.products(columns, sums);
    }
}

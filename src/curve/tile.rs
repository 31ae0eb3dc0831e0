//! One tile: all rows of a few columns, the directions of all minibatches, and their products, while it is in the cache.

use std::ops::Range;

use super::convert::convert;
use super::design::{Design, THIRDS};
use super::direction::{Adam, Block, Optimizer, Rule, Sgd, Sign, State};
use super::dots::add_dots;
use super::moments::Moments;
use super::prefix::{Met, prefix_sums};
use super::products::{Matrix, add_products};
use super::signs::compare;
use super::sums::{BatchSums, DirectionSums, add_all};
use super::theory::{batch, parameters};
use crate::numeric::{LANES, Lanes, Real, Rows};
use crate::simd::{Arithmetic, Kernel};

/// The task of a pass, the same for every tile.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The minibatches.
    pub design: &'a Design,
    /// The rule.
    pub optimizer: Optimizer,
    /// State of the optimizer.
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
    moments: Moments,
    group_sums: Vec<f32>,
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
            moments: Moments::default(),
            group_sums: vec![0.0; groups * stride],
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
    pub fn take_row_products(&mut self, sums: &mut DirectionSums) {
        add_all(&mut sums.rows, &self.row_products);
        self.row_products.fill(0.0);
    }

    /// The directions of all minibatches, the moments and the sums of groups, sixteen columns at a time.
    #[inline(always)]
    fn blocks<R: Rule>(&mut self, rule: R, first: usize, columns: usize) {
        let (design, stride) = (self.task.design, self.stride);
        self.own.fill(Lanes([0.0; LANES]));
        self.moments.clear();
        for at in (0..columns).step_by(LANES) {
            for (packed, row) in self.packed.iter_mut().zip(self.gradients.chunks(stride)) {
                packed.0 = *row[at..].first_chunk().expect("sixteen columns");
            }
            let group_sums = &mut self.group_sums;
            self.moments.add(design, &self.packed, |group, sum| {
                let target = group_sums[group * stride + at..].first_chunk_mut().expect("sixteen columns");
                *target = sum.0.map(f32::narrow);
            });
            let met = Directed {
                rule,
                state: self.task.state.block(first + at..first + columns.min(at + LANES)),
                design,
                own: &mut self.own,
                matrix: &mut self.matrix[at..],
                stride,
            };
            prefix_sums(design, &self.packed, met);
        }
    }

    /// The rows of the theory, and its sums.
    #[inline(always)]
    fn theory(&mut self, first: usize, columns: usize, tensor: &mut BatchSums) {
        let (design, stride, moments) = (self.task.design, self.stride, &mut self.moments);
        moments.mean.truncate(columns);
        moments.curvature.extend((0..columns).map(|column| match self.task.diagonal {
            [] => moments.variance[column] + moments.mean[column] * moments.mean[column],
            diagonal => f64::from(diagonal[first + column]),
        }));
        let mut rest = self.matrix[design.expected(0) * stride..].chunks_mut(stride);
        let mut rows = |count: usize| -> Vec<&mut [f32]> {
            rest.by_ref().take(count).map(|row| &mut row[..columns]).collect()
        };
        let batches = design.theory.len();
        let expected = rows(batches);
        let of_thirds = rows(THIRDS * batches);
        let mut ratios = rows(THIRDS);
        ratios.splice(0..0, rows(1));
        parameters(design, moments, tensor, ratios.try_into().expect("one row and three"));
        let influence = rows(batches);
        let approximate = rows(batches);
        let mut of_thirds = of_thirds.into_iter();
        for (index, ((expected, influence), approximate)) in
            expected.into_iter().zip(influence).zip(approximate).enumerate()
        {
            let mut rows = vec![expected, influence, approximate];
            rows.extend(of_thirds.by_ref().take(THIRDS));
            let rows = rows.try_into().expect("three rows and three");
            batch(design, moments, design.theory[index], &mut tensor.batches[index], rows);
        }
    }

    /// Zeros beyond the last column, up to a multiple of sixteen.
    fn pad(&mut self, columns: usize) {
        let padded = columns.next_multiple_of(LANES);
        if padded > columns {
            self.matrix.chunks_mut(self.stride).for_each(|row| row[columns..padded].fill(0.0));
        }
    }

    /// Agreement of the signs of the resamples with the theory, and with each other.
    #[inline(always)]
    fn signs(&self, columns: usize, tensor: &mut BatchSums) {
        let (design, sizes) = (self.task.design, self.task.design.sizes.len());
        let columns = columns.next_multiple_of(LANES);
        let mut means = vec![0.0; columns];
        for size in 0..sizes {
            let signs = Matrix {
                values: &self.matrix[size * self.stride..],
                rows: design.resamples(),
                stride: sizes * self.stride,
            };
            let overlaps = tensor.overlaps[size..].iter_mut().step_by(sizes);
            let expected = self.row(design.expected(size), columns);
            compare(signs, expected, &mut means, overlaps, &mut tensor.batches[size]);
        }
    }

    #[inline(always)]
    fn products(&mut self, columns: usize, sums: &mut DirectionSums) {
        let (design, stride) = (self.task.design, self.stride);
        let left = Matrix { values: &self.matrix, rows: design.matrix_rows(), stride };
        let groups = Matrix { values: &self.group_sums, rows: design.groups.len(), stride };
        add_dots(&mut sums.groups, left, groups, columns);
        if self.task.fisher {
            let gradients = Matrix { values: &self.gradients, rows: design.rows(), stride };
            add_products(&mut self.row_products, left, gradients, columns);
        }
    }
}

/// Makes a direction of every sum.
struct Directed<'t, R> {
    rule: R,
    state: Block,
    design: &'t Design,
    own: &'t mut [Lanes<f32>],
    /// The matrix from the first of sixteen columns on.
    matrix: &'t mut [f32],
    stride: usize,
}

impl<R: Rule> Met for Directed<'_, R> {
    #[inline(always)]
    fn met(&mut self, resample: usize, size: usize, sum: Lanes<f32>) {
        let row = resample * self.design.sizes.len() + size;
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let one_over = 1.0 / self.design.sizes[size] as f32;
        let direction = self.rule.direction(sum, one_over, &self.state);
        self.own[row] = self.own[row].add(direction.mul(sum));
        *self.matrix[row * self.stride..].first_chunk_mut().expect("sixteen columns") = direction.0;
    }
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
    pub sums: &'t mut DirectionSums,
    /// Sums of this tensor.
    pub tensor: &'t mut BatchSums,
}

impl Kernel for Pass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { tile, columns, first, sums, tensor } = self;
        match tile.task.optimizer {
            Optimizer::Sgd { momentum } => tile.blocks(Sgd(momentum), first, columns),
            Optimizer::Sign => tile.blocks(Sign, first, columns),
            Optimizer::Adam { beta1, beta2, corrections, eps } => {
                tile.blocks(Adam([beta1, beta2], corrections, eps), first, columns);
            }
        }
        tile.theory(first, columns, tensor);
        tile.pad(columns);
        if tile.task.optimizer == Optimizer::Sign && tile.task.design.resamples() > 1 {
            tile.signs(columns, tensor);
        }
        for (sum, lanes) in sums.own.iter_mut().zip(&tile.own) {
            *sum += lanes.total();
        }
        tile.products(columns, sums);
    }
}

//! The loops over the numbers of a tile: every number is met once per pass, and only the first pass waits for memory.
//!
//! Four rows advance together, so that the sums of a column are loaded and stored once for four numbers. Sums run in
//! the precision of the format over few rows and columns, and in double precision beyond.

use super::format::Format;
use super::lanes::{LANES, Lanes};

/// Rows that advance together.
pub const STEP: usize = 4;

/// The same columns of some rows.
pub type Pieces<'a, const ROWS: usize> = [&'a [u8]; ROWS];

/// What a pass does with sixteen columns of some rows. A trait and no closure, because a body must be inlined to be
/// compiled for its caller's instruction set.
trait Body<F: Format, const ROWS: usize> {
    fn visit(&mut self, column: usize, blocks: [&F::Block; ROWS]);
}

/// Visit `count` blocks of columns; the last one may end within its block and is then filled with zeros.
#[inline(always)]
fn for_each_block<F: Format, const ROWS: usize>(
    rows: Pieces<'_, ROWS>,
    count: usize,
    body: &mut impl Body<F, ROWS>,
) {
    let split = rows.map(F::blocks);
    let whole = split[0].0.len().min(count);
    let blocks = split.map(|(blocks, _)| &blocks[..whole]);
    let mut column = 0;
    while column < whole {
        body.visit(column, std::array::from_fn(|row| &blocks[row][column]));
        column += 1;
    }
    if whole < count {
        let last = split.map(|(_, rest)| F::padded(rest));
        body.visit(whole, last.each_ref());
    }
}

/// What the first pass finds in its rows.
pub struct First<const ROWS: usize> {
    /// Σ g² of every row.
    pub norms: [f64; ROWS],
    /// Whether any number is zero or subnormal.
    pub tiny: bool,
}

struct FirstBody<'a, F: Format, const ROWS: usize, const WEIGHTED: bool> {
    ahead: Pieces<'a, ROWS>,
    weights: [Lanes<F::Real>; ROWS],
    sums: &'a mut [Lanes<F::Real>],
    norms: [Lanes<F::Real>; ROWS],
    least: [F::Magnitude; LANES],
}

/// Add rows, times their weights, to the sums of the columns; sum their squares.
#[inline(always)]
pub fn first<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    ahead: Pieces<'_, ROWS>,
    weights: [F::Real; ROWS],
    sums: &mut [Lanes<F::Real>],
) -> First<ROWS> {
    let count = sums.len();
    let weights = weights.map(Lanes::splat);
    let (norms, least) = ([Lanes::zero(); ROWS], [F::LARGEST; LANES]);
    let mut body = FirstBody::<F, ROWS, WEIGHTED> { ahead, weights, sums, norms, least };
    for_each_block(rows, count, &mut body);
    let tiny = body.least.into_iter().any(|magnitude| magnitude < F::NORMAL);
    First { norms: body.norms.map(Lanes::total), tiny }
}

impl<F: Format, const ROWS: usize, const WEIGHTED: bool> Body<F, ROWS> for FirstBody<'_, F, ROWS, WEIGHTED> {
    #[inline(always)]
    fn visit(&mut self, column: usize, blocks: [&F::Block; ROWS]) {
        let mut sum = self.sums[column];
        for row in 0..ROWS {
            prefetch(self.ahead[row], column * size_of::<F::Block>());
            let number = F::load(blocks[row]);
            sum = sum.add(if WEIGHTED { number.mul(self.weights[row]) } else { number });
            self.norms[row] = self.norms[row].add(number.mul(number));
            let magnitudes = F::magnitudes(blocks[row]);
            for (least, magnitude) in self.least.iter_mut().zip(magnitudes) {
                *least = magnitude.min(*least);
            }
        }
        self.sums[column] = sum;
    }
}

/// What the second pass reads and adds to, per block of columns.
pub struct Deviations<'a, R> {
    /// Means.
    pub means: &'a [Lanes<R>],
    /// Sums of deviations from them, times weights.
    pub sums: &'a mut [Lanes<R>],
    /// Sums of squared deviations, times weights.
    pub squares: &'a mut [Lanes<R>],
}

struct SecondBody<'a, F: Format, const ROWS: usize, const WEIGHTED: bool> {
    weights: [[Lanes<F::Real>; 2]; ROWS],
    columns: Deviations<'a, F::Real>,
    products: [Lanes<F::Real>; ROWS],
}

/// Sum deviations from the means and their squares over rows with weights, given with their roots; return the products
/// of the rows with the means.
#[inline(always)]
pub fn second<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    weights: [[F::Real; 2]; ROWS],
    columns: Deviations<'_, F::Real>,
) -> [f64; ROWS] {
    let count = columns.means.len();
    let weights = weights.map(|pair| pair.map(Lanes::splat));
    let mut body = SecondBody::<F, ROWS, WEIGHTED> { weights, columns, products: [Lanes::zero(); ROWS] };
    for_each_block(rows, count, &mut body);
    body.products.map(Lanes::total)
}

impl<F: Format, const ROWS: usize, const WEIGHTED: bool> Body<F, ROWS> for SecondBody<'_, F, ROWS, WEIGHTED> {
    #[inline(always)]
    fn visit(&mut self, column: usize, blocks: [&F::Block; ROWS]) {
        let mean = self.columns.means[column];
        let (mut sum, mut square) = (self.columns.sums[column], self.columns.squares[column]);
        for row in 0..ROWS {
            let number = F::load(blocks[row]);
            let deviation = number.sub(mean);
            let [weight, root] = self.weights[row];
            let scaled = if WEIGHTED { deviation.mul(root) } else { deviation };
            sum = sum.add(if WEIGHTED { deviation.mul(weight) } else { deviation });
            square = square.add(scaled.mul(scaled));
            self.products[row] = self.products[row].add(number.mul(mean));
        }
        self.columns.sums[column] = sum;
        self.columns.squares[column] = square;
    }
}

/// What the third pass reads and adds to, per block of columns.
pub struct Standardised<'a, R> {
    /// Means.
    pub means: &'a [Lanes<R>],
    /// One over the standard deviation, zero where there is none.
    pub inverses: &'a [Lanes<R>],
    /// Sums of cubes of standardised deviations.
    pub cubes: &'a mut [Lanes<R>],
    /// Sums of their fourth powers.
    pub fourths: &'a mut [Lanes<R>],
}

struct ThirdBody<'a, F: Format, const ROWS: usize, const WEIGHTED: bool> {
    roots: [Lanes<F::Real>; ROWS],
    columns: Standardised<'a, F::Real>,
    norms: [Lanes<F::Real>; ROWS],
    products: [Lanes<F::Real>; ROWS],
}

/// Sum third and fourth powers of standardised deviations, times the roots of the weights before; return for each row
/// the norm of the standardised numbers and their product with the standardised means.
#[inline(always)]
pub fn third<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    roots: [F::Real; ROWS],
    columns: Standardised<'_, F::Real>,
) -> [[f64; 2]; ROWS] {
    let count = columns.means.len();
    let roots = roots.map(Lanes::splat);
    let (norms, products) = ([Lanes::zero(); ROWS], [Lanes::zero(); ROWS]);
    let mut body = ThirdBody::<F, ROWS, WEIGHTED> { roots, columns, norms, products };
    for_each_block(rows, count, &mut body);
    std::array::from_fn(|row| [body.norms[row].total(), body.products[row].total()])
}

impl<F: Format, const ROWS: usize, const WEIGHTED: bool> Body<F, ROWS> for ThirdBody<'_, F, ROWS, WEIGHTED> {
    #[inline(always)]
    fn visit(&mut self, column: usize, blocks: [&F::Block; ROWS]) {
        let (mean, inverse) = (self.columns.means[column], self.columns.inverses[column]);
        let standardised_mean = mean.mul(inverse);
        let (mut cube, mut fourth) = (self.columns.cubes[column], self.columns.fourths[column]);
        for row in 0..ROWS {
            let number = F::load(blocks[row]);
            let deviation = number.sub(mean).mul(inverse);
            let deviation = if WEIGHTED { deviation.mul(self.roots[row]) } else { deviation };
            let number = number.mul(inverse);
            let square = deviation.mul(deviation);
            cube = cube.add(square.mul(deviation));
            fourth = fourth.add(square.mul(square));
            self.norms[row] = self.norms[row].add(number.mul(number));
            self.products[row] = self.products[row].add(number.mul(standardised_mean));
        }
        self.columns.cubes[column] = cube;
        self.columns.fourths[column] = fourth;
    }
}

/// Ask for the line of memory that holds a byte of `row`; no promise that the byte exists.
#[inline(always)]
fn prefetch(row: &[u8], byte: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().wrapping_add(byte).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (row, byte);
}

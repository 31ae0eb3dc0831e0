//! The loops over the numbers of a tile: every number is met once per pass, and only the first pass waits for memory.
//!
//! Four rows advance together, so that the sums of a column are loaded and stored once for four numbers. Sums run in
//! the precision of the format over few rows and columns, and in double precision beyond.

use crate::numeric::{Format, Half, Lanes, Real};

/// Rows that advance together.
pub const STEP: usize = 4;

/// The same columns of some rows.
pub type Pieces<'a, const ROWS: usize> = [&'a [u8]; ROWS];

/// The work of a pass on half a block of columns of some rows: half, so that sums stay in registers. A trait and no closure, because a body must be inlined to be
/// compiled for its caller's instruction set.
trait Body<F: Format, const ROWS: usize> {
    fn visit<const HALF: usize>(&mut self, column: usize, blocks: [&F::Block; ROWS]);
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
        let blocks = std::array::from_fn(|row| &blocks[row][column]);
        body.visit::<0>(column, blocks);
        body.visit::<1>(column, blocks);
        column += 1;
    }
    if whole < count {
        let last = split.map(|(_, rest)| F::padded(rest));
        body.visit::<0>(whole, last.each_ref());
        body.visit::<1>(whole, last.each_ref());
    }
}

#[inline(always)]
fn zero<F: Format>() -> [Half<F::Real>; 2] {
    [Half::splat(F::Real::narrow(0.0)); 2]
}

#[inline(always)]
fn total<R: Real>([first, second]: [Half<R>; 2]) -> f64 {
    let mut lanes = Lanes::zero();
    first.store::<0>(&mut lanes);
    second.store::<1>(&mut lanes);
    lanes.total()
}

/// The sums of rows. A loop, because what takes a closure may not be inlined.
#[inline(always)]
fn totals<R: Real, const ROWS: usize>(rows: &[[Half<R>; 2]; ROWS]) -> [f64; ROWS] {
    let mut totals = [0.0; ROWS];
    for (sum, row) in totals.iter_mut().zip(rows) {
        *sum = total(*row);
    }
    totals
}

/// Sums of the first pass over its rows.
pub struct First<const ROWS: usize> {
    /// Σ g² of every row.
    pub norms: [f64; ROWS],
    /// Whether any number is zero or subnormal.
    pub tiny: bool,
}

struct FirstBody<'a, F: Format, const ROWS: usize, const WEIGHTED: bool> {
    ahead: [*const u8; ROWS],
    weights: [Half<F::Real>; ROWS],
    sums: &'a mut [Lanes<F::Real>],
    norms: [[Half<F::Real>; 2]; ROWS],
    least: F::Least,
}

/// Add rows, times their weights, to the sums of the columns; sum their squares; ask for the rows `ahead`.
#[inline(always)]
pub fn first<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    ahead: [*const u8; ROWS],
    weights: [F::Real; ROWS],
    sums: &mut [Lanes<F::Real>],
) -> First<ROWS> {
    let count = sums.len();
    let weights = weights.map(Half::splat);
    let (norms, least) = ([zero::<F>(); ROWS], F::none());
    let mut body = FirstBody::<F, ROWS, WEIGHTED> { ahead, weights, sums, norms, least };
    for_each_block(rows, count, &mut body);
    First { norms: totals(&body.norms), tiny: F::any_tiny(body.least) }
}

impl<F: Format, const ROWS: usize, const WEIGHTED: bool> Body<F, ROWS> for FirstBody<'_, F, ROWS, WEIGHTED> {
    #[inline(always)]
    fn visit<const HALF: usize>(&mut self, column: usize, blocks: [&F::Block; ROWS]) {
        let mut sum = Half::load::<HALF>(&self.sums[column]);
        for (row, block) in blocks.into_iter().enumerate() {
            let number = F::load::<HALF>(block);
            sum = if WEIGHTED { sum.add(number.mul(self.weights[row])) } else { number.add(sum) };
            self.norms[row][HALF] = self.norms[row][HALF].add(number.mul(number));
            if HALF == 0 {
                prefetch(self.ahead[row].wrapping_add(column * size_of::<F::Block>()));
                self.least = F::least(self.least, block);
            }
        }
        sum.store::<HALF>(&mut self.sums[column]);
    }
}

/// Inputs and sums of the second pass, per block of columns.
pub struct Deviations<'a, R> {
    /// Means.
    pub means: &'a [Lanes<R>],
    /// Sums of deviations from them, times weights.
    pub sums: &'a mut [Lanes<R>],
    /// Sums of squared deviations, times weights.
    pub squares: &'a mut [Lanes<R>],
}

struct SecondBody<'a, F: Format, const ROWS: usize, const WEIGHTED: bool> {
    ahead: [*const u8; ROWS],
    weights: [[Half<F::Real>; 2]; ROWS],
    columns: Deviations<'a, F::Real>,
    products: [[Half<F::Real>; 2]; ROWS],
}

/// Sum deviations from the means and their squares over rows with weights, given with their roots; return the products
/// of the rows with the means; ask for the rows `ahead`.
#[inline(always)]
pub fn second<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    ahead: [*const u8; ROWS],
    weights: [[F::Real; 2]; ROWS],
    columns: Deviations<'_, F::Real>,
) -> [f64; ROWS] {
    let count = columns.means.len();
    let weights = weights.map(|pair| pair.map(Half::splat));
    let mut body = SecondBody::<F, ROWS, WEIGHTED> { ahead, weights, columns, products: [zero::<F>(); ROWS] };
    for_each_block(rows, count, &mut body);
    totals(&body.products)
}

impl<F: Format, const ROWS: usize, const WEIGHTED: bool> Body<F, ROWS> for SecondBody<'_, F, ROWS, WEIGHTED> {
    #[inline(always)]
    fn visit<const HALF: usize>(&mut self, column: usize, blocks: [&F::Block; ROWS]) {
        let columns = &mut self.columns;
        let mean = Half::load::<HALF>(&columns.means[column]);
        let mut sum = Half::load::<HALF>(&columns.sums[column]);
        let mut square = Half::load::<HALF>(&columns.squares[column]);
        for (row, block) in blocks.into_iter().enumerate() {
            let number = F::load::<HALF>(block);
            let deviation = number.sub(mean);
            let [weight, root] = self.weights[row];
            if HALF == 0 {
                prefetch(self.ahead[row].wrapping_add(column * size_of::<F::Block>()));
            }
            let scaled = if WEIGHTED { deviation.mul(root) } else { deviation };
            sum = if WEIGHTED { sum.add(deviation.mul(weight)) } else { deviation.add(sum) };
            square = square.add(scaled.mul(scaled));
            self.products[row][HALF] = self.products[row][HALF].add(number.mul(mean));
        }
        sum.store::<HALF>(&mut columns.sums[column]);
        square.store::<HALF>(&mut columns.squares[column]);
    }
}

/// Inputs and sums of the third pass, per block of columns.
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
    roots: [Half<F::Real>; ROWS],
    columns: Standardised<'a, F::Real>,
    norms: [[Half<F::Real>; 2]; ROWS],
    products: [[Half<F::Real>; 2]; ROWS],
}

/// Sum third and fourth powers of standardised deviations, times the roots of the weights before; return for each row
/// the norm of the standardised numbers and their product with the standardised means.
#[inline(always)]
pub fn third<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    roots: [F::Real; ROWS],
    columns: Standardised<'_, F::Real>,
) -> [[f64; ROWS]; 2] {
    let count = columns.means.len();
    let roots = roots.map(Half::splat);
    let (norms, products) = ([zero::<F>(); ROWS], [zero::<F>(); ROWS]);
    let mut body = ThirdBody::<F, ROWS, WEIGHTED> { roots, columns, norms, products };
    for_each_block(rows, count, &mut body);
    [totals(&body.norms), totals(&body.products)]
}

impl<F: Format, const ROWS: usize, const WEIGHTED: bool> Body<F, ROWS> for ThirdBody<'_, F, ROWS, WEIGHTED> {
    #[inline(always)]
    fn visit<const HALF: usize>(&mut self, column: usize, blocks: [&F::Block; ROWS]) {
        let columns = &mut self.columns;
        let mean = Half::load::<HALF>(&columns.means[column]);
        let inverse = Half::load::<HALF>(&columns.inverses[column]);
        let standardised_mean = mean.mul(inverse);
        let mut cube = Half::load::<HALF>(&columns.cubes[column]);
        let mut fourth = Half::load::<HALF>(&columns.fourths[column]);
        for (row, block) in blocks.into_iter().enumerate() {
            let number = F::load::<HALF>(block);
            let deviation = number.sub(mean).mul(inverse);
            let deviation = if WEIGHTED { deviation.mul(self.roots[row]) } else { deviation };
            let number = number.mul(inverse);
            let square = deviation.mul(deviation);
            cube = cube.add(square.mul(deviation));
            fourth = fourth.add(square.mul(square));
            self.norms[row][HALF] = self.norms[row][HALF].add(number.mul(number));
            self.products[row][HALF] = self.products[row][HALF].add(number.mul(standardised_mean));
        }
        cube.store::<HALF>(&mut columns.cubes[column]);
        fourth.store::<HALF>(&mut columns.fourths[column]);
    }
}

/// Ask for a line of memory; no promise that there is any.
#[inline(always)]
fn prefetch(byte: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(byte.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = byte;
}

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

/// What the first pass finds in its rows.
pub struct First<const ROWS: usize> {
    /// Σ g² of every row.
    pub norms: [f64; ROWS],
    /// Whether any number is zero or subnormal.
    pub tiny: bool,
}

/// Add rows, times their weights, to the sums of the columns; sum their squares.
#[inline(always)]
pub fn first<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    ahead: Pieces<'_, ROWS>,
    weights: [F::Real; ROWS],
    sums: &mut [Lanes<F::Real>],
) -> First<ROWS> {
    let weights = weights.map(Lanes::splat);
    let mut norms = [Lanes::zero(); ROWS];
    let mut least = [F::LARGEST; LANES];
    for_each_block::<F, ROWS>(rows, sums.len(), |column, blocks| {
        let mut sum = sums[column];
        for row in 0..ROWS {
            prefetch(ahead[row], column * size_of::<F::Block>());
            let number = F::load(blocks[row]);
            let weighted = if WEIGHTED { number.mul(weights[row]) } else { number };
            sum = sum.add(weighted);
            norms[row] = norms[row].add(number.mul(number));
            let magnitudes = F::magnitudes(blocks[row]);
            for (least, magnitude) in least.iter_mut().zip(magnitudes) {
                *least = magnitude.min(*least);
            }
        }
        sums[column] = sum;
    });
    First { norms: norms.map(Lanes::total), tiny: least.into_iter().any(|magnitude| magnitude < F::NORMAL) }
}

/// Add deviations from the means and their squares, times weights given with their roots, to the sums of the columns;
/// return the products of the rows with the means.
#[inline(always)]
pub fn second<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    weights: [(F::Real, F::Real); ROWS],
    means: &[Lanes<F::Real>],
    deviations: &mut [Lanes<F::Real>],
    squares: &mut [Lanes<F::Real>],
) -> [f64; ROWS] {
    let weights = weights.map(|(weight, root)| (Lanes::splat(weight), Lanes::splat(root)));
    let mut products = [Lanes::zero(); ROWS];
    for_each_block::<F, ROWS>(rows, squares.len(), |column, blocks| {
        let mean = means[column];
        let (mut sum, mut square) = (deviations[column], squares[column]);
        for row in 0..ROWS {
            let number = F::load(blocks[row]);
            let deviation = number.sub(mean);
            let (weight, root) = weights[row];
            let scaled = if WEIGHTED { deviation.mul(root) } else { deviation };
            sum = sum.add(if WEIGHTED { deviation.mul(weight) } else { deviation });
            square = square.add(scaled.mul(scaled));
            products[row] = products[row].add(number.mul(mean));
        }
        deviations[column] = sum;
        squares[column] = square;
    });
    products.map(Lanes::total)
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

/// Add third and fourth powers of standardised deviations to the sums of the columns; return the norms of the
/// standardised rows and their products with the standardised means.
#[inline(always)]
pub fn third<F: Format, const ROWS: usize, const WEIGHTED: bool>(
    rows: Pieces<'_, ROWS>,
    scales: [F::Real; ROWS],
    columns: &mut Standardised<'_, F::Real>,
) -> ([f64; ROWS], [f64; ROWS]) {
    let scales = scales.map(Lanes::splat);
    let mut norms = [Lanes::zero(); ROWS];
    let mut products = [Lanes::zero(); ROWS];
    for_each_block::<F, ROWS>(rows, columns.means.len(), |column, blocks| {
        let inverse = columns.inverses[column];
        let mean = columns.means[column].mul(inverse);
        let (mut cube, mut fourth) = (columns.cubes[column], columns.fourths[column]);
        for row in 0..ROWS {
            let number = F::load(blocks[row]);
            let deviation = number.sub(columns.means[column]).mul(inverse);
            let deviation = if WEIGHTED { deviation.mul(scales[row]) } else { deviation };
            let number = number.mul(inverse);
            let square = deviation.mul(deviation);
            cube = cube.add(square.mul(deviation));
            fourth = fourth.add(square.mul(square));
            norms[row] = norms[row].add(number.mul(number));
            products[row] = products[row].add(number.mul(mean));
        }
        columns.cubes[column] = cube;
        columns.fourths[column] = fourth;
    });
    (norms.map(Lanes::total), products.map(Lanes::total))
}

/// Visit `count` blocks of columns; the last one may end within its block and is then filled with zeros.
#[inline(always)]
fn for_each_block<F: Format, const ROWS: usize>(
    rows: Pieces<'_, ROWS>,
    count: usize,
    mut visit: impl FnMut(usize, [&F::Block; ROWS]),
) {
    let split = rows.map(F::blocks);
    let whole = split[0].0.len().min(count);
    let blocks = split.map(|(blocks, _)| &blocks[..whole]);
    for column in 0..whole {
        visit(column, std::array::from_fn(|row| &blocks[row][column]));
    }
    if whole < count {
        let last = split.map(|(_, rest)| F::padded(rest));
        visit(whole, last.each_ref());
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

//! Products of many rows with few: too few for the GEMM crate, which spends its time on laying them out.

use super::products::Matrix;
use crate::numeric::{HALF_LANES, Half, LANES};

/// Rows of each side that are multiplied at a time: nine sums that stay in registers.
const SIDE: usize = 3;

/// `target` (left rows × right rows, a multiple of three) += left · rightᵀ over their first `columns`, which are padded
/// with zeros to a multiple of sixteen.
#[inline(always)]
pub fn add_dots(target: &mut [f64], left: Matrix<'_>, right: Matrix<'_>, columns: usize) {
    let columns = columns.next_multiple_of(LANES);
    let mut row = 0;
    while row < left.rows {
        let count = SIDE.min(left.rows - row);
        for of in (0..right.rows).step_by(SIDE) {
            let target = target[row * right.rows..][..count * right.rows].chunks_mut(right.rows);
            let target = target.map(|target| &mut target[of..of + SIDE]);
            let right = std::array::from_fn(|place| right.row(of + place, columns));
            if count == SIDE {
                add(
                    target,
                    dots::<SIDE, SIDE>(std::array::from_fn(|place| left.row(row + place, columns)), right),
                );
            } else {
                for (place, target) in target.enumerate() {
                    add(std::iter::once(target), dots::<1, SIDE>([left.row(row + place, columns)], right));
                }
            }
        }
        row += count;
    }
}

#[inline(always)]
fn add<'t, const COUNT: usize>(target: impl Iterator<Item = &'t mut [f64]>, found: [[f64; SIDE]; COUNT]) {
    for (target, found) in target.zip(found) {
        target.iter_mut().zip(found).for_each(|(target, found)| *target += found);
    }
}

/// The products of some rows with some others, all of equal length, a multiple of eight.
#[inline(always)]
pub fn dots<const ONE: usize, const OTHER: usize>(
    left: [&[f32]; ONE],
    right: [&[f32]; OTHER],
) -> [[f64; OTHER]; ONE] {
    let left = left.map(|row| row.as_chunks::<HALF_LANES>().0);
    let right = right.map(|row| row.as_chunks::<HALF_LANES>().0);
    let steps = right[0].len();
    assert!(left.iter().chain(&right).all(|row| row.len() == steps), "rows of equal length");
    let mut sums = [[Half::<f32>::splat(0.0); OTHER]; ONE];
    for step in 0..steps {
        let of_left = left.map(|row| Half(row[step]));
        for other in 0..OTHER {
            let of_right = Half(right[other][step]);
            for one in 0..ONE {
                sums[one][other] = sums[one][other].add(of_left[one].mul(of_right));
            }
        }
    }
    sums.map(|sums| sums.map(Half::total))
}

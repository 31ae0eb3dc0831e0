//! Agreement of the signs of minibatches with the theory, and with each other.

use super::dots::dots;
use super::products::Matrix;
use super::sums::SizeSums;
use crate::numeric::{HALF_LANES, Half};

/// Compare the signs of all resamples at one batch size with the expected ones; `overlaps` has one sum per resample.
///
/// All rows are padded with zeros to a multiple of sixteen, `means` is memory for one.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "a count of resamples")]
pub fn compare<'o>(
    signs: Matrix<'_>,
    expected: &[f32],
    means: &mut [f32],
    mut overlaps: impl Iterator<Item = &'o mut f64>,
    sums: &mut SizeSums,
) {
    let (columns, resamples) = (expected.len(), signs.rows as f64);
    means.fill(0.0);
    let mut squares = 0.0;
    for first in (0..signs.rows).step_by(2) {
        let rows = [0, 1, 2].map(|later| signs.row((first + later) % signs.rows, columns));
        // The products of three rows with three are compiled for whole vectors, those with fewer are not.
        let found = dots(rows, rows);
        for (place, overlap) in overlaps.by_ref().take(2).enumerate() {
            means.iter_mut().zip(rows[place]).for_each(|(mean, sign)| *mean += sign);
            *overlap += found[place][place + 1];
            squares += found[place][place];
        }
    }
    let scale = Half::splat(1.0 / signs.rows as f32);
    let mut found = [Half::<f32>::splat(0.0); 4];
    for (mean, expected) in means.as_chunks::<HALF_LANES>().0.iter().zip(expected.as_chunks().0) {
        let (mean, expected) = (Half(*mean).mul(scale), Half(*expected));
        let apart = mean.sub(expected);
        found = [
            found[0].add(mean.mul(expected)),
            found[1].add(expected.mul(expected)),
            found[2].add(apart.mul(apart)),
            found[3].add(mean.mul(mean)),
        ];
    }
    let [mean_expected, expected_squared, disagreement, mean_squared] = found.map(Half::total);
    sums.mean_expected += mean_expected;
    sums.expected_squared += expected_squared;
    sums.disagreement += disagreement;
    sums.scatter += squares / resamples - mean_squared;
}

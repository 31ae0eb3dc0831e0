//! Running sums over permuted rows, four permutations at a time, sixteen columns that stay in the first cache.

use super::design::Design;
use crate::numeric::{LANES, Lanes};

/// Permutations that are summed side by side: enough chains of additions to hide their latency.
const ABREAST: usize = 4;

/// A listener of the sums. No closure, because one that is not inlined is compiled for the least instruction set.
pub trait Met {
    /// The sum over the rows of a minibatch; implementations are `#[inline(always)]`.
    fn met(&mut self, resample: usize, size: usize, sum: Lanes<f32>);
}

/// Sum the rows of `packed` (one entry per position) along every permutation.
#[inline(always)]
pub fn prefix_sums(design: &Design, packed: &[Lanes<f32>], mut met: impl Met) {
    assert_eq!(packed.len(), design.rows(), "one entry per position");
    let mut resample = 0;
    while resample + ABREAST <= design.resamples() {
        abreast::<ABREAST>(design, packed, resample, &mut met);
        resample += ABREAST;
    }
    while resample < design.resamples() {
        abreast::<1>(design, packed, resample, &mut met);
        resample += 1;
    }
}

#[inline(always)]
fn abreast<const COUNT: usize>(design: &Design, packed: &[Lanes<f32>], first: usize, met: &mut impl Met) {
    let runs: [&[u32]; COUNT] = std::array::from_fn(|run| design.permutation(first + run));
    let mut sums = [Lanes([0.0; LANES]); COUNT];
    let mut done = 0;
    for (index, &size) in design.sizes.iter().enumerate() {
        for at in done..size {
            for run in 0..COUNT {
                // SAFETY: every run has as many positions as the largest size, and each position is one of `packed`:
                // Design::new refuses others, and the assertion above holds `packed` to the design.
                let row = unsafe { packed.get_unchecked(*runs[run].get_unchecked(at) as usize) };
                sums[run] = sums[run].add(*row);
            }
        }
        done = size;
        for (run, sum) in sums.iter().enumerate() {
            met.met(first + run, index, *sum);
        }
    }
}

//! Quantiles over draws, by NumPy's definition: linear interpolation between order statistics.

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::tile::Curves;
use crate::error::{Error, require};
use crate::law::Law;

/// Quantiles of `log ε(B) + offset` over the draws, with shape (probability, `batch_size`).
///
/// A batch size at which any draw is not a number has no quantile: NaN.
///
/// # Errors
/// A wrong shape, no draws, a number that is not finite, or a probability outside [0, 1].
pub fn quantiles(
    law: &dyn Law,
    parameters: ArrayView2<'_, f64>,
    log_batch_size: ArrayView1<'_, f64>,
    probabilities: ArrayView1<'_, f64>,
    offset: Option<ArrayView2<'_, f64>>,
) -> Result<Array2<f64>, Error> {
    require("probabilities", "between 0 and 1", probabilities, |p| (0.0..=1.0).contains(&p))?;
    let curves = Curves::new(law, parameters, log_batch_size, offset)?;
    let ranks: Vec<Rank> = probabilities.iter().map(|&p| Rank::new(p, curves.draws())).collect();
    let needed = {
        let mut indices: Vec<usize> = ranks.iter().flat_map(|rank| [rank.below, rank.above]).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    };
    let columns = curves.reduce(|_, optima| {
        if optima.iter().any(|value| value.is_nan()) {
            return vec![f64::NAN; ranks.len()];
        }
        let mut keys: Vec<i64> = optima.iter().copied().map(sortable).collect();
        select(&mut keys, 0, &needed);
        ranks.iter().map(|rank| rank.interpolate(|index| from_sortable(keys[index]))).collect()
    });
    Ok(Array2::from_shape_fn((ranks.len(), curves.batch_sizes()), |(rank, column)| columns[column][rank]))
}

/// Where a quantile lies among the order statistics.
struct Rank {
    below: usize,
    above: usize,
    fraction: f64,
}

impl Rank {
    fn new(probability: f64, count: usize) -> Self {
        let last = count - 1;
        #[expect(clippy::cast_precision_loss, reason = "draws number fewer than 2^52")]
        let position = last as f64 * probability;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ position ≤ last")]
        let below = position.floor() as usize;
        Self { below, above: (below + 1).min(last), fraction: position - position.floor() }
    }

    /// NumPy's `_lerp`: from the nearer end.
    fn interpolate(&self, value: impl Fn(usize) -> f64) -> f64 {
        let (below, above) = (value(self.below), value(self.above));
        let difference = above - below;
        if self.fraction < 0.5 {
            below + difference * self.fraction
        } else {
            above - difference * (1.0 - self.fraction)
        }
    }
}

/// Integers in the order of the floating-point numbers: comparing them needs no branch.
fn sortable(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    bits ^ ((bits >> 63) & i64::MAX)
}

fn from_sortable(key: i64) -> f64 {
    f64::from_bits((key ^ ((key >> 63) & i64::MAX)).cast_unsigned())
}

/// Put the order statistics `needed` (sorted, counted from `start`) in their places.
fn select(keys: &mut [i64], start: usize, needed: &[usize]) {
    let Some(&pivot) = needed.get(needed.len() / 2) else { return };
    let (below, above) = needed.split_at(needed.len() / 2);
    let (smaller, _, larger) = keys.select_nth_unstable(pivot - start);
    select(smaller, start, below);
    select(larger, pivot + 1, &above[1..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_keep_order_and_value(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(from_sortable(sortable(a)).to_bits(), a.to_bits());
            prop_assert_eq!(a.total_cmp(&b), sortable(a).cmp(&sortable(b)));
        }

        #[test]
        fn selection_agrees_with_sorting(
            mut keys in prop::collection::vec(any::<i64>(), 1..200), picks in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let mut needed: Vec<usize> = picks.iter().map(|pick| pick.index(keys.len())).collect();
            needed.sort_unstable();
            needed.dedup();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            select(&mut keys, 0, &needed);
            prop_assert!(needed.iter().all(|&index| keys[index] == sorted[index]));
        }
    }

    #[test]
    fn ranks_are_numpys() {
        // 5 draws: p = 0.3 is at position 1.2, a fifth of the way from the second to the third.
        let rank = Rank::new(0.3, 5);
        let value = rank.interpolate(|index| [10.0, 20.0, 40.0, 50.0, 60.0][index]);
        assert!((value - 24.0).abs() < 1e-12);
        let last = Rank::new(1.0, 5);
        assert_eq!((last.below, last.above), (4, 4));
    }
}

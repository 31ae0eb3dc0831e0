//! The noise scale from gradient norms at two batch sizes, as training logs hold them (appendix A.1 of arXiv
//! 1812.06162).

use super::{Error, Estimate, Terms};

/// Squared gradient norms at two batch sizes, at the same parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The smaller batch size.
    pub small: f64,
    /// |G|² of the smaller batch.
    pub small_norm_squared: f64,
    /// The larger batch size.
    pub big: f64,
    /// |G|² of the larger batch.
    pub big_norm_squared: f64,
}

impl Pair {
    /// E|G_b|² = |G|² + tr(Σ)/b, solved for both unknowns.
    fn terms(&self) -> Terms {
        let Self { small, small_norm_squared, big, big_norm_squared } = *self;
        Terms {
            gradient: (big * big_norm_squared - small * small_norm_squared) / (big - small),
            trace: (small_norm_squared - big_norm_squared) / (1.0 / small - 1.0 / big),
        }
    }
}

/// The noise scale from pairs: |G|² and tr(Σ) are averaged over pairs, unclipped, before their ratio is taken; the
/// jackknife deletes one pair at a time.
///
/// # Errors
///
/// [`Error::Shape`] for fewer than three pairs; [`Error::Value`] unless 0 < small < big and norms are finite and not
/// negative, and for a probability not between 0 and 1.
pub fn two_batch_sizes(pairs: &[Pair], probability: f64) -> Result<Estimate, Error> {
    if pairs.len() < 3 {
        return Err(Error::Shape {
            argument: "pairs",
            expected: "three pairs or more".to_owned(),
            found: pairs.len().to_string(),
        });
    }
    let refuse =
        |index, requirement, found| Err(Error::Value { argument: "pairs", requirement, found, index });
    for (index, pair) in pairs.iter().enumerate() {
        if !(pair.small > 0.0 && pair.small.is_finite()) {
            return refuse(index, "of positive, finite batch sizes", pair.small);
        }
        if !(pair.big > pair.small && pair.big.is_finite()) {
            return refuse(index, "of a small batch size and a bigger, finite one", pair.big);
        }
        let norms = [pair.small_norm_squared, pair.big_norm_squared];
        if let Some(found) = norms.into_iter().find(|norm| !(*norm >= 0.0 && norm.is_finite())) {
            return refuse(index, "of finite squared norms", found);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of pairs")]
    let count = pairs.len() as f64;
    let terms: Vec<Terms> = pairs.iter().map(Pair::terms).collect();
    let sum = terms.iter().fold(Terms::default(), |sum, terms| Terms {
        gradient: sum.gradient + terms.gradient,
        trace: sum.trace + terms.trace,
    });
    let mean = |sum: Terms, count: f64| Terms { gradient: sum.gradient / count, trace: sum.trace / count };
    let without = |terms: &Terms| {
        let left = Terms { gradient: sum.gradient - terms.gradient, trace: sum.trace - terms.trace };
        mean(left, count - 1.0)
    };
    let replicates: Vec<Terms> = terms.iter().map(without).collect();
    Estimate::new(mean(sum, count), &replicates, probability, None)
}

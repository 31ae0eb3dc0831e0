//! The simple noise scale tr(Σ)/|G|² of [arXiv 1812.06162](https://arxiv.org/abs/1812.06162), without bias, from the
//! sums of a scan.
//!
//! Rows g of b examples each; N rows, B = Σ b, ḡ = Σ b g/B, m = |ḡ|², s = |g|², d = g·ḡ. The variance of a row is Σ/b,
//! hence E Σ b|g − ḡ|² = (N − 1)·tr(Σ) and E m = |G|² + tr(Σ)/B:
//!
//! * tr(Σ) = (Σ b s − B m)/(N − 1), |G|² = m − tr(Σ)/B; for b = 1 they are N(s̄ − m)/(N − 1) and (N m − s̄)/(N − 1).
//!
//! Rows of one group may be correlated (tokens of one document, rows of one rank), so only products across groups are
//! free of bias. With q = |Σ b g|² of a group and B_g its examples, Σ_{g≠h} of such products is B² m − Σ q:
//!
//! * |G|² = (B² m − Σ q)/(B² − Σ B_g²), tr(Σ) = (Σ b s − B|G|²)/N; for groups of one row these are the same again.
//!
//! Both add up over tensors; their ratio does not. |G|² may come out negative and is never clipped. Standard errors are
//! those of the jackknife that deletes one row, or one group, across all tensors; an ordinary bootstrap would cover
//! nothing, since a row drawn twice is perfectly correlated with itself.

mod interval;
mod part;
mod resolvable;
#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small counts")]
mod tests;
mod two_batch_sizes;

pub use interval::{Interval, Inverse};
pub use part::Part;
pub use resolvable::{Resolvable, Standardised, resolvable};
pub use two_batch_sizes::{Pair, two_batch_sizes};

use crate::error::Error;
use interval::Jackknife;
use part::{Replicates, Terms};

/// The noise scale and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Rows, groups or pairs, which the jackknife deleted one by one.
    pub units: usize,
    /// Examples behind all rows; `None` from two batch sizes.
    pub examples: Option<f64>,
    /// |G|²
    pub gradient_norm_squared: Interval,
    /// tr(Σ)
    pub gradient_covariance_trace: Interval,
    /// 1/B = |G|²/tr(Σ): its distribution is well behaved, that of B is not.
    pub inverse_noise_scale: Interval,
    /// B = tr(Σ)/|G|², in examples.
    pub noise_scale: Inverse,
}

impl Estimate {
    fn new(
        terms: Terms,
        replicates: &[Terms],
        probability: f64,
        examples: Option<f64>,
    ) -> Result<Self, Error> {
        let jackknife = Jackknife::new(replicates.len(), probability)?;
        let interval = |of: fn(&Terms) -> f64| jackknife.interval(of(&terms), replicates.iter().map(of));
        let inverse_noise_scale = interval(|terms| terms.gradient / terms.trace);
        Ok(Self {
            units: replicates.len(),
            examples,
            gradient_norm_squared: interval(|terms| terms.gradient),
            gradient_covariance_trace: interval(|terms| terms.trace),
            inverse_noise_scale,
            noise_scale: inverse_noise_scale.inverse(1.0),
        })
    }

    /// Standard error of B relative to B, to first order; infinite where |G|² was not found positive.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        let Interval { value, standard_error, .. } = self.inverse_noise_scale;
        if value > 0.0 { standard_error / value } else { f64::INFINITY }
    }

    /// Examples of a dump, in rows like these, that would make the relative error so small; `None` where |G|² was not
    /// found positive, or the number of examples means nothing.
    ///
    /// Var |G|² = 2 tr(Σ²)/(n(n − 1)) + 4 GᵀΣG/n. With noise of d equal directions, tr(Σ²) = tr(Σ)²/d and GᵀΣG =
    /// |G|² tr(Σ)/d, so relative to |G|⁴ it is 4B/d·V(n) with V(n) = (1 + B/(2n))/n, up to 1/n. The observed error at N
    /// stands for d: r²·V(n)/V(N) = relative², that is c n² − n − B/2 = 0 with c = (relative/r)²·V(N).
    #[must_use]
    pub fn examples_needed(&self, relative: f64) -> Option<f64> {
        let (error, noise_scale) = (self.relative_error(), self.noise_scale.value);
        let examples = self.examples.filter(|_| error.is_finite() && noise_scale.is_finite())?;
        let c = (relative / error).powi(2) * (1.0 + noise_scale / (2.0 * examples)) / examples;
        Some((1.0 + (1.0 + 2.0 * c * noise_scale).sqrt()) / (2.0 * c))
    }
}

/// The noise scale from the sums of all tensors. A row that is missing from a tensor leaves that tensor's sums as they
/// are when it is deleted. Groups must be given for all tensors or for none.
///
/// # Errors
///
/// [`Error::Shape`] for lists of different lengths, fewer than three rows or groups in a tensor, or groups in some
/// tensors only; [`Error::Value`] for sums that are not finite, weights that are not positive, and a probability not
/// between 0 and 1.
pub fn estimate(parts: &[Part<'_>], probability: f64) -> Result<Estimate, Error> {
    let mut all = Replicates::default();
    for (index, part) in parts.iter().enumerate() {
        part.check(index)?;
        if part.groups.is_some() != parts[0].groups.is_some() {
            return Err(Error::Shape {
                argument: "parts",
                expected: "groups in all parts or in none".to_owned(),
                found: format!("part {index} differs from part 0"),
            });
        }
        all.add(part, |terms| terms);
    }
    Estimate::new(all.total, &all.replicates(), probability, Some(examples(parts)))
}

/// Examples behind the rows of all parts, each row once.
fn examples(parts: &[Part<'_>]) -> f64 {
    let most = parts.iter().flat_map(|part| part.rows).max().map_or(0, |&row| row + 1);
    let mut weights = vec![0.0; most];
    for part in parts {
        for (index, &row) in part.rows.iter().enumerate() {
            weights[row] = part.weight(index);
        }
    }
    weights.iter().sum()
}

//! Is the signal of single parameters resolved at all, and at which batch size would their signs be?
//!
//! The sign of a parameter's gradient becomes reliable at batch sizes of about π/2·(σ/μ)². Over a tensor that is
//! π/(2·mean δ²), with δ² the unbiased (μ/σ)² of a parameter. The plug-in π s²/(2ḡ²) has a median of about 3.45·N
//! without any signal, so it would always find a bound near the number of examples.

use super::interval::Jackknife;
use super::part::{Replicates, Terms};
use super::{Error, Interval, Inverse, Part};

/// The standardised sums of one tensor.
#[derive(Debug, Clone, Copy)]
pub struct Standardised<'a> {
    /// Rows in coordinates g/s: Σ g²/s², Σ g ḡ/s² and Σ ḡ²/s². Groups are not used: rows must be independent.
    pub part: Part<'a>,
    /// Parameters that vary, over which the sums run.
    pub parameters: u64,
}

/// The bound that the signs of a tensor's gradient give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolvable {
    /// Mean of (μ/σ)² over parameters.
    pub mean_signal: Interval,
    /// π/(2·mean (μ/σ)²), in examples.
    pub bound: Inverse,
    /// Whether the interval of the mean signal lies above zero.
    pub resolvable: bool,
}

/// The bound over all tensors.
///
/// In coordinates g/s every parameter has variance 1, so the U-statistic of |G|² is |ḡ_z|² − P/B; the estimate s² in
/// the denominator is allowed for by the factor (N − 3)/(N − 1), E[1/s²] = (N − 1)/((N − 3) σ²) under normality. The
/// jackknife holds s fixed: over the parameters of a tensor its errors average out.
///
/// # Errors
///
/// Those of [`super::estimate`]; [`Error::Shape`] for fewer than four rows or no parameters that vary.
pub fn resolvable(parts: &[Standardised<'_>], probability: f64) -> Result<Resolvable, Error> {
    let mut all = Replicates::default();
    let mut parameters = 0.0;
    for (index, standardised) in parts.iter().enumerate() {
        let part = Part { groups: None, ..standardised.part };
        part.check(index)?;
        if part.rows.len() < 4 {
            return Err(Error::Shape {
                argument: "parts",
                expected: "four rows or more".to_owned(),
                found: format!("{} in part {index}", part.rows.len()),
            });
        }
        #[expect(clippy::cast_precision_loss, reason = "counts")]
        let (rows, count) = (part.rows.len() as f64, standardised.parameters as f64);
        let examples: f64 = (0..part.rows.len()).map(|index| part.weight(index)).sum();
        let noise = count / examples;
        parameters += count;
        all.add(&part, |terms| Terms {
            gradient: (rows - 3.0) / (rows - 1.0) * (terms.gradient + noise) - noise,
            trace: terms.trace,
        });
    }
    if parameters == 0.0 {
        return Err(Error::Shape {
            argument: "parts",
            expected: "parameters that vary over the rows".to_owned(),
            found: "none".to_owned(),
        });
    }
    let replicates = all.replicates();
    let mean_signal = Jackknife::new(replicates.len(), probability)?.interval(
        all.total.gradient / parameters,
        replicates.iter().map(|terms| terms.gradient / parameters),
    );
    Ok(Resolvable {
        mean_signal,
        bound: mean_signal.inverse(std::f64::consts::FRAC_PI_2),
        resolvable: mean_signal.low > 0.0,
    })
}

//! Value of information of each block of runs.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::prospects::{Known, Prospect};
use super::weighing::{Decision, Predictive, Prior, Reweighting};
use crate::error::{Error, require_shape};

/// Value of information of each block of runs at one batch size: how far it shrinks the least expected regret, averaged
/// over decisions.
///
/// `blocks` holds positions in `prospects`; `regrets` one table (draw, action) for each decision.
///
/// # Errors
///
/// If arrays differ in shape where they must not, or a block names a run that is not there.
pub fn values_of_blocks(
    known: Known<'_>,
    prospects: &[Prospect<'_>],
    blocks: &[Vec<usize>],
    regrets: &[ArrayView2<'_, f32>],
) -> Result<Vec<f64>, Error> {
    let (outcomes, draws) = known.log_likelihood.dim();
    check(known, prospects, regrets)?;
    if let Some((index, &run)) = blocks.iter().flatten().enumerate().find(|(_, run)| **run >= prospects.len())
    {
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let found = run as f64;
        return Err(Error::Value { argument: "blocks", requirement: "positions of prospects", found, index });
    }
    let known = Prior::of(known);
    let prospects: Vec<Predictive> = prospects.iter().map(Predictive::of).collect();
    let decisions: Vec<Decision> = regrets.iter().map(|table| Decision::new(*table)).collect();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let count = (outcomes * decisions.len()) as f64;
    let value = |reweighting: &mut Reweighting, block: &Vec<usize>| {
        let mut saved = 0.0;
        for outcome in 0..outcomes {
            reweighting.begin(&known, outcome);
            for &run in block {
                reweighting.condition(&prospects[run], outcome);
            }
            reweighting.weigh();
            saved += decisions.iter().map(|decision| reweighting.saved(decision)).sum::<f64>();
        }
        saved / count
    };
    Ok(blocks.par_iter().map_init(|| Reweighting::new(draws), value).collect())
}

fn check(known: Known<'_>, prospects: &[Prospect<'_>], regrets: &[ArrayView2<'_, f32>]) -> Result<(), Error> {
    let (outcomes, draws) = known.log_likelihood.dim();
    for (name, table) in [("floor_mean", known.floor_mean), ("floor_variance", known.floor_variance)] {
        let rows = if table.nrows() == 1 { 1 } else { outcomes };
        require_shape(name, "(outcome or 1, draw)", &[rows, draws], table.shape())?;
    }
    for run in prospects {
        require_shape("loss", "(outcome,)", &[outcomes], run.loss.shape())?;
        require_shape("survived", "(outcome,)", &[outcomes], run.survived.shape())?;
        for (name, of) in [
            ("depth", run.depth),
            ("noise_variance", run.noise_variance),
            ("log_survival", run.log_survival),
            ("log_divergence", run.log_divergence),
        ] {
            require_shape(name, "(draw,)", &[draws], of.shape())?;
        }
    }
    for table in regrets {
        require_shape("regrets", "(draw, action)", &[draws, table.ncols().max(1)], table.shape())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, array};

    /// Two draws that expect losses of 0 and 1, seen with a noise of 0.1; the action that fits each costs nothing.
    fn of_two(loss: f32, survived: bool, floor_variance: f32, blocks: &[Vec<usize>]) -> Vec<f64> {
        let losses = Array1::from_elem(1, loss);
        let outcome = Array1::from_elem(1, survived);
        let (depth, noise) = (array![0.0_f32, 1.0], array![0.01_f32, 0.01]);
        let (log_survival, log_divergence) = (array![0.0_f32, 0.0], array![-1.0_f32, -1.0]);
        let (zero, variance) = (Array2::zeros((1, 2)), Array2::from_elem((1, 2), floor_variance));
        let prospect = Prospect {
            loss: losses.view(),
            survived: outcome.view(),
            depth: depth.view(),
            noise_variance: noise.view(),
            log_survival: log_survival.view(),
            log_divergence: log_divergence.view(),
        };
        let known =
            Known { log_likelihood: zero.view(), floor_mean: zero.view(), floor_variance: variance.view() };
        let regrets = array![[0.0_f32, 1.0], [1.0, 0.0]];
        values_of_blocks(known, &[prospect], blocks, &[regrets.view()]).expect("shapes agree")
    }

    #[test]
    fn an_outcome_saves_what_the_weights_of_the_draws_say() {
        // A loss of 1: the second draw weighs w against (1 + 100/5)^−3 w of the first. Two draws leave one effective
        // draw at the least, so nothing is tempered; before, both actions cost ½, and the first is kept.
        let found = of_two(1.0, true, 0.0, &[vec![0]]);
        let first = 21.0_f64.powi(-3);
        let weight = 1.0 / (1.0 + first);
        assert!((found[0] - (weight - (1.0 - weight))).abs() < 1e-6, "{}", found[0]);
    }

    #[test]
    fn what_both_draws_explain_alike_is_worth_nothing() {
        assert_eq!(of_two(0.5, true, 0.0, &[vec![0], vec![0, 0]]), [0.0, 0.0]);
        assert_eq!(of_two(1.0, false, 0.0, &[vec![0], vec![]]), [0.0, 0.0]);
    }

    #[test]
    fn an_unknown_floor_makes_a_loss_worth_less() {
        let [known, unknown] = [0.0, 10.0].map(|variance| of_two(1.0, true, variance, &[vec![0]])[0]);
        assert!(unknown < 0.1 * known, "{unknown} {known}");
    }

    #[test]
    fn a_run_that_is_not_there_is_refused() {
        let known = Array2::<f32>::zeros((1, 2));
        let known =
            Known { log_likelihood: known.view(), floor_mean: known.view(), floor_variance: known.view() };
        let error = values_of_blocks(known, &[], &[vec![0]], &[]).expect_err("refused").to_string();
        assert!(error.contains("blocks"), "{error}");
    }
}

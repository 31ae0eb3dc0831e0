//! Where a chain starts.

use nuts_rs::rand::rngs::ChaCha8Rng;
use nuts_rs::rand::{Rng, RngExt};

use super::density::Model;
use super::layout::{Per, Variable};
use super::observed::Observed;
use super::prior::Prior;
use crate::error::Error;

/// Places from which a chain tries to start.
const STARTS: usize = 100;

/// How far from the best learning rate an optimum may start, in log learning rate.
const REACH: f64 = 0.5;

/// A place at which the density is finite: the optima near the best runs, all else near the centre of its prior.
///
/// An optimum that starts on the wrong side of its runs may stay there: the valley's error then explains the losses.
/// For the same reason errors and scales start small, so that they do not explain what the curve can.
pub(super) fn start(model: &Model, rng: &mut ChaCha8Rng) -> Result<Vec<f64>, Error> {
    let mut model = model.clone();
    let variables = model.variables().to_vec();
    let best = best_learning_rates(model.observed());
    let groups = model.observed().cells.group.clone();
    let mut position = vec![0.0; model.size()];
    let mut gradient = vec![0.0; model.size()];
    for _ in 0..STARTS {
        for variable in &variables {
            let stretch = variable.start..variable.start + variable.len;
            for (i, entry) in position[stretch].iter_mut().enumerate() {
                let best = match variable.name.as_str() {
                    "log_optimal_learning_rate" => best[i].or_else(|| mean(&best, |_| true)),
                    "log_reference_learning_rate" if variable.per == Per::Group => {
                        mean(&best, |cell| groups[cell] == i)
                    }
                    "log_reference_learning_rate" | "log_reference_learning_rate_mean" => {
                        mean(&best, |_| true)
                    }
                    _ => None,
                };
                let (centre, reach) = best.map_or_else(|| of_prior(variable, &variables), |at| (at, REACH));
                *entry = centre + reach * uniform(rng);
            }
        }
        if model.log_density(&position, &mut gradient).is_finite() && gradient.iter().all(|g| g.is_finite()) {
            return Ok(position);
        }
    }
    Err(Error::Sampler { problem: format!("none of {STARTS} starts has a finite density") })
}

fn uniform(rng: &mut impl Rng) -> f64 {
    rng.random_range(-1.0..1.0)
}

/// Log learning rate of the run with the least loss, or the published optimum, of every cell.
fn best_learning_rates(observed: &Observed) -> Vec<Option<f64>> {
    let mut best: Vec<Option<(f64, f64)>> = vec![None; observed.cells.log_batch_size.len()];
    let losses = &observed.finished;
    for (i, &cell) in losses.cell.iter().enumerate() {
        if best[cell].is_none_or(|(least, _)| losses.value[i] < least) {
            best[cell] = Some((losses.value[i], losses.log_learning_rate[i]));
        }
    }
    for (i, &cell) in observed.optimum.cell.iter().enumerate() {
        best[cell] = Some((0.0, observed.optimum.value[i]));
    }
    best.into_iter().map(|found| found.map(|(_, rate)| rate)).collect()
}

/// Mean over the cells that are meant and have a best learning rate.
fn mean(best: &[Option<f64>], meant: impl Fn(usize) -> bool) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for (_, rate) in best.iter().enumerate().filter(|(cell, _)| meant(*cell)) {
        if let Some(rate) = rate {
            sum += rate;
            count += 1.0;
        }
    }
    (count > 0.0).then(|| sum / count)
}

/// The centre of a prior on the unconstrained scale, and how far from it a chain may start.
fn of_prior(variable: &Variable, variables: &[Variable]) -> (f64, f64) {
    match variable.prior {
        Some(Prior::Normal { mean, sd }) => (mean, sd.min(1.0)),
        Some(Prior::LogNormal { log_median, log_sd }) => (log_median, log_sd.min(1.0)),
        Some(Prior::HalfNormal { sd }) => (0.0, 0.2 * sd),
        Some(Prior::StudentT { location, scale, .. }) => (location, scale.min(1.0)),
        // What has no prior of its own are groups: they start around the mean of their population.
        None => {
            let around = variables.iter().find(|v| v.name.starts_with(&variable.name) && v.prior.is_some());
            around.map_or((0.0, 0.5), |variable| (of_prior(variable, &[]).0, 0.5))
        }
    }
}

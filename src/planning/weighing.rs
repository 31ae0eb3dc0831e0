//! Draws reweighted by one fantasy, a simulated outcome, at a time, and the regret that the best action then saves.

use ndarray::{Array2, ArrayView1, ArrayView2, aview_mut1};

use super::prospects::{Known, Prospect};
use crate::posterior::DEGREES;
use crate::simd::{Arithmetic, Kernel, dispatch, exp, log};

/// Effective draws that an outcome leaves at the least: fewer would look like certainty.
const MIN_EFFECTIVE: f64 = 10.0;
/// To this power a likelihood is raised, again and again, until so many are left.
const TEMPERING: f64 = 0.85;
/// Log likelihood, relative to the likeliest, below which draws are alike: however impossible, tempering ends.
const IMPOSSIBLE: f64 = -1e6;
/// Sums and maxima that run side by side.
const STRANDS: usize = 8;
/// Actions whose regrets are summed at a time: so many sums stay in registers.
const LANES: usize = 32;
/// Beyond this, in squared scales over the degrees of freedom, a residual is as good as impossible.
const FARTHEST: f64 = 1e40;

/// Weights and floors before any outcome, in double precision.
pub(super) struct Prior {
    log_likelihood: Array2<f64>,
    floor_mean: Array2<f64>,
    floor_variance: Array2<f64>,
}

impl Prior {
    pub fn of(known: Known<'_>) -> Self {
        let [log_likelihood, floor_mean, floor_variance] =
            [known.log_likelihood, known.floor_mean, known.floor_variance]
                .map(|table| table.as_standard_layout().mapv(f64::from));
        Self { log_likelihood, floor_mean, floor_variance }
    }
}

/// The predictive distribution of one run's loss under every draw, in double precision, and its fantasies.
pub(super) struct Predictive {
    loss: Vec<f64>,
    survived: Vec<bool>,
    depth: Vec<f64>,
    noise_variance: Vec<f64>,
    log_survival: Vec<f64>,
    log_divergence: Vec<f64>,
}

impl Predictive {
    pub fn of(run: &Prospect<'_>) -> Self {
        let double = |single: ArrayView1<'_, f32>| single.iter().copied().map(f64::from).collect();
        Self {
            loss: double(run.loss),
            survived: run.survived.to_vec(),
            depth: double(run.depth),
            noise_variance: double(run.noise_variance),
            log_survival: double(run.log_survival),
            log_divergence: double(run.log_divergence),
        }
    }
}

/// A table of regrets, and the action that is best before any outcome.
pub(super) struct Decision {
    /// Rows of draws, `width` actions each; the last ones repeat the first, to fill up whole lanes.
    regrets: Vec<f32>,
    width: usize,
    best: usize,
}

impl Decision {
    pub fn new(regrets: ArrayView2<'_, f32>) -> Self {
        let total = |column: ArrayView1<'_, f32>| column.iter().map(|&regret| f64::from(regret)).sum::<f64>();
        let totals: Vec<f64> = regrets.columns().into_iter().map(total).collect();
        let best =
            totals.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(action, _)| action);
        let width = regrets.ncols().next_multiple_of(LANES);
        let filled = regrets.rows().into_iter().flat_map(|row| {
            let repeated = row.first().copied().into_iter().cycle();
            row.to_vec().into_iter().chain(repeated).take(width)
        });
        Self { regrets: filled.collect(), width, best }
    }
}

/// Weight and floor of every draw, given the outcomes so far.
pub(super) struct Reweighting {
    log_weight: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
    weight: Vec<f64>,
    expected: Vec<f32>,
}

impl Reweighting {
    pub fn new(draws: usize) -> Self {
        let empty = vec![0.0; draws];
        Self {
            log_weight: empty.clone(),
            mean: empty.clone(),
            variance: empty.clone(),
            weight: empty,
            expected: vec![],
        }
    }

    pub fn begin(&mut self, known: &Prior, outcome: usize) {
        let row = |table: &Array2<f64>, into: &mut [f64]| {
            aview_mut1(into).assign(&table.row(if table.nrows() == 1 { 0 } else { outcome }));
        };
        row(&known.log_likelihood, &mut self.log_weight);
        row(&known.floor_mean, &mut self.mean);
        row(&known.floor_variance, &mut self.variance);
    }

    /// Weigh one outcome, and let it teach the floor; a divergence teaches nothing of it.
    pub fn condition(&mut self, run: &Predictive, outcome: usize) {
        if run.survived[outcome] {
            dispatch(Condition { at: self, run, loss: run.loss[outcome] });
        } else {
            let weights = self.log_weight.iter_mut().zip(&run.log_divergence);
            weights.for_each(|(weight, log_divergence)| *weight += log_divergence);
        }
    }

    /// Turn log likelihoods into weights, tempered until enough draws count.
    pub fn weigh(&mut self) {
        dispatch(Relative(&mut self.log_weight));
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let least = MIN_EFFECTIVE.min(self.weight.len() as f64 / 2.0);
        loop {
            let (total, squares) = dispatch(Weigh(self));
            if total * total >= least * squares {
                let share = 1.0 / total;
                self.weight.iter_mut().for_each(|weight| *weight *= share);
                return;
            }
            self.log_weight.iter_mut().for_each(|value| *value *= TEMPERING);
        }
    }

    /// How much less regret the best action has now than the one that was best before.
    pub fn saved(&mut self, decision: &Decision) -> f64 {
        self.expected.resize(decision.width, 0.0);
        dispatch(Expect { at: self, decision });
        let least = self.expected.iter().copied().fold(f32::INFINITY, f32::min);
        f64::from(self.expected[decision.best]) - f64::from(least)
    }
}

/// Student's t of one loss for every draw: log density up to a constant, and the floor after it.
struct Condition<'a> {
    at: &'a mut Reweighting,
    run: &'a Predictive,
    loss: f64,
}

impl Kernel for Condition<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { at, run, loss } = self;
        let count = at.log_weight.len();
        let (log_weight, mean) = (&mut at.log_weight[..count], &mut at.mean[..count]);
        let (variance, depth) = (&mut at.variance[..count], &run.depth[..count]);
        let (noise_variance, log_survival) = (&run.noise_variance[..count], &run.log_survival[..count]);
        for i in 0..count {
            let total = noise_variance[i] + variance[i];
            let inverse = 1.0 / total;
            let surprise = loss - depth[i] - mean[i];
            let far = surprise * surprise * inverse * (1.0 / DEGREES);
            let fit = 1.0 + if far > FARTHEST { FARTHEST } else { far };
            // ½ log total + 3 log fit, the logarithm taken once.
            let squared = fit * fit;
            let density = -0.5 * log::<A>(total * squared * squared * squared);
            log_weight[i] += density + log_survival[i];
            let gain = variance[i] * inverse;
            mean[i] = A::multiply_add(gain, surprise, mean[i]);
            variance[i] = A::multiply_add(-gain, variance[i], variance[i]);
        }
    }
}

/// Predictive regret of every action.
struct Expect<'a> {
    at: &'a mut Reweighting,
    decision: &'a Decision,
}

impl Kernel for Expect<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { at, decision: Decision { regrets, width, .. } } = self;
        for (lane, expected) in at.expected.chunks_exact_mut(LANES).enumerate() {
            let mut sums = [0.0_f32; LANES];
            for (weight, row) in at.weight.iter().zip(regrets.chunks_exact(*width)) {
                #[expect(clippy::cast_possible_truncation, reason = "regrets are in single precision too")]
                let weight = *weight as f32;
                let row: &[f32; LANES] = row[lane * LANES..].first_chunk().expect("rows are whole lanes");
                for (sum, regret) in sums.iter_mut().zip(row) {
                    *sum += weight * regret;
                }
            }
            expected.copy_from_slice(&sums);
        }
    }
}

/// Log likelihoods less the highest.
struct Relative<'a>(&'a mut [f64]);

impl Kernel for Relative<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let mut strands = [f64::NEG_INFINITY; STRANDS];
        let larger = |a: f64, b: f64| if b > a { b } else { a };
        let chunks = self.0.chunks_exact(STRANDS);
        let rest = chunks.remainder().iter().copied().fold(f64::NEG_INFINITY, larger);
        for chunk in chunks {
            for (strand, value) in strands.iter_mut().zip(chunk) {
                *strand = larger(*strand, *value);
            }
        }
        let highest = strands.into_iter().fold(rest, larger);
        for value in self.0.iter_mut() {
            *value = larger(IMPOSSIBLE, *value - highest);
        }
    }
}

/// Exponentials of the log weights, their sum and that of their squares.
struct Weigh<'a>(&'a mut Reweighting);

impl Kernel for Weigh<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> (f64, f64) {
        let count = self.0.weight.len();
        let (weight, log_weight) = (&mut self.0.weight[..count], &self.0.log_weight[..count]);
        for i in 0..count {
            weight[i] = exp::<A>(log_weight[i]);
        }
        let (mut totals, mut squares) = ([0.0; STRANDS], [0.0; STRANDS]);
        for chunk in weight.chunks(STRANDS) {
            for ((total, squared), w) in totals.iter_mut().zip(&mut squares).zip(chunk) {
                *total += w;
                *squared = A::multiply_add(*w, *w, *squared);
            }
        }
        (totals.iter().sum(), squares.iter().sum())
    }
}

//! Expected regret of candidate learning rates: the mean over draws of the loss above each draw's own optimum.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::tile::Curves;
use crate::error::{Error, require, require_shape};
use crate::law::Law;
use crate::simd::{Arithmetic, Kernel, dispatch};
use crate::surface::{Valley, divergence_probability};

/// The loss around the optimum, draw by draw. Every array has one entry for each draw.
#[derive(Debug, Clone, Copy)]
pub struct Landscape<'a> {
    /// log curvature κ of the valley at the reference batch size [log nats].
    pub log_curvature: ArrayView1<'a, f64>,
    /// Change of the log curvature with log B.
    pub curvature_slope: ArrayView1<'a, f64>,
    /// log B at which `log_curvature` holds.
    pub reference_log_batch_size: f64,
    /// Rate of the valley; positive.
    pub rate: ArrayView1<'a, f64>,
    /// Asymmetry of the valley.
    pub asymmetry: ArrayView1<'a, f64>,
    /// Distance in log learning rate at which half of the runs diverge; `+inf` for no wall.
    pub wall: ArrayView1<'a, f64>,
    /// Width of the wall; positive.
    pub wall_width: ArrayView1<'a, f64>,
    /// Least cost of a diverged run in nats.
    pub divergence_cost: f64,
}

impl Landscape<'_> {
    fn check(&self, draws: usize) -> Result<(), Error> {
        let check = |argument, requirement, values: ArrayView1<'_, f64>, holds: fn(f64) -> bool| {
            require_shape(argument, "(draw,)", &[draws], values.shape())?;
            require(argument, requirement, values, holds)
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        check("log_curvature", "finite", self.log_curvature, f64::is_finite)?;
        check("curvature_slope", "finite", self.curvature_slope, f64::is_finite)?;
        check("rate", "positive and finite", self.rate, positive)?;
        check("asymmetry", "finite", self.asymmetry, f64::is_finite)?;
        check("wall", "a number (+inf for no wall)", self.wall, |value| value > f64::NEG_INFINITY)?;
        check("wall_width", "positive and finite", self.wall_width, positive)?;
        require("reference_log_batch_size", "finite", [&self.reference_log_batch_size], f64::is_finite)?;
        require("divergence_cost", "finite and not negative", [&self.divergence_cost], |cost| {
            cost.is_finite() && cost >= 0.0
        })
    }
}

/// Expected regret in nats and probability of divergence of candidate learning rates, each with shape
/// (`batch_size`, candidate).
///
/// The regret of one draw is `(1 − π)·κ h(u) + π·max(divergence_cost, κ h(u))` at the distance
/// `u = x − (log ε(B) + offset)`: to diverge is never cheaper than not to.
///
/// # Errors
/// A wrong shape, no draws, or a number outside its range.
pub fn expected_regret(
    law: &dyn Law,
    parameters: ArrayView2<'_, f64>,
    log_batch_size: ArrayView1<'_, f64>,
    log_learning_rate: ArrayView2<'_, f64>,
    landscape: &Landscape<'_>,
    offset: Option<ArrayView2<'_, f64>>,
) -> Result<(Array2<f64>, Array2<f64>), Error> {
    let curves = Curves::new(law, parameters, log_batch_size, offset)?;
    let shape = (curves.batch_sizes(), log_learning_rate.ncols());
    require_shape(
        "log_learning_rate",
        "(batch_size, candidate)",
        &[shape.0, shape.1],
        log_learning_rate.shape(),
    )?;
    require("log_learning_rate", "finite", log_learning_rate, f64::is_finite)?;
    landscape.check(curves.draws())?;

    let valleys: Vec<Valley> =
        landscape.rate.iter().zip(landscape.asymmetry).map(|(&r, &a)| Valley::new(r, a)).collect();
    let walls: Vec<Wall> =
        landscape.wall.iter().zip(landscape.wall_width).map(|(&at, &width)| Wall { at, width }).collect();
    let rows = curves.reduce(|index, optima| {
        let distance = curves.log_batch_size(index) - landscape.reference_log_batch_size;
        let curvature: Vec<f64> = landscape
            .log_curvature
            .iter()
            .zip(landscape.curvature_slope)
            .map(|(level, slope)| (level + slope * distance).exp())
            .collect();
        let candidates: Vec<f64> = log_learning_rate.row(index).to_vec();
        candidates
            .par_iter()
            .map(|&candidate| {
                dispatch(Candidate {
                    log_learning_rate: candidate,
                    optima,
                    curvature: &curvature,
                    valleys: &valleys,
                    walls: &walls,
                    divergence_cost: landscape.divergence_cost,
                })
            })
            .collect::<Vec<_>>()
    });
    let regret = Array2::from_shape_fn(shape, |(row, column)| rows[row][column].0);
    let divergence = Array2::from_shape_fn(shape, |(row, column)| rows[row][column].1);
    Ok((regret, divergence))
}

#[derive(Clone, Copy)]
struct Wall {
    at: f64,
    width: f64,
}

/// One candidate learning rate at one batch size, before all draws.
struct Candidate<'a> {
    log_learning_rate: f64,
    optima: &'a [f64],
    curvature: &'a [f64],
    valleys: &'a [Valley],
    walls: &'a [Wall],
    divergence_cost: f64,
}

/// Draws evaluated before they are summed.
const BLOCK: usize = 256;

impl Kernel for Candidate<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> (f64, f64) {
        let (mut regret, mut divergence) = (Sum::default(), Sum::default());
        let (mut regrets, mut probabilities) = ([0.0; BLOCK], [0.0; BLOCK]);
        for start in (0..self.optima.len()).step_by(BLOCK) {
            let end = (start + BLOCK).min(self.optima.len());
            let inputs = self.optima[start..end].iter().zip(&self.curvature[start..end]);
            let shapes = self.valleys[start..end].iter().zip(&self.walls[start..end]);
            let outputs = regrets.iter_mut().zip(&mut probabilities);
            for (((optimum, curvature), (valley, wall)), (regret, probability)) in
                inputs.zip(shapes).zip(outputs)
            {
                let u = self.log_learning_rate - optimum;
                let diverges = divergence_probability::<A>(u, wall.at, wall.width);
                let loss = curvature * valley.value_with::<A>(u);
                *regret = A::multiply_add(diverges, (self.divergence_cost - loss).max(0.0), loss);
                *probability = diverges;
            }
            regret.add(&regrets[..end - start]);
            divergence.add(&probabilities[..end - start]);
        }
        #[expect(clippy::cast_precision_loss, reason = "draws number fewer than 2^52")]
        let count = self.optima.len() as f64;
        (regret.total() / count, divergence.total() / count)
    }
}

/// A sum in eight lanes: one order of additions, whatever the width of the vectors.
#[derive(Default)]
struct Sum([f64; 8]);

impl Sum {
    #[inline(always)]
    fn add(&mut self, values: &[f64]) {
        let (blocks, rest) = values.as_chunks::<8>();
        for block in blocks {
            for (lane, value) in self.0.iter_mut().zip(block) {
                *lane += value;
            }
        }
        for (lane, value) in self.0.iter_mut().zip(rest) {
            *lane += value;
        }
    }

    fn total(self) -> f64 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + b) + (c + d)) + ((e + f) + (g + h))
    }
}

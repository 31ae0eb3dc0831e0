//! The floor of a valley whose runs a posterior has not seen, integrated out draw by draw.
//!
//! Each run says where the floor is, its loss less its valley, and how precisely; the prior does too. Around each of
//! these places lie the midpoints of equal shares of a Cauchy distribution, dense near it and reaching far. With Q the
//! sum of those Cauchy densities, `∫ g = Σ_k ∫ (g/Q) q_k`, and each of these integrals is the mean of g/Q over the
//! points of k: a midpoint rule of a smooth periodic integrand, exact to many digits wherever the places are and however
//! they disagree.

use std::f64::consts::PI;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::prior::student_t_constant;
use super::student;
use crate::error::{Error, require_shape};
use crate::simd::{Arithmetic, Kernel, Plain, dispatch, exp, log, softplus};

/// Points of the integral, all places together.
const POINTS: usize = 512;
/// … and at least so many around each.
const LEAST_POINTS: usize = 9;
/// Student's t factors of one logarithm: residuals of 1e9 scales do not overflow their product.
const FACTORS: usize = 16;

/// Where runs put the floor, in the unit of the loss; every array of shape (draw, run).
#[derive(Debug, Clone, Copy)]
pub struct FloorPlaces<'a> {
    /// Losses of finished runs less their valleys.
    pub finished: ArrayView2<'a, f64>,
    /// Scales of their residuals.
    pub finished_sd: ArrayView2<'a, f64>,
    /// Thresholds of huge losses less their valleys.
    pub censored: ArrayView2<'a, f64>,
    /// Scales of their residuals.
    pub censored_sd: ArrayView2<'a, f64>,
    /// Log odds that they diverged.
    pub censored_logit: ArrayView2<'a, f64>,
    /// Degrees of freedom, centre and scale of the floor's prior, a Student t.
    pub prior: [f64; 3],
}

/// Log of ∫ prior(f) Π p(run | f) df over the floor f, for each draw.
///
/// # Errors
///
/// If the arrays differ in shape where they must not.
pub fn integrate_floor(places: FloorPlaces<'_>) -> Result<Vec<f64>, Error> {
    let FloorPlaces { finished, finished_sd, censored, censored_sd, censored_logit, .. } = places;
    require_shape("finished_sd", "(draw, finished run)", finished.shape(), finished_sd.shape())?;
    let expected = [finished.nrows(), censored.ncols()];
    for (name, array) in
        [("censored", censored), ("censored_sd", censored_sd), ("censored_logit", censored_logit)]
    {
        require_shape(name, "(draw, censored run)", &expected, array.shape())?;
    }
    let count = finished.ncols() + censored.ncols() + 1;
    let share = LEAST_POINTS.max(POINTS.div_ceil(count));
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let nodes: Vec<f64> = (0..share).map(|i| (PI * ((i as f64 + 0.5) / share as f64 - 0.5)).tan()).collect();
    let [degrees, _, scale] = places.prior;
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let constant = finished.ncols() as f64 * student::LOG_CONSTANT + student_t_constant(degrees) - scale.ln()
        + PI.ln()
        - (share as f64).ln();
    let draws = (0..finished.nrows()).into_par_iter();
    let integrated = draws.map_init(
        || Scratch::new(count * share),
        |scratch, d| scratch.integrate(&places, d, &nodes) + constant,
    );
    Ok(integrated.collect())
}

/// Room for one draw: one entry for each point.
struct Scratch {
    floor: Vec<f64>,
    /// Product of Student's t factors since the last logarithm.
    product: Vec<f64>,
    /// Sum of the Cauchy densities times π.
    covered: Vec<f64>,
    log_ratio: Vec<f64>,
}

impl Scratch {
    fn new(points: usize) -> Self {
        let empty = vec![0.0; points];
        Self { floor: empty.clone(), product: empty.clone(), covered: empty.clone(), log_ratio: empty }
    }

    fn integrate(&mut self, places: &FloorPlaces<'_>, draw: usize, nodes: &[f64]) -> f64 {
        let [degrees, location, scale] = places.prior;
        let row = |of: ArrayView2<'_, f64>, sd: ArrayView2<'_, f64>| -> Vec<(f64, f64)> {
            of.row(draw).iter().copied().zip(sd.row(draw).iter().copied()).collect()
        };
        let finished = row(places.finished, places.finished_sd);
        let censored = row(places.censored, places.censored_sd);
        let prior = (location, scale);
        let around = finished.iter().chain(&censored).chain([&prior]);
        for ((place, sd), floor) in around.zip(self.floor.chunks_exact_mut(nodes.len())) {
            for (floor, node) in floor.iter_mut().zip(nodes) {
                *floor = place + sd * node;
            }
        }
        self.covered.fill(0.0);
        self.log_ratio.fill(0.0);
        for some in finished.chunks(FACTORS) {
            self.multiply(some, student::DEGREES);
        }
        self.multiply(&[prior], degrees);
        for (run, &(place, sd)) in censored.iter().enumerate() {
            self.add_huge_loss(place, sd, places.censored_logit[[draw, run]]);
        }
        dispatch(LogSum(self)) - finished.iter().map(|(_, sd)| sd.ln()).sum::<f64>()
    }

    fn multiply(&mut self, runs: &[(f64, f64)], degrees: f64) {
        self.product.fill(1.0);
        dispatch(Residuals { at: self, runs, degrees });
    }

    /// log(π + (1 − π) S), π being the probability of divergence and S that of a loss beyond the threshold.
    fn add_huge_loss(&mut self, place: f64, sd: f64, logit: f64) {
        let outside = softplus::<Plain>(logit);
        for i in 0..self.floor.len() {
            let residual = (self.floor[i] - place) / sd;
            let (survival, _) = student::log_survival(-residual);
            self.log_ratio[i] += student::log_either(logit, survival) - outside;
            self.covered[i] += 1.0 / (sd * (1.0 + residual * residual));
        }
    }
}

/// Student's t of a few residuals, each a place of the floor and its scale.
struct Residuals<'a> {
    at: &'a mut Scratch,
    runs: &'a [(f64, f64)],
    degrees: f64,
}

impl Kernel for Residuals<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { at, runs, degrees } = self;
        let count = at.floor.len();
        let (floor, product) = (&at.floor[..count], &mut at.product[..count]);
        let (covered, log_ratio) = (&mut at.covered[..count], &mut at.log_ratio[..count]);
        let share = 1.0 / degrees;
        for &(place, sd) in runs {
            let inverse = 1.0 / sd;
            for i in 0..count {
                let residual = (floor[i] - place) * inverse;
                let square = residual * residual;
                product[i] *= A::multiply_add(square, share, 1.0);
                covered[i] += inverse / (1.0 + square);
            }
        }
        let power = -0.5 * (degrees + 1.0);
        for i in 0..count {
            log_ratio[i] = A::multiply_add(power, log::<A>(product[i]), log_ratio[i]);
        }
    }
}

/// Log of the sum of the integrand over what covers it, at all points.
struct LogSum<'a>(&'a mut Scratch);

impl Kernel for LogSum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> f64 {
        let count = self.0.log_ratio.len();
        let (log_ratio, covered) = (&mut self.0.log_ratio[..count], &self.0.covered[..count]);
        for i in 0..count {
            log_ratio[i] -= log::<A>(covered[i]);
        }
        let highest = log_ratio.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for value in log_ratio.iter_mut() {
            *value = exp::<A>(*value - highest);
        }
        highest + super::lanes::sum(log_ratio).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn of(finished: &Array2<f64>, sd: &Array2<f64>, prior: [f64; 3]) -> Vec<f64> {
        let none = Array2::zeros((finished.nrows(), 0));
        let (censored, censored_sd, censored_logit) = (none.view(), none.view(), none.view());
        let (finished, finished_sd) = (finished.view(), sd.view());
        integrate_floor(FloorPlaces { finished, finished_sd, censored, censored_sd, censored_logit, prior })
            .expect("shapes agree")
    }

    #[test]
    fn a_floor_that_the_prior_fixes_leaves_the_density_of_the_run() {
        // The prior is a million times narrower than the residual: what is left is the Student t of 2.5 − 2 at scale 0.4.
        let found = of(&array![[2.5]], &array![[0.4]], [4.0, 2.0, 4e-7]);
        let wanted = student::log_density(0.5, 0.4).0;
        assert!((found[0] - wanted).abs() < 1e-3, "{} {wanted}", found[0]);
    }

    #[test]
    fn a_run_known_exactly_leaves_the_prior_at_it() {
        // Student's t with 4 degrees at t = 0.5 and scale 2: log[3/8 (1 + 1/16)^−5/2] − log 2.
        let found = of(&array![[3.0]], &array![[1e-6]], [4.0, 2.0, 2.0]);
        let wanted = (0.375_f64).ln() - 2.5 * (1.0 + 0.0625_f64).ln() - 2.0_f64.ln();
        assert!((found[0] - wanted).abs() < 1e-3, "{} {wanted}", found[0]);
    }

    #[test]
    fn draws_do_not_know_each_other_and_many_runs_do_not_overflow() {
        // Forty runs a thousand million scales apart in turn: more factors than one product can hold.
        let alternate = |(_, run): (usize, usize)| if run % 2 == 0 { 1.0 } else { 2.0 };
        let mut places = Array2::from_shape_fn((2, 40), alternate);
        places.row_mut(1).fill(1.0);
        let sd = Array2::from_elem((2, 40), 1e-9);
        let prior = [4.0, 1.0, 1.0];
        let both = of(&places, &sd, prior);
        assert!(both.iter().all(|value| value.is_finite()), "{both:?}");
        let (second, its_sd) = (places.row(1).to_owned(), sd.row(1).to_owned());
        let alone = of(&second.insert_axis(ndarray::Axis(0)), &its_sd.insert_axis(ndarray::Axis(0)), prior);
        assert_eq!(both[1], alone[0]);
        assert!(both[0] < both[1]);
    }

    #[test]
    fn shapes_that_differ_are_refused() {
        let (one, two) = (Array2::zeros((1, 1)), Array2::zeros((1, 2)));
        let places = FloorPlaces {
            finished: one.view(),
            finished_sd: two.view(),
            censored: one.view(),
            censored_sd: one.view(),
            censored_logit: one.view(),
            prior: [4.0, 0.0, 1.0],
        };
        let error = integrate_floor(places).expect_err("refused").to_string();
        assert!(error.contains("finished_sd"), "{error}");
    }
}

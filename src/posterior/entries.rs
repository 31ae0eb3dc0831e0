//! Every entry of the unconstrained vector: its value, and its prior with the derivative, many at once.

use std::ops::Range;

use super::lanes::sum;
use super::layout::Layout;
use super::prior::{Prior, Scale};
use crate::simd::{Arithmetic, Kernel, dispatch, exp, log};

/// The entries, one number each in every column, so that one loop without branches does them all.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    /// 1 where the entry is the logarithm of its variable, else 0.
    positive: Vec<f64>,
    /// 1 where the entry is a signed number whose magnitude is the variable, else 0.
    signed: Vec<f64>,
    /// Precision of the entry's normal prior; zero where there is none.
    centre: Vec<f64>,
    inverse_sd: Vec<f64>,
    students: Vec<Student>,
    /// d variable / d entry, of the last evaluation.
    jacobian: Vec<f64>,
    terms: Vec<f64>,
}

/// Neighbouring entries with Student's t as prior.
#[derive(Debug, Clone)]
struct Student {
    entries: Range<usize>,
    degrees: f64,
    location: f64,
    inverse_scale: f64,
}

impl Entries {
    pub fn new(layout: &Layout) -> Self {
        let zeros = || vec![0.0; layout.size];
        let mut found = Self {
            positive: zeros(),
            signed: zeros(),
            centre: zeros(),
            inverse_sd: zeros(),
            students: Vec::new(),
            jacobian: zeros(),
            terms: zeros(),
        };
        for variable in &layout.variables {
            let entries = variable.start..variable.start + variable.len;
            let is = |scale| f64::from(u8::from(variable.scale() == scale));
            found.positive[entries.clone()].fill(is(Scale::Log));
            found.signed[entries.clone()].fill(is(Scale::Signed));
            match variable.prior {
                None => {}
                Some(Prior::Normal { mean, sd } | Prior::LogNormal { log_median: mean, log_sd: sd }) => {
                    found.centre[entries.clone()].fill(mean);
                    found.inverse_sd[entries].fill(1.0 / sd);
                }
                Some(Prior::HalfNormal { sd }) => found.inverse_sd[entries].fill(1.0 / sd),
                Some(Prior::StudentT { degrees, location, scale }) => {
                    found.students.push(Student { entries, degrees, location, inverse_scale: 1.0 / scale });
                }
            }
        }
        found
    }

    /// Fill in the variables, and the derivatives of their priors by the entries; the log density of the priors but for
    /// their constants.
    pub fn constrain(&mut self, position: &[f64], values: &mut [f64], gradient: &mut [f64]) -> f64 {
        dispatch(Opening { entries: self, position, values, gradient });
        sum(&self.terms)
    }

    /// Add derivatives by the variables to those by the entries.
    pub fn pull_back(&self, adjoint: &[f64], gradient: &mut [f64]) {
        for ((slope, by_value), jacobian) in gradient.iter_mut().zip(adjoint).zip(&self.jacobian) {
            *slope += by_value * jacobian;
        }
    }
}

struct Opening<'a> {
    entries: &'a mut Entries,
    position: &'a [f64],
    values: &'a mut [f64],
    gradient: &'a mut [f64],
}

impl Kernel for Opening<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let count = self.position.len();
        let (position, values) = (&self.position[..count], &mut self.values[..count]);
        let gradient = &mut self.gradient[..count];
        let Entries { positive, signed, centre, inverse_sd, students, jacobian, terms } = self.entries;
        let (positive, signed) = (&positive[..count], &signed[..count]);
        let (centre, inverse_sd) = (&centre[..count], &inverse_sd[..count]);
        let (jacobian, terms) = (&mut jacobian[..count], &mut terms[..count]);
        for i in 0..count {
            let q = position[i];
            let raised = exp::<A>(q);
            let sign = if signed[i] > 0.0 { 1f64.copysign(q) } else { 1.0 };
            values[i] = if positive[i] > 0.0 { raised } else { sign * q };
            jacobian[i] = if positive[i] > 0.0 { raised } else { sign };
            let t = (q - centre[i]) * inverse_sd[i];
            terms[i] = -0.5 * t * t;
            gradient[i] = -t * inverse_sd[i];
        }
        for Student { entries, degrees, location, inverse_scale } in students {
            let (half, inverse_degrees) = (0.5 * (*degrees + 1.0), 1.0 / *degrees);
            let entries = entries.clone();
            let columns = position[entries.clone()].iter().zip(&mut terms[entries.clone()]);
            for ((q, term), slope) in columns.zip(&mut gradient[entries]) {
                let t = (q - *location) * *inverse_scale;
                let spread = A::multiply_add(t * inverse_degrees, t, 1.0);
                *term = -half * log::<A>(spread);
                *slope = -2.0 * half * inverse_degrees * *inverse_scale * t / spread;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Per;
    use super::*;

    /// Values and slopes of one entry with a prior, at unconstrained q.
    fn of(prior: Prior, q: f64) -> (f64, f64, f64) {
        let mut layout = Layout::default();
        layout.push("x", Per::Model, 1, Some(prior));
        let (mut values, mut gradient) = ([0.0], [0.0]);
        let mut entries = Entries::new(&layout);
        let density = entries.constrain(&[q], &mut values, &mut gradient);
        (density, gradient[0], values[0])
    }

    #[test]
    fn priors_are_those_of_their_formulas() {
        let near =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        // −½((1 − 3)/2)² = −½, slope (3 − 1)/4.
        let (density, slope, value) = of(Prior::Normal { mean: 3.0, sd: 2.0 }, 1.0);
        near(density, -0.5);
        near(slope, 0.5);
        near(value, 1.0);
        // The same of the logarithm; the Jacobian and the 1/x of the density cancel.
        let (density, slope, value) = of(Prior::LogNormal { log_median: 3.0, log_sd: 2.0 }, 1.0);
        near(density, -0.5);
        near(slope, 0.5);
        near(value, std::f64::consts::E);
        // −½(−1/2)² = −⅛, slope ¼; the variable is the magnitude.
        let (density, slope, value) = of(Prior::HalfNormal { sd: 2.0 }, -1.0);
        near(density, -0.125);
        near(slope, 0.25);
        near(value, 1.0);
        // t = 2 with 4 degrees: −2.5 log 2; slope −5·2/(4 + 4)/½.
        let (density, slope, _) = of(Prior::StudentT { degrees: 4.0, location: 0.0, scale: 0.5 }, 1.0);
        near(density, -2.5 * std::f64::consts::LN_2);
        near(slope, -2.5);
    }

    #[test]
    fn priors_integrate_to_one_on_the_unconstrained_scale() {
        let families = [
            Prior::Normal { mean: 0.4, sd: 1.3 },
            Prior::LogNormal { log_median: -0.3, log_sd: 0.8 },
            Prior::HalfNormal { sd: 1.7 },
            Prior::StudentT { degrees: 4.0, location: 0.5, scale: 0.9 },
        ];
        for prior in families {
            let step = 1e-3;
            let density = |i: i32| (prior.constant() + of(prior, step * f64::from(i)).0).exp();
            let total: f64 = (-60_000..60_000).map(density).sum::<f64>() * step;
            // Student's t with four degrees of freedom has 2·(3/8)·(√4·0.9/60)⁴·… < 1e-6 beyond.
            assert!((total - 1.0).abs() < 1e-5, "{prior:?} {total}");
        }
    }

    #[test]
    fn an_entry_without_prior_adds_nothing() {
        let mut layout = Layout::default();
        layout.push("x", Per::Cell, 3, None);
        let (mut values, mut gradient) = ([0.0; 3], [7.0; 3]);
        let mut entries = Entries::new(&layout);
        assert_eq!(entries.constrain(&[1.0, -2.0, 900.0], &mut values, &mut gradient), 0.0);
        assert_eq!((values, gradient), ([1.0, -2.0, 900.0], [0.0; 3]));
        entries.pull_back(&[1.0, 2.0, 3.0], &mut gradient);
        assert_eq!(gradient, [1.0, 2.0, 3.0]);
    }
}

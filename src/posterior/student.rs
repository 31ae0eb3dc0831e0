//! Student's t with five degrees of freedom, the residual of every run: density and upper tail.

use std::f64::consts::PI;

/// Degrees of freedom; [`log_survival`] is exact for this value only.
pub(crate) const DEGREES: f64 = 5.0;

/// Log of the normalising constant: `Γ(3)/(Γ(5/2) √(5π)) = 8/(3π√5)`.
pub(super) const LOG_CONSTANT: f64 = -0.968_619_589_054_724_2;

/// ∫₀^θ sin⁴ over θ⁵, in powers of θ².
const INTEGRAL_OF_SIN4: [f64; 5] = [1.0 / 5.0, -2.0 / 21.0, 1.0 / 45.0, -34.0 / 10395.0, 62.0 / 184_275.0];

/// Log density of a residual and its derivatives with respect to the residual and to its scale.
#[inline]
pub(super) fn log_density(residual: f64, scale: f64) -> (f64, f64, f64) {
    let t = residual / scale;
    let square = t * t;
    let weight = (DEGREES + 1.0) / (DEGREES + square);
    let value = LOG_CONSTANT - scale.ln() - 0.5 * (DEGREES + 1.0) * (square / DEGREES).ln_1p();
    (value, -weight * t / scale, (weight * square - 1.0) / scale)
}

/// Log P(T > t) and its derivative.
///
/// With θ = arctan(√5 / t) in (0, π), P(T > t) = (θ − sin θ cos θ (1 + ⅔ sin² θ))/π; for small θ the series of
/// 8/(3π) ∫ sin⁴, since the closed form cancels. Its terms give 13 digits below 0.1.
pub(super) fn log_survival(t: f64) -> (f64, f64) {
    let theta = DEGREES.sqrt().atan2(t);
    let (sine, cosine) = theta.sin_cos();
    let tail = if theta < 0.1 {
        let square = theta * theta;
        let series = INTEGRAL_OF_SIN4.iter().rev().fold(0.0, |sum, term| sum * square + term);
        8.0 / (3.0 * PI) * theta.powi(5) * series
    } else {
        (theta - sine * cosine * (1.0 + 2.0 / 3.0 * sine * sine)) / PI
    };
    let density = (LOG_CONSTANT - 0.5 * (DEGREES + 1.0) * (t * t / DEGREES).ln_1p()).exp();
    (tail.ln(), -density / tail)
}

/// Log of the odds of a divergence and the probability of a huge loss together, neither of which must overflow.
pub(super) fn log_either(logit: f64, log_survival: f64) -> f64 {
    let above = logit.max(log_survival);
    above + ((logit - above).exp() + (log_survival - above).exp()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, StudentsT};

    #[test]
    fn the_constant_is_that_of_five_degrees() {
        // Γ(3) = 2, Γ(5/2) = ¾√π.
        assert!((LOG_CONSTANT - (8.0 / (3.0 * PI * 5.0_f64.sqrt())).ln()).abs() < 1e-15);
    }

    #[test]
    fn the_tail_is_that_of_the_distribution() {
        let reference = StudentsT::new(0.0, 1.0, 5.0).expect("valid");
        for t in [-30.0_f64, -2.0, -0.1, 0.0, 0.7, 3.0, 12.0] {
            let (value, _) = log_survival(t);
            assert!((value - reference.sf(t).ln()).abs() < 1e-9 * (1.0 + value.abs()), "{t}");
        }
    }

    #[test]
    fn the_series_goes_on_where_the_closed_form_ends() {
        // θ = 0.1 ∓ 1e-9; the closed form keeps eleven digits there.
        let [(series, slope), (closed, _)] =
            [0.1 - 1e-9, 0.1 + 1e-9].map(|theta: f64| log_survival(DEGREES.sqrt() / theta.tan()));
        // d log S = (d log S/dt) (dt/dθ) dθ, with dt/dθ = −√5/sin² θ.
        let expected = -slope * DEGREES.sqrt() / 0.1_f64.sin().powi(2) * 2e-9;
        assert!((closed - series - expected).abs() < 1e-10, "{}", closed - series - expected);
    }

    #[test]
    fn derivatives_are_those_of_the_values() {
        let step = 1e-6;
        for t in [-8.0_f64, -0.4, 0.3, 5.0, 15.0, 40.0] {
            // The closed form of the tail keeps 11 digits at t = 15, hence a step that does not magnify the rest.
            let far = 1e-4;
            let slope = (log_survival(t + far).0 - log_survival(t - far).0) / (2.0 * far);
            assert!((slope - log_survival(t).1).abs() < 1e-6, "{t}");
            let (residual, scale) = (0.3 * t, 0.8);
            let (_, by_residual, by_scale) = log_density(residual, scale);
            let of = |r: f64, s: f64| log_density(r, s).0;
            let numeric = (of(residual + step, scale) - of(residual - step, scale)) / (2.0 * step);
            assert!((numeric - by_residual).abs() < 1e-7);
            let numeric = (of(residual, scale + step) - of(residual, scale - step)) / (2.0 * step);
            assert!((numeric - by_scale).abs() < 1e-6);
        }
    }
}

//! The loss around its optimum: a convex valley in the log learning rate, and a wall beyond which runs diverge.

use crate::simd::{Arithmetic, exp, log, logistic};

/// The loss valley `h(u) = log[(q e^(pu) + p e^(−qu))/(p + q)]/(pq)` at a distance u in log learning rate.
///
/// It is the cumulant generating function of a centred two-point variable, divided by its variance: convex, with
/// h(0) = h'(0) = 0, h''(0) = 1, and slopes that tend to 1/q for u → +∞ and to −1/p for u → −∞.
#[derive(Debug, Clone, Copy)]
pub struct Valley {
    right: f64,
    left: f64,
}

/// h(u) and its derivatives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partials {
    pub value: f64,
    /// With respect to u.
    pub by_distance: f64,
    /// With respect to the log of the rate.
    pub by_log_rate: f64,
    /// With respect to the asymmetry.
    pub by_asymmetry: f64,
}

/// Below this |u|·(p + q) the series in u is the more accurate form.
const SERIES_LIMIT: f64 = 1e-2;

impl Valley {
    /// A valley with `p = rate·e^(asymmetry/2)` and `q = rate·e^(−asymmetry/2)`; the rate must be positive.
    #[must_use]
    pub fn new(rate: f64, asymmetry: f64) -> Self {
        Self { right: rate * (0.5 * asymmetry).exp(), left: rate * (-0.5 * asymmetry).exp() }
    }

    /// h(u), within 1e-9 of its value at any u.
    #[must_use]
    pub fn value(self, u: f64) -> f64 {
        self.value_with::<crate::simd::Plain>(u)
    }

    /// h(u): `[c|u| + log((o + c e^(−(p+q)|u|))/(p+q))]/(pq)`, with (c, o) = (p, q) on the right and (q, p) on the
    /// left.
    #[inline(always)]
    pub(crate) fn value_with<A: Arithmetic>(self, u: f64) -> f64 {
        let Self { right: p, left: q } = self;
        let (sum, product) = (p + q, p * q);
        let distance = u.abs();
        let (along, across) = if u > 0.0 { (p, q) } else { (q, p) };
        let share = A::multiply_add(along, exp::<A>(-sum * distance), across) / sum;
        let far = A::multiply_add(along, distance, log::<A>(share)) / product;
        let series = self.series::<A>(u);
        if sum * distance < SERIES_LIMIT { series } else { far }
    }

    /// h(u) near 0, where the other form cancels: the second to sixth cumulants of the two-point variable, over pq.
    #[inline(always)]
    fn series<A: Arithmetic>(self, u: f64) -> f64 {
        let Self { right: p, left: q } = self;
        let (skew, product) = (p - q, p * q);
        let square = (p + q) * (p + q);
        let fourth = square - 6.0 * product;
        let fifth = skew * (square - 12.0 * product);
        let sixth = A::multiply_add(square, square - 30.0 * product, 120.0 * product * product);
        let sum = A::multiply_add(sixth * (1.0 / 720.0), u, fifth * (1.0 / 120.0));
        let sum = A::multiply_add(sum, u, fourth * (1.0 / 24.0));
        let sum = A::multiply_add(sum, u, skew * (1.0 / 6.0));
        A::multiply_add(sum, u, 0.5) * u * u
    }

    /// h(u) and its first derivatives.
    ///
    /// With c the parameter along u, o the one across and `F = pq·h = c|u| + log((o + c e^(−(c+o)|u|))/(c+o))`,
    /// ∂h/∂log c = (∂F/∂c)/o − h, and likewise for o; log p and log q are log rate ± asymmetry/2.
    #[inline(always)]
    pub(crate) fn partials<A: Arithmetic>(self, u: f64) -> Partials {
        let Self { right: p, left: q } = self;
        let (sum, product) = (p + q, p * q);
        let distance = u.abs();
        let (along, across) = if u > 0.0 { (p, q) } else { (q, p) };
        // The same for all u: taken out of their loop.
        let (over_sum, over_product, over_p, over_q) = (1.0 / sum, 1.0 / product, 1.0 / p, 1.0 / q);
        let (over_along, over_across) = if u > 0.0 { (over_p, over_q) } else { (over_q, over_p) };
        let fading = exp::<A>(-sum * distance);
        let denominator = A::multiply_add(along, fading, across);
        let inverse = 1.0 / denominator;
        let value = A::multiply_add(along, distance, log::<A>(denominator * over_sum)) * over_product;
        let reach = along * distance;
        let by_log_along = (distance + (fading * (1.0 - reach)) * inverse - over_sum) * over_across - value;
        let by_log_across = ((1.0 - reach * fading) * inverse - over_sum) * over_along - value;
        let turned = by_log_along - by_log_across;
        let near = self.partials_near::<A>(u);
        let close = sum * distance < SERIES_LIMIT;
        let slope = ((1.0 - fading) * inverse).copysign(u);
        let tilt = 0.5 * if u > 0.0 { turned } else { -turned };
        Partials {
            value: if close { near.value } else { value },
            by_distance: if close { near.by_distance } else { slope },
            by_log_rate: if close { near.by_log_rate } else { by_log_along + by_log_across },
            by_asymmetry: if close { near.by_asymmetry } else { tilt },
        }
    }

    /// [`Valley::partials`] near 0, from the series: its n-th coefficient is of degree n − 2 in the rate.
    #[inline(always)]
    fn partials_near<A: Arithmetic>(self, u: f64) -> Partials {
        let Self { right: p, left: q } = self;
        let (sum, skew, product) = (p + q, p - q, p * q);
        let square = sum * sum;
        let third = skew / 6.0;
        let fourth = (square - 6.0 * product) / 24.0;
        let fifth = skew * (square - 12.0 * product) / 120.0;
        let sixth = (square * (square - 30.0 * product) + 120.0 * product * product) / 720.0;
        // Σ cᵢ uⁱ with c₀ first.
        let series = |c: [f64; 4]| {
            let tail = A::multiply_add(c[3], u, c[2]);
            A::multiply_add(A::multiply_add(tail, u, c[1]), u, c[0])
        };
        let (squared, cubed) = (u * u, u * u * u);
        let by_asymmetry = [
            sum / 12.0,
            sum * skew / 24.0,
            sum * (0.5 * (square - 12.0 * product) + skew * skew) / 120.0,
            sum * skew * (2.0 * square - 30.0 * product) / 720.0,
        ];
        Partials {
            value: A::multiply_add(series([third, fourth, fifth, sixth]), cubed, 0.5 * squared),
            by_distance: A::multiply_add(
                series([3.0 * third, 4.0 * fourth, 5.0 * fifth, 6.0 * sixth]),
                squared,
                u,
            ),
            by_log_rate: series([third, 2.0 * fourth, 3.0 * fifth, 4.0 * sixth]) * cubed,
            by_asymmetry: series(by_asymmetry) * cubed,
        }
    }

    /// h'(u) and h''(u).
    #[must_use]
    pub fn derivatives(self, u: f64) -> (f64, f64) {
        let Self { right: p, left: q } = self;
        let (along, across) = if u > 0.0 { (p, q) } else { (q, p) };
        let exponent = -(p + q) * u.abs();
        let denominator = across + along * exponent.exp();
        let slope = -exponent.exp_m1() / denominator;
        (slope.copysign(u), exponent.exp() * ((p + q) / denominator).powi(2))
    }
}

/// Probability that a run at distance u diverges: a logistic step of width `wall_width` at `wall`.
#[inline(always)]
pub(crate) fn divergence_probability<A: Arithmetic>(u: f64, wall: f64, wall_width: f64) -> f64 {
    logistic::<A>((u - wall) / wall_width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_symmetric_valley_is_log_cosh() {
        // p = q = r: log cosh(ru)/r².
        let valley = Valley::new(0.7, 0.0);
        for u in [-3.0_f64, -0.2, 0.5, 4.0] {
            let expected = (0.7 * u).cosh().ln() / 0.49;
            assert!((valley.value(u) - expected).abs() < 1e-14 * (1.0 + expected));
        }
    }

    #[test]
    fn far_away_it_is_a_straight_line() {
        // u → +∞: (pu + log(q/(p+q)))/(pq), slope 1/q; u → −∞: slope −1/p.
        let valley = Valley::new(2.0, 0.6);
        let (p, q) = (2.0 * 0.3_f64.exp(), 2.0 * (-0.3_f64).exp());
        let right = (p * 1e3 + (q / (p + q)).ln()) / (p * q);
        let left = (q * 1e3 + (p / (p + q)).ln()) / (p * q);
        assert!((valley.value(1e3) / right - 1.0).abs() < 1e-15);
        assert!((valley.value(-1e3) / left - 1.0).abs() < 1e-15);
        assert!((valley.derivatives(1e3).0 * q - 1.0).abs() < 1e-15);
        assert!((valley.derivatives(-1e3).0 * p + 1.0).abs() < 1e-15);
        assert!(valley.derivatives(1e3).1 == 0.0);
    }

    #[test]
    fn at_the_bottom_it_is_a_parabola() {
        let valley = Valley::new(1.3, -0.4);
        assert_eq!(valley.value(0.0), 0.0);
        assert_eq!(valley.derivatives(0.0).0, 0.0);
        assert!((valley.derivatives(0.0).1 - 1.0).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn both_forms_meet(rate in 0.05..5.0_f64, asymmetry in -3.0..3.0_f64, right in any::<bool>()) {
            // Just below and just above the switch: h grows by h'·du.
            let valley = Valley::new(rate, asymmetry);
            let sign = if right { 1.0 } else { -1.0 };
            let switch = sign * SERIES_LIMIT / (2.0 * rate * (0.5 * asymmetry).cosh());
            let (below, above) = (switch * (1.0 - 1e-7), switch * (1.0 + 1e-7));
            let growth = valley.derivatives(switch).0 * (above - below);
            let error = valley.value(above) - valley.value(below) - growth;
            prop_assert!(error.abs() <= 1e-9 * valley.value(switch));
        }

        #[test]
        fn partials_are_those_of_the_value(
            rate in 0.2..3.0_f64, asymmetry in -2.0..2.0_f64, u in -8.0..8.0_f64, near in any::<bool>(),
        ) {
            let u = if near { u * 1e-3 / rate } else { u };
            let found = Valley::new(rate, asymmetry).partials::<crate::simd::Plain>(u);
            let valley = Valley::new(rate, asymmetry);
            let h = valley.value(u);
            prop_assert!((found.value - h).abs() <= 1e-13 + 1e-8 * h);
            prop_assert!((found.by_distance - valley.derivatives(u).0).abs() <= 1e-9 * (1.0 + u.abs()));
            let step = 1e-5;
            let by_rate = (Valley::new(rate * f64::exp(step), asymmetry).value(u)
                - Valley::new(rate * f64::exp(-step), asymmetry).value(u)) / (2.0 * step);
            prop_assert!((found.by_log_rate - by_rate).abs() <= 1e-6 * h + 1e-9, "{} {by_rate}", found.by_log_rate);
            let by_asymmetry = (Valley::new(rate, asymmetry + step).value(u)
                - Valley::new(rate, asymmetry - step).value(u)) / (2.0 * step);
            prop_assert!((found.by_asymmetry - by_asymmetry).abs() <= 1e-6 * h + 1e-9);
        }

        #[test]
        fn derivatives_are_those_of_the_value(
            rate in 0.2..3.0_f64, asymmetry in -2.0..2.0_f64, u in -20.0..20.0_f64,
        ) {
            let valley = Valley::new(rate, asymmetry);
            let step = 1e-4;
            let slope = (valley.value(u + step) - valley.value(u - step)) / (2.0 * step);
            let bend = (valley.derivatives(u + step).0 - valley.derivatives(u - step).0) / (2.0 * step);
            let (first, second) = valley.derivatives(u);
            prop_assert!((slope - first).abs() < 1e-6 * (1.0 + first.abs()));
            prop_assert!((bend - second).abs() < 1e-6);
            prop_assert!(second >= 0.0);
        }
    }
}

//! Exponential and logarithm without branches, so that the compiler can vectorise the loops that call them.
//!
//! The methods are those of fdlibm's `e_exp.c` and `e_log.c` (Cody and Waite's reduction; `log(1+f)` through
//! `s = f/(2+f)`), with the exponent moved by integer arithmetic on the bits. They stay within 2 (exponential) and 3
//! (logarithm) units in the last place of the true value, with and without fused multiply-add.

use super::arithmetic::Arithmetic;

const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1.5·2⁵²: adding it rounds a small number to an integer, which the low bits of the sum then hold.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Below this the exponential is flushed to zero (it would be less than 3.4e-308).
const EXP_LOWEST: f64 = -708.0;
/// Above this the exponential is infinite.
const EXP_HIGHEST: f64 = 709.782_712_893_384;

/// A polynomial by Horner's rule, the highest power first, written out so that no inner loop is left.
macro_rules! horner {
    ($A:ty, $x:expr, $first:expr $(, $coefficient:expr)+ $(,)?) => {{
        let sum: f64 = $first;
        $(let sum = <$A>::multiply_add(sum, $x, $coefficient);)+
        sum
    }};
}

/// eˣ; zero below −708.
#[inline(always)]
pub fn exp<A: Arithmetic>(x: f64) -> f64 {
    // Comparisons, not f64::max, so that a NaN stays one.
    let clamped = if x < EXP_LOWEST { EXP_LOWEST } else { x };
    let clamped = if clamped > EXP_HIGHEST { EXP_HIGHEST } else { clamped };
    let shifted = A::multiply_add(clamped, std::f64::consts::LOG2_E, ROUNDER);
    let exponent = shifted - ROUNDER;
    let rest = A::multiply_add(exponent, -LN2_HIGH, clamped);
    let rest = A::multiply_add(exponent, -LN2_LOW, rest);
    // 1/13!, 1/11!, …, 1/3! and 1/12!, 1/10!, …, 1/2!: two short chains instead of a long one.
    let square = rest * rest;
    let odd = horner!(
        A,
        square,
        1.0 / 6_227_020_800.0,
        1.0 / 39_916_800.0,
        1.0 / 362_880.0,
        1.0 / 5_040.0,
        1.0 / 120.0,
        1.0 / 6.0,
    );
    let even = horner!(
        A,
        square,
        1.0 / 479_001_600.0,
        1.0 / 3_628_800.0,
        1.0 / 40_320.0,
        1.0 / 720.0,
        1.0 / 24.0,
        0.5,
    );
    let tail = A::multiply_add(odd, rest, even);
    let series = A::multiply_add(tail, square, rest) + 1.0;
    // 2^(exponent − 1), then twice that: 2^1024 is not a number, 2^1023 is.
    let half = f64::from_bits(shifted.to_bits().wrapping_add(1022) << 52);
    let value = series * half * 2.0;
    let value = if x < EXP_LOWEST { 0.0 } else { value };
    if x > EXP_HIGHEST { f64::INFINITY } else { value }
}

/// log z for a positive, finite, normal z.
#[inline(always)]
pub fn log<A: Arithmetic>(z: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const OFFSET: u64 = 1024 << 52;
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    // z = 2^k · m with m in [√½, √2); `biased` is k + 1024, kept unsigned because AVX2 has no signed 64-bit shift.
    let bits = z.to_bits();
    let biased = bits.wrapping_sub(SQRT_HALF).wrapping_add(OFFSET) >> 52;
    let mantissa = f64::from_bits(bits.wrapping_add(OFFSET).wrapping_sub(biased << 52));
    let exponent = f64::from_bits(biased | TWO_52) - (4_503_599_627_370_496.0 + 1024.0);
    let f = mantissa - 1.0;
    let s = f / (2.0 + f);
    let s_squared = s * s;
    // fdlibm's minimax coefficients Lg7, Lg5, Lg3, Lg1 and Lg6, Lg4, Lg2.
    let fourth_power = s_squared * s_squared;
    let odd = horner!(
        A,
        fourth_power,
        1.479_819_860_511_658_6e-1,
        1.818_357_216_161_805e-1,
        2.857_142_874_366_239e-1,
        6.666_666_666_666_735e-1,
    );
    let even = horner!(
        A,
        fourth_power,
        1.531_383_769_920_937_3e-1,
        2.222_219_843_214_978_4e-1,
        3.999_999_999_940_942e-1,
    );
    let tail = s_squared * A::multiply_add(even, s_squared, odd);
    // fdlibm splits log 2 in two and saves a last unit; here the sum is off by at most one of its larger term.
    A::multiply_add(exponent, std::f64::consts::LN_2, A::multiply_add(s, tail, s + s))
}

/// log cosh h = |h| + log(1 + e^(−2|h|)) − log 2, for any h.
#[inline(always)]
pub fn log_cosh<A: Arithmetic>(h: f64) -> f64 {
    given_small::<A>(h, exp::<A>(-2.0 * h.abs()))
}

/// log cosh h, given e^(−2|h|).
#[inline(always)]
fn given_small<A: Arithmetic>(h: f64, small: f64) -> f64 {
    h.abs() + (log::<A>(1.0 + small) - std::f64::consts::LN_2)
}

/// log cosh h, and the shares of e^(−h) and e^h in their sum, from one exponential.
pub struct Softened {
    pub log_cosh: f64,
    pub below: f64,
    pub above: f64,
}

impl Softened {
    #[inline(always)]
    pub fn at<A: Arithmetic>(h: f64) -> Self {
        let small = exp::<A>(-2.0 * h.abs());
        let more = 1.0 / (1.0 + small);
        let less = small * more;
        let (below, above) = if h < 0.0 { (more, less) } else { (less, more) };
        Self { log_cosh: given_small::<A>(h, small), below, above }
    }
}

/// log(1 + eᵗ) = t/2 + log cosh(t/2) + log 2, for any t.
#[inline(always)]
pub fn softplus<A: Arithmetic>(t: f64) -> f64 {
    let half = 0.5 * t;
    (half + half.abs()) + log::<A>(1.0 + exp::<A>(-t.abs()))
}

/// 1/(1 + e^(−z)), for any z.
#[inline(always)]
pub fn logistic<A: Arithmetic>(z: f64) -> f64 {
    let small = exp::<A>(-z.abs());
    (if z < 0.0 { small } else { 1.0 }) / (1.0 + small)
}

#[cfg(test)]
mod tests {
    use super::super::arithmetic::{Arithmetic, Fused, Plain};
    use super::*;
    use proptest::prelude::*;

    /// Distance in units in the last place of the standard library's value, itself within one of the truth.
    fn ulps(found: f64, expected: f64) -> f64 {
        let unit = f64::from_bits(expected.abs().to_bits() + 1) - expected.abs();
        (found - expected).abs() / unit
    }

    fn check_exp<A: Arithmetic>(x: f64) {
        assert!(ulps(exp::<A>(x), x.exp()) <= 2.0, "exp({x}) = {}", exp::<A>(x));
    }

    fn check_log<A: Arithmetic>(z: f64) {
        assert!(ulps(log::<A>(z), z.ln()) <= 3.0, "log({z}) = {}", log::<A>(z));
    }

    proptest! {
        #[test]
        fn exp_is_within_two_units(x in -707.9..709.7_f64) {
            check_exp::<Fused>(x);
            check_exp::<Plain>(x);
        }

        #[test]
        fn exp_is_within_two_units_near_zero(x in -0.4..0.4_f64) {
            check_exp::<Fused>(x);
            check_exp::<Plain>(x);
        }

        #[test]
        fn log_is_within_three_units(exponent in -1021..1023_i32, mantissa in 1.0..2.0_f64) {
            let z = mantissa * 2.0_f64.powi(exponent);
            check_log::<Fused>(z);
            check_log::<Plain>(z);
        }

        #[test]
        fn log_is_within_three_units_near_one(z in 0.7..1.5_f64) {
            check_log::<Fused>(z);
            check_log::<Plain>(z);
        }

        #[test]
        fn log_inverts_exp(x in -700.0..700.0_f64) {
            prop_assert!((log::<Fused>(exp::<Fused>(x)) - x).abs() <= 4e-16 * x.abs().max(1.0));
        }

        #[test]
        fn logistic_of_both_signs_sum_to_one(z in -800.0..800.0_f64) {
            prop_assert!((logistic::<Fused>(z) + logistic::<Fused>(-z) - 1.0).abs() <= 3e-16);
        }
    }

    #[test]
    fn exact_values() {
        assert_eq!(exp::<Fused>(0.0), 1.0);
        assert_eq!(exp::<Fused>(-709.0), 0.0);
        assert_eq!(exp::<Fused>(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp::<Fused>(710.0), f64::INFINITY);
        assert!(exp::<Fused>(f64::NAN).is_nan());
        assert_eq!(log::<Fused>(1.0), 0.0);
        assert_eq!(log::<Fused>(2.0), std::f64::consts::LN_2);
        assert_eq!(log::<Plain>(2.0), std::f64::consts::LN_2);
        assert_eq!(log_cosh::<Fused>(0.0), 0.0);
        assert_eq!(logistic::<Fused>(f64::NEG_INFINITY), 0.0);
        assert_eq!(logistic::<Fused>(f64::INFINITY), 1.0);
        // log(1 + e^t) is t for large t and vanishes for very negative t.
        assert_eq!(softplus::<Fused>(1000.0), 1000.0);
        assert_eq!(softplus::<Fused>(-1000.0), 0.0);
        // log cosh h → |h| − log 2.
        assert_eq!(log_cosh::<Fused>(-1000.0), 1000.0 - std::f64::consts::LN_2);
    }
}

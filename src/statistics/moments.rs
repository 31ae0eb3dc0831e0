//! Moments of disjoint sets of examples, merged.

/// Sums of powers of deviations from the mean, for one parameter (Chan, Golub and LeVeque 1979; Pébay 2008).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// Number of examples, or their total weight.
    pub count: f64,
    /// Their mean.
    pub mean: f64,
    /// Σ (g − mean)²
    pub second: f64,
    /// Σ (g − mean)³
    pub third: f64,
    /// Σ (g − mean)⁴
    pub fourth: f64,
}

impl Moments {
    /// Moments of one example.
    #[must_use]
    pub const fn of(value: f64) -> Self {
        Self { count: 1.0, mean: value, second: 0.0, third: 0.0, fourth: 0.0 }
    }

    /// Moments of both sets together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let (a, b) = (self.count, other.count);
        let n = a + b;
        if n == 0.0 {
            return self;
        }
        let delta = other.mean - self.mean;
        let squared = delta * delta;
        Self {
            count: n,
            mean: self.mean + delta * b / n,
            second: self.second + other.second + squared * a * b / n,
            third: self.third
                + other.third
                + squared * delta * a * b * (a - b) / (n * n)
                + 3.0 * delta * (a * other.second - b * self.second) / n,
            fourth: self.fourth
                + other.fourth
                + squared * squared * a * b * (a * a - a * b + b * b) / (n * n * n)
                + 6.0 * squared * (a * a * other.second + b * b * self.second) / (n * n)
                + 4.0 * delta * (a * other.third - b * self.third) / n,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two passes over all examples at once.
    fn direct(values: &[f64]) -> Moments {
        let count = f64::from(u32::try_from(values.len()).unwrap());
        let mean = values.iter().sum::<f64>() / count;
        let power = |power| values.iter().map(|value| (value - mean).powi(power)).sum();
        Moments { count, mean, second: power(2), third: power(3), fourth: power(4) }
    }

    proptest! {
        #[test]
        fn merging_equals_one_pass(
            values in prop::collection::vec(-10.0..10.0_f64, 2..40),
            cut in any::<prop::sample::Index>(),
            shift in -1e3..1e3_f64,
        ) {
            let values: Vec<f64> = values.into_iter().map(|value| value + shift).collect();
            let (left, right) = values.split_at(cut.index(values.len() - 1) + 1);
            let expected = direct(&values);
            let singles = values.iter().map(|&value| Moments::of(value));
            let one_by_one = singles.fold(Moments::default(), Moments::merge);
            let halves = if right.is_empty() { direct(left) } else { direct(left).merge(direct(right)) };
            for found in [one_by_one, halves] {
                // Deviations are at most 20, so powers sum to at most 20ᵖ·40; roundings of a mean of 10³ are 10⁻¹³.
                prop_assert_eq!(found.count, expected.count);
                prop_assert!((found.mean - expected.mean).abs() < 1e-11);
                prop_assert!((found.second - expected.second).abs() < 1e-12 * 400.0 * 40.0 + 1e-9);
                prop_assert!((found.third - expected.third).abs() < 1e-10 * 8e3 * 40.0 / 20.0);
                prop_assert!((found.fourth - expected.fourth).abs() < 1e-10 * 1.6e5 * 40.0 / 20.0);
            }
        }
    }

    /// 0, 0, 3 against 6: by hand, mean 9/4, deviations −9/4 −9/4 3/4 15/4.
    #[test]
    fn a_case_by_hand() {
        let merged = direct(&[0.0, 0.0, 3.0]).merge(Moments::of(6.0));
        assert_eq!((merged.count, merged.mean), (4.0, 2.25));
        assert!((merged.second - (81.0 + 81.0 + 9.0 + 225.0) / 16.0).abs() < 1e-13);
        assert!((merged.third - (-729.0 - 729.0 + 27.0 + 3375.0) / 64.0).abs() < 1e-12);
        assert!((merged.fourth - (6561.0 + 6561.0 + 81.0 + 50625.0) / 256.0).abs() < 1e-12);
    }
}

//! The estimators against brute force, and their intervals against known truths.

use super::*;
use crate::statistics::tests::{Data, Normal, close};
use crate::statistics::{Request, scan};

/// The sums of some rows, by definition.
struct Owned {
    rows: Vec<usize>,
    weights: Vec<f64>,
    norms: Vec<f64>,
    projections: Vec<f64>,
    mean_norm_squared: f64,
    groups: Vec<u32>,
    group_norms: Vec<f64>,
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

impl Owned {
    fn new(values: &[Vec<f64>], weights: &[f64], groups: &[u32]) -> Self {
        let weighted = |members: &dyn Fn(usize) -> bool| -> Vec<f64> {
            let members = || (0..values.len()).filter(|&row| members(row));
            (0..values[0].len()).map(|c| members().map(|row| weights[row] * values[row][c]).sum()).collect()
        };
        let total: f64 = weights.iter().sum();
        let mean: Vec<f64> = weighted(&|_| true).iter().map(|sum| sum / total).collect();
        let last = groups.iter().max().map_or(0, |&last| last + 1);
        let group_norms = (0..last).map(|group| {
            let sum = weighted(&|row| groups[row] == group);
            dot(&sum, &sum)
        });
        Self {
            rows: (0..values.len()).collect(),
            weights: weights.to_vec(),
            norms: values.iter().map(|row| dot(row, row)).collect(),
            projections: values.iter().map(|row| dot(row, &mean)).collect(),
            mean_norm_squared: dot(&mean, &mean),
            group_norms: group_norms.collect(),
            groups: groups.to_vec(),
        }
    }

    fn plain(values: &[Vec<f64>]) -> Self {
        Self::new(values, &vec![1.0; values.len()], &[])
    }

    fn part(&self) -> Part<'_> {
        Part {
            rows: &self.rows,
            weights: Some(&self.weights),
            norms: &self.norms,
            projections: &self.projections,
            mean_norm_squared: self.mean_norm_squared,
            groups: (!self.groups.is_empty()).then_some((&self.groups[..], &self.group_norms[..])),
        }
    }

    fn estimate(&self) -> Estimate {
        estimate(&[self.part()], 0.95).unwrap()
    }
}

/// Rows with |G|² = 1 and isotropic noise of tr(Σ) = `noise_scale`.
fn rows(normal: &mut Normal, count: usize, parameters: u32, noise_scale: f64) -> Vec<Vec<f64>> {
    let mean = f64::from(parameters).sqrt().recip();
    let deviation = (noise_scale / f64::from(parameters)).sqrt();
    (0..count).map(|_| (0..parameters).map(|_| mean + deviation * normal.next()).collect()).collect()
}

/// Some rows of small dimension, not at all alike.
fn few() -> Vec<Vec<f64>> {
    rows(&mut Normal::new(5), 9, 4, 3.0)
}

fn pick<T: Clone>(of: &[T], keep: impl Fn(usize) -> bool) -> Vec<T> {
    of.iter().enumerate().filter(|(index, _)| keep(*index)).map(|(_, value)| value.clone()).collect()
}

/// The standard error from estimates without each unit, which are computed from rows that lack it.
fn brute_force(values: &[Vec<f64>], weights: &[f64], groups: &[u32]) -> f64 {
    let units: Vec<u32> = if groups.is_empty() { (0..9).collect() } else { groups.to_vec() };
    let mut distinct = units.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let replicate = |unit: u32| {
        let keep = |row: usize| units[row] != unit;
        let groups = if groups.is_empty() { Vec::new() } else { pick(groups, keep) };
        Owned::new(&pick(values, keep), &pick(weights, keep), &groups).estimate().inverse_noise_scale.value
    };
    let replicates: Vec<f64> = distinct.into_iter().map(replicate).collect();
    let n = replicates.len() as f64;
    let mean = replicates.iter().sum::<f64>() / n;
    ((n - 1.0) / n * replicates.iter().map(|value| (value - mean).powi(2)).sum::<f64>()).sqrt()
}

#[test]
fn deleting_a_row_or_group_equals_never_having_had_it() {
    let weights = [1.0, 2.0, 5.0, 1.0, 3.0, 3.0, 2.0, 8.0, 1.0];
    let groups = [0, 1, 1, 4, 2, 2, 2, 0, 3];
    for weights in [&[1.0; 9], &weights] {
        for groups in [&[][..], &groups] {
            let found = Owned::new(&few(), weights, groups).estimate().inverse_noise_scale.standard_error;
            let expected = brute_force(&few(), weights, groups);
            close(found, expected, 1e-11 * expected, "standard error");
        }
    }
}

/// Four rows in one dimension: 1, 2, 3, 6. ḡ = 3, m = 9, s̄ = 12.5; |G|² is the mean of products of different rows,
/// ((Σg)² − Σg²)/12 = (144 − 50)/12 = 47/6, and tr(Σ) the sample variance (4 + 1 + 0 + 9)/3 = 14/3.
#[test]
fn a_case_by_hand() {
    let found = Owned::plain(&[vec![1.0], vec![2.0], vec![3.0], vec![6.0]]).estimate();
    close(found.gradient_norm_squared.value, 47.0 / 6.0, 1e-14, "|G|²");
    close(found.gradient_covariance_trace.value, 14.0 / 3.0, 1e-14, "tr(Σ)");
    close(found.noise_scale.value, 28.0 / 47.0, 1e-14, "B");
    assert_eq!((found.units, found.examples), (4, Some(4.0)));
}

#[test]
fn groups_of_one_row_are_no_groups() {
    let plain = Owned::plain(&few()).estimate();
    let grouped = Owned::new(&few(), &[1.0; 9], &[3, 1, 4, 0, 5, 8, 2, 6, 7]).estimate();
    let pairs = [
        (plain.gradient_norm_squared, grouped.gradient_norm_squared),
        (plain.gradient_covariance_trace, grouped.gradient_covariance_trace),
        (plain.inverse_noise_scale, grouped.inverse_noise_scale),
    ];
    for (plain, grouped) in pairs {
        close(grouped.value, plain.value, 1e-13 * plain.value.abs(), "value");
        close(grouped.standard_error, plain.standard_error, 1e-12 * plain.standard_error, "standard error");
    }
}

/// Every row three times over, as tokens of one document might be: products within a document are noise, not signal.
#[test]
fn correlated_rows_need_their_groups() {
    let distinct = rows(&mut Normal::new(8), 60, 40, 50.0);
    let copies: Vec<Vec<f64>> = distinct.iter().flat_map(|row| vec![row.clone(); 3]).collect();
    let groups: Vec<u32> = (0..180).map(|row| row / 3).collect();
    let truth = Owned::plain(&distinct).estimate();
    let grouped = Owned::new(&copies, &[1.0; 180], &groups).estimate();
    // Three equal rows: sums S = 3g, cross products and all means are those of the distinct rows.
    close(grouped.gradient_norm_squared.value, truth.gradient_norm_squared.value, 1e-12, "|G|²");
    close(grouped.noise_scale.value, truth.noise_scale.value, 1e-9, "B");
    assert_eq!(grouped.units, 60);
    // Without groups, 2/180 of all products are |g|² ≈ 51: |G|² comes out by about 0.57 too large.
    let naive = Owned::plain(&copies).estimate();
    assert!(naive.gradient_norm_squared.value > truth.gradient_norm_squared.value + 0.4);
}

#[test]
fn order_scale_and_tensors_do_not_matter() {
    let values = few();
    let expected = Owned::plain(&values).estimate();
    let mut reversed = values.clone();
    reversed.reverse();
    let scaled: Vec<Vec<f64>> = values.iter().map(|row| row.iter().map(|g| g * 1e-3).collect()).collect();
    let found = [Owned::plain(&reversed).estimate(), Owned::plain(&scaled).estimate(), {
        let pieces = [0..1, 1..3, 3..4].map(|range| {
            let piece: Vec<Vec<f64>> = values.iter().map(|row| row[range.clone()].to_vec()).collect();
            Owned::plain(&piece)
        });
        estimate(&pieces.each_ref().map(Owned::part), 0.95).unwrap()
    }];
    for found in found {
        let (found, expected) = (found.inverse_noise_scale, expected.inverse_noise_scale);
        close(found.value, expected.value, 1e-12 * expected.value.abs(), "1/B");
        close(found.high, expected.high, 1e-12 * expected.high.abs(), "interval");
    }
}

/// A row missing from one of two equal tensors. By hand: it changes only the other one when it is deleted.
#[test]
fn rows_may_be_missing_from_a_tensor() {
    let values = few();
    let (all, most) = (Owned::plain(&values), Owned::plain(&values[..8]));
    let found = estimate(&[all.part(), most.part()], 0.95).unwrap();
    let value = |parts: &[&Owned]| {
        let each = || parts.iter().map(|part| part.estimate());
        each().map(|e| e.gradient_norm_squared.value).sum::<f64>()
            / each().map(|e| e.gradient_covariance_trace.value).sum::<f64>()
    };
    let replicates: Vec<f64> = (0..9)
        .map(|row| {
            let all = Owned::plain(&pick(&values, |other| other != row));
            let most = Owned::plain(&pick(&values[..8], |other| other != row));
            value(&[&all, &most])
        })
        .collect();
    let mean = replicates.iter().sum::<f64>() / 9.0;
    let squares: f64 = replicates.iter().map(|replicate| (replicate - mean).powi(2)).sum();
    let expected = (squares * 8.0 / 9.0).sqrt();
    close(found.inverse_noise_scale.value, value(&[&all, &most]), 1e-12, "1/B");
    close(found.inverse_noise_scale.standard_error, expected, 1e-11 * expected, "standard error");
    assert_eq!(found.examples, Some(9.0));
}

/// Rows that are means of b examples: tr(Σ) is that of one example, b times what the rows alone would say.
#[test]
fn micro_batches_report_the_noise_of_one_example() {
    let values = few();
    let (rows, batches) = (Owned::plain(&values).estimate(), Owned::new(&values, &[16.0; 9], &[]).estimate());
    let ratio = batches.gradient_covariance_trace.value / rows.gradient_covariance_trace.value;
    close(ratio, 16.0, 1e-12, "tr(Σ)");
    close(batches.gradient_norm_squared.value, rows.gradient_norm_squared.value, 1e-12, "|G|²");
    assert_eq!(batches.examples, Some(144.0));
}

/// Batches of 1 and of all N examples hold what the rows hold: s̄ and m.
#[test]
fn two_batch_sizes_agree_with_rows() {
    let rows = Owned::plain(&few());
    let pair = Pair {
        small: 1.0,
        small_norm_squared: rows.norms.iter().sum::<f64>() / 9.0,
        big: 9.0,
        big_norm_squared: rows.mean_norm_squared,
    };
    let (found, expected) = (two_batch_sizes(&[pair; 3], 0.95).unwrap(), rows.estimate());
    close(found.noise_scale.value, expected.noise_scale.value, 1e-12, "B");
    close(found.inverse_noise_scale.standard_error, 0.0, 1e-12, "equal pairs do not vary");
    assert_eq!(found.examples_needed(0.2), None);
}

/// Batch sizes 1 and 2: |G|² = 2·big − small = −1, 3, 2 and tr(Σ) = 2(small − big) = 4, 2, 0. Averages 4/3 and 2; an
/// average of clipped values would be 5/3.
#[test]
fn pairs_are_averaged_before_the_ratio_and_never_clipped() {
    let pair = |small_norm_squared, big_norm_squared| Pair {
        small: 1.0,
        small_norm_squared,
        big: 2.0,
        big_norm_squared,
    };
    let found = two_batch_sizes(&[pair(3.0, 1.0), pair(5.0, 4.0), pair(2.0, 2.0)], 0.95).unwrap();
    close(found.gradient_norm_squared.value, 4.0 / 3.0, 1e-14, "|G|²");
    close(found.noise_scale.value, 1.5, 1e-14, "B");
}

#[test]
fn an_interval_without_an_upper_end_says_so() {
    let inverse = |value, low, high| Interval { value, standard_error: 0.1, low, high }.inverse(1.0);
    assert_eq!(inverse(0.5, 0.25, 1.0), Inverse { value: 2.0, low: 1.0, high: 4.0 });
    assert_eq!(inverse(0.5, -0.1, 1.0), Inverse { value: 2.0, low: 1.0, high: f64::INFINITY });
    assert_eq!(inverse(-0.5, -1.0, 0.5).value, f64::INFINITY);
    assert_eq!(inverse(-0.5, -1.0, 0.5).low, 2.0);
    assert_eq!(inverse(-0.5, -1.0, -0.1).low, f64::INFINITY);
    // Opposite rows: ḡ = 0, so |G|² = −s̄/(N − 1) = −1/3.
    let found = Owned::plain(&[vec![1.0], vec![-1.0], vec![1.0], vec![-1.0]]).estimate();
    close(found.gradient_norm_squared.value, -1.0 / 3.0, 1e-15, "|G|²");
    assert_eq!((found.noise_scale.value, found.relative_error()), (f64::INFINITY, f64::INFINITY));
    assert_eq!(found.examples_needed(0.2), None);
}

/// Quantiles of Student's t from tables: 2.262157 for 9 degrees of freedom, 1.959966 for a million.
#[test]
fn intervals_use_students_t() {
    for (units, expected) in [(10, 2.262_157), (1_000_001, 1.959_966)] {
        let replicates = (0..units).map(|unit| f64::from(u32::try_from(unit % 2).unwrap()));
        let found = Jackknife::new(units, 0.95).unwrap().interval(0.0, replicates);
        close(found.high / found.standard_error, expected, 1e-6, "quantile");
    }
}

#[test]
fn advice_returns_the_observed_error_at_the_observed_size() {
    let found = Owned::plain(&rows(&mut Normal::new(1), 200, 50, 40.0)).estimate();
    let error = found.relative_error();
    close(found.examples_needed(error).unwrap(), 200.0, 1e-9, "examples");
    // With noise small against n, V(n) ∝ 1/n: half the error needs four times the examples; with B ≫ n, twice.
    let with = |noise_scale: f64| {
        let mut estimate = found;
        estimate.noise_scale.value = noise_scale;
        estimate.examples_needed(error / 2.0).unwrap() / 200.0
    };
    close(with(1e-3), 4.0, 1e-3, "examples");
    close(with(1e9), 2.0, 1e-3, "examples");
}

/// With a true noise scale of 200, tr(Σ)/|ḡ|² is near N: 15 at 16 rows, 49 at 64. Its denominator has expectation
/// 1 + 200/N, so the ratio is about 200/(1 + 200/N) = 14.8 and 48.5; |G|²/tr(Σ) has none of this.
#[test]
fn the_naive_ratio_is_capped_and_ours_is_not() {
    let mut normal = Normal::new(2);
    for (count, naive) in [(16, 14.8), (64, 48.5)] {
        let (mut sum, mut inverse) = (0.0, 0.0);
        for _ in 0..100 {
            let owned = Owned::plain(&rows(&mut normal, count, 100, 200.0));
            let found = owned.estimate();
            sum += found.gradient_covariance_trace.value / owned.mean_norm_squared / 100.0;
            inverse += found.inverse_noise_scale.value / 100.0;
        }
        close(sum, naive, 0.1 * naive, "tr(Σ)/|ḡ|²");
        // Var |G|² = 2·200²/(100·N(N − 1)) + 4·200/(100·N): sd of 1/B below 0.01 at 16 rows, a tenth of it for the mean.
        close(inverse, 1.0 / 200.0, 0.004, "1/B");
    }
}

/// The share of intervals that hold the truth.
fn coverage(count: usize, parameters: u32, noise_scale: f64, repetitions: u32) -> f64 {
    let mut normal = Normal::new(count as u64);
    let covers = |_: &u32| {
        let found = Owned::plain(&rows(&mut normal, count, parameters, noise_scale)).estimate();
        let interval = found.inverse_noise_scale;
        (interval.low..=interval.high).contains(&(1.0 / noise_scale))
    };
    let covered = u32::try_from((0..repetitions).filter(covers).count()).unwrap();
    f64::from(covered) / f64::from(repetitions)
}

/// 100 intervals of 95 %: fewer than 89 cover with a probability of 0.4 % (binomial), so a 95 % interval passes.
#[test]
fn intervals_cover() {
    for (count, noise_scale) in [(16, 20.0), (32, 200.0)] {
        let found = coverage(count, 100, noise_scale, 100);
        assert!(found >= 0.89, "N = {count}, B = {noise_scale}: {found}");
    }
}

#[test]
#[ignore = "minutes without optimisation"]
fn intervals_cover_over_the_whole_range() {
    for count in [16, 64, 256, 1_024] {
        for noise_scale in [20.0, 200.0, 2_000.0] {
            let found = coverage(count, 1_000, noise_scale, 200);
            assert!(found >= 0.90, "N = {count}, B = {noise_scale}: {found}");
        }
    }
}

/// The bound from a scan of rows whose parameters have (μ/σ)² = `signal`, with scales of their own.
fn bound(signal: f64, columns: u32) -> (Resolvable, f64) {
    let mut normal = Normal::new(4);
    let row = |normal: &mut Normal| -> Vec<f64> {
        (0..columns).map(|c| f64::from(1 + c % 7) * (signal.sqrt() + normal.next())).collect()
    };
    let values: Vec<Vec<f64>> = (0..60).map(|_| row(&mut normal)).collect();
    let data = Data::new(crate::Dtype::F64, &values);
    let request = Request { shape: true, ..Request::default() };
    let scanned = scan(&[data.rows()], &[true; 60], &request, None, &mut |_| true).unwrap();
    let sums = &scanned.sums[0];
    let shape = sums.shape.as_ref().unwrap();
    let all: Vec<usize> = (0..60).collect();
    let part = Part {
        rows: &all,
        weights: None,
        norms: &shape.norms,
        projections: &shape.projections,
        mean_norm_squared: shape.mean_norm_squared,
        groups: None,
    };
    let found = resolvable(&[Standardised { part, parameters: sums.varying }], 0.95).unwrap();
    (found, sums.signal / f64::from(columns))
}

#[test]
fn a_bound_is_given_where_there_is_signal_and_not_where_there_is_none() {
    let (found, scanned) = bound(0.01, 400);
    close(found.mean_signal.value, scanned, 1e-12, "the sum of the scan");
    assert!(found.resolvable);
    // sd of mean δ²: √((2/60² + 4·0.01/60)/400) = 0.0018, so 0.01 and π/2·100 = 157 are inside ± 3 of them.
    close(found.mean_signal.value, 0.01, 0.0055, "mean δ²");
    close(found.mean_signal.standard_error, 0.0018, 0.0006, "its standard error");
    assert!(found.bound.low < 157.0 && 157.0 < found.bound.high);
    let (found, _) = bound(0.0, 400);
    assert!(!found.resolvable && found.bound.high == f64::INFINITY);
}

#[test]
fn sums_that_do_not_belong_together_are_refused() {
    let (owned, grouped) =
        (Owned::plain(&few()), Owned::new(&few(), &[1.0; 9], &[0, 0, 0, 1, 1, 1, 2, 2, 2]));
    let message = |parts: &[Part<'_>]| estimate(parts, 0.95).unwrap_err().to_string();
    let part = owned.part();
    assert!(message(&[part, Part { norms: &part.norms[1..], ..part }]).contains("8 in part 1"));
    assert!(message(&[part, grouped.part()]).contains("groups in all parts or in none"));
    assert!(message(&[Owned::plain(&few()[..2]).part()]).contains("three rows or groups"));
    assert!(message(&[Part { mean_norm_squared: f64::NAN, ..part }]).contains("'mean_norm_squared'"));
    assert!(message(&[Part { groups: Some((&[0; 9], &[1.0])), ..part }]).contains("1 in part 0"));
    assert!(message(&[Part { groups: Some((&[1; 9], &[1.0])), ..part }]).contains("norms of 2 groups"));
    assert!(estimate(&[part], 1.0).unwrap_err().to_string().contains("'probability'"));
    assert!(estimate(&[], 0.95).is_err());
    let pair = Pair { small: 2.0, small_norm_squared: 1.0, big: 2.0, big_norm_squared: 1.0 };
    assert!(two_batch_sizes(&[pair; 3], 0.95).unwrap_err().to_string().contains("bigger"));
}

//! Every result against its definition, for every format, with and without weights, groups and shapes.

use super::*;

/// The definitions, in double precision.
struct Expected {
    mean: Vec<f64>,
    variance: Vec<f64>,
    third: Vec<f64>,
    fourth: Vec<f64>,
}

impl Expected {
    fn new(values: &[Vec<f64>], weights: &[f64]) -> Self {
        let (n, total) = (values.len() as f64, weights.iter().sum::<f64>());
        let columns = values[0].len();
        let per_column = |f: &dyn Fn(usize) -> f64| (0..columns).map(f).collect::<Vec<f64>>();
        let rows = || values.iter().zip(weights);
        let mean = per_column(&|c| rows().map(|(row, b)| b * row[c]).sum::<f64>() / total);
        let power = |c: usize, power: i32| {
            rows().map(|(row, b)| (b.sqrt() * (row[c] - mean[c])).powi(power)).sum::<f64>()
        };
        Self {
            variance: per_column(&|c| power(c, 2) / (n - 1.0)),
            third: per_column(&|c| power(c, 3) / n),
            fourth: per_column(&|c| power(c, 4) / n),
            mean,
        }
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn compare(data: &Data, weights: Option<&[f64]>, groups: Option<&[u32]>) {
    let n = data.values.len() as f64;
    let ones = vec![1.0; data.values.len()];
    let b = weights.unwrap_or(&ones);
    let total: f64 = b.iter().sum();
    let expected = Expected::new(&data.values, b);
    let (scanned, [mean, variance, third, fourth]) =
        scan_all(data, &Request { weights, groups, shape: true });
    assert_eq!(scanned.non_finite_rows, [0_usize; 0]);
    let [sums] = &scanned.sums[..] else { panic!("one tensor") };
    assert_eq!(sums.columns, data.columns as u64);
    assert_eq!(mean.len(), data.columns);

    for c in 0..data.columns {
        let deviation = expected.variance[c].sqrt();
        let error_of_mean = (1e-5 * deviation / total.sqrt()).max(1e-7 * expected.mean[c].abs());
        close(f64::from(mean[c]), expected.mean[c], error_of_mean, "mean");
        close(f64::from(variance[c]), expected.variance[c], 2e-6 * expected.variance[c], "variance");
        close(f64::from(third[c]), expected.third[c], 1e-5 * deviation.powi(3) * b_scale(b), "third moment");
        close(f64::from(fourth[c]), expected.fourth[c], 1e-5 * expected.fourth[c], "fourth moment");
    }

    let mean_norm = dot(&expected.mean, &expected.mean);
    // As if every mean were off by 10⁻⁶ of its standard error.
    let of_means = |c: usize| 2e-6 * expected.mean[c].abs() * (expected.variance[c] / total).sqrt();
    let allowed = 1e-7 * mean_norm + (0..data.columns).map(of_means).sum::<f64>();
    close(sums.mean_norm_squared, mean_norm, allowed, "|ḡ|²");
    for (k, row) in data.values.iter().enumerate() {
        let norm = dot(row, row);
        close(sums.norms[k], norm, 2e-7 * norm, "s");
        close(sums.projections[k], dot(row, &expected.mean), 4e-7 * (norm * mean_norm).sqrt(), "d");
    }
    if let Some(groups) = groups {
        assert_eq!(sums.group_norms.len(), *groups.iter().max().unwrap() as usize + 1);
        for (group, &found) in sums.group_norms.iter().enumerate() {
            let members = || (0..groups.len()).filter(|&row| groups[row] as usize == group);
            let sum = |c: usize| members().map(|row| b[row] * data.values[row][c]).sum::<f64>();
            let norm = (0..data.columns).map(|c| sum(c).powi(2)).sum::<f64>();
            close(found, norm, 1e-6 * norm, "norm of a group");
        }
    } else {
        assert!(sums.group_norms.is_empty());
    }

    let varying: Vec<usize> = (0..data.columns).filter(|&c| expected.variance[c] > 0.0).collect();
    assert_eq!(sums.varying, varying.len() as u64);
    let ratio = |c: usize| expected.mean[c].powi(2) / expected.variance[c];
    let signal: f64 = varying.iter().map(|&c| (n - 3.0) / (n - 1.0) * ratio(c) - 1.0 / total).sum();
    let shape = sums.shape.as_ref().unwrap();
    let z_mean: f64 = varying.iter().map(|&c| ratio(c)).sum();
    close(shape.mean_norm_squared, z_mean, 1e-5 * z_mean, "standardised |ḡ|²");
    if n > 3.0 {
        close(sums.signal, signal, 1e-5 * (z_mean + varying.len() as f64 / total), "signal");
        // g₁ and g₂ from moments that divide by N; then the corrections.
        let biased = |c: usize| expected.variance[c] * (n - 1.0) / n;
        let g1 = |c: usize| expected.third[c] / biased(c).powf(1.5);
        let g2 = |c: usize| expected.fourth[c] / biased(c).powi(2) - 3.0;
        let skewness: f64 = varying.iter().map(|&c| n * (n - 1.0) / (n - 2.0).powi(2) * g1(c).powi(2)).sum();
        let kurtosis: f64 =
            varying.iter().map(|&c| (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * g2(c) + 6.0)).sum();
        close(shape.skewness_squared, skewness, 1e-4 * (skewness + 1e-3), "skewness²");
        close(shape.excess_kurtosis, kurtosis, 1e-4 * varying.len() as f64 * n, "excess kurtosis");
    } else {
        assert!(sums.signal.is_nan());
    }
    for (k, row) in data.values.iter().enumerate() {
        let norm: f64 = varying.iter().map(|&c| row[c].powi(2) / expected.variance[c]).sum();
        let product: f64 = varying.iter().map(|&c| row[c] * expected.mean[c] / expected.variance[c]).sum();
        close(shape.norms[k], norm, 1e-5 * norm, "standardised s");
        close(shape.projections[k], product, 1e-5 * (norm * z_mean).sqrt(), "standardised d");
    }
}

fn b_scale(b: &[f64]) -> f64 {
    b.iter().fold(1.0, |most: f64, b| most.max(b.powf(1.5)))
}

const ALL: [Dtype; 6] = [Dtype::F8E4M3, Dtype::F8E5M2, Dtype::F16, Dtype::Bf16, Dtype::F32, Dtype::F64];

#[test]
fn every_format_and_awkward_sizes() {
    for (seed, dtype) in ALL.into_iter().enumerate() {
        for (rows, columns) in [(2, 17), (3, 1), (5, 16), (67, 31), (70, 150)] {
            compare(&gradients(dtype, rows, columns, seed as u64), None, None);
        }
    }
}

#[test]
fn weights_and_groups() {
    for dtype in [Dtype::Bf16, Dtype::F32, Dtype::F64] {
        let data = gradients(dtype, 70, 45, 7);
        let weights: Vec<f64> = (0..70).map(|row| f64::from(1 + row % 5)).collect();
        // Out of order, of several sizes, the second without rows.
        let groups: Vec<u32> = (0..70).map(|row: usize| [0, 2, 2, 7, 3, 3, 3][row * 5 % 7]).collect();
        compare(&data, Some(&weights), None);
        compare(&data, None, Some(&groups));
        compare(&data, Some(&weights), Some(&groups));
        compare(&data, Some(&[8.0; 70]), Some(&groups));
    }
}

#[test]
fn several_tiles_and_units() {
    // Tiles of 224 columns for 1,100 rows, of 1,024 columns for 20.
    compare(&gradients(Dtype::F32, 1_100, 300, 3), None, None);
    compare(&gradients(Dtype::Bf16, 20, 2_100, 4), None, None);
}

#[test]
fn rows_left_out_might_as_well_not_be_there() {
    let data = gradients(Dtype::F32, 20, 100, 5);
    let keep: Vec<bool> = (0..20).map(|row| row % 3 != 1).collect();
    let kept: Vec<Vec<f64>> = (0..20).filter(|&row| keep[row]).map(|row| data.values[row].clone()).collect();
    let groups: Vec<u32> = (0..20).map(|row| row % 4).collect();
    let kept_groups: Vec<u32> = (0..20).filter(|&row| keep[row]).map(|row| groups[row]).collect();
    let request = Request { groups: Some(&groups), ..Request::default() };
    let found = scan(&[data.rows()], &keep, &request, None, &mut |_| true).unwrap();
    let request = Request { groups: Some(&kept_groups), ..Request::default() };
    assert_eq!(found, scan_all(&Data::new(Dtype::F32, &kept), &request).0);
}

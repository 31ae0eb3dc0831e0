//! What single precision in the loops costs, against double precision.

use super::*;

/// Rows of μ + z·σ with σ = 1; the largest errors of mean and variance, in units of what they may be.
fn errors(dtype: Dtype, rows: usize, ratio: f64) -> (f64, f64) {
    let mut normal = Normal::new(11);
    let columns = 300;
    let row = |normal: &mut Normal| (0..columns).map(|_| ratio + normal.next()).collect::<Vec<f64>>();
    let data = Data::new(dtype, &(0..rows).map(|_| row(&mut normal)).collect::<Vec<_>>());
    let (_, [mean, variance, ..]) = scan_all(&data, &Request::default());
    let n = rows as f64;
    let mut worst = (0.0_f64, 0.0_f64);
    for c in 0..columns {
        let exact = data.values.iter().map(|row| row[c]).sum::<f64>() / n;
        let squares = data.values.iter().map(|row| (row[c] - exact).powi(2)).sum::<f64>() / (n - 1.0);
        let allowed = (1e-5 * (squares / n).sqrt()).max(1e-7 * exact.abs());
        worst.0 = worst.0.max((f64::from(mean[c]) - exact).abs() / allowed);
        worst.1 = worst.1.max((f64::from(variance[c]) / squares - 1.0).abs() / 2e-6);
    }
    worst
}

#[test]
fn means_and_variances_keep_their_digits() {
    for ratio in [0.0, 1.0, 1e3, 1e5] {
        for rows in [64, 256, 1_000] {
            let (mean, variance) = errors(Dtype::F32, rows, ratio);
            assert!(mean <= 1.0 && variance <= 1.0, "N = {rows}, μ/σ = {ratio}: {mean}, {variance}");
        }
    }
    // At a mean of 10³, steps of bfloat16 are 4 wide: its numbers, not ours, are coarse.
    for ratio in [0.0, 1.0, 1e3] {
        let (mean, variance) = errors(Dtype::Bf16, 256, ratio);
        assert!(mean <= 1.0 && variance <= 1.0, "bfloat16, μ/σ = {ratio}: {mean}, {variance}");
    }
}

#[test]
fn norms_and_products_keep_seven_digits() {
    for dtype in [Dtype::F32, Dtype::Bf16] {
        let data = gradients(dtype, 64, 5_000, 2);
        let (scanned, _) = scan_all(&data, &Request::default());
        let sums = &scanned.sums[0];
        let mean: Vec<f64> =
            (0..5_000).map(|c| data.values.iter().map(|row| row[c]).sum::<f64>() / 64.0).collect();
        let total: f64 = mean.iter().map(|value| value * value).sum();
        close(sums.mean_norm_squared, total, 1e-7 * total, "|ḡ|²");
        for (k, row) in data.values.iter().enumerate() {
            let norm: f64 = row.iter().map(|value| value * value).sum();
            let product: f64 = row.iter().zip(&mean).map(|(value, mean)| value * mean).sum();
            close(sums.norms[k], norm, 1e-7 * norm, "s");
            close(sums.projections[k], product, 1e-7 * (norm * total).sqrt(), "d");
        }
    }
}

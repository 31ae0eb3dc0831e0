//! How fast the laws are evaluated and reduced: 4,000 draws × 4,096 batch sizes.
//!
//! The limit. The table has 16.4 million numbers, 131 MB. Writing it is bounded by memory: ordinary stores read each
//! line before they write it, stores past the caches do not, so the `write` group measures both. Computing it is
//! bounded by the logarithm: about 25 vector operations and one division for 8 numbers (AVX-512), and the exponential
//! about 25 more. constant, linear, square_root and power need none; sgd, large_batch_half, surge and saturating_surge
//! one logarithm; surge_free_exponent and broken_power one exponential and one logarithm. A fused reduction writes
//! nothing: a quantile is bounded by the selection, the regret by two exponentials, a logarithm and three divisions.
//!
//! How close. On two cores with AVX-512, where `write` takes 3.3 ms (37 GiB/s): the laws without a logarithm reach 0.92
//! to 0.95 of that; sgd, large_batch_half and surge 0.40 (8.2 ms: 2 billion logarithms a second, bounded by
//! arithmetic); saturating_surge 0.25; an exponential and a logarithm 0.16. Quantiles pass 0.21, the regret 0.34 billion
//! draws a second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Array2, array};
use rayon::prelude::*;
use surge_fit::{LAWS, Landscape, Law, by_name, evaluate, expected_regret, gradient, quantiles};

const DRAWS: usize = 4_000;
const BATCH_SIZES: usize = 4_096;
const CELLS: u64 = (DRAWS * BATCH_SIZES) as u64;

/// Draws spread around ordinary values, without a generator of random numbers.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn draws(law: &dyn Law) -> Array2<f64> {
    Array2::from_shape_fn((DRAWS, law.parameters().len()), |(draw, column)| {
        [-6.0, 8.0, 0.6, 0.1][column] + 0.2 * (draw as f64 * [1.3, 2.1, 0.7, 3.3][column]).sin()
    })
}

fn log_batch_sizes(count: usize) -> Array1<f64> {
    Array1::linspace(0.0, 16.0, count)
}

fn write(criterion: &mut Criterion) {
    let mut out = vec![0.0; DRAWS * BATCH_SIZES];
    let mut group = criterion.benchmark_group("write");
    group.throughput(Throughput::Bytes(8 * CELLS)).sample_size(20);
    group.bench_function("fill", |bencher| {
        bencher.iter(|| out.par_chunks_mut(32_768).for_each(|chunk| chunk.fill(black_box(1.0))));
    });
    group.finish();
}

fn values(criterion: &mut Criterion) {
    let mut out = vec![0.0; DRAWS * BATCH_SIZES];
    let x = log_batch_sizes(BATCH_SIZES);
    let mut group = criterion.benchmark_group("evaluate");
    group.throughput(Throughput::Bytes(8 * CELLS)).sample_size(20);
    for law in LAWS {
        let parameters = draws(law);
        group.bench_function(law.name(), |bencher| {
            bencher.iter(|| evaluate(law, parameters.view(), x.view(), &mut out));
        });
    }
    group.finish();
}

fn gradients(criterion: &mut Criterion) {
    let law = by_name("broken_power").expect("a built-in law");
    let (parameters, x) = (draws(law), log_batch_sizes(64));
    let mut out = vec![0.0; DRAWS * 64 * law.parameters().len()];
    criterion.bench_function("gradient/broken_power", |bencher| {
        bencher.iter(|| gradient(law, parameters.view(), x.view(), &mut out));
    });
}

fn reductions(criterion: &mut Criterion) {
    let law = by_name("broken_power").expect("a built-in law");
    let parameters = draws(law);
    let mut group = criterion.benchmark_group("reduce");
    group.sample_size(10);

    let x = log_batch_sizes(BATCH_SIZES);
    let probabilities = array![0.05, 0.25, 0.5, 0.75, 0.95];
    group.throughput(Throughput::Elements(CELLS));
    group.bench_function("quantiles", |bencher| {
        bencher.iter(|| quantiles(law, parameters.view(), x.view(), probabilities.view(), None));
    });

    let x = log_batch_sizes(16);
    let candidates = Array2::from_shape_fn((16, 256), |(_, column)| {
        -9.0 + 0.02 * f64::from(u8::try_from(column).expect("256 candidates"))
    });
    let constant = |value: f64| Array1::from_elem(DRAWS, value);
    let surface = [-3.0, 0.1, 0.6, 1.6, 2.0, 0.3].map(constant);
    let landscape = Landscape {
        log_curvature: surface[0].view(),
        curvature_slope: surface[1].view(),
        reference_log_batch_size: 5.0,
        rate: surface[2].view(),
        asymmetry: surface[3].view(),
        wall: surface[4].view(),
        wall_width: surface[5].view(),
        divergence_cost: 2.0,
    };
    group.bench_function("expected_regret", |bencher| {
        bencher
            .iter(|| expected_regret(law, parameters.view(), x.view(), candidates.view(), &landscape, None));
    });
    group.finish();
}

criterion_group!(benches, write, values, gradients, reductions);
criterion_main!(benches);

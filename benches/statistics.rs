//! How fast a dump is summed: 256 examples × 2,000,000 parameters, from memory.
//!
//! The limit. A scan must read every byte once, so `read` measures a streaming sum over the same bytes, with one thread
//! and with two: no scan can be faster. Everything else is arithmetic on tiles that stay in the cache: for one number,
//! the first pass takes a square, two additions and a minimum, the second a difference, two products and three
//! additions. The third, for shapes, takes four more products than additions, ten operations in all.
//!
//! What to compare. `scan` gives means, variances, norms and projections; `shape` adds third and fourth moments and
//! standardised sums. Throughput is in bytes of input, so a ratio to `read` is the share of the memory bandwidth.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use surge_fit::{Dtype, Request, Rows, scan};

const EXAMPLES: usize = 256;
const PARAMETERS: usize = 2_000_000;

/// Sums of four uniform numbers around a small mean, rounded towards zero to `dtype`.
#[expect(clippy::cast_precision_loss, reason = "a cheap generator")]
fn matrix(dtype: Dtype) -> Vec<u8> {
    let row_length = PARAMETERS * dtype.size();
    let mut bytes = vec![0; EXAMPLES * row_length];
    bytes.par_chunks_mut(row_length).enumerate().for_each(|(row, numbers)| {
        let mut state = row as u64;
        for number in numbers.chunks_exact_mut(dtype.size()) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let sum: u64 = (16..64).step_by(12).map(|shift| state >> shift & 0xfff).sum();
            let value = 1e-4 + 1e-6 * (sum as f32 - 8_190.5);
            match dtype {
                Dtype::Bf16 => number.copy_from_slice(&((value.to_bits() >> 16) as u16).to_le_bytes()),
                _ => number.copy_from_slice(&value.to_le_bytes()),
            }
        }
    });
    bytes
}

/// Add up all words, in parallel.
fn read(bytes: &[u8]) -> u64 {
    let sum = |piece: &[u8]| {
        let mut lanes = [0_u64; 8];
        for line in piece.as_chunks::<64>().0 {
            for (lane, word) in lanes.iter_mut().zip(line.as_chunks().0) {
                *lane = lane.wrapping_add(u64::from_le_bytes(*word));
            }
        }
        lanes.into_iter().fold(0, u64::wrapping_add)
    };
    bytes.par_chunks(1 << 22).map(sum).reduce(|| 0, u64::wrapping_add)
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

fn statistics(criterion: &mut Criterion) {
    for dtype in [Dtype::F32, Dtype::Bf16] {
        let bytes = matrix(dtype);
        let rows = bytes.chunks_exact(PARAMETERS * dtype.size()).collect();
        let tensor = [Rows::new(dtype, PARAMETERS, rows).expect("rows of one length")];
        let mut group = criterion.benchmark_group(dtype.name());
        group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(10);
        for threads in [1, 2] {
            let pool = pool(threads);
            group.bench_function(BenchmarkId::new("read", threads), |bencher| {
                bencher.iter(|| pool.install(|| read(black_box(&bytes))));
            });
            for (name, shape) in [("scan", false), ("shape", true)] {
                let request = Request { shape, ..Request::default() };
                group.bench_function(BenchmarkId::new(name, threads), |bencher| {
                    bencher.iter(|| {
                        pool.install(|| {
                            scan(black_box(&tensor), &[true; EXAMPLES], &request, None, &mut |_| true)
                        })
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, statistics);
criterion_main!(benches);

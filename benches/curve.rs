//! The pass of a learning-rate curve beside its limits, on 256 × 2,000,000 numbers of single precision, 64 resamples of
//! 9 batch sizes: `cargo bench --no-default-features --bench curve [-- COLUMNS [REPEATS]]`.
//!
//! Limits: running sums need one addition per resample, row and column, so `adds` measures additions of sixteen lanes
//! in registers; products need the GEMM crate, so `gemm` multiplies matrices of the shapes of one tile with it, over and
//! over. Both use as many threads as the pass. Medians of repetitions.
//!
//! The share of the adds counts those of the running sums alone, over the time of the whole pass: reading the rows,
//! directions, their products with groups of rows and with each other, moments and the theory are in the time but not
//! in the count. Rows that are summed in a random order come from the cache, three loads for two vectors.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "counts; random numbers")]

use std::hint::black_box;
use std::time::Instant;

use gemm::Parallelism;
use rayon::prelude::*;
use surge_fit::{Directions, Dtype, Minibatches, Optimizer, Rows, State, scan_directions};

const ROWS: usize = 256;
const RESAMPLES: usize = 64;
/// 256 rows leave none to measure the gradient with; the running sums go up to the last row all the same.
const SIZES: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 255];
const GROUPS: usize = 9;
const TILE: usize = 512;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let columns = numbers.next().unwrap_or(2_000_000);
    let repeats = numbers.next().unwrap_or(5);
    let threads = rayon::current_num_threads();
    let data: Vec<f32> = {
        let mut state = 1_u64;
        (0..ROWS * columns).map(|_| uniform(&mut state)).collect()
    };
    let bytes: &[u8] =
        // SAFETY: numbers of four bytes each, read as bytes while they live.
        unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), 4 * data.len()) };
    let rows = Rows::new(Dtype::F32, columns, bytes.chunks(4 * columns).collect()).expect("equal rows");
    let order: Vec<usize> = (0..ROWS).collect();
    let mut state = 2_u64;
    let permutations: Vec<u32> = (0..RESAMPLES).flat_map(|_| shuffled(&mut state)).collect();
    let theory = SIZES.map(|size| f64::from(u32::try_from(size).expect("small")));
    let asked = Minibatches {
        order: &order,
        groups: GROUPS,
        permutations: &permutations,
        sizes: &SIZES,
        theory: &theory,
    };
    let pass = |fisher: bool| {
        let directions = Directions {
            optimizer: Optimizer::Sign,
            state: State::default(),
            diagonal: &[],
            scale: 1.0,
            fisher,
        };
        scan_directions(std::slice::from_ref(&rows), &asked, &directions, &mut |_| true).expect("a pass")
    };
    let matrix_rows = RESAMPLES * SIZES.len() + 6 * SIZES.len() + 4;
    let adds = (RESAMPLES * SIZES[8] * columns) as f64;
    let products = 2.0 * (matrix_rows * ROWS * columns) as f64;
    let of_adds = rate(repeats, || adds_in_registers(threads));
    let of_gemm = rate(repeats, || gemm_alone(threads, matrix_rows));
    let directions = seconds(repeats, || {
        black_box(pass(false));
    });
    let fisher = seconds(repeats, || {
        black_box(pass(true));
    });
    println!("{ROWS} × {columns}, {RESAMPLES} resamples of {} sizes, {threads} threads", SIZES.len());
    println!("adds in registers        {:8.1} G/s", of_adds / 1e9);
    println!("gemm alone               {:8.1} Gflop/s", of_gemm / 1e9);
    println!("signs and means          {directions:8.3} s  {:5.2} of the adds", adds / directions / of_adds);
    println!("signs, means and Fisher  {fisher:8.3} s");
    println!(
        "  its products           {:8.3} s  {:5.2} of gemm alone; all of it {:5.2}",
        fisher - directions,
        products / (fisher - directions) / of_gemm,
        products / fisher / of_gemm
    );
}

fn uniform(state: &mut u64) -> f32 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 40) as f32 / (1 << 23) as f32 - 0.9
}

fn shuffled(state: &mut u64) -> Vec<u32> {
    let mut run: Vec<u32> = (0..ROWS as u32).collect();
    for last in (1..ROWS).rev() {
        uniform(state);
        run.swap(last, (*state % (last as u64 + 1)) as usize);
    }
    run.truncate(SIZES[8]);
    run
}

fn seconds(repeats: usize, mut work: impl FnMut()) -> f64 {
    let mut found: Vec<f64> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    found.sort_by(f64::total_cmp);
    found[repeats / 2]
}

/// Operations per second of work that says how many it does.
fn rate(repeats: usize, work: impl Fn() -> f64) -> f64 {
    let mut done = 0.0;
    let time = seconds(repeats, || done = work());
    done / time
}

#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn add_loop(sums: &mut [[f32; 16]; 4], count: usize) {
    let step = black_box([[1e-9_f32; 16]; 4]);
    let mut held = *sums;
    for _ in 0..count {
        for (sum, step) in held.iter_mut().zip(&step) {
            for (sum, step) in sum.iter_mut().zip(step) {
                *sum += step;
            }
        }
    }
    *sums = held;
}

fn adds_in_registers(threads: usize) -> f64 {
    const COUNT: usize = 20_000_000;
    (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
        let mut sums = black_box([[0.0; 16]; 4]);
        add_loop(&mut sums, COUNT);
        black_box(sums);
    });
    (threads * COUNT * 64) as f64
}

fn gemm_alone(threads: usize, rows: usize) -> f64 {
    const TIMES: usize = 200;
    (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
        let (left, right) = (vec![1.0_f32; rows * TILE], vec![1.0_f32; ROWS * TILE]);
        let mut target = vec![0.0_f32; rows * ROWS];
        let (stride, width) = (TILE.cast_signed(), ROWS.cast_signed());
        for _ in 0..TIMES {
            // SAFETY: three row-major matrices of these shapes.
            unsafe {
                gemm::gemm(
                    rows,
                    ROWS,
                    TILE,
                    target.as_mut_ptr(),
                    1,
                    width,
                    true,
                    left.as_ptr(),
                    1,
                    stride,
                    right.as_ptr(),
                    stride,
                    1,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        }
        black_box(target);
    });
    2.0 * (threads * TIMES * rows * ROWS * TILE) as f64
}

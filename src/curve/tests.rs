//! The pass held to the same sums written out in double precision.

use proptest::prelude::*;

use super::design::Design;
use super::tile::{Pass, Task, Tile};
use super::*;
use crate::dump::Dtype;
use crate::error::Error;
use crate::numeric::Rows;
use crate::simd::{Kernel, Plain, dispatch};
use crate::statistics::tests::{Data, Normal, gradients};

const SIZES: [usize; 3] = [1, 3, 8];
const THEORY: [f64; 4] = [1.0, 3.0, 8.0, 50.0];

/// Minibatches of some rows: all but the first, backwards, and one pseudo-random run of eight for each resample.
struct Drawn {
    order: Vec<usize>,
    permutations: Vec<u32>,
}

impl Drawn {
    fn new(rows: usize, resamples: u32) -> Self {
        let order: Vec<usize> = (1..rows).rev().collect();
        let count = order.len() as u32;
        let run = |resample: u32| (0..8).map(move |at| (resample + 5 * at * (1 + resample % 2)) % count);
        Self { order, permutations: (0..resamples).flat_map(run).collect() }
    }

    fn asked(&self) -> Minibatches<'_> {
        Minibatches {
            order: &self.order,
            groups: 6,
            permutations: &self.permutations,
            sizes: &SIZES,
            theory: &THEORY,
        }
    }
}

fn rule(optimizer: Optimizer) -> Directions<'static> {
    Directions { optimizer, state: State::default(), diagonal: &[], scale: 1.0, fisher: true }
}

fn run(
    tensors: &[Rows<'_>],
    drawn: &Drawn,
    asked: &Directions<'_>,
) -> Result<(DirectionSums, Vec<BatchSums>), Error> {
    scan_directions(tensors, &drawn.asked(), asked, &mut |_| true)
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn close(found: f64, expected: f64, scale: f64, what: &str) {
    assert!(
        (found - expected).abs() <= 1e-5 * scale.abs().max(1e-3),
        "{what}: {found} instead of {expected}"
    );
}

#[test]
fn directions_and_products_are_those_of_the_definition() {
    let data = gradients(Dtype::F32, 30, 700, 3);
    let drawn = Drawn::new(30, 5);
    let first: Vec<f32> = (0..700_u16).map(|column| f32::from(column % 7) - 3.0).collect();
    let second: Vec<f32> = (0..700_u16).map(|column| f32::from(column % 5) + 0.5).collect();
    let weights: Vec<f32> = (0..700_u16).map(|column| f32::from(column % 3)).collect();
    let state = State { first: &first, second: &second, weights: &weights, decay: 0.5 };
    let adam = Optimizer::Adam { beta1: 0.5, beta2: 0.75, corrections: [0.75, 0.5], eps: 0.25 };
    let expected = |optimizer: Optimizer, column: usize, g: f64| -> f64 {
        let (m, v, w) =
            (f64::from(first[column]), f64::from(second[column]), 0.5 * f64::from(weights[column]));
        match optimizer {
            Optimizer::Sgd { momentum } => f64::from(momentum) * m + g + w,
            Optimizer::Sign => f64::from(u8::from(g > 0.0)) - f64::from(u8::from(g < 0.0)) + w,
            Optimizer::Adam { .. } => {
                let (m, v) = ((0.5 * m + 0.5 * g) / 0.75, (0.75 * v + 0.25 * g * g) / 0.5);
                m / (v.sqrt() + 0.25) + w
            }
        }
    };
    for optimizer in [Optimizer::Sgd { momentum: 0.5 }, Optimizer::Sign, adam] {
        let asked = Directions { state, ..rule(optimizer) };
        let (sums, _) = run(&[data.rows()], &drawn, &asked).unwrap();
        for (resample, run) in drawn.permutations.chunks(8).enumerate() {
            for (index, size) in SIZES.into_iter().enumerate() {
                let batch: Vec<usize> = run[..size].iter().map(|&p| drawn.order[p as usize]).collect();
                let sum = |column: usize| batch.iter().map(|&row| data.values[row][column]).sum::<f64>();
                let direction: Vec<f64> =
                    (0..700).map(|c| expected(optimizer, c, sum(c) / size as f64)).collect();
                let at = resample * SIZES.len() + index;
                let own: f64 = direction.iter().enumerate().map(|(c, v)| v * sum(c)).sum();
                let of_own: f64 = direction.iter().enumerate().map(|(c, v)| (v * sum(c)).abs()).sum();
                close(sums.own[at], own, of_own, "own");
                let mut by_group = [0.0; 6];
                for (position, &row) in drawn.order.iter().enumerate() {
                    let product: f64 = direction.iter().zip(&data.values[row]).map(|(v, g)| v * g).sum();
                    close(sums.rows[at * 29 + position], product, of_own, "row");
                    let group = (0..6).rev().find(|group| group * 29 / 6 <= position).unwrap();
                    by_group[group] += product;
                }
                for (group, product) in by_group.into_iter().enumerate() {
                    close(sums.groups[at * 6 + group], product, 10.0 * of_own, "group");
                }
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let data = gradients(Dtype::Bf16, 40, 2_100, 9);
    let drawn = Drawn::new(40, 7);
    let asked = rule(Optimizer::Sign);
    let one = on_threads(1, || run(&[data.rows()], &drawn, &asked).unwrap());
    let three = on_threads(3, || run(&[data.rows()], &drawn, &asked).unwrap());
    assert_eq!(one, three);
}

/// All that one tile gives but products with every gradient, compiled for the best instruction set of this processor and
/// for the least: bits of the matrix, and sums.
fn on_both(optimizer: Optimizer, columns: usize) -> [(Vec<u32>, DirectionSums, BatchSums); 2] {
    let data = gradients(Dtype::Bf16, 40, columns, 5);
    let drawn = Drawn::new(40, 7);
    let design = Design::new(40, &drawn.asked()).unwrap();
    let first: Vec<f32> = data.values[0].iter().map(|&value| value as f32).collect();
    let second: Vec<f32> = data.values[1].iter().map(|&value| (value * value) as f32).collect();
    let state = State { first: &first, second: &second, weights: &first, decay: 0.3 };
    let task = Task { design: &design, optimizer, state, diagonal: &[], scale: 0.7, fisher: false };
    [true, false].map(|best| {
        let (mut sums, mut tensor) = (DirectionSums::new(&design, false), BatchSums::new(&design));
        let mut tile = Tile::new(task, 112);
        tile.load(&data.rows(), 0..columns);
        let pass = Pass { tile: &mut tile, columns, first: 0, sums: &mut sums, tensor: &mut tensor };
        if best {
            dispatch(pass);
        } else {
            pass.run::<Plain>();
        }
        let rows = (0..design.matrix_rows()).flat_map(|row| tile.row(row, columns));
        (rows.map(|number| number.to_bits()).collect(), sums, tensor)
    })
}

#[test]
fn the_instruction_set_changes_no_bit() {
    let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.99, corrections: [0.3, 0.1], eps: 1e-3 };
    for optimizer in [Optimizer::Sgd { momentum: 0.9 }, Optimizer::Sign, adam] {
        for columns in [5, 77, 112] {
            let [best, plain] = on_both(optimizer, columns);
            assert_eq!(best, plain);
        }
    }
}

#[test]
fn tensors_add_up_as_parts_of_one() {
    let data = gradients(Dtype::F32, 20, 1_024, 4);
    let split = |columns: std::ops::Range<usize>| {
        let rows: Vec<Vec<f64>> = data.values.iter().map(|row| row[columns.clone()].to_vec()).collect();
        Data::new(Dtype::F32, &rows)
    };
    let (left, right) = (split(0..512), split(512..1_024));
    let drawn = Drawn::new(20, 3);
    let asked = rule(Optimizer::Sign);
    let (whole, tensors) = run(&[data.rows()], &drawn, &asked).unwrap();
    let (together, parts) = run(&[left.rows(), right.rows()], &drawn, &asked).unwrap();
    assert_eq!(whole, together);
    let mut sum = parts[0].clone();
    sum.add(&parts[1]);
    assert_eq!(tensors[0], sum);
}

#[test]
fn written_directions_have_the_products_that_were_summed() {
    let data = gradients(Dtype::F32, 20, 600, 5);
    let drawn = Drawn::new(20, 2);
    let asked = rule(Optimizer::Sign);
    let (sums, _) = run(&[data.rows()], &drawn, &asked).unwrap();
    let rows = Design::new(20, &drawn.asked()).unwrap().matrix_rows();
    assert_eq!(rows * 19, sums.rows.len());
    let mut matrix = vec![f32::NAN; rows * 600];
    directions(&[data.rows()], &drawn.asked(), &asked, &mut matrix, &mut |_| true).unwrap();
    for (row, direction) in matrix.chunks(600).enumerate() {
        for (position, &held) in drawn.order.iter().enumerate() {
            let terms = direction.iter().zip(&data.values[held]).map(|(&v, g)| f64::from(v) * g);
            let (product, size) =
                terms.fold((0.0, 0.0), |(sum, size), term: f64| (sum + term, size + term.abs()));
            close(sums.rows[row * 19 + position], product, size, "product");
        }
    }
}

/// The approximate expected signs and Σ(1 − 𝓐²)Hᵢᵢ, Hᵢᵢ the mean square, from moments in double precision.
#[test]
fn approximate_signs_come_from_the_moments_of_all_rows() {
    let data = gradients(Dtype::F32, 20, 600, 8);
    let drawn = Drawn::new(20, 2);
    let asked = rule(Optimizer::Sign);
    let (_, tensors) = run(&[data.rows()], &drawn, &asked).unwrap();
    let design = Design::new(20, &drawn.asked()).unwrap();
    assert_eq!(design.matrix_rows(), design.directions() + 6 * THEORY.len() + 4);
    let mut matrix = vec![f32::NAN; design.matrix_rows() * 600];
    directions(&[data.rows()], &drawn.asked(), &asked, &mut matrix, &mut |_| true).unwrap();
    for (index, batch) in THEORY.into_iter().enumerate() {
        let (mut independent, mut curvature) = (0.0, 0.0);
        for column in 0..600 {
            let values: Vec<f64> = drawn.order.iter().map(|&row| data.values[row][column]).collect();
            let mean = values.iter().sum::<f64>() / 19.0;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 19.0;
            let ratio = mean / variance.sqrt();
            let sign = ratio / (std::f64::consts::PI / (2.0 * batch) + ratio * ratio).sqrt();
            let found = f64::from(matrix[design.approximate(index) * 600 + column]);
            assert!((found - sign).abs() < 1e-6, "{found} instead of {sign}");
            independent += (1.0 - sign * sign) * (variance + mean * mean);
            curvature += variance + mean * mean;
        }
        close(tensors[0].batches[index].independent_approximate, independent, curvature, "independent");
    }
}

/// Two parameters that are 1 in every row and two that are ±1 in turn: E is 1 for the first (nothing varies), 0 for the
/// others at even counts; their mean squares are all 1, so Σ(1 − E²)Hᵢᵢ = 2 and Σ Hᵢᵢ = 4.
#[test]
fn a_constant_gradient_has_a_certain_sign() {
    let row = |k: usize| {
        let turn = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        vec![1.0, 1.0, turn, turn]
    };
    let data = Data::new(Dtype::F32, &(0..19).map(row).collect::<Vec<_>>());
    let drawn = Drawn::new(19, 2);
    let (_, tensors) = run(&[data.rows()], &drawn, &rule(Optimizer::Sign)).unwrap();
    let found = &tensors[0];
    assert_eq!((found.parameters, found.constant), (4, 2));
    assert_eq!(found.curvature, 4.0);
    assert_eq!(found.unresolved, [2.0, 2.0]);
    for batch in &found.batches {
        assert_eq!(batch.independent, 2.0);
        assert_eq!(batch.independent_approximate, 2.0);
        assert_eq!(batch.saturated, [2.0, 2.0]);
    }
}

#[test]
fn requests_that_contradict_themselves_are_refused() {
    let data = gradients(Dtype::F32, 20, 16, 6);
    let asked = rule(Optimizer::Sign);
    let mut twice = Drawn::new(20, 1);
    twice.permutations[1] = twice.permutations[0];
    assert!(matches!(
        run(&[data.rows()], &twice, &asked),
        Err(Error::Value { argument: "permutations", index: 1, .. })
    ));
    let mut beyond = Drawn::new(20, 1);
    beyond.order[3] = 20;
    assert!(matches!(
        run(&[data.rows()], &beyond, &asked),
        Err(Error::Value { argument: "order", index: 3, .. })
    ));
    let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.999, corrections: [0.1, 0.001], eps: 1e-8 };
    let found = run(&[data.rows()], &Drawn::new(20, 1), &rule(adam));
    assert!(matches!(found, Err(Error::Shape { argument: "first", .. })));
    let stopped = scan_directions(&[data.rows()], &Drawn::new(20, 1).asked(), &asked, &mut |_| false);
    assert_eq!(stopped.unwrap_err(), Error::Stopped);
}

proptest! {
    #[test]
    fn a_form_is_the_sum_over_its_pairs(seed: u64, parameters in 1..300_usize, rows in 1..4_usize) {
        let mut normal = Normal::new(seed);
        let mut draw = |count: usize| -> Vec<f32> { (0..count).map(|_| normal.next() as f32).collect() };
        let (left, right) = (draw(rows * parameters), draw(rows * parameters));
        let half = draw(parameters * parameters);
        let hessian: Vec<f32> = (0..parameters * parameters)
            .map(|at| half[at] + half[at % parameters * parameters + at / parameters])
            .collect();
        let forms = bilinear_forms(&left, &right, &hessian, parameters).unwrap();
        for row in 0..rows {
            let (mut form, mut size) = (0.0, 0.0);
            for i in 0..parameters {
                for j in 0..parameters {
                    let term = f64::from(left[row * parameters + i])
                        * f64::from(hessian[i * parameters + j])
                        * f64::from(right[row * parameters + j]);
                    form += term;
                    size += term.abs();
                }
            }
            prop_assert!((forms[row] - form).abs() <= 1e-5 * size.max(1e-3));
        }
    }
}

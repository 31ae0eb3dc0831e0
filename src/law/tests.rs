//! What all laws have in common, where they meet, and that no result depends on how it was computed.

use ndarray::{Array1, Array2, ArrayView1, array};
use proptest::prelude::*;

use super::columns::ColumnTable;
use super::*;
use crate::simd::stream;

/// Parameters within reach of a posterior: the log scale, the log noise scale, then the shapes.
fn parameters(law: &dyn Law, reach: f64) -> impl Strategy<Value = Vec<f64>> + use<> {
    let bounds = law.parameters().iter().map(|name| match *name {
        LOG_MAX_LEARNING_RATE | LOG_LEARNING_RATE_SCALE => (-30.0..5.0).boxed(),
        LOG_NOISE_SCALE => (-reach..reach).boxed(),
        "small_batch_slope" | "exponent" => (0.05..2.0).boxed(),
        _ => (-1.5..1.5_f64).boxed(),
    });
    bounds.collect::<Vec<_>>()
}

fn law_and_parameters(reach: f64) -> impl Strategy<Value = (&'static dyn Law, Vec<f64>)> {
    (0..LAWS.len()).prop_flat_map(move |index| (Just(LAWS[index]), parameters(LAWS[index], reach)))
}

fn row(law: &dyn Law, parameters: &[f64], log_batch_size: &[f64]) -> Vec<f64> {
    let table = ColumnTable::new(log_batch_size.to_vec());
    let mut out = vec![f64::NAN; log_batch_size.len()];
    law.row(parameters, table.slice(0..table.len()), Output::Cached(&mut out));
    out
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

proptest! {
    /// The vectorised, scaled row against the portable, unscaled value. The scaled forms cost a few units of the
    /// larger of log ε and log(B_noise/B).
    #[test]
    fn a_row_is_its_values(
        (law, parameters) in law_and_parameters(28.0),
        log_batch_size in prop::collection::vec(-28.0..56.0_f64, 1..40),
    ) {
        for (value, &x) in row(law, &parameters, &log_batch_size).iter().zip(&log_batch_size) {
            let expected = law.value(&parameters, x);
            prop_assert!((value - expected).abs() <= 1e-15 * (100.0 + expected.abs()), "{law:?} at {x}");
        }
    }

    #[test]
    fn large_arguments_stay_finite_and_follow_the_limits(
        (law, parameters) in law_and_parameters(1e3), x in 900.0..1e3_f64,
    ) {
        let far = row(law, &parameters, &[-5.0 * x, -4.0 * x, 4.0 * x, 5.0 * x]);
        prop_assert!(far.iter().all(|value| value.is_finite()));
        // Where the two slopes hardly differ, the bend between them is wider than this range.
        let (small, large) = law.limits(&parameters);
        prop_assume!((small - large).abs() > 0.05 || small == large);
        prop_assert!(close((far[1] - far[0]) / x, small, 1e-11), "{law:?}: {} {small}", (far[1] - far[0]) / x);
        prop_assert!(close((far[3] - far[2]) / x, large, 1e-11), "{law:?}: {} {large}", (far[3] - far[2]) / x);
    }

    #[test]
    fn the_gradient_is_that_of_the_value((law, parameters) in law_and_parameters(10.0), x in -15.0..15.0_f64) {
        let mut found = vec![f64::NAN; parameters.len()];
        law.gradient(&parameters, x, &mut found);
        prop_assert_eq!(found[0], 1.0);
        for (index, slope) in found.into_iter().enumerate() {
            let shifted = |step: f64| {
                let mut moved = parameters.clone();
                moved[index] += step;
                law.value(&moved, x)
            };
            let difference = (shifted(1e-4) - shifted(-1e-4)) / 2e-4;
            prop_assert!(close(slope, difference, 1e-5), "{law:?} {index}: {slope} {difference}");
        }
    }

    #[test]
    fn nothing_exceeds_the_supremum_and_the_peak_attains_it(
        (law, parameters) in law_and_parameters(10.0), x in -60.0..60.0_f64,
    ) {
        let (peak, supremum) = (law.peak(&parameters), law.supremum(&parameters));
        prop_assert!(law.value(&parameters, x) <= supremum + 1e-13);
        if peak.is_finite() {
            prop_assert!((law.value(&parameters, peak) - supremum).abs() <= 1e-12);
        }
    }
}

#[test]
fn exact_values() {
    let at = |name: &str, parameters: &[f64], x: f64| by_name(name).unwrap().value(parameters, x);
    // Surge: the peak is (B_noise, ε_max); at B = 9 B_noise, cosh(½ log 9) = (3 + 1/3)/2 = 5/3.
    assert!(close(at("surge", &[-6.0, 4.0], 4.0), -6.0, 1e-15));
    assert!(close(at("surge", &[-6.0, 4.0], 4.0 + 9_f64.ln()), -6.0 - (5.0 / 3.0_f64).ln(), 1e-15));
    // SGD: half of ε_max at B_noise; a quarter at B_noise/3.
    assert!(close(at("sgd", &[-6.0, 4.0], 4.0), -6.0 - 2_f64.ln(), 1e-15));
    assert!(close(at("sgd", &[-6.0, 4.0], 4.0 - 3_f64.ln()), -6.0 - 4_f64.ln(), 1e-15));
    // α = ½: half of ε_max at B_noise/3.
    assert!(close(at("large_batch_half", &[-6.0, 4.0], 4.0 - 3_f64.ln()), -6.0 - 2_f64.ln(), 1e-15));
    // Saturating: with β_n = ½ the peak is at B_s/B = β_n^(−2) − 1 = 3; for B → ∞, cosh(log ½) = 5/4.
    let saturating = [-6.0, 4.0, 0.5_f64.ln()];
    let law = by_name("saturating_surge").unwrap();
    assert!(close(law.peak(&saturating), 4.0 - 3_f64.ln(), 1e-15));
    assert!(close(law.value(&saturating, 4.0 - 3_f64.ln()), -6.0, 1e-15));
    assert!(close(law.value(&saturating, 60.0), -6.0 - 1.25_f64.ln(), 1e-15));
    // Without a peak (β_n = 2) the limit is the supremum: cosh(log 2) = 5/4 as well.
    assert!(close(law.supremum(&[-6.0, 4.0, 2_f64.ln()]), -6.0 - 1.25_f64.ln(), 1e-15));
}

#[test]
fn the_broken_power_law_holds_the_others() {
    let broken = by_name("broken_power").unwrap();
    for x in [-30.0, -3.0, 0.0, 4.0, 5.5, 40.0] {
        let same = |p: f64, q: f64, shift: f64, name: &str, parameters: &[f64]| {
            let other = by_name(name).unwrap().value(parameters, x);
            assert!(close(broken.value(&[-6.0 + shift, 4.0, p, q], x), other, 1e-14), "{name} at {x}");
        };
        same(0.5, 0.5, 0.0, "surge", &[-6.0, 4.0]);
        same(0.7, 0.7, 0.0, "surge_free_exponent", &[-6.0, 4.0, 0.7]);
        // ε_c = ε_max/2.
        same(1.0, 0.0, -2_f64.ln(), "sgd", &[-6.0, 4.0]);
        same(0.3, -0.3, 0.0, "power", &[-6.0 - 0.3 * 4.0, 0.3]);
        same(0.0, 0.0, 0.0, "constant", &[-6.0]);
    }
}

#[test]
fn peak_and_supremum_of_the_broken_power_law() {
    let law = by_name("broken_power").unwrap();
    let (peak, supremum) = (|p, q| law.peak(&[-6.0, 4.0, p, q]), |p, q| law.supremum(&[-6.0, 4.0, p, q]));
    // p = 1, q = ½: x = log 2/1.5, where ½(e^(−x) + e^(x/2)) = ½(2^(−2/3) + 2^(1/3)) = 1.5·2^(−2/3).
    assert!(close(peak(1.0, 0.5), 4.0 + 2_f64.ln() / 1.5, 1e-15));
    assert!(close(supremum(1.0, 0.5), -6.0 - 1.5_f64.ln() + 2_f64.ln() * 2.0 / 3.0, 1e-15));
    // Swapped roles: p = −½, q = −1 is the same curve.
    assert!(close(peak(-0.5, -1.0), peak(1.0, 0.5), 1e-15));
    // q = 0 saturates at 2ε_c; q < 0 rises forever; p = 0 only falls, from 2ε_c; p = q = 0 is flat.
    assert_eq!((peak(0.5, 0.0), supremum(0.5, 0.0)), (f64::INFINITY, -6.0 + 2_f64.ln()));
    assert_eq!((peak(0.5, -0.2), supremum(0.5, -0.2)), (f64::INFINITY, f64::INFINITY));
    assert_eq!((peak(0.0, 0.5), supremum(0.0, 0.5)), (f64::NEG_INFINITY, -6.0 + 2_f64.ln()));
    assert!(peak(0.0, 0.0).is_nan());
    assert_eq!(supremum(0.0, 0.0), -6.0);
}

/// Draws of the broken power law, batch sizes, and a landscape that uses every term.
fn problem(draws: usize, batch_sizes: usize) -> (Array2<f64>, Array1<f64>, Vec<Array1<f64>>) {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let wave = |draw: usize, k: f64| (draw as f64 * k).sin();
    let parameters = Array2::from_shape_fn((draws, 4), |(draw, column)| {
        [-6.0, 5.0, 0.7, 0.1][column] + 0.3 * wave(draw, [1.3, 2.1, 0.7, 3.3][column])
    });
    let surface = [-3.0, 0.1, 0.8, 1.0, 2.0, 0.4]
        .iter()
        .enumerate()
        .map(|(k, &centre)| {
            Array1::from_shape_fn(draws, |draw| centre + 0.2 * wave(draw, [0.3, 1.7, 2.9, 3.7, 4.1, 5.3][k]))
        })
        .collect();
    (parameters, Array1::linspace(0.0, 14.0, batch_sizes), surface)
}

fn landscape(surface: &[Array1<f64>]) -> Landscape<'_> {
    let view = |k: usize| -> ArrayView1<'_, f64> { surface[k].view() };
    Landscape {
        log_curvature: view(0),
        curvature_slope: view(1),
        reference_log_batch_size: 5.0,
        rate: view(2),
        asymmetry: view(3),
        wall: view(4),
        wall_width: view(5),
        divergence_cost: 2.0,
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let (parameters, x, surface) = problem(301, 77);
    let law = by_name("broken_power").unwrap();
    let candidates = Array2::from_shape_fn((77, 5), |(row, column)| {
        -7.0 + 0.01 * f64::from(u8::try_from(row).unwrap()) + 0.5 * f64::from(u8::try_from(column).unwrap())
    });
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut values = vec![0.0; 301 * 77];
            evaluate(law, parameters.view(), x.view(), &mut values).unwrap();
            let quantile =
                quantiles(law, parameters.view(), x.view(), array![0.05, 0.5].view(), None).unwrap();
            let regret = expected_regret(
                law,
                parameters.view(),
                x.view(),
                candidates.view(),
                &landscape(&surface),
                None,
            )
            .unwrap();
            (values, quantile, regret)
        })
    };
    let alone = run(1);
    assert_eq!(alone, run(2));
    assert_eq!(alone, run(5));
}

#[test]
fn reductions_agree_with_the_table_they_avoid() {
    let (parameters, x, surface) = problem(301, 40);
    let law = by_name("broken_power").unwrap();
    let offset = Array2::from_shape_fn((301, 40), |(draw, column)| {
        0.1 * f64::from(u16::try_from(draw * 7 + column * 3).unwrap()).sin()
    });
    let mut values = vec![0.0; 301 * 40];
    evaluate(law, parameters.view(), x.view(), &mut values).unwrap();
    let optima = Array2::from_shape_vec((301, 40), values).unwrap() + &offset;
    let view = Some(offset.view());

    // With 301 draws the quartiles are the order statistics 75, 150 and 225, counted from 0.
    let found = quantiles(law, parameters.view(), x.view(), array![0.25, 0.5, 0.75].view(), view).unwrap();
    for (index, column) in optima.columns().into_iter().enumerate() {
        let mut sorted = column.to_vec();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(found.column(index).to_vec(), [sorted[75], sorted[150], sorted[225]]);
    }

    let candidates = Array2::from_elem((40, 1), -5.5);
    let seen = landscape(&surface);
    let (regret, divergence) =
        expected_regret(law, parameters.view(), x.view(), candidates.view(), &seen, view).unwrap();
    for (index, column) in optima.columns().into_iter().enumerate() {
        let (mut mean, mut diverged) = (0.0, 0.0);
        for (draw, optimum) in column.iter().enumerate() {
            let u = -5.5 - optimum;
            let pi = 1.0 / (1.0 + (-(u - surface[4][draw]) / surface[5][draw]).exp());
            let kappa = (surface[0][draw] + surface[1][draw] * (x[index] - 5.0)).exp();
            let loss = kappa * crate::surface::Valley::new(surface[2][draw], surface[3][draw]).value(u);
            mean += ((1.0 - pi) * loss + pi * loss.max(2.0)) / 301.0;
            diverged += pi / 301.0;
        }
        assert!(close(regret[[index, 0]], mean, 1e-13));
        assert!(close(divergence[[index, 0]], diverged, 1e-13));
    }
}

#[test]
fn a_table_written_past_the_caches_is_the_same_table() {
    // 300 × 4001 numbers exceed the limit; one draw alone does not. An odd width shifts the alignment of the rows.
    let (parameters, x, _) = problem(300, 4001);
    let law = by_name("broken_power").unwrap();
    let mut table = vec![0.0; 300 * 4001];
    assert!(table.len() >= stream::STREAMED);
    evaluate(law, parameters.view(), x.view(), &mut table).unwrap();
    for (draw, row) in table.chunks_exact(4001).enumerate() {
        let mut alone = vec![0.0; 4001];
        let one = parameters.slice(ndarray::s![draw..=draw, ..]);
        evaluate(law, one, x.view(), &mut alone).unwrap();
        assert_eq!(row, alone);
    }
}

#[test]
fn refusals_name_the_argument() {
    let law = by_name("surge").unwrap();
    let x = array![1.0, 2.0];
    let refusal = |parameters: Array2<f64>, x: &Array1<f64>, probability: f64| {
        quantiles(law, parameters.view(), x.view(), array![probability].view(), None).unwrap_err().to_string()
    };
    assert!(by_name("surg").unwrap_err().to_string().contains("'surg'"));
    assert_eq!(
        refusal(array![[1.0]], &x, 0.5),
        "'parameters' must have shape (draw, parameter of 'surge') = [1, 2]; got [1, 1]. \
         Pass an array of that shape."
    );
    assert_eq!(
        refusal(array![[1.0, f64::NAN]], &x, 0.5),
        "'parameters' must be finite; got NaN at index 1. Correct or drop that entry."
    );
    assert!(refusal(Array2::zeros((0, 2)), &x, 0.5).contains("at least one draw"));
    assert!(refusal(array![[1.0, 1.0]], &array![f64::INFINITY], 0.5).contains("'log_batch_size'"));
    assert!(
        refusal(array![[1.0, 1.0]], &x, 1.5).contains("'probabilities' must be between 0 and 1; got 1.5")
    );
    let offset = Array2::zeros((3, 2));
    let error = quantiles(law, array![[1.0, 1.0]].view(), x.view(), array![0.5].view(), Some(offset.view()));
    assert!(
        error.unwrap_err().to_string().starts_with("'offset' must have shape (draw, batch_size) = [1, 2]")
    );
}

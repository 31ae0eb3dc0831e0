use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::law::LAWS;

/// What a model is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    Losses,
    Optima,
    Steps,
    All,
}

const LIKELIHOODS: [Seen; 4] = [Seen::Losses, Seen::Optima, Seen::Steps, Seen::All];

fn runs(cell: &[usize], log_learning_rate: &[f64], value: &[f64]) -> Runs {
    let se = (0..cell.len()).map(|i| if i % 3 == 0 { 0.02 } else { 0.0 }).collect();
    Runs { cell: cell.to_vec(), log_learning_rate: log_learning_rate.to_vec(), value: value.to_vec(), se }
}

/// Two groups of two cells, or one of four. The rows of the process are a lower factor and its inverse.
fn observed(seen: Seen, grouped: bool) -> Observed {
    let group = if grouped { vec![0, 0, 1, 1] } else { vec![0; 4] };
    let width = if grouped { 2 } else { 4 };
    let (mut factor, mut whitening) = (vec![0.0; 4 * width], vec![0.0; 4 * width]);
    for cell in 0..4 {
        let own = cell % width;
        // L = I + ½ on the first subdiagonal; its inverse has (−½)^k on the k-th.
        factor[cell * width + own] = 1.0;
        if own > 0 {
            factor[cell * width + own - 1] = 0.5;
        }
        for k in 0..=own {
            whitening[cell * width + own - k] = (-0.5_f64).powi(i32::try_from(k).expect("small"));
        }
    }
    let cells = Cells {
        log_batch_size: vec![2.0, 4.5, 3.0, 6.0],
        group,
        log_reference: 3.9,
        covariates: if grouped { vec![-0.7, 0.2, 0.7, -0.2] } else { vec![] },
        factor,
        whitening,
        log_determinant: 0.0,
        best_loss: vec![2.0, 1.9, 1.8, 1.7],
        gap: vec![0.01, 0.02, 0.01, 0.03],
    };
    let none = Runs::default();
    let losses = matches!(seen, Seen::Losses | Seen::All);
    let steps = matches!(seen, Seen::Steps | Seen::All);
    let tried = [0, 0, 1, 1, 1, 2, 3, 3];
    let rates = [-7.0, -6.0, -6.5, -5.5, -4.5, -6.0, -6.2, -4.0];
    let finished = runs(&tried[..7], &rates[..7], &[2.1, 2.0, 1.95, 1.9, 2.3, 1.8, 1.7]);
    let chosen = |on: bool, held: Runs| if on { held } else { none.clone() };
    Observed {
        cells,
        finished: chosen(losses, finished),
        censored: chosen(losses, runs(&[3, 1], &[-4.4, -3.0], &[5.0, 6.0])),
        wall: chosen(losses, runs(&tried, &rates, &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])),
        optimum: chosen(seen == Seen::Optima, runs(&[0, 1, 2, 3], &[-6.0; 4], &[-6.5, -5.8, -6.0, -5.0])),
        steps: chosen(steps, runs(&[0, 1, 2], &[0.0; 3], &[9.0, 7.5, 8.0])),
        censored_steps: chosen(steps, runs(&[3], &[0.0], &[6.0])),
    }
}

/// Priors of every family for whatever the model of a law may ask for.
fn priors(law: &dyn crate::law::Law, joint: bool) -> Priors {
    let mut found = vec![
        ("log_reference_learning_rate", Prior::Normal { mean: -6.0, sd: 1.5 }),
        ("log_noise_scale", Prior::Normal { mean: 4.0, sd: 2.0 }),
        ("log_critical_batch_size", Prior::StudentT { degrees: 4.0, location: 4.0, scale: 2.0 }),
        ("log_min_steps", Prior::Normal { mean: 7.0, sd: 2.0 }),
        ("steps_noise", Prior::LogNormal { log_median: -2.3, log_sd: 0.7 }),
        ("steps_discrepancy_scale", Prior::LogNormal { log_median: -2.0, log_sd: 0.7 }),
        ("discrepancy_scale", Prior::LogNormal { log_median: -1.2, log_sd: 0.6 }),
        ("optimum_noise", Prior::LogNormal { log_median: -1.6, log_sd: 0.6 }),
        ("log_curvature", Prior::Normal { mean: -3.0, sd: 1.0 }),
        ("curvature_slope", Prior::Normal { mean: 0.0, sd: 0.25 }),
        ("valley_rate", Prior::LogNormal { log_median: -0.5, log_sd: 0.4 }),
        ("valley_asymmetry", Prior::Normal { mean: 0.8, sd: 0.7 }),
        ("floor_gap", Prior::StudentT { degrees: 4.0, location: 0.5, scale: 1.0 }),
        ("loss_noise", Prior::LogNormal { log_median: -5.0, log_sd: 1.0 }),
        ("shape_error", Prior::HalfNormal { sd: 0.15 }),
        ("wall", Prior::LogNormal { log_median: 0.9, log_sd: 0.6 }),
        ("wall_width", Prior::LogNormal { log_median: -1.2, log_sd: 0.5 }),
    ];
    if joint && law.parameters().contains(&"log_noise_scale") {
        found.push(("log_critical_ratio", Prior::Normal { mean: 0.0, sd: 0.5 }));
    }
    let mut found: Priors = found.into_iter().map(|(name, prior)| (name.to_owned(), prior)).collect();
    for name in law.parameters()[1..].iter().filter(|name| **name != "log_noise_scale") {
        let positive = matches!(*name, "exponent" | "small_batch_slope");
        let prior = if positive {
            Prior::LogNormal { log_median: -0.5, log_sd: 0.4 }
        } else {
            Prior::Normal { mean: 0.2, sd: 0.4 }
        };
        found.push(((*name).to_owned(), prior));
    }
    let pooled: Vec<_> = found.iter().map(|(name, _)| name.clone()).collect();
    for name in pooled {
        found.push((format!("{name}_spread"), Prior::HalfNormal { sd: 0.5 }));
        if name.starts_with("log_") {
            found.push((format!("{name}_trend"), Prior::Normal { mean: 0.0, sd: 0.5 }));
        }
    }
    found
}

fn model(law: usize, likelihood: usize, grouped: bool) -> Model {
    let seen = LIKELIHOODS[likelihood];
    let priors = priors(LAWS[law], seen == Seen::All);
    Model::new(LAWS[law], observed(seen, grouped), &priors).expect("valid")
}

/// A point within reach of the priors.
fn point(model: &Model, noise: &[f64]) -> Vec<f64> {
    let mut position = vec![-6.0; model.size()];
    for variable in model.variables() {
        let centre = match variable.prior {
            Some(Prior::Normal { mean, .. }) => mean,
            Some(Prior::LogNormal { log_median, .. }) => log_median,
            Some(Prior::HalfNormal { sd }) => sd,
            Some(Prior::StudentT { location, .. }) => location,
            None => -6.0,
        };
        for i in variable.start..variable.start + variable.len {
            position[i] = centre + noise[i % noise.len()];
        }
    }
    position
}

proptest! {
    #[test]
    fn the_gradient_is_that_of_the_density(
        law in 0..LAWS.len(),
        likelihood in 0..LIKELIHOODS.len(),
        grouped in any::<bool>(),
        noise in prop::collection::vec(-0.4..0.4_f64, 23),
    ) {
        let mut model = model(law, likelihood, grouped);
        let position = point(&model, &noise);
        let mut gradient = vec![0.0; model.size()];
        let value = model.log_density(&position, &mut gradient);
        prop_assert!(value.is_finite());
        let mut unused = vec![0.0; model.size()];
        for i in 0..model.size() {
            let mut at = |step: f64| {
                let mut moved = position.clone();
                moved[i] += step;
                model.log_density(&moved, &mut unused)
            };
            // Fourth order: f' = [8(f(h) − f(−h)) − (f(2h) − f(−2h))]/12h.
            let h = 1e-4;
            let numeric = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            let scale = 1.0 + gradient[i].abs() + value.abs() * 1e-4;
            prop_assert!((numeric - gradient[i]).abs() < 1e-5 * scale, "entry {i}: {numeric} {}", gradient[i]);
        }
    }
}

#[test]
fn a_group_without_deviation_is_the_population() {
    // Offsets and trends of the surge law at zero: every group has the mean of the noise scale.
    let mut model = model(6, 0, true);
    let noise = [0.1, -0.2, 0.15];
    let mut position = point(&model, &noise);
    for variable in model.variables().to_vec() {
        if variable.name.ends_with("_offset") || variable.name.ends_with("_trend") {
            position[variable.start..variable.start + variable.len].fill(0.0);
        }
    }
    let mut gradient = vec![0.0; model.size()];
    model.log_density(&position, &mut gradient);
    // Without deviation the spread matters to the prior alone: −½(q/½)² has the slope −4q.
    let spread = model.variables().iter().find(|v| v.name == "log_noise_scale_spread").expect("pooled").start;
    let own = -4.0 * position[spread];
    assert!((gradient[spread] - own).abs() < 1e-12);
}

#[test]
fn draws_do_not_depend_on_the_number_of_threads_or_on_other_models() {
    let settings = |threads| Settings { chains: 3, tune: 60, draws: 40, target_accept: 0.9, threads };
    let task = |model, seed| Task { model, seed, geometry: None };
    let (first, second) = (task(model(6, 0, false), 7), task(model(1, 1, false), 8));
    let alone = sample(std::slice::from_ref(&first), settings(1), &mut |_| true).expect("sampled");
    let both = sample(&[first, second], settings(4), &mut |_| true).expect("sampled");
    for (a, b) in alone[0].iter().zip(&both[0]) {
        assert_eq!(a.draws, b.draws);
        assert_eq!(a.energy, b.energy);
        assert_eq!(a.draws.len(), 40 * 4_usize.max(a.draws.len() / 40));
    }
    assert_ne!(alone[0][0].draws, alone[0][1].draws);
}

#[test]
fn sampling_stops_on_request() {
    let settings = Settings { chains: 2, tune: 1_000_000, draws: 1, target_accept: 0.9, threads: 2 };
    let mut beats = 0;
    let found = sample(&[Task { model: model(9, 3, true), seed: 1, geometry: None }], settings, &mut |_| {
        beats += 1;
        beats < 3
    });
    assert_eq!(found.err(), Some(Error::Stopped));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let priors = priors(LAWS[0], false);
    let mut cells = observed(Seen::Losses, true);
    cells.cells.group = vec![0, 1, 0, 1];
    assert!(matches!(Model::new(LAWS[0], cells, &priors), Err(Error::Observations { .. })));
    let mut runs = observed(Seen::Losses, true);
    runs.finished.cell[0] = 9;
    assert!(matches!(Model::new(LAWS[0], runs, &priors), Err(Error::Observations { .. })));
    let few = priors.into_iter().filter(|(name, _)| name != "wall").collect();
    let missing = Model::new(LAWS[0], observed(Seen::Losses, false), &few);
    assert!(matches!(missing, Err(Error::MissingPrior { name }) if name == "wall"));
}

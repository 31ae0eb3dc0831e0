//! How fast the native engine evaluates a log density with its gradient, which is all that sampling costs.
//!
//! The limit, for 24 losses in 6 cells under the broken power law (25 free numbers).
//!
//! Per run, in vectors: a loss takes one exponential, two logarithms and five divisions (one in each logarithm), an
//! outcome at the wall one exponential, one logarithm and two divisions. With 25 operations for an exponential or a
//! logarithm, 80 more for the valley, its partial derivatives and Student's t, and 12 more for the outcome, a run takes
//! 217 operations and 7 divisions. 24 runs are six vectors of four (AVX2): 1,300 operations, 650 cycles at two a cycle;
//! 42 vector divisions, 270 cycles at 6.5, on a unit of their own, behind the rest.
//!
//! Also in vectors: the 25 entries with their priors, seven exponentials and two logarithms (300 operations), and the
//! law at six cells and the reference, two of each (150 operations): 225 cycles. One number at a time: six curvatures
//! and two exponentials of the valley, 120 cycles.
//!
//! In all 1,000 cycles of arithmetic: 0.3 µs at 3.4 GHz, a fifth of the 1.5 µs that are measured. The rest is to bring
//! the columns of the runs together and their derivatives back, in loops of four and six numbers, and the latency of
//! chains that six vectors cannot fill. Of 10 groups with 12 losses each, the runs alone take 3,200 cycles: no less
//! than 1 µs.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use surge_fit::{Cells, Model, Observed, Prior, Priors, Runs, by_name};

const RATES: [f64; 4] = [-7.0, -6.3, -5.6, -4.9];

/// Every cell with four runs; of the kernel's factor, only that it is full matters here.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn observed(groups: usize, cells_per_group: usize, with_steps: bool) -> Observed {
    let cells = groups * cells_per_group;
    let rows = |below: f64| {
        let entry = move |cell: usize, column: usize| match column.cmp(&(cell % cells_per_group)) {
            std::cmp::Ordering::Less => below,
            std::cmp::Ordering::Equal => 1.0,
            std::cmp::Ordering::Greater => 0.0,
        };
        (0..cells).flat_map(|cell| (0..cells_per_group).map(move |column| entry(cell, column))).collect()
    };
    let centre = 0.5 * (groups as f64 - 1.0);
    let covariates = (0..groups).map(|group| group as f64 - centre).collect();
    let log_batch_size = |cell: usize| 3.0 + 1.4 * (cell % cells_per_group) as f64;
    let runs = |value: &dyn Fn(usize, f64) -> f64| {
        let pairs: Vec<_> = (0..cells).flat_map(|cell| RATES.map(|rate| (cell, rate))).collect();
        Runs {
            cell: pairs.iter().map(|(cell, _)| *cell).collect(),
            log_learning_rate: pairs.iter().map(|(_, rate)| *rate).collect(),
            value: pairs.iter().map(|(cell, rate)| value(*cell, *rate)).collect(),
            se: vec![0.0; pairs.len()],
        }
    };
    let steps = |cell: usize, _: f64| 7.0 + (4.0 - log_batch_size(cell)).exp().ln_1p();
    Observed {
        cells: Cells {
            log_batch_size: (0..cells).map(log_batch_size).collect(),
            group: (0..cells).map(|cell| cell / cells_per_group).collect(),
            log_reference: 4.5,
            covariates: if groups > 1 { covariates } else { vec![] },
            factor: rows(0.5),
            whitening: rows(-0.3),
            log_determinant: 0.0,
            best_loss: vec![2.5; cells],
            gap: vec![0.02; cells],
        },
        finished: runs(&|_, rate| 2.5 + 0.02 * (rate + 5.8).powi(2)),
        censored: Runs::default(),
        wall: runs(&|_, _| 0.0),
        optimum: Runs::default(),
        steps: if with_steps { runs(&steps) } else { Runs::default() },
        censored_steps: Runs::default(),
    }
}

fn priors(with_steps: bool) -> Priors {
    let normal = |mean, sd| Prior::Normal { mean, sd };
    let positive = |log_median, log_sd| Prior::LogNormal { log_median, log_sd };
    let pooled = [
        ("log_reference_learning_rate", normal(-6.0, 1.5)),
        ("log_noise_scale", normal(4.0, 3.5)),
        ("small_batch_slope", positive(-0.2, 0.5)),
        ("large_batch_fall", normal(0.0, 0.25)),
        ("log_curvature", normal(-3.0, 1.0)),
        ("log_min_steps", normal(7.0, 5.0)),
    ];
    let common = [
        ("discrepancy_scale", positive(-1.2, 0.6)),
        ("curvature_slope", normal(0.0, 0.25)),
        ("valley_rate", positive(0.0, 0.6)),
        ("valley_asymmetry", normal(1.0, 0.7)),
        ("floor_gap", Prior::StudentT { degrees: 4.0, location: 0.5, scale: 1.0 }),
        ("loss_noise", positive(-5.7, 1.0)),
        ("shape_error", Prior::HalfNormal { sd: 0.25 }),
        ("wall", positive(0.9, 0.6)),
        ("wall_width", positive(-1.2, 0.5)),
        ("steps_discrepancy_scale", positive(-3.0, 0.7)),
        ("steps_noise", positive(-2.3, 0.7)),
    ];
    let mut found: Priors = common.map(|(name, prior)| (name.to_owned(), prior)).into();
    for (name, prior) in pooled {
        found.push((name.to_owned(), prior));
        found.push((format!("{name}_spread"), Prior::HalfNormal { sd: 0.5 }));
        if name.starts_with("log_") {
            found.push((format!("{name}_trend"), normal(0.0, 0.5)));
        }
    }
    if with_steps {
        found.push(("log_critical_ratio".to_owned(), normal(0.0, 0.5)));
    }
    found
}

/// The centre of every prior, and about as much where a variable has none of its own.
fn centre(model: &Model) -> Vec<f64> {
    let mut position = vec![0.0; model.size()];
    for variable in model.variables() {
        let value = match (variable.prior, variable.name.as_str()) {
            (Some(Prior::Normal { mean, .. }), _) => mean,
            (Some(Prior::LogNormal { log_median, .. }), _) => log_median,
            (Some(Prior::HalfNormal { sd }), _) => sd,
            (Some(Prior::StudentT { location, .. }), _) => location,
            (None, "log_curvature") => -3.0,
            (None, _) => -6.0,
        };
        position[variable.start..variable.start + variable.len].fill(value);
    }
    position
}

fn log_density(criterion: &mut Criterion) {
    let law = by_name("broken_power").expect("a built-in law");
    let mut group = criterion.benchmark_group("log_density");
    let cases = [
        ("12 losses", 1, 3, false),
        ("24 losses", 1, 6, false),
        ("24 losses and steps", 1, 6, true),
        ("10 groups of 12 losses", 10, 3, false),
    ];
    for (name, groups, cells, with_steps) in cases {
        let seen = observed(groups, cells, with_steps);
        let runs = u64::try_from(seen.finished.len()).expect("a small count");
        let mut model = Model::new(law, seen, &priors(with_steps)).expect("valid");
        let position = centre(&model);
        let mut gradient = vec![0.0; model.size()];
        assert!(model.log_density(&position, &mut gradient).is_finite());
        group.throughput(Throughput::Elements(runs));
        group.bench_function(name, |bencher| {
            bencher.iter(|| model.log_density(black_box(&position), &mut gradient));
        });
    }
    group.finish();
}

criterion_group!(benches, log_density);
criterion_main!(benches);

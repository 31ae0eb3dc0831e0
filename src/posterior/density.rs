//! The log density of the model and its gradient, composed from its parts.

use super::curve::Curve;
use super::entries::Entries;
use super::layout::{Layout, Per, Variable};
use super::observed::Observed;
use super::points::Points;
use super::pooling::{Pooled, Population};
use super::prior::{Prior, Scale};
use super::state::State;
use super::steps::Steps;
use super::valleys::{self, Valleys};
use crate::error::Error;
use crate::law::Law;

const JOINT: &str = "log_critical_ratio";
const NOISE_SCALE: &str = "log_noise_scale";
const CRITICAL: &str = "log_critical_batch_size";

/// Pooled parameters that the runs of each group pin down, so that the groups' values are sampled, not their offsets.
const CENTRED: [&str; 4] = ["log_reference_learning_rate", "log_curvature", "log_min_steps", CRITICAL];

/// The prior of a variable by its name.
pub type Priors = Vec<(String, Prior)>;

/// Most entries of a small model.
const SMALL: usize = 100;

/// The model of one sweep: the density of its free variables, on the unconstrained scale.
///
/// It is `surge_fit.model.in_pymc` in Python, which is the definition; both are tested to be equal.
#[derive(Debug, Clone)]
pub struct Model {
    observed: Observed,
    layout: Layout,
    pooled: Vec<Pooled>,
    /// Slot of log B_crit where its prior is moved by the slot of log (B_crit/B_noise).
    moved: Option<(usize, usize)>,
    curve: Option<Curve>,
    points: Option<Points>,
    valleys: Option<Valleys>,
    steps: Option<Steps>,
    entries: Entries,
    constant: f64,
    state: State,
}

/// The variables as they are declared.
struct Builder<'a> {
    priors: &'a Priors,
    layout: Layout,
    pooled: Vec<Pooled>,
    groups: usize,
    covariates: usize,
}

impl Builder<'_> {
    fn prior(&self, name: &str) -> Result<Prior, Error> {
        let known = self.priors.iter().find(|(known, _)| known == name).map(|(_, prior)| *prior);
        known.ok_or_else(|| Error::MissingPrior { name: name.to_owned() })
    }

    fn has(&self, name: &str) -> bool {
        self.priors.iter().any(|(known, _)| known == name)
    }

    fn scalar(&mut self, name: &str) -> Result<usize, Error> {
        let prior = self.prior(name)?;
        Ok(self.layout.push(name, Per::Model, 1, Some(prior)))
    }

    fn vector(&mut self, name: &str, per: Per, entries: usize) -> Result<usize, Error> {
        let prior = self.prior(name)?;
        Ok(self.layout.push(name, per, entries, Some(prior)))
    }

    /// Declare a parameter that differs between groups; `tie` holds the slot of the log ratio that B_crit is sampled by.
    fn pooled(&mut self, name: &str, tie: Option<usize>) -> Result<usize, Error> {
        let prior = self.prior(name)?;
        let sampled = if tie.is_some() { CRITICAL } else { name };
        let suffix = if self.groups > 1 { "_mean" } else { "" };
        let mean = self.layout.push(format!("{sampled}{suffix}"), Per::Model, 1, Some(prior));
        let population = if self.groups > 1 {
            let spread = self.scalar(&format!("{name}_spread"))?;
            let trend = format!("{name}_trend");
            let covariates = self.covariates;
            let trend =
                if self.has(&trend) { Some(self.vector(&trend, Per::Covariate, covariates)?) } else { None };
            let centred = CENTRED.contains(&sampled);
            let group = if centred {
                self.layout.push(sampled, Per::Group, self.groups, None)
            } else {
                let standard = Prior::Normal { mean: 0.0, sd: 1.0 };
                self.layout.push(format!("{sampled}_offset"), Per::Group, self.groups, Some(standard))
            };
            Some(Population { spread, group, centred, trend, additive: prior.scale() == Scale::Plain })
        } else {
            None
        };
        self.pooled.push(Pooled { mean, minus: tie, population });
        Ok(self.pooled.len() - 1)
    }
}

impl Model {
    /// Compose the model of what was observed.
    ///
    /// # Errors
    /// [`Error::Observations`] if the observations contradict each other, [`Error::MissingPrior`] if a prior is missing.
    pub fn new(law: &'static dyn Law, mut observed: Observed, priors: &Priors) -> Result<Self, Error> {
        observed.check()?;
        observed.sort();
        let (cells, groups) = (observed.cells.log_batch_size.len(), observed.groups());
        let covariates = observed.cells.covariates.len() / groups;
        let mut build = Builder { priors, layout: Layout::default(), pooled: Vec::new(), groups, covariates };
        let ratio = if build.has(JOINT) { Some(build.scalar(JOINT)?) } else { None };
        let mut noise_scale = None;
        let curve = if observed.has_learning_rates() {
            let reference = build.pooled("log_reference_learning_rate", None)?;
            let mut parameters = Vec::new();
            for name in &law.parameters()[1..] {
                let tie = if *name == NOISE_SCALE { ratio } else { None };
                parameters.push(build.pooled(name, tie)?);
                if *name == NOISE_SCALE {
                    noise_scale = parameters.last().copied();
                }
            }
            let scale = build.scalar("discrepancy_scale")?;
            let optimum = build.layout.push("log_optimal_learning_rate", Per::Cell, cells, None);
            Some(Curve::new(law, reference, parameters, scale, optimum, &observed))
        } else {
            None
        };
        let optimum = curve.as_ref().map_or(0, |curve| curve.optimum);
        let points = if observed.optimum.is_empty() {
            None
        } else {
            Some(Points { optimum, noise: build.scalar("optimum_noise")? })
        };
        let valleys = if observed.finished.is_empty() {
            None
        } else {
            Some(Valleys {
                optimum,
                curvature: build.pooled("log_curvature", None)?,
                slope: build.scalar("curvature_slope")?,
                rate: build.scalar("valley_rate")?,
                asymmetry: build.scalar("valley_asymmetry")?,
                floor_gap: build.vector("floor_gap", Per::Cell, cells)?,
                noise: build.scalar("loss_noise")?,
                shape_error: build.scalar("shape_error")?,
                wall: build.scalar("wall")?,
                wall_width: build.scalar("wall_width")?,
                scratch: valleys::Scratch::new(&observed),
            })
        };
        let steps = if observed.steps.is_empty() {
            None
        } else {
            let min_steps = build.pooled("log_min_steps", None)?;
            let critical = match (ratio, noise_scale) {
                (Some(_), Some(noise_scale)) => noise_scale,
                _ => build.pooled(CRITICAL, None)?,
            };
            let scale = build.scalar("steps_discrepancy_scale")?;
            let standard = Prior::Normal { mean: 0.0, sd: 1.0 };
            Some(Steps {
                fewest: min_steps,
                critical,
                ratio,
                scale,
                innovation: build.layout.push("steps_innovation", Per::Cell, cells, Some(standard)),
                noise: build.scalar("steps_noise")?,
                factor: observed.blocks(&observed.cells.factor),
                away: vec![0.0; cells],
                by_curve: vec![0.0; cells],
            })
        };
        let Builder { layout, pooled, .. } = build;
        let moved = pooled.iter().find_map(|parameter| Some((parameter.mean, parameter.minus?)));
        let constant = layout.variables.iter().map(constant_of).sum::<f64>()
            + curve.as_ref().map_or(0.0, |curve| curve.constant(cells));
        let state = State::new(layout.size, pooled.len(), groups);
        let entries = Entries::new(&layout);
        Ok(Self { observed, layout, pooled, moved, curve, points, valleys, steps, entries, constant, state })
    }

    /// The free variables, in the order of the unconstrained vector.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.layout.variables
    }

    pub(super) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Length of the unconstrained vector.
    #[must_use]
    pub fn size(&self) -> usize {
        self.layout.size
    }

    /// The group that each entry of the vector is of; None for those of the model as a whole.
    #[must_use]
    pub fn group_of_entries(&self) -> Vec<Option<usize>> {
        let of = |variable: &Variable, entry: usize| match variable.per {
            Per::Model | Per::Covariate => None,
            Per::Group => Some(entry),
            Per::Cell => Some(self.observed.cells.group[entry]),
        };
        let variables = self.layout.variables.iter();
        variables.flat_map(|variable| (0..variable.len).map(move |entry| of(variable, entry))).collect()
    }

    /// Whether it has so few entries that maps from all to all pay: a mass matrix of low rank, a [`super::Geometry`] of one
    /// block. The variables of a law are correlated, and need a third of the steps then; with many groups or batch sizes
    /// such maps cost more than they save.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.size() <= SMALL
    }

    /// The log density at an unconstrained point, Jacobian and all constants included; its gradient into `gradient`.
    ///
    /// # Panics
    /// If the lengths differ from [`Model::size`].
    pub fn log_density(&mut self, position: &[f64], gradient: &mut [f64]) -> f64 {
        assert_eq!((position.len(), gradient.len()), (self.layout.size, self.layout.size));
        let state = &mut self.state;
        state.moved.copy_from_slice(position);
        state.adjoint.fill(0.0);
        state.by_group.fill(0.0);
        // The prior of a moved variable is that of what is left of it.
        if let Some((slot, ratio)) = self.moved {
            state.moved[slot] -= position[ratio];
        }
        let mut total = self.constant + self.entries.constrain(&state.moved, &mut state.values, gradient);
        if let Some((slot, ratio)) = self.moved {
            state.values[slot] = position[slot];
            state.adjoint[ratio] -= gradient[slot];
        }
        let (cells, groups) = (&self.observed.cells, state.count);
        for (index, parameter) in self.pooled.iter().enumerate() {
            let out = &mut state.groups[index * groups..(index + 1) * groups];
            parameter.forward(&state.values, &cells.covariates, out);
            let State { values, adjoint, .. } = state;
            total += parameter.density(values, &cells.covariates, groups, adjoint);
        }
        if let Some(curve) = &mut self.curve {
            total += curve.add(state);
        }
        if let Some(points) = &self.points {
            total += points.add(&self.observed.optimum, state);
        }
        if let Some(valleys) = &mut self.valleys {
            total += valleys.add(&self.observed, state);
        }
        if let Some(steps) = &mut self.steps {
            total += steps.add(&self.observed, state);
        }
        for (index, parameter) in self.pooled.iter().enumerate() {
            let stretch = index * groups..(index + 1) * groups;
            let (values, by) = (&state.groups[stretch.clone()], &state.by_group[stretch]);
            parameter.backward(&state.values, &cells.covariates, values, by, &mut state.adjoint);
        }
        self.entries.pull_back(&state.adjoint, gradient);
        total
    }
}

fn constant_of(variable: &Variable) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of entries")]
    let count = variable.len as f64;
    variable.prior.map_or(0.0, |prior| count * prior.constant())
}

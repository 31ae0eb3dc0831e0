//! Chains of the No-U-Turn sampler (nuts-rs) over one model or many, in parallel.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use nuts_rs::rand::rngs::ChaCha8Rng;
use nuts_rs::rand::{Rng, SeedableRng};
use nuts_rs::{
    Chain as _, CpuLogpFunc, CpuMath, CpuMathError, DiagNutsSettings, HasDims, LogpError,
    LowRankNutsSettings, Storable, Value,
};

use super::density::Model;
use super::geometry::Geometry;
use super::start::start;
use super::transformation::Transformation;
use crate::error::Error;

/// Time between two reports of progress, at which the caller may stop.
const HEARTBEAT: Duration = Duration::from_millis(20);

/// Trajectories of up to 2⁷ steps: with the right mass matrix two dozen are enough, and before it is known longer ones
/// cost more than all that follows.
const DEPTH: u64 = 7;

/// Settings of the sampler.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Chains of every model.
    pub chains: usize,
    /// Draws of each chain that tune it and are not kept.
    pub tune: usize,
    /// Draws of each chain that are kept.
    pub draws: usize,
    /// Acceptance rate that the step size aims at.
    pub target_accept: f64,
    /// Threads; the results do not depend on it.
    pub threads: usize,
}

/// A posterior to sample.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its density.
    pub model: Model,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Transformation and starting positions; None: the model's own variables, from the best runs.
    pub geometry: Option<Geometry>,
}

/// Draws of one chain and the sampler's statistics; all vectors but `draws` have one entry per kept draw.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// Unconstrained positions, shape (draw, variable entry).
    pub draws: Vec<f64>,
    /// Log density.
    pub log_density: Vec<f64>,
    /// Energy of the Hamiltonian.
    pub energy: Vec<f64>,
    /// Step size of the integrator.
    pub step_size: Vec<f64>,
    /// Mean acceptance over the trajectory.
    pub acceptance: Vec<f64>,
    /// Doublings of the trajectory.
    pub depth: Vec<i64>,
    /// Steps of the integrator.
    pub steps: Vec<i64>,
    /// Whether the trajectory diverged.
    pub diverging: Vec<bool>,
    /// Whether the trajectory was as long as it may be.
    pub maxdepth_reached: Vec<bool>,
}

/// The density that a chain samples: the model's, at transformed positions if it has a transformation.
#[derive(Debug, Clone)]
struct Target {
    model: Model,
    transformation: Option<Transformation>,
    position: Vec<f64>,
}

impl Target {
    fn new(model: &Model, geometry: Option<&Geometry>) -> Self {
        let transformation = geometry.map(|geometry| Transformation::new(geometry, model.variables()));
        Self { model: model.clone(), transformation, position: vec![0.0; model.size()] }
    }

    /// The model's own variables at a transformed position, and the log-determinant there.
    fn untransform(&mut self, transformed: &[f64]) -> (&[f64], f64) {
        let mut log_determinant = 0.0;
        if let Some(transformation) = &mut self.transformation {
            log_determinant = transformation.untransform(transformed, &mut self.position);
        } else {
            self.position.copy_from_slice(transformed);
        }
        (&self.position, log_determinant)
    }
}

/// A density that is not finite: the trajectory has diverged.
#[derive(Debug, thiserror::Error)]
#[error("the log density is not finite")]
struct NotFinite;

impl LogpError for NotFinite {
    fn is_recoverable(&self) -> bool {
        true
    }
}

impl HasDims for Target {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        HashMap::from([("unconstrained_parameter".to_owned(), self.model.size() as u64)])
    }
}

impl CpuLogpFunc for Target {
    type LogpError = NotFinite;
    type FlowParameters = ();
    type ExpandedVector = Vec<f64>;

    fn dim(&self) -> usize {
        self.model.size()
    }

    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> Result<f64, NotFinite> {
        let (_, log_determinant) = self.untransform(position);
        let value = self.model.log_density(&self.position, gradient) + log_determinant;
        if let Some(transformation) = &mut self.transformation {
            transformation.pull_back(gradient);
        }
        if value.is_finite() && gradient.iter().all(|slope| slope.is_finite()) {
            Ok(value)
        } else {
            Err(NotFinite)
        }
    }

    fn expand_vector<R: Rng + ?Sized>(&mut self, _: &mut R, _: &[f64]) -> Result<Vec<f64>, CpuMathError> {
        Ok(Vec::new())
    }
}

/// Sample every model; a chain's draws depend on its model, its seed and its number alone.
///
/// `heartbeat` is called every few milliseconds with the number of draws made so far, tuning included, and stops the
/// sampling by returning false.
///
/// # Errors
/// [`Error::Stopped`] on request; [`Error::Sampler`] if a chain finds no place to start from.
pub fn sample(
    tasks: &[Task],
    settings: Settings,
    heartbeat: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Vec<Chain>>, Error> {
    for task in tasks {
        if let Some(geometry) = &task.geometry {
            geometry.check(task.model.variables(), task.model.size(), settings.chains)?;
        }
    }
    let count = tasks.len() * settings.chains;
    let (next, made, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let (done, results) = mpsc::channel();
    let mut chains: Vec<Option<Chain>> = vec![None; count];
    let mut failure = None;
    std::thread::scope(|scope| {
        for _ in 0..settings.threads.clamp(1, count.max(1)) {
            let done = done.clone();
            let (next, made, stop) = (&next, &made, &stop);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let task = &tasks[number / settings.chains];
                    let found = run(task, number % settings.chains, settings, made, stop);
                    let failed = found.is_err();
                    if done.send((number, found)).is_err() || failed {
                        stop.store(true, Ordering::Relaxed);
                        break;
                    }
                }
            });
        }
        drop(done);
        loop {
            match results.recv_timeout(HEARTBEAT) {
                Ok((number, Ok(chain))) => chains[number] = Some(chain),
                // A failure stops the other chains; it is reported, and not that they stopped.
                Ok((_, Err(error))) if failure.is_none() || failure == Some(Error::Stopped) => {
                    failure = Some(error);
                }
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if !heartbeat(made.load(Ordering::Relaxed)) {
                        stop.store(true, Ordering::Relaxed);
                        failure.get_or_insert(Error::Stopped);
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    let mut chains = chains.into_iter().flatten();
    Ok(tasks.iter().map(|_| chains.by_ref().take(settings.chains).collect()).collect())
}

fn run(
    task: &Task,
    number: usize,
    settings: Settings,
    made: &AtomicUsize,
    stop: &AtomicBool,
) -> Result<Chain, Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(task.seed);
    rng.set_stream(number as u64);
    let (num_tune, num_draws) = (settings.tune as u64, settings.draws as u64);
    let size = task.model.size();
    if task.geometry.is_none() && task.model.is_small() {
        let mut options = LowRankNutsSettings { num_tune, num_draws, maxdepth: DEPTH, ..Default::default() };
        options.adapt_options.step_size_settings.target_accept = settings.target_accept;
        let start = start(&task.model, &mut rng)?;
        return chain(options, Target::new(&task.model, None), &start, (rng, number), settings, made, stop);
    }
    let mut options = DiagNutsSettings { num_tune, num_draws, ..Default::default() };
    options.adapt_options.step_size_settings.target_accept = settings.target_accept;
    let start = match &task.geometry {
        Some(geometry) => {
            options.maxdepth = DEPTH;
            // The map has whitened by the draws; steps by the gradients get stuck more often in its corners.
            options.adapt_options.mass_matrix_options.use_grad_based_estimate = false;
            geometry.starts[number * size..(number + 1) * size].to_vec()
        }
        None => start(&task.model, &mut rng)?,
    };
    let target = Target::new(&task.model, task.geometry.as_ref());
    chain(options, target, &start, (rng, number), settings, made, stop)
}

fn chain(
    options: impl nuts_rs::Settings,
    mut target: Target,
    start: &[f64],
    (mut rng, number): (ChaCha8Rng, usize),
    settings: Settings,
    made: &AtomicUsize,
    stop: &AtomicBool,
) -> Result<Chain, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Sampler { problem: error.to_string() };
    let math = CpuMath::new(target.clone());
    let mut sampler = options.new_chain(number as u64, math, &mut rng).map_err(|error| failed(&error))?;
    sampler.set_position(start).map_err(|error| failed(&error))?;
    let mut chain = Chain::default();
    for draw in 0..settings.tune + settings.draws {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        if draw < settings.tune {
            sampler.draw().map_err(|error| failed(&error))?;
        } else {
            let (position, _, mut stats, progress) =
                sampler.expanded_draw().map_err(|error| failed(&error))?;
            let (position, log_determinant) = target.untransform(&position);
            chain.draws.extend_from_slice(position);
            chain.diverging.push(progress.diverging);
            chain.steps.push(progress.num_steps.cast_signed());
            chain.step_size.push(progress.step_size);
            let dims = (&*sampler.math()).into();
            for (name, value) in stats.get_all(&dims) {
                match (name, value) {
                    ("energy", Some(Value::ScalarF64(energy))) => chain.energy.push(energy),
                    ("logp", Some(Value::ScalarF64(value))) => {
                        chain.log_density.push(value - log_determinant);
                    }
                    ("mean_tree_accept", Some(Value::ScalarF64(rate))) => chain.acceptance.push(rate),
                    ("depth", Some(Value::ScalarU64(depth))) => chain.depth.push(depth.cast_signed()),
                    ("maxdepth_reached", Some(Value::ScalarBool(reached))) => {
                        chain.maxdepth_reached.push(reached);
                    }
                    _ => {}
                }
            }
        }
        made.fetch_add(1, Ordering::Relaxed);
    }
    Ok(chain)
}

//! Losses on the surface, and outcomes at the wall, for many runs at once: loops that the compiler turns into vectors.

use super::student::{DEGREES, LOG_CONSTANT};
use crate::simd::{Arithmetic, Kernel, exp, log};
use crate::surface::Valley;

/// Numbers that all runs share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared {
    pub valley: Valley,
    pub noise: f64,
    pub shape_error: f64,
}

/// Finished runs, one entry each: what is put in, and what comes out.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses {
    /// Log learning rate less that of the optimum, κ, and loss less floor.
    pub distance: Vec<f64>,
    pub kappa: Vec<f64>,
    pub above_floor: Vec<f64>,
    /// Squared standard error of the loss.
    pub variance: Vec<f64>,
    /// Log density, and its derivatives: with respect to the distance, log κ, the floor, and what all share.
    pub value: Vec<f64>,
    pub by_distance: Vec<f64>,
    pub by_log_kappa: Vec<f64>,
    pub by_floor: Vec<f64>,
    pub by_noise: Vec<f64>,
    pub by_shape_error: Vec<f64>,
    pub by_log_rate: Vec<f64>,
    pub by_asymmetry: Vec<f64>,
}

impl Losses {
    pub fn new(se: &[f64]) -> Self {
        let empty = vec![0.0; se.len()];
        Self {
            distance: empty.clone(),
            kappa: empty.clone(),
            above_floor: empty.clone(),
            variance: se.iter().map(|se| se * se).collect(),
            value: empty.clone(),
            by_distance: empty.clone(),
            by_log_kappa: empty.clone(),
            by_floor: empty.clone(),
            by_noise: empty.clone(),
            by_shape_error: empty.clone(),
            by_log_rate: empty.clone(),
            by_asymmetry: empty,
        }
    }
}

/// Fill in the log density of every loss and its derivatives.
pub(super) struct OfLosses<'a>(pub Shared, pub &'a mut Losses);

impl Kernel for OfLosses<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self(Shared { valley, noise, shape_error }, lanes) = self;
        let count = lanes.distance.len();
        let (distance, kappa) = (&lanes.distance[..count], &lanes.kappa[..count]);
        let (above_floor, variance) = (&lanes.above_floor[..count], &lanes.variance[..count]);
        let (value, by_distance) = (&mut lanes.value[..count], &mut lanes.by_distance[..count]);
        let (by_log_kappa, by_floor) = (&mut lanes.by_log_kappa[..count], &mut lanes.by_floor[..count]);
        let (by_noise, by_shape) = (&mut lanes.by_noise[..count], &mut lanes.by_shape_error[..count]);
        let (by_rate, by_asymmetry) = (&mut lanes.by_log_rate[..count], &mut lanes.by_asymmetry[..count]);
        let square_error = shape_error * shape_error;
        for i in 0..count {
            let valley = valley.partials::<A>(distance[i]);
            let depth = kappa[i] * valley.value;
            let squared = depth * depth;
            let total = A::multiply_add(square_error, squared, A::multiply_add(noise, noise, variance[i]));
            let inverse = 1.0 / total;
            let residual = above_floor[i] - depth;
            let t = residual * residual * inverse;
            let weight = (DEGREES + 1.0) / (DEGREES + t);
            // ½ log total + 3 log(1 + t/5), the logarithm taken once.
            let fit = A::multiply_add(t, 1.0 / DEGREES, 1.0);
            value[i] = LOG_CONSTANT - 0.5 * log::<A>(total * (fit * fit) * (fit * fit) * (fit * fit));
            let by_mean = weight * residual * inverse;
            let by_variance = (weight * t - 1.0) * inverse;
            let by_depth = A::multiply_add(by_variance * square_error, depth, by_mean);
            let by_height = by_depth * kappa[i];
            by_distance[i] = by_height * valley.by_distance;
            by_log_kappa[i] = by_depth * depth;
            by_floor[i] = by_mean;
            by_noise[i] = by_variance * noise;
            by_shape[i] = by_variance * shape_error * squared;
            by_rate[i] = by_height * valley.by_log_rate;
            by_asymmetry[i] = by_height * valley.by_asymmetry;
        }
    }
}

/// Runs at the wall: the log odds of divergence and what became of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcomes {
    pub logit: Vec<f64>,
    /// 1 where the run diverged, else 0.
    pub diverged: Vec<f64>,
    /// Log probability of the outcome, and its derivative by the log odds.
    pub value: Vec<f64>,
    pub by_logit: Vec<f64>,
}

impl Outcomes {
    pub fn new(diverged: &[f64]) -> Self {
        let empty = vec![0.0; diverged.len()];
        Self { logit: empty.clone(), diverged: diverged.to_vec(), value: empty.clone(), by_logit: empty }
    }
}

/// Fill in the log probability of every outcome and its derivative.
pub(super) struct OfOutcomes<'a>(pub &'a mut Outcomes);

impl Kernel for OfOutcomes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self(lanes) = self;
        let count = lanes.logit.len();
        let (logit, diverged) = (&lanes.logit[..count], &lanes.diverged[..count]);
        let (value, by_logit) = (&mut lanes.value[..count], &mut lanes.by_logit[..count]);
        for i in 0..count {
            let small = exp::<A>(-logit[i].abs());
            let above = 1.0 + small;
            let positive = if logit[i] < 0.0 { 0.0 } else { logit[i] };
            value[i] = A::multiply_add(diverged[i], logit[i], -(positive + log::<A>(above)));
            by_logit[i] = diverged[i] - (if logit[i] < 0.0 { small } else { 1.0 }) / above;
        }
    }
}

/// Sum in four strands, which the processor adds at the same time.
#[inline]
pub(super) fn sum(values: &[f64]) -> f64 {
    let mut strands = [0.0; 4];
    let chunks = values.chunks_exact(4);
    let rest: f64 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (strand, value) in strands.iter_mut().zip(chunk) {
            *strand += value;
        }
    }
    (strands[0] + strands[1]) + (strands[2] + strands[3]) + rest
}

//! The update that an optimizer makes of the mean gradient of a minibatch.

use std::ops::Range;

use crate::numeric::{LANES, Lanes};

/// An optimizer's rule, up to the learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// V = `momentum`·(buffer) + g.
    Sgd {
        /// How much of the buffer is kept.
        momentum: f32,
    },
    /// V = sign(g), the limit of Adam without memory.
    Sign,
    /// V = m̂/(√v̂ + eps), the moments after this minibatch.
    Adam {
        /// Decay of the first moment.
        beta1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// 1 − β1^t and 1 − β2^t, t the number of this step.
        corrections: [f32; 2],
        /// Added to √v̂.
        eps: f32,
    },
}

/// State of an optimizer for every parameter, all tensors one after another; empty where it needs nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct State<'a> {
    /// The momentum buffer, or Adam's first moment.
    pub first: &'a [f32],
    /// Adam's second moment.
    pub second: &'a [f32],
    /// The parameters, for decoupled weight decay.
    pub weights: &'a [f32],
    /// Weight decay: V + `decay`·(parameters).
    pub decay: f32,
}

/// The state of sixteen parameters.
#[derive(Clone, Copy)]
pub(super) struct Block {
    first: Lanes<f32>,
    second: Lanes<f32>,
    /// Weights times decay.
    decay: Lanes<f32>,
}

impl State<'_> {
    /// The state of some parameters, ones and zeros beyond them.
    #[inline(always)]
    pub(super) fn block(&self, parameters: Range<usize>) -> Block {
        let load = |values: &[f32], factor: f32, beyond: f32| {
            let mut lanes = [beyond; LANES];
            if !values.is_empty() {
                for (lane, value) in lanes.iter_mut().zip(&values[parameters.clone()]) {
                    *lane = factor * value;
                }
            }
            Lanes(lanes)
        };
        Block {
            first: load(self.first, 1.0, 0.0),
            second: load(self.second, 1.0, 1.0),
            decay: load(self.weights, self.decay, 0.0),
        }
    }
}

/// An optimizer's rule, known when the loop over minibatches is compiled.
pub(super) trait Rule: Copy {
    /// The direction of sixteen parameters: from the sum over the rows of a minibatch, and one over their number.
    fn direction(self, sum: Lanes<f32>, one_over: f32, state: &Block) -> Lanes<f32>;
}

/// [`Optimizer::Sgd`], with its momentum.
#[derive(Clone, Copy)]
pub(super) struct Sgd(pub f32);

/// [`Optimizer::Sign`].
#[derive(Clone, Copy)]
pub(super) struct Sign;

/// [`Optimizer::Adam`], with its decays, its corrections and its eps.
#[derive(Clone, Copy)]
pub(super) struct Adam(pub [f32; 2], pub [f32; 2], pub f32);

impl Rule for Sgd {
    #[inline(always)]
    fn direction(self, sum: Lanes<f32>, one_over: f32, state: &Block) -> Lanes<f32> {
        Lanes(std::array::from_fn(|lane| {
            self.0 * state.first.0[lane] + one_over * sum.0[lane] + state.decay.0[lane]
        }))
    }
}

impl Rule for Sign {
    #[inline(always)]
    fn direction(self, sum: Lanes<f32>, _: f32, state: &Block) -> Lanes<f32> {
        Lanes(std::array::from_fn(|lane| sign(sum.0[lane]) + state.decay.0[lane]))
    }
}

impl Rule for Adam {
    #[inline(always)]
    fn direction(self, sum: Lanes<f32>, one_over: f32, state: &Block) -> Lanes<f32> {
        let Self([beta1, beta2], [first, second], eps) = self;
        Lanes(std::array::from_fn(|lane| {
            let g = one_over * sum.0[lane];
            let m = (beta1 * state.first.0[lane] + (1.0 - beta1) * g) / first;
            let v = (beta2 * state.second.0[lane] + (1.0 - beta2) * g * g) / second;
            m / (v.sqrt() + eps) + state.decay.0[lane]
        }))
    }
}

/// −1, 0 or 1.
#[inline(always)]
pub fn sign(value: f32) -> f32 {
    let up = if value > 0.0 { 1.0 } else { 0.0 };
    let down = if value < 0.0 { 1.0 } else { 0.0 };
    up - down
}

//! The update that an optimizer makes of the mean gradient of a minibatch.

use std::ops::Range;

use crate::statistics::{LANES, Lanes};

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

/// What an optimizer remembers of every parameter, all tensors one after another; empty where it needs nothing.
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

impl Optimizer {
    /// The direction of sixteen parameters.
    #[inline(always)]
    pub(super) fn direction(&self, gradient: Lanes<f32>, state: &Block) -> Lanes<f32> {
        let gradient = gradient.0;
        match *self {
            Self::Sgd { momentum } => Lanes(std::array::from_fn(|lane| {
                momentum * state.first.0[lane] + gradient[lane] + state.decay.0[lane]
            })),
            Self::Sign => Lanes(std::array::from_fn(|lane| sign(gradient[lane]) + state.decay.0[lane])),
            Self::Adam { beta1, beta2, corrections: [first, second], eps } => {
                Lanes(std::array::from_fn(|lane| {
                    let g = gradient[lane];
                    let m = (beta1 * state.first.0[lane] + (1.0 - beta1) * g) / first;
                    let v = (beta2 * state.second.0[lane] + (1.0 - beta2) * g * g) / second;
                    m / (v.sqrt() + eps) + state.decay.0[lane]
                }))
            }
        }
    }
}

/// −1, 0 or 1.
#[inline(always)]
pub fn sign(value: f32) -> f32 {
    f32::from(u8::from(value > 0.0)) - f32::from(u8::from(value < 0.0))
}

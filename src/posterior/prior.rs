//! Priors on the unconstrained scale: log density, Jacobian included, and its derivative.

use std::f64::consts::{LN_2, PI};

use statrs::function::gamma::ln_gamma;

/// `½ log 2π`.
pub(super) const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// A one-dimensional prior. Positive variables are sampled as their logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Prior {
    /// Normal with this mean and standard deviation.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        sd: f64,
    },
    /// exp of a normal with this mean and standard deviation.
    LogNormal {
        /// Log of the median.
        log_median: f64,
        /// Standard deviation of the log.
        log_sd: f64,
    },
    /// Absolute value of a centred normal.
    HalfNormal {
        /// Of the normal.
        sd: f64,
    },
    /// Student's t.
    StudentT {
        /// Degrees of freedom.
        degrees: f64,
        /// Its centre.
        location: f64,
        /// Its scale.
        scale: f64,
    },
}

impl Prior {
    /// Whether the variable is positive, and therefore sampled as its logarithm.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        matches!(self, Self::LogNormal { .. } | Self::HalfNormal { .. })
    }

    /// The part of the log density that does not depend on the variable.
    pub(super) fn constant(&self) -> f64 {
        match *self {
            Self::Normal { sd, .. } | Self::LogNormal { log_sd: sd, .. } => -HALF_LOG_TAU - sd.ln(),
            Self::HalfNormal { sd } => LN_2 - HALF_LOG_TAU - sd.ln(),
            Self::StudentT { degrees, scale, .. } => student_t_constant(degrees) - scale.ln(),
        }
    }

    /// Rest of the log density at unconstrained q, whose exponential is `value` where positive; and the derivative.
    #[inline]
    pub(super) fn at(&self, q: f64, value: f64) -> (f64, f64) {
        match *self {
            Self::Normal { mean, sd } | Self::LogNormal { log_median: mean, log_sd: sd } => {
                let t = (q - mean) / sd;
                (-0.5 * t * t, -t / sd)
            }
            Self::HalfNormal { sd } => {
                let t = value / sd;
                (q - 0.5 * t * t, 1.0 - t * t)
            }
            Self::StudentT { degrees, location, scale } => {
                let t = (q - location) / scale;
                let spread = degrees + t * t;
                (-0.5 * (degrees + 1.0) * (t * t / degrees).ln_1p(), -(degrees + 1.0) * t / (spread * scale))
            }
        }
    }
}

/// Log of the normalising constant of Student's t with unit scale.
pub(super) fn student_t_constant(degrees: f64) -> f64 {
    ln_gamma(0.5 * (degrees + 1.0)) - ln_gamma(0.5 * degrees) - 0.5 * (degrees * PI).ln()
}

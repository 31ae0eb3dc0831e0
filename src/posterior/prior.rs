//! Priors, and the constants of their log densities.

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
}

/// Log of the normalising constant of Student's t with unit scale.
pub(super) fn student_t_constant(degrees: f64) -> f64 {
    ln_gamma(0.5 * (degrees + 1.0)) - ln_gamma(0.5 * degrees) - 0.5 * (degrees * PI).ln()
}

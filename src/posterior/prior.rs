//! Priors, and the constants of their log densities.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

/// `½ log 2π`.
pub(super) const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// Scale on which a variable is sampled, without bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The variable itself.
    Plain,
    /// Its logarithm.
    Log,
    /// A number whose magnitude it is: with a density that does not fall towards zero, its logarithm would have a long
    /// tail there, in which nothing changes any more.
    Signed,
}

impl Scale {
    /// `plain`, `log` or `signed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Log => "log",
            Self::Signed => "signed",
        }
    }
}

/// A one-dimensional prior.
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
        /// Standard deviation of the normal.
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
    /// The scale on which the variable is sampled.
    #[must_use]
    pub fn scale(&self) -> Scale {
        match self {
            Self::Normal { .. } | Self::StudentT { .. } => Scale::Plain,
            Self::LogNormal { .. } => Scale::Log,
            Self::HalfNormal { .. } => Scale::Signed,
        }
    }

    /// The part of the log density, on the scale that is sampled, which does not depend on the variable.
    pub(super) fn constant(&self) -> f64 {
        match *self {
            Self::Normal { sd, .. } | Self::LogNormal { log_sd: sd, .. } | Self::HalfNormal { sd } => {
                -HALF_LOG_TAU - sd.ln()
            }
            Self::StudentT { degrees, scale, .. } => student_t_constant(degrees) - scale.ln(),
        }
    }
}

/// Log of the normalising constant of Student's t with unit scale.
pub(super) fn student_t_constant(degrees: f64) -> f64 {
    ln_gamma(0.5 * (degrees + 1.0)) - ln_gamma(0.5 * degrees) - 0.5 * (degrees * PI).ln()
}

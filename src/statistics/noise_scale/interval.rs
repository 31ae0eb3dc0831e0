//! Intervals from the jackknife, by Student's t.

use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

use crate::error::{Error, require};

/// A number with its uncertainty, never clipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The inverse of a positive number whose estimate and interval may reach zero or below: infinite there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inverse {
    /// The estimate; infinite where that of the inverse is not positive.
    pub value: f64,
    /// The lower end; infinite where the whole interval of the inverse is not positive.
    pub low: f64,
    /// The upper end; infinite where the interval of the inverse reaches zero.
    pub high: f64,
}

impl Interval {
    /// `scale` over the number.
    #[must_use]
    pub fn inverse(self, scale: f64) -> Inverse {
        let over = |number: f64| if number > 0.0 { scale / number } else { f64::INFINITY };
        Inverse { value: over(self.value), low: over(self.high), high: over(self.low) }
    }
}

/// Intervals from estimates with one unit deleted at a time.
pub struct Jackknife {
    units: f64,
    quantile: f64,
}

impl Jackknife {
    /// Intervals with this probability, Student's t with as many degrees of freedom as units but one.
    pub fn new(units: usize, probability: f64) -> Result<Self, Error> {
        require("probability", "between 0 and 1", &[probability], |value| value > 0.0 && value < 1.0)?;
        if units < 2 {
            return Err(Error::Shape {
                argument: "parts",
                expected: "two or more units to delete".to_owned(),
                found: units.to_string(),
            });
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let units = units as f64;
        let student = StudentsT::new(0.0, 1.0, units - 1.0).expect("positive degrees of freedom");
        let upper = f64::midpoint(1.0, probability);
        let first = student.inverse_cdf(upper);
        // The crate's inverse loses digits at many degrees of freedom, its distribution function does not.
        let quantile = first - (student.cdf(first) - upper) / student.pdf(first);
        Ok(Self { units, quantile })
    }

    /// An estimate, with the spread of its replicates: (n − 1)/n·Σ(θ₍ⱼ₎ − θ̄)² is the squared standard error.
    pub fn interval(&self, value: f64, replicates: impl Iterator<Item = f64> + Clone) -> Interval {
        let mean = replicates.clone().sum::<f64>() / self.units;
        let squares: f64 = replicates.map(|replicate| (replicate - mean).powi(2)).sum();
        let standard_error = (squares * (self.units - 1.0) / self.units).sqrt();
        let half = self.quantile * standard_error;
        Interval { value, standard_error, low: value - half, high: value + half }
    }
}

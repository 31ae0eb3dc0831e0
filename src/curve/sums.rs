//! The sums of a pass; they add up over disjoint parameters.

use super::design::Design;

/// Sums over all parameters of a pass. K resamples of b sizes are K·b directions; rows of the matrix as in the design.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DirectionSums {
    /// V · Σ(gradients of its minibatch), per direction.
    pub own: Vec<f64>,
    /// Products of every row of the matrix with the sum of the gradients of every group, row-major.
    pub groups: Vec<f64>,
    /// Products of every row of the matrix with every gradient, row-major; empty unless asked for.
    pub rows: Vec<f64>,
}

/// Sums over the parameters of one tensor: those of the theory and of the signs at every batch size.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchSums {
    /// Parameters.
    pub parameters: u64,
    /// Parameters whose gradient does not vary.
    pub constant: u64,
    /// Σ Hᵢᵢ.
    pub curvature: f64,
    /// Σ |Hᵢᵢ|.
    pub absolute_curvature: f64,
    /// Parameters whose mean lies within two standard errors of zero, and Σ |Hᵢᵢ| over them.
    pub unresolved: [f64; 2],
    /// Σ of the unbiased μ²/σ.
    pub drift: f64,
    /// Σ Hᵢᵢ times the mean over pairs of thirds of (μ/σ)(μ/σ).
    pub ratio_curvature: f64,
    /// Per batch size of the theory.
    pub batches: Vec<SizeSums>,
    /// Per direction: V · V of the next resample, the last meeting the first.
    pub overlaps: Vec<f64>,
}

/// Sums over the parameters of one tensor at one batch size of the theory. E is the expected sign, A its approximation, S the mean sign over
/// resamples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SizeSums {
    /// Σ (1 − E²) Hᵢᵢ.
    pub independent: f64,
    /// The same with E² from pairs of thirds.
    pub independent_split: f64,
    /// Σ (1 − A²) Hᵢᵢ.
    pub independent_approximate: f64,
    /// Parameters with B ≥ πσ²/(2μ²), without bias, and Σ |Hᵢᵢ| over them.
    pub saturated: [f64; 2],
    /// Σ (1 − E⁴).
    pub overlap_variance: f64,
    /// Σ S E.
    pub mean_expected: f64,
    /// Σ E².
    pub expected_squared: f64,
    /// Σ (S − E)².
    pub disagreement: f64,
    /// Σ (q − S²) with q the mean of V²: what a sign scatters.
    pub scatter: f64,
}

impl DirectionSums {
    /// Zeros; products with gradients only where they are asked for.
    pub(super) fn new(design: &Design, rows: bool) -> Self {
        let matrix_rows = design.matrix_rows();
        Self {
            own: vec![0.0; design.directions()],
            groups: vec![0.0; matrix_rows * design.groups.len()],
            rows: vec![0.0; if rows { matrix_rows * design.rows() } else { 0 }],
        }
    }

    /// Add the sums of other parameters.
    pub fn add(&mut self, other: &Self) {
        add_all(&mut self.own, &other.own);
        add_all(&mut self.groups, &other.groups);
        add_all(&mut self.rows, &other.rows);
    }
}

impl BatchSums {
    /// Zeros.
    pub(super) fn new(design: &Design) -> Self {
        Self {
            batches: vec![SizeSums::default(); design.theory.len()],
            overlaps: vec![0.0; design.directions()],
            ..Self::default()
        }
    }

    /// Add the sums of other parameters.
    pub fn add(&mut self, other: &Self) {
        self.parameters += other.parameters;
        self.constant += other.constant;
        self.curvature += other.curvature;
        self.absolute_curvature += other.absolute_curvature;
        add_all(&mut self.unresolved, &other.unresolved);
        self.drift += other.drift;
        self.ratio_curvature += other.ratio_curvature;
        self.batches.iter_mut().zip(&other.batches).for_each(|(sums, other)| sums.add(other));
        add_all(&mut self.overlaps, &other.overlaps);
    }
}

impl SizeSums {
    /// Add the sums of other parameters.
    pub fn add(&mut self, other: &Self) {
        self.independent += other.independent;
        self.independent_split += other.independent_split;
        self.independent_approximate += other.independent_approximate;
        add_all(&mut self.saturated, &other.saturated);
        self.overlap_variance += other.overlap_variance;
        self.mean_expected += other.mean_expected;
        self.expected_squared += other.expected_squared;
        self.disagreement += other.disagreement;
        self.scatter += other.scatter;
    }
}

/// Add numbers to sums, one by one.
#[inline(always)]
pub fn add_all<T: Copy + Into<f64>>(sums: &mut [f64], others: &[T]) {
    sums.iter_mut().zip(others).for_each(|(sum, &other)| *sum += other.into());
}

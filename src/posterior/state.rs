//! Values and derivatives, which the parts of the density share.

/// Values and derivatives of one evaluation.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// On the constrained scale.
    pub values: Vec<f64>,
    /// The position, a moved variable less what it is moved by.
    pub moved: Vec<f64>,
    /// Derivatives with respect to `values`.
    pub adjoint: Vec<f64>,
    /// Pooled parameters, shape (parameter, group).
    pub groups: Vec<f64>,
    /// Derivatives with respect to `groups`.
    pub by_group: Vec<f64>,
    /// The number of groups.
    pub count: usize,
}

impl State {
    /// Zeros, for so many entries, pooled parameters and groups.
    pub fn new(entries: usize, pooled: usize, groups: usize) -> Self {
        Self {
            values: vec![0.0; entries],
            moved: vec![0.0; entries],
            adjoint: vec![0.0; entries],
            groups: vec![0.0; pooled * groups],
            by_group: vec![0.0; pooled * groups],
            count: groups,
        }
    }

    #[inline]
    pub fn group(&self, pooled: usize, group: usize) -> f64 {
        self.groups[pooled * self.count + group]
    }

    #[inline]
    pub fn by_group(&mut self, pooled: usize, group: usize) -> &mut f64 {
        &mut self.by_group[pooled * self.count + group]
    }
}

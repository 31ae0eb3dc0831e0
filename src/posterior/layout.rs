//! Where each free variable lies in the vector that is sampled.

use super::prior::{Prior, Scale};

/// Unit that has an entry of a variable for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// The model: a scalar.
    Model,
    /// Each covariate of the groups.
    Covariate,
    /// Each group.
    Group,
    /// Each cell, a batch size of a group.
    Cell,
}

/// One free variable: a stretch of the unconstrained vector, all of whose entries have the same prior.
#[derive(Debug, Clone)]
pub struct Variable {
    /// As in the model's definition.
    pub name: String,
    /// First entry.
    pub start: usize,
    /// How many entries.
    pub len: usize,
    /// Unit that has an entry for itself.
    pub per: Per,
    /// Prior of every entry; None for the optima around the law, and for the groups around their population.
    pub prior: Option<Prior>,
}

impl Variable {
    /// The scale on which it is sampled.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.prior.map_or(Scale::Plain, |prior| prior.scale())
    }
}

/// All free variables, in the order of the vector.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub variables: Vec<Variable>,
    pub size: usize,
}

impl Layout {
    /// Append a variable of so many entries, and return where it starts.
    pub fn push(&mut self, name: impl Into<String>, per: Per, len: usize, prior: Option<Prior>) -> usize {
        let start = self.size;
        self.variables.push(Variable { name: name.into(), start, len, per, prior });
        self.size += len;
        start
    }
}

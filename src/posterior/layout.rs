//! Where each free variable lies in the vector that is sampled.

use super::prior::{Prior, Scale};

/// One free variable: a stretch of the unconstrained vector, all of whose entries have the same prior.
#[derive(Debug, Clone)]
pub struct Variable {
    /// As in the model's definition.
    pub name: String,
    /// First entry.
    pub start: usize,
    /// How many entries.
    pub len: usize,
    /// Whether it is one number, rather than one for each cell, group or covariate.
    pub scalar: bool,
    /// Of every entry; None for the optima around the law, and for the groups around their population.
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
    /// Append a variable, of so many entries or a scalar, and return where it starts.
    pub fn push(&mut self, name: impl Into<String>, entries: Option<usize>, prior: Option<Prior>) -> usize {
        let (start, len) = (self.size, entries.unwrap_or(1));
        self.variables.push(Variable { name: name.into(), start, len, scalar: entries.is_none(), prior });
        self.size += len;
        start
    }
}

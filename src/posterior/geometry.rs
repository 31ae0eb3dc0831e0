//! Transformed positions, in which a posterior is nearer to a normal one; chains move in them.
//!
//! The noise of the losses is the scale of all that they tell: where it is half as large, optima, floors and curvatures
//! are known twice as well. Steps of one size fit either the narrow end of such a funnel or the wide one, and the energy,
//! which follows the log-determinant, changes little from draw to draw. So everything but the scales is measured in
//! standard units, whose length follows the scales as earlier draws have shown.
//!
//! With many groups, a map from all to all would cost more than the density: the entries that all groups share are a
//! block, the common one, and each group is another, whose entries depend on each other and on the common block.

use super::layout::Variable;
use super::prior::Scale;
use crate::error::Error;

/// The map from transformed positions to the model's entries.
///
/// A scale is a coordinate itself. With φ its logarithm or, where it is signed, `½ log(r² + scale²)` with r its
/// `reference`, less the typical value of that, its `centre`, and y the other coordinates,
///
/// `others = mean + slopeᵀ φ + axesᵀ (exp(exponentᵀ φ) ∘ y)`
///
/// with one square of `axes` for each block of the others; and those beyond the first block, the common one, also
/// `+ couplingᵀ (exp(exponentᵀ φ) ∘ y)` of the common block.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// Entries that are scales.
    pub scales: Vec<usize>,
    /// The reference r of each scale.
    pub reference: Vec<f64>,
    /// The centre of each scale's φ.
    pub centre: Vec<f64>,
    /// All other entries, block by block.
    pub others: Vec<usize>,
    /// Number of them in each block; the first block is the common one.
    pub blocks: Vec<usize>,
    /// Mean of each of the others.
    pub mean: Vec<f64>,
    /// Slope of the mean with φ, shape (scale, other).
    pub slope: Vec<f64>,
    /// Axes of each block, one block after another: shape (axis, other), of as many axes as others.
    pub axes: Vec<f64>,
    /// Slope with the coordinates of the common block, shape (axis of the common block, other beyond it).
    pub coupling: Vec<f64>,
    /// Slope of the log length of each axis with φ, shape (scale, axis).
    pub exponent: Vec<f64>,
    /// Transformed position where each chain starts; shape (chain, entry).
    pub starts: Vec<f64>,
}

impl Geometry {
    /// Check that it is one of a model with these variables, for so many chains.
    pub(super) fn check(&self, variables: &[Variable], size: usize, chains: usize) -> Result<(), Error> {
        let (scales, others) = (self.scales.len(), self.others.len());
        let mut entries: Vec<usize> = self.scales.iter().chain(&self.others).copied().collect();
        entries.sort_unstable();
        let positive = self.scales.iter().all(|&entry| Self::scale(variables, entry) != Scale::Plain);
        let lengths = [
            (self.reference.len(), scales),
            (self.centre.len(), scales),
            (self.mean.len(), others),
            (self.slope.len(), scales * others),
            (self.blocks.iter().sum(), others),
            (self.axes.len(), self.blocks.iter().map(|size| size * size).sum()),
            (self.coupling.len(), self.common() * (others - self.common().min(others))),
            (self.exponent.len(), scales * others),
            (self.starts.len(), chains * size),
        ];
        let fits = lengths.iter().all(|(found, expected)| found == expected);
        if fits && positive && entries.iter().copied().eq(0..size) {
            return Ok(());
        }
        Err(Error::Sampler { problem: "the geometry is not one of the model and its chains".to_owned() })
    }

    /// Size of the first block.
    pub(super) fn common(&self) -> usize {
        self.blocks.first().copied().unwrap_or(0)
    }

    /// Where every block begins among the others, its size, and where its axes begin.
    pub(super) fn squares(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        self.blocks.iter().scan((0, 0), |(start, axes), &size| {
            let found = (*start, size, *axes);
            *start += size;
            *axes += size * size;
            Some(found)
        })
    }

    pub(super) fn scale(variables: &[Variable], entry: usize) -> Scale {
        let holds = |v: &&Variable| (v.start..v.start + v.len).contains(&entry);
        variables.iter().find(holds).map_or(Scale::Plain, Variable::scale)
    }
}

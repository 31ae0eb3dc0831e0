//! The request of a scan.

/// The rows' weights and groups, and whether shapes are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Examples b behind each row, the sizes of micro-batches; one each by default.
    pub weights: Option<&'a [f64]>,
    /// The group of each row (document, rank), from 0.
    pub groups: Option<&'a [u32]>,
    /// Third and fourth moments and standardised sums too.
    pub shape: bool,
}

//! The sums of a scan over one tensor; they add up over parts of its parameters.

/// Sums of one tensor. Over disjoint ranges of parameters everything adds up, see [`Sums::add`].
///
/// Rows are the kept ones, in their order in the dump; with weights b, ḡ = Σ b g / Σ b.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sums {
    /// Parameters.
    pub columns: u64,
    /// m = |ḡ|².
    pub mean_norm_squared: f64,
    /// s = |g|² of every kept row.
    pub norms: Vec<f64>,
    /// d = g·ḡ of every kept row.
    pub projections: Vec<f64>,
    /// |Σ b g|² over the rows of each group; empty without groups, zero for a group without rows.
    pub group_norms: Vec<f64>,
    /// Σ of the unbiased (μ/σ)² of one example over parameters that vary: (N−3)/(N−1)·ḡ²/s² − 1/Σb, with s² the
    /// unbiased variance from N rows. Not a number for fewer than four rows.
    pub signal: f64,
    /// Parameters that vary, s² > 0.
    pub varying: u64,
    /// Elements that are exactly zero.
    pub zeros: u64,
    /// Elements that are subnormal as they are stored.
    pub subnormals: u64,
    /// Elements that are infinite or not a number.
    pub non_finite: u64,
    /// Where shapes were asked for.
    pub shape: Option<Shape>,
}

/// Sums over standardised numbers g/s; parameters that do not vary are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// Σ g²/s² of every kept row.
    pub norms: Vec<f64>,
    /// Σ g ḡ/s² of every kept row.
    pub projections: Vec<f64>,
    /// Σ ḡ²/s².
    pub mean_norm_squared: f64,
    /// Σ of G₁², the squared skewness with G₁ = √(N(N−1))/(N−2)·g₁ (needs three rows), of √b·(g − ḡ) where rows have
    /// weights. Under normality G₁² averages 6N(N−1)/((N−2)(N+1)(N+3)).
    pub skewness_squared: f64,
    /// Σ of G₂, the excess kurtosis without bias under normality, (N−1)/((N−2)(N−3))·((N+1)g₂ + 6) (needs four rows).
    pub excess_kurtosis: f64,
}

impl Sums {
    pub(super) fn new(columns: usize, rows: usize, groups: usize, shape: bool) -> Self {
        Self {
            columns: columns as u64,
            norms: vec![0.0; rows],
            projections: vec![0.0; rows],
            group_norms: vec![0.0; groups],
            shape: shape.then(|| Shape {
                norms: vec![0.0; rows],
                projections: vec![0.0; rows],
                ..Shape::default()
            }),
            ..Self::default()
        }
    }

    /// The sums of gradients that are `scale` times the stored numbers; counts and standardised sums stay.
    #[must_use]
    pub fn scaled(mut self, scale: f64) -> Self {
        let square = scale * scale;
        self.mean_norm_squared *= square;
        for sums in [&mut self.norms, &mut self.projections, &mut self.group_norms] {
            for value in sums.iter_mut() {
                *value *= square;
            }
        }
        self
    }

    /// Add the sums of other parameters of the same rows; both must have come from the same request.
    pub fn add(&mut self, other: &Self) {
        self.add_ranked(other, None);
    }

    /// Add sums whose row at position p is the row `ranks[p]` here.
    pub(super) fn add_ranked(&mut self, other: &Self, ranks: Option<&[usize]>) {
        let add = |sums: &mut [f64], others: &[f64], ranks: Option<&[usize]>| match ranks {
            Some(ranks) => others.iter().zip(ranks).for_each(|(other, &rank)| sums[rank] += other),
            None => others.iter().zip(sums).for_each(|(other, sum)| *sum += other),
        };
        self.columns += other.columns;
        self.mean_norm_squared += other.mean_norm_squared;
        add(&mut self.norms, &other.norms, ranks);
        add(&mut self.projections, &other.projections, ranks);
        add(&mut self.group_norms, &other.group_norms, None);
        self.signal += other.signal;
        self.varying += other.varying;
        self.zeros += other.zeros;
        self.subnormals += other.subnormals;
        self.non_finite += other.non_finite;
        if let (Some(shape), Some(other)) = (&mut self.shape, &other.shape) {
            add(&mut shape.norms, &other.norms, ranks);
            add(&mut shape.projections, &other.projections, ranks);
            shape.mean_norm_squared += other.mean_norm_squared;
            shape.skewness_squared += other.skewness_squared;
            shape.excess_kurtosis += other.excess_kurtosis;
        }
    }
}

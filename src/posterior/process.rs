//! The Gaussian process over log batch size, independent between groups: rows of its factor and of the inverse.

/// Lower triangular blocks, one for each group, whose cells follow one another.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    /// First cell of every cell's group.
    pub first: Vec<usize>,
    /// Entries of a row; those beyond a cell's own place in its group are zero.
    pub width: usize,
    /// Row by row, shape (cell, width).
    pub rows: Vec<f64>,
}

impl Blocks {
    fn row(&self, cell: usize) -> (&[f64], usize) {
        let (first, start) = (self.first[cell], cell * self.width);
        (&self.rows[start..=start + cell - first], first)
    }

    /// `out = rows·values`.
    #[inline]
    pub fn times(&self, values: &[f64], out: &mut [f64]) {
        for (cell, out) in out.iter_mut().enumerate() {
            let (row, first) = self.row(cell);
            *out = row.iter().zip(&values[first..]).map(|(a, b)| a * b).sum();
        }
    }

    /// `out += scale·rowsᵀ·values`.
    #[inline]
    pub fn add_transposed(&self, scale: f64, values: &[f64], out: &mut [f64]) {
        for (cell, value) in values.iter().enumerate() {
            let (row, first) = self.row(cell);
            for (out, a) in out[first..].iter_mut().zip(row) {
                *out += scale * a * value;
            }
        }
    }
}

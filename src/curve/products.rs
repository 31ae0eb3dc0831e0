//! Products of matrices in single precision, and the forms vᵀHv that are made of them.

use gemm::Parallelism;
use rayon::prelude::*;

use crate::error::{Error, require_shape};

/// Rows of the Hessian that are multiplied at a time.
const BLOCK: usize = 256;

/// A row-major matrix whose rows begin `stride` numbers apart.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// Rows.
    pub rows: usize,
    /// Numbers between the beginnings of two rows.
    pub stride: usize,
}

impl<'a> Matrix<'a> {
    /// The beginning of a row.
    #[inline(always)]
    pub fn row(&self, row: usize, columns: usize) -> &'a [f32] {
        &self.values[row * self.stride..][..columns]
    }
}

/// `target` (left rows × right rows) += left · rightᵀ over their first `columns`, on one thread.
pub fn add_products(target: &mut [f32], left: Matrix<'_>, right: Matrix<'_>, columns: usize) {
    let fits = |matrix: &Matrix<'_>| {
        matrix.rows == 0
            || columns <= matrix.stride && (matrix.rows - 1) * matrix.stride + columns <= matrix.values.len()
    };
    assert!(
        fits(&left) && fits(&right) && target.len() == left.rows * right.rows,
        "matrices of these shapes"
    );
    let stride = |matrix: &Matrix<'_>| matrix.stride.cast_signed();
    // SAFETY: the assertion holds all that is read and written to the three slices.
    unsafe {
        gemm::gemm(
            left.rows,
            right.rows,
            columns,
            target.as_mut_ptr(),
            1,
            right.rows.cast_signed(),
            true,
            left.values.as_ptr(),
            1,
            stride(&left),
            right.values.as_ptr(),
            stride(&right),
            1,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// leftᵢᵀ H rightᵢ of every pair of rows, in double precision over blocks of rows of a symmetric H.
///
/// # Errors
///
/// [`Error::Shape`] for matrices that do not fit.
pub fn bilinear_forms(
    left: &[f32],
    right: &[f32],
    hessian: &[f32],
    parameters: usize,
) -> Result<Vec<f64>, Error> {
    require_shape("hessian", "(parameters · parameters,)", &[parameters * parameters], &[hessian.len()])?;
    require_shape("right", "as left", &[left.len()], &[right.len()])?;
    let rows = left.len() / parameters.max(1);
    require_shape("left", "(vectors · parameters,)", &[rows * parameters], &[left.len()])?;
    let starts: Vec<usize> = (0..parameters).step_by(BLOCK).collect();
    let parts: Vec<Vec<f64>> = starts
        .par_iter()
        .with_max_len(1)
        .map(|&start| {
            let width = BLOCK.min(parameters - start);
            let mut products = vec![0.0; rows * width];
            let block = Matrix { values: &hessian[start * parameters..], rows: width, stride: parameters };
            let right = Matrix { values: right, rows, stride: parameters };
            add_products(&mut products, right, block, parameters);
            let forms = products.chunks(width).zip(left.chunks(parameters)).map(|(products, left)| {
                let left = &left[start..start + width];
                products.iter().zip(left).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
            });
            forms.collect()
        })
        .collect();
    let mut forms = vec![0.0; rows];
    for part in parts {
        forms.iter_mut().zip(part).for_each(|(form, part): (&mut f64, f64)| *form += part);
    }
    Ok(forms)
}

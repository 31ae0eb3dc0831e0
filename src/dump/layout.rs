//! How many bytes an array takes, and whether they lie inside a file: arithmetic that no claim of a header overflows.

use super::{Dtype, Entry, Location};

/// More axes than this are refused: neither NumPy nor PyTorch knows more.
pub(super) const MOST_AXES: usize = 64;

/// Numbers in an array of this shape, or none where memory could not hold it.
///
/// An axis of length 0 does not excuse the others: products of any of them must be safe to take later.
pub(super) fn count(shape: &[usize], dtype: Dtype) -> Option<usize> {
    if shape.len() > MOST_AXES {
        return None;
    }
    let most = shape.iter().try_fold(dtype.size(), |product, &axis| product.checked_mul(axis.max(1)))?;
    isize::try_from(most).ok()?;
    Some(if shape.contains(&0) { 0 } else { most / dtype.size() })
}

/// Bytes of an array of this shape, or none where memory could not hold it.
pub(super) fn bytes(shape: &[usize], dtype: Dtype) -> Option<usize> {
    Some(count(shape, dtype)? * dtype.size())
}

/// Row-major bytes of an entry that a reader has checked.
pub(super) fn size(entry: &Entry) -> usize {
    bytes(&entry.shape, entry.dtype).expect("a reader refuses shapes that memory could not hold")
}

/// The strides of a column-major array, in elements.
pub(super) fn column_major(shape: &[usize]) -> Vec<usize> {
    let mut next = 1;
    let mut strides = Vec::with_capacity(shape.len());
    for &axis in shape {
        strides.push(next);
        next *= axis.max(1);
    }
    strides
}

/// A shape for messages: a hostile one may have a million axes.
pub(super) fn shown(shape: &[usize]) -> String {
    if shape.len() > MOST_AXES { format!("{} axes", shape.len()) } else { format!("{shape:?}") }
}

/// Whether every byte that an entry speaks of is one of the first `length` bytes.
pub(super) fn fits(entry: &Entry, length: usize) -> bool {
    let (dtype, shape) = (entry.dtype, &entry.shape);
    let Some(size) = bytes(shape, dtype) else { return false };
    let end = match &entry.location {
        Location::Plain { offset } => offset.checked_add(size),
        Location::Strided { offset, strides } => {
            if strides.len() != shape.len() {
                return false;
            }
            reach(shape, strides)
                .and_then(|elements| elements.checked_mul(dtype.size()))
                .and_then(|reach| offset.checked_add(reach))
        }
        Location::Deflated { offset, length, skip, .. } => {
            if skip.checked_add(size).is_none() {
                return false;
            }
            offset.checked_add(*length)
        }
    };
    end.is_some_and(|end| end <= length)
}

/// Elements from the first one of a view up to and with its last.
pub(super) fn reach(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let steps = shape.iter().zip(strides).map(|(&axis, &stride)| (axis - 1).checked_mul(stride));
    steps.into_iter().try_fold(1_usize, |sum, step| sum.checked_add(step?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_overflows_has_no_size() {
        assert_eq!(bytes(&[3, 5], Dtype::F32), Some(60));
        assert_eq!(bytes(&[], Dtype::F64), Some(8));
        assert_eq!(bytes(&[0, 7], Dtype::F64), Some(0));
        // 2^40 · 2^40 overflows, whatever stands beside it.
        assert_eq!(bytes(&[1 << 40, 1 << 40], Dtype::F8E5M2), None);
        assert_eq!(bytes(&[1 << 40, 0, 1 << 40], Dtype::F8E5M2), None);
        // 2^63 bytes fit into usize, and into no memory.
        assert_eq!(bytes(&[1 << 60], Dtype::F64), None);
        assert_eq!(bytes(&[1; 65], Dtype::F32), None);
    }

    #[test]
    fn a_view_ends_with_its_last_element() {
        // Elements 1 + (2-1)·1 + (3-1)·10 = 22 from byte 4 on: bytes 4 to 92.
        let location = Location::Strided { offset: 4, strides: vec![1, 10] };
        let entry = Entry { name: "w".into(), dtype: Dtype::F32, shape: vec![2, 3], location };
        assert!(fits(&entry, 92));
        assert!(!fits(&entry, 91));
    }

    #[test]
    fn the_first_index_of_a_column_major_array_runs_fastest() {
        assert_eq!(column_major(&[5, 3, 2]), [1, 5, 15]);
        assert!(column_major(&[]).is_empty());
    }

    #[test]
    fn no_stride_is_large_enough_to_come_round_again() {
        let location = Location::Strided { offset: 0, strides: vec![usize::MAX / 2, 3] };
        let entry = Entry { name: "w".into(), dtype: Dtype::F8E5M2, shape: vec![3, 2], location };
        assert!(!fits(&entry, usize::MAX));
    }
}

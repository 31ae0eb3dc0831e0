//! Numbers that a frozen value of Python holds, as arrays and by their bits.

use ndarray::{ArrayView, Dimension, IntoDimension};
use numpy::{Element, PyArray, PyArrayMethods};
use pyo3::prelude::*;

use crate::error::{Error, require_shape};

/// A read-only array of this shape over numbers that `owner` holds; nothing is copied.
pub fn view<'py, T: Element, D: Dimension>(
    owner: &Bound<'py, PyAny>,
    shape: impl IntoDimension<Dim = D>,
    numbers: &[T],
) -> PyResult<Bound<'py, PyArray<T, D>>> {
    let shape = shape.into_dimension();
    let found = Error::Shape {
        argument: "shape",
        expected: format!("{} numbers", numbers.len()),
        found: format!("{shape:?}"),
    };
    let numbers = ArrayView::from_shape(shape, numbers).map_err(|_| found)?;
    // SAFETY: the owner is frozen, so that its numbers neither move nor change while it lives, which is as long as the
    // array does; and nobody writes to them, because the array is made read-only before anybody else has it.
    let array = unsafe { PyArray::borrow_from_array(&numbers, owner.clone()) };
    array.readwrite().make_nonwriteable();
    Ok(array)
}

/// Whether numbers are the same bit by bit: one that is not a number equals itself.
pub fn same_bits<'a>(
    one: impl IntoIterator<Item = &'a f64>,
    other: impl IntoIterator<Item = &'a f64>,
) -> bool {
    one.into_iter().map(|value| value.to_bits()).eq(other.into_iter().map(|value| value.to_bits()))
}

/// Refuse lists of other lengths than the first one's `expected`.
pub fn require_lengths(axes: &str, expected: usize, lists: &[(&'static str, usize)]) -> Result<(), Error> {
    lists.iter().try_for_each(|&(name, length)| require_shape(name, axes, &[expected], &[length]))
}

/// Refuse to merge sums of which `what` differs.
pub fn require_alike(what: &'static str, alike: bool) -> Result<(), Error> {
    if alike { Ok(()) } else { Err(Error::Merge { what }) }
}

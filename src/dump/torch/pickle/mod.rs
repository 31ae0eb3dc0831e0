//! Pickles, protocols 2 to 5, as data: a machine that builds values and never a Python object.

mod containers;
mod cursor;
mod functions;
mod machine;
mod values;

pub(super) use functions::Function;
pub(super) use machine::{MAGIC, load};
pub(super) use values::{Id, Pickle, Value};

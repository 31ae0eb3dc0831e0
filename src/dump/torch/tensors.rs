//! From the call that would build a tensor to where its numbers are, with every view checked against its storage.

use std::ops::Range;

use super::elements::{Element, Fate, of_dtype};
use super::pickle::{Function, Id, Pickle, Value};
use super::storages::{Claim, Storages};
use crate::dump::layout;
use crate::dump::problem::Problem;
use crate::error::shown;
use crate::{Dtype, Location};

/// A tensor of a file.
#[derive(Debug)]
pub(super) enum Tensor {
    /// Numbers that are read.
    Found { dtype: Dtype, shape: Vec<usize>, location: Location },
    /// Integers, of this dtype.
    LeftOut(&'static str),
}

/// Claims of a call about a tensor, before they are checked.
struct View<'p> {
    storage: Id,
    offset: Id,
    size: &'p [Id],
    stride: &'p [Id],
    /// The dtype, if it is not that of the storage.
    dtype: Option<Id>,
}

/// The tensor that a call would build.
pub(super) fn tensor(
    pickle: &Pickle,
    call: Id,
    function: Function,
    arguments: Id,
    storages: &Storages,
) -> Result<Tensor, Problem> {
    let at = pickle.offset(call);
    let view = view(pickle, at, function, arguments)?;
    let malformed = || malformed(at);
    let Value::Persistent(persistent) = *pickle.value(view.storage) else { return Err(malformed()) };
    let claim = Claim::parse(pickle, persistent)?;
    let element = match view.dtype {
        Some(dtype) => element_of_argument(pickle, at, dtype)?,
        None => claim.element.ok_or_else(malformed)?,
    };
    let dtype = match element.fate {
        Fate::Read(dtype) => dtype,
        Fate::LeaveOut => return Ok(Tensor::LeftOut(element.dtype)),
        Fate::Refuse => return Err(unreadable(at, &format!("of dtype {}", element.dtype))),
    };

    let storage = span(at, &claim, storages)?;
    let offset = pickle.count(view.offset).ok_or_else(malformed)?;
    let shape = counts(pickle, view.size).ok_or_else(malformed)?;
    let strides = counts(pickle, view.stride).ok_or_else(malformed)?;
    let location = locate(dtype, &storage, offset, &shape, strides).map_err(|text| Problem::at(at, text))?;
    Ok(Tensor::Found { dtype, shape, location })
}

/// The arguments of a tensor's call, those of a parameter looked through.
fn view<'p>(pickle: &'p Pickle, at: usize, function: Function, arguments: Id) -> Result<View<'p>, Problem> {
    let (function, arguments) = match (function, pickle.tuple(arguments)) {
        (Function::Parameter, Some(&[data, ..])) => match *pickle.value(data) {
            Value::Call { function, arguments } => (function, arguments),
            _ => return Err(malformed(at)),
        },
        _ => (function, arguments),
    };
    let items = pickle.tuple(arguments).unwrap_or_default();
    let (dtype, marks) = match (function, items.len()) {
        (Function::Tensor, 4) | (Function::TensorV2, 6) => (None, None),
        (Function::TensorV2, 7) => (None, Some(items[6])),
        (Function::TensorV3, 7) => (Some(items[6]), None),
        (Function::TensorV3, 8) => (Some(items[6]), Some(items[7])),
        (Function::Other(what), _) => return Err(unreadable(at, what)),
        _ => return Err(malformed(at)),
    };
    let unmarked = marks.is_none_or(|marks| match pickle.value(marks) {
        Value::None => true,
        Value::Dict(pairs) => pairs.is_empty(),
        _ => false,
    });
    if !unmarked {
        return Err(unreadable(at, "a negated or conjugated view"));
    }
    match (pickle.tuple(items[2]), pickle.tuple(items[3])) {
        (Some(size), Some(stride)) if size.len() == stride.len() && size.len() <= layout::MOST_AXES => {
            Ok(View { storage: items[0], offset: items[1], size, stride, dtype })
        }
        _ => Err(malformed(at)),
    }
}

fn element_of_argument(pickle: &Pickle, at: usize, dtype: Id) -> Result<&'static Element, Problem> {
    match *pickle.value(dtype) {
        Value::Global { module: "torch", name } => {
            of_dtype(name).ok_or_else(|| unreadable(at, &format!("of dtype {}", shown(name))))
        }
        _ => Err(malformed(at)),
    }
}

/// Where a storage lies, if it is as long as it says.
fn span(at: usize, claim: &Claim, storages: &Storages) -> Result<Range<usize>, Problem> {
    let key = claim.key;
    let span = storages.get(key).ok_or_else(|| {
        Problem::at(
            at,
            format!(
                "the storage '{}' must be in the file; it is not. The file is damaged: copy or save it again.",
                shown(key)
            ),
        )
    })?;
    if claim.bytes() == Some(span.len()) {
        return Ok(span.clone());
    }
    let size = claim.element.map_or(1, |element| element.size);
    Err(Problem::at(
        at,
        format!(
            "the storage '{}' must have {} numbers of {size} bytes; it has {} bytes, from byte {} on. \
             The file is damaged: copy or save it again.",
            shown(key),
            claim.numel,
            span.len(),
            span.start
        ),
    ))
}

/// Where the numbers of a view are, if they all are in the storage.
fn locate(
    dtype: Dtype,
    storage: &Range<usize>,
    offset: usize,
    shape: &[usize],
    strides: Vec<usize>,
) -> Result<Location, String> {
    let Some(count) = layout::count(shape, dtype) else {
        return Err(format!(
            "a tensor must fit the memory of a machine; shape {shape:?} does not. \
             The file is damaged: copy or save it again."
        ));
    };
    if count == 0 {
        return Ok(Location::Plain { offset: storage.start });
    }
    let available = storage.len() / dtype.size();
    let end = layout::reach(shape, &strides).and_then(|reach| offset.checked_add(reach));
    if end.is_none_or(|end| end > available) {
        return Err(format!(
            "a tensor must lie inside its storage of {available} numbers; \
             offset {offset}, shape {shape:?} and strides {strides:?} reach beyond. \
             The file is damaged: copy or save it again."
        ));
    }

    // Repeated numbers cost nothing in the file, but do as soon as they are written out.
    let most = available.saturating_mul(16).max(65_536);
    if count > most {
        return Err(format!(
            "a tensor that repeats numbers must have at most {most} (65,536, or 16 times its storage); \
             shape {shape:?} over {available} stored numbers has more. Save the tensor before it is expanded."
        ));
    }

    let offset = storage.start + offset * dtype.size();
    Ok(if row_major(shape, &strides) {
        Location::Plain { offset }
    } else {
        Location::Strided { offset, strides }
    })
}

/// Axes of length 1 may have any stride.
fn row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().filter(|&(&length, _)| length != 1).all(|(&length, &stride)| {
        let holds = stride == expected;
        expected *= length;
        holds
    })
}

fn counts(pickle: &Pickle, ids: &[Id]) -> Option<Vec<usize>> {
    ids.iter().map(|&id| pickle.count(id)).collect()
}

fn unreadable(at: usize, what: &str) -> Problem {
    Problem::at(
        at,
        format!(
            "a tensor must be dense and of dtype float64, float32, float16, bfloat16, float8_e4m3fn or float8_e5m2; \
             this one is {what}. Save a dense copy of it in one of these."
        ),
    )
}

fn malformed(at: usize) -> Problem {
    Problem::at(
        at,
        "a tensor must be a storage with its offset, shape and strides; this one is not. \
         The file is damaged, or from a PyTorch that surge_fit does not know: save a plain dict of tensors.",
    )
}

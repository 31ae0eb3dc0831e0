//! Storages: the runs of raw numbers into which tensors are views.

use std::collections::HashMap;
use std::ops::Range;

use super::elements::{Element, of_storage};
use super::pickle::{Id, Pickle, Value};
use crate::dump::problem::Problem;
use crate::dump::zip::{Member, Method};
use crate::error::shown;

/// Where each storage lies in the file, by its key.
pub(super) type Storages<'a> = HashMap<&'a str, Range<usize>>;

/// Claims of a persistent id about a storage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    /// None for an untyped storage, whose numbers are bytes.
    pub element: Option<&'static Element>,
    /// Which storage it is.
    pub key: &'a str,
    /// Its length in its numbers.
    pub numel: usize,
}

impl<'a> Claim<'a> {
    /// Fields of the persistent id: ('storage', class, key, device, length), and in legacy files a view of it, which
    /// must be None.
    pub fn parse(pickle: &Pickle<'a>, id: Id) -> Result<Self, Problem> {
        let at = pickle.offset(id);
        let malformed = || {
            Problem::at(
                at,
                "a persistent id must be that of a storage: its class, key, device and length; this one is not. \
                 Save a plain dict of tensors.",
            )
        };
        let (kind, class, key, device, numel) = match *pickle.tuple(id).unwrap_or_default() {
            [kind, class, key, device, numel] => (kind, class, key, device, numel),
            [kind, class, key, device, numel, view] if matches!(pickle.value(view), Value::None) => {
                (kind, class, key, device, numel)
            }
            _ => return Err(malformed()),
        };
        if pickle.text(kind) != Some("storage") {
            return Err(malformed());
        }
        if pickle.text(device) == Some("meta") {
            return Err(Problem::at(
                at,
                "a tensor must have data; this one is on the device 'meta', without any. Save tensors with data.",
            ));
        }
        let element = match *pickle.value(class) {
            Value::Global { module: "torch.storage", name: "UntypedStorage" } => None,
            Value::Global { module: "torch", name } => Some(of_storage(name).ok_or_else(|| {
                Problem::at(
                    at,
                    format!(
                        "a storage must be of a known class; found 'torch.{}'. Save the tensor with .float().",
                        shown(name)
                    ),
                )
            })?),
            _ => return Err(malformed()),
        };
        match (pickle.text(key), pickle.count(numel)) {
            (Some(key), Some(numel)) => Ok(Self { element, key, numel }),
            _ => Err(malformed()),
        }
    }

    /// Its length in bytes, unless that is beyond every file.
    pub fn bytes(&self) -> Option<usize> {
        self.numel.checked_mul(self.element.map_or(1, |element| element.size))
    }
}

/// Where the program and the storages of an archive are.
pub(super) fn of_archive<'a>(
    bytes: &[u8],
    members: &[Member<'a>],
) -> Result<(Range<usize>, Storages<'a>), Problem> {
    let mut programs = members.iter().filter_map(|member| {
        let root = member.name.strip_suffix("/data.pkl")?;
        (!root.contains('/')).then_some((root, member))
    });
    let (root, program) = match (programs.next(), programs.next()) {
        (Some(program), None) => program,
        (None, _) => {
            return Err(Problem::at(
                0,
                "an archive of torch.save must have a member '<name>/data.pkl'; this one has none. \
                 Write it with torch.save, not torch.jit.save or another tool.",
            ));
        }
        (Some(_), Some((_, second))) => {
            return Err(Problem::at(
                second.span.start,
                "an archive of torch.save must have one member '<name>/data.pkl'; this one has two. \
                 Write each object to a file of its own.",
            ));
        }
    };

    let mut storages = Storages::new();
    for member in members {
        let Some(name) = member.name.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) else {
            continue;
        };
        if let Some(key) = name.strip_prefix("data/") {
            plain(member)?;
            storages.insert(key, member.span.clone());
        } else if name == "byteorder" {
            plain(member)?;
            if &bytes[member.span.clone()] != b"little" {
                return Err(Problem::at(
                    member.span.start,
                    "numbers must be little-endian; the file says they are not. \
                     Load and save it on a little-endian machine.",
                ));
            }
        }
    }
    plain(program)?;
    Ok((program.span.clone(), storages))
}

fn plain(member: &Member) -> Result<(), Problem> {
    if member.method == Method::Stored {
        return Ok(());
    }
    let name = shown(member.name);
    Err(Problem::at(
        member.span.start,
        format!(
            "members must be stored as torch.save does; '{name}' is compressed. \
             Save the file again with torch.save, or zip it again without compression (zip -0)."
        ),
    ))
}

//! Files of PyTorch before 1.6: a row of pickles (magic number, version, system, object, keys of storages), then the
//! storages in the order of the keys, each after its length.

use std::collections::HashMap;

use super::pickle::{Pickle, Value, load};
use super::storages::{Claim, Storages};
use super::walk;
use crate::Contents;
use crate::dump::problem::Problem;
use crate::error::shown;

/// 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC_NUMBER: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
const VERSION: i64 = 1001;

pub(super) fn read(bytes: &[u8], file: &str) -> Result<Contents, Problem> {
    let magic = load(bytes, 0)?;
    let Value::Large(MAGIC_NUMBER) = magic.value(magic.root()) else {
        return Err(Problem::at(
            0,
            "a pickle must be one of torch.save; this one is not. Save a dict of tensors with torch.save.",
        ));
    };
    let version = load(bytes, magic.end())?;
    let Value::Int(VERSION) = version.value(version.root()) else {
        return Err(Problem::at(
            magic.end(),
            format!(
                "the version of the file must be {VERSION}; it is not. Save it again with PyTorch 1.6 or later."
            ),
        ));
    };
    // Numbers are little-endian whatever the system that wrote them, so what it says about itself does not matter.
    let system = load(bytes, version.end())?;
    let object = load(bytes, system.end())?;
    let keys = load(bytes, object.end())?;
    let storages = storages(bytes, &object, &keys)?;
    walk::contents(&object, object.end() - system.end(), &storages, file)
}

/// The length in bytes of a storage is in its persistent ids alone, which are in the object's pickle.
fn storages<'a>(bytes: &[u8], object: &Pickle<'a>, keys: &Pickle<'a>) -> Result<Storages<'a>, Problem> {
    let mut claims: HashMap<&str, Claim> = HashMap::new();
    for id in object.persistent() {
        let claim = Claim::parse(object, id)?;
        let first = *claims.entry(claim.key).or_insert(claim);
        if (first.numel, first.bytes()) != (claim.numel, claim.bytes()) {
            let key = shown(claim.key);
            return Err(damaged(
                object.offset(id),
                &format!("storage '{key}' must have one length; it has two"),
            ));
        }
    }

    let Value::List(items) = keys.value(keys.root()) else {
        return Err(damaged(
            keys.offset(keys.root()),
            "the keys of the storages must be a list; they are not",
        ));
    };
    let mut storages = Storages::new();
    let mut at = keys.end();
    for &item in items {
        let claim = keys.text(item).and_then(|key| claims.get(key)).ok_or_else(|| {
            damaged(keys.offset(item), "each storage must be that of a tensor; this key is that of none")
        })?;
        let key = shown(claim.key);
        let numel = at.checked_add(8).and_then(|start| Some((bytes.get(at..start)?, start)));
        let Some((numel, start)) = numel else {
            return Err(damaged(at, &format!("storage '{key}' must begin here; the file ends")));
        };
        let numel = u64::from_le_bytes(numel.try_into().expect("8 bytes"));
        if numel != claim.numel as u64 {
            return Err(damaged(
                at,
                &format!(
                    "storage '{key}' must have {} numbers, as its tensors say; it has {numel}",
                    claim.numel
                ),
            ));
        }
        let end =
            claim.bytes().and_then(|length| start.checked_add(length)).filter(|&end| end <= bytes.len());
        let end = end.ok_or_else(|| {
            damaged(at, &format!("storage '{key}' must be complete; the file ends at byte {}", bytes.len()))
        })?;
        if storages.insert(claim.key, start..end).is_some() {
            return Err(damaged(
                keys.offset(item),
                &format!("storage '{key}' must be there once; it is there twice"),
            ));
        }
        at = end;
    }
    Ok(storages)
}

fn damaged(at: usize, what: &str) -> Problem {
    Problem::at(at, format!("{what}. The file is damaged or cut short: copy or save it again."))
}

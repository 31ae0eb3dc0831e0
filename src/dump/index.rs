//! The index of a dump in several files: which shard holds which tensor.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::container::read_text;
use super::json::{self, Object};
use super::{Container, Options};
use crate::error::Error;

#[derive(Deserialize)]
struct Index {
    weight_map: Object<String>,
}

/// The shards that an index such as `model.safetensors.index.json` names, each checked to hold the tensors that the
/// index promises of it; sorted by name.
///
/// # Errors
/// The index is no such file, a shard is not a file beside it, or a shard lacks a tensor.
pub fn index_files(path: &Path, options: &Options) -> Result<Vec<PathBuf>, Error> {
    let label = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    let promised = read(&read_text(path)?, &label)?;
    let mut paths = Vec::with_capacity(promised.len());
    for (shard, tensors) in &promised {
        let path = folder.join(shard);
        check(&Container::open(&path, options)?, tensors, &label)?;
        paths.push(path);
    }
    Ok(paths)
}

/// The tensors of each shard.
pub(super) fn read(text: &str, file: &str) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let index: Index = serde_json::from_str(text).map_err(|error| {
        let problem = format!(
            "an index must have an object 'weight_map' from tensors to files; the parser says: {}. Is it the right \
             file?",
            json::objection(&error)
        );
        Error::in_file(file, None, Some(json::byte(&error, text)), problem)
    })?;
    let mut shards = BTreeMap::<String, Vec<String>>::new();
    for (tensor, shard) in index.weight_map.unique(file)? {
        if !is_plain(&shard) {
            let problem = format!(
                "its shard must be the name of a file beside the index, without a path; got '{}'. Put the shards \
                 beside the index and name them plainly.",
                crate::error::shown(&shard)
            );
            return Err(Error::in_file(file, Some(&tensor), None, problem));
        }
        shards.entry(shard).or_default().push(tensor);
    }
    Ok(shards)
}

/// Whether a name is that of a file in the same folder, on every system.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let one = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    one && !name.contains(['/', '\\', ':']) && !name.contains(char::is_control)
}

fn check(shard: &Container, tensors: &[String], index: &str) -> Result<(), Error> {
    let contents = shard.contents();
    let names = contents.entries.iter().map(|entry| entry.name.as_str());
    let names: HashSet<&str> = names.chain(contents.skipped.iter().map(|(name, _)| name.as_str())).collect();
    match tensors.iter().find(|tensor| !names.contains(tensor.as_str())) {
        None => Ok(()),
        Some(tensor) => {
            let problem = format!(
                "the shard must hold every tensor that '{index}' promises of it; it lacks this one. Copy or write the \
                 shards and their index again."
            );
            Err(Error::in_file(shard.label(), Some(tensor), None, problem))
        }
    }
}

#[cfg(test)]
mod tests;

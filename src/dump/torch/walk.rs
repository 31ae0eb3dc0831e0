//! The names of what lies in nested containers.

use std::collections::HashSet;
use std::path::Path;

use super::pickle::{Id, Pickle, Value};
use super::storages::Storages;
use super::tensors::{Tensor, tensor};
use crate::dump::problem::Problem;
use crate::error::shown;
use crate::{Contents, Entry};

/// Containers within containers, and a container within itself.
const DEEPEST: usize = 64;

/// Everything in the object that `pickle`, of `length` bytes, builds.
pub(super) fn contents(
    pickle: &Pickle,
    length: usize,
    storages: &Storages,
    file: &str,
) -> Result<Contents, Problem> {
    let mut walk = Walk {
        pickle,
        storages,
        bare: Path::new(file)
            .file_stem()
            .map_or_else(|| "tensor".to_owned(), |stem| stem.to_string_lossy().into()),
        contents: Contents::default(),
        names: HashSet::new(),
        // A container that is shared is named once for each place where it is; this keeps a small file from having
        // exponentially many places. Objects that share nothing take a fraction of it, a tensor less than 1 in 10.
        budget: length.saturating_mul(32).saturating_add(65_536),
    };
    walk.visit(pickle.root(), None, 0)?;
    Ok(walk.contents)
}

struct Walk<'p, 'a> {
    pickle: &'p Pickle<'a>,
    storages: &'p Storages<'a>,
    /// The name of an object that is in no container.
    bare: String,
    contents: Contents,
    names: HashSet<String>,
    budget: usize,
}

impl Walk<'_, '_> {
    fn visit(&mut self, id: Id, path: Option<&str>, depth: usize) -> Result<(), Problem> {
        self.spend(id, 16 + path.map_or(0, str::len))?;
        let pickle = self.pickle;
        match pickle.value(id) {
            Value::Dict(pairs) => {
                self.enter(id, pairs.len(), depth)?;
                for &(key, value) in pairs {
                    let key = self.key(key)?;
                    self.visit(value, Some(&join(path, &key)), depth + 1)?;
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                self.enter(id, items.len(), depth)?;
                if items.iter().all(|&item| plain(pickle.value(item))) {
                    return if let Some(text) = self.listed(id, items)? {
                        self.note(id, path, text)
                    } else {
                        let why = format!("{} of Python values", pickle.value(id).kind());
                        self.leave_out(id, path, why)
                    };
                }
                for (index, &item) in items.iter().enumerate() {
                    self.visit(item, Some(&join(path, &index.to_string())), depth + 1)?;
                }
            }
            &Value::Call { function, arguments } => {
                let name = self.name(id, path)?;
                let found = tensor(pickle, id, function, arguments, self.storages)
                    .map_err(|problem| problem.of_tensor(&name))?;
                match found {
                    Tensor::Found { dtype, shape, location } => {
                        self.spend(id, 16 * shape.len())?;
                        self.contents.entries.push(Entry { name, dtype, shape, location });
                    }
                    Tensor::LeftOut(dtype) => {
                        self.contents.skipped.push((name, format!("a tensor of {dtype}")));
                    }
                }
            }
            Value::Bool(value) => self.note(id, path, value.to_string())?,
            Value::Int(value) => self.note(id, path, value.to_string())?,
            Value::Float(value) => self.note(id, path, format!("{value:?}"))?,
            Value::Text(value) => {
                self.spend(id, value.len())?;
                self.note(id, path, (*value).to_owned())?;
            }
            other => self.leave_out(id, path, other.kind().to_owned())?,
        }
        Ok(())
    }

    fn enter(&mut self, id: Id, items: usize, depth: usize) -> Result<(), Problem> {
        self.spend(id, items)?;
        if depth < DEEPEST {
            return Ok(());
        }
        Err(Problem::at(
            self.pickle.offset(id),
            format!(
                "containers must be nested at most {DEEPEST} deep; one is deeper or contains itself. \
                 Save a plain dict of tensors."
            ),
        ))
    }

    fn spend(&mut self, id: Id, cost: usize) -> Result<(), Problem> {
        self.budget = self.budget.checked_sub(cost).ok_or_else(|| {
            Problem::at(
                self.pickle.offset(id),
                "names must be in proportion to the file; containers that are shared or named at length make them \
                 far longer. Save a plain dict of tensors.",
            )
        })?;
        Ok(())
    }

    fn key(&self, id: Id) -> Result<String, Problem> {
        match self.pickle.value(id) {
            Value::Text(text) => Ok((*text).to_owned()),
            Value::Int(number) => Ok(number.to_string()),
            other => Err(Problem::at(
                self.pickle.offset(id),
                format!(
                    "the keys of a dict must be strings or ints; found {}. Rename that key.",
                    other.kind()
                ),
            )),
        }
    }

    /// The name of what is at `path`, which must be the only one there.
    fn name(&mut self, id: Id, path: Option<&str>) -> Result<String, Problem> {
        let name = path.unwrap_or(&self.bare).to_owned();
        if self.names.insert(name.clone()) {
            return Ok(name);
        }
        let text = format!(
            "names must be unique once keys are joined with dots; '{}' is there twice. Rename one of the keys.",
            shown(&name)
        );
        Err(Problem::at(self.pickle.offset(id), text).of_tensor(&name))
    }

    fn note(&mut self, id: Id, path: Option<&str>, text: String) -> Result<(), Problem> {
        let name = self.name(id, path)?;
        self.contents.metadata.insert(name, text);
        Ok(())
    }

    /// Numbers, texts, truth values and None in a list, such as an optimizer's betas, as JSON; none if it holds
    /// anything that JSON does not.
    fn listed(&mut self, id: Id, items: &[Id]) -> Result<Option<String>, Problem> {
        let pickle = self.pickle;
        // A text that is shared is written out at each place, and JSON may take six bytes for one of its own.
        let lengths = items.iter().map(|&item| pickle.text(item).map_or(24, |text| 6 * text.len()));
        self.spend(id, lengths.sum())?;
        let value = |&item: &Id| {
            Some(match pickle.value(item) {
                Value::None => serde_json::Value::Null,
                Value::Bool(value) => (*value).into(),
                Value::Int(value) => (*value).into(),
                Value::Float(value) => serde_json::Number::from_f64(*value)?.into(),
                Value::Text(value) => (*value).into(),
                _ => return None,
            })
        };
        let values: Option<Vec<serde_json::Value>> = items.iter().map(value).collect();
        Ok(values.and_then(|values| serde_json::to_string(&values).ok()))
    }

    fn leave_out(&mut self, id: Id, path: Option<&str>, why: String) -> Result<(), Problem> {
        let name = self.name(id, path)?;
        self.contents.skipped.push((name, why));
        Ok(())
    }
}

fn join(path: Option<&str>, key: &str) -> String {
    path.map_or_else(|| key.to_owned(), |path| format!("{path}.{key}"))
}

/// Neither a container nor a tensor: not worth a name within a list.
fn plain(value: &Value) -> bool {
    !matches!(value, Value::Dict(_) | Value::List(_) | Value::Tuple(_) | Value::Call { .. })
}

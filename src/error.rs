//! Every way a kernel can refuse its input, one message each.

use thiserror::Error;

/// Why a kernel refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// No law has this name.
    #[error("no law is named '{found}'; the built-in laws are: {known}. Use one of these names.")]
    UnknownLaw {
        /// The name that was asked for.
        found: String,
        /// All names, separated by commas.
        known: String,
    },
    /// An array does not have the shape that the other arguments ask for.
    #[error("'{argument}' must have shape {expected}; got {found}. Pass an array of that shape.")]
    Shape {
        /// The argument.
        argument: &'static str,
        /// The shape it must have, with the meaning of its axes.
        expected: String,
        /// The shape it has.
        found: String,
    },
    /// A caller's buffer cannot be written to.
    #[error("'{argument}' must be writable, C-contiguous and none of the other arguments. Pass a new array.")]
    Buffer {
        /// The argument.
        argument: &'static str,
    },
    /// An array holds a number that has no meaning there.
    #[error("'{argument}' must be {requirement}; got {found} at index {index}. Correct or drop that entry.")]
    Value {
        /// The argument.
        argument: &'static str,
        /// Requirement on every entry.
        requirement: &'static str,
        /// The first entry that is not.
        found: f64,
        /// Its position in the flattened array.
        index: usize,
    },
    /// The observations of a model contradict each other.
    #[error("{what}. Pass the observations of one sweep.")]
    Observations {
        /// Requirement.
        what: &'static str,
    },
    /// A model lacks a prior.
    #[error("the model needs a prior for '{name}'. Add it.")]
    MissingPrior {
        /// The variable.
        name: String,
    },
    /// No prior is of this family, or it has other numbers.
    #[error("a prior must be Normal, LogNormal, HalfNormal or StudentT, with its numbers; got '{family}'.")]
    UnknownPrior {
        /// The family that was asked for.
        family: String,
    },
    /// A chain found no place to start from, or the sampler refused its settings.
    #[error("the sampler must be able to start: {problem}. Look at the losses and the priors.")]
    Sampler {
        /// Message of the sampler.
        problem: String,
    },
    /// No type of numbers has this name.
    #[error(
        "'{argument}' must be one of {}; got '{found}'. Use one of these names.",
        crate::dump::Dtype::NAMES
    )]
    UnknownDtype {
        /// The argument.
        argument: &'static str,
        /// The name that was asked for.
        found: String,
    },
    /// A file of gradients is not what it must be.
    #[error("{}: {problem}", place(file, tensor.as_deref(), *offset))]
    File {
        /// The file, as the caller named it.
        file: String,
        /// The array within it.
        tensor: Option<String>,
        /// The byte of the file where the problem shows.
        offset: Option<usize>,
        /// Requirement, finding and remedy.
        problem: String,
    },
    /// Sums that do not belong together.
    #[error(
        "sums to merge must have equal {what}; they differ. Merge the sums of one pass over the same rows."
    )]
    Merge {
        /// The part that must be equal.
        what: &'static str,
    },
    /// The caller asked to stop.
    #[error("stopped on request.")]
    Stopped,
}

impl Error {
    /// A refusal of a file. Names come from the file: they are cut and escaped, so that no file writes to a terminal.
    pub(crate) fn in_file(
        file: &str,
        tensor: Option<&str>,
        offset: Option<usize>,
        problem: impl Into<String>,
    ) -> Self {
        Self::File { file: file.to_owned(), tensor: tensor.map(shown), offset, problem: problem.into() }
    }
}

/// At most 100 characters of a name that a file gave, fit for one line of a terminal.
pub(crate) fn shown(name: &str) -> String {
    printable(name, 100)
}

/// The first characters of a text, with what would not show as itself (control characters, changes of direction)
/// escaped.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let cut = text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end]);
    let dots = if cut.len() < text.len() { "…" } else { "" };
    let mut text = String::with_capacity(cut.len());
    for character in cut.chars() {
        match character {
            '\'' | '"' | '\\' => text.push(character),
            _ => text.extend(character.escape_debug()),
        }
    }
    text + dots
}

fn place(file: &str, tensor: Option<&str>, offset: Option<usize>) -> String {
    let tensor = tensor.map(|name| format!(", tensor '{name}'")).unwrap_or_default();
    let offset = offset.map(|byte| format!(", byte {byte}")).unwrap_or_default();
    format!("'{file}'{tensor}{offset}")
}

/// Refuse the first entry that does not satisfy `holds`.
pub(crate) fn require<'a>(
    argument: &'static str,
    requirement: &'static str,
    values: impl IntoIterator<Item = &'a f64>,
    mut holds: impl FnMut(f64) -> bool,
) -> Result<(), Error> {
    match values.into_iter().enumerate().find(|(_, value)| !holds(**value)) {
        None => Ok(()),
        Some((index, &found)) => Err(Error::Value { argument, requirement, found, index }),
    }
}

/// Refuse an array of another shape than `expected`, whose axes `axes` names.
pub(crate) fn require_shape(
    argument: &'static str,
    axes: &str,
    expected: &[usize],
    found: &[usize],
) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Shape { argument, expected: format!("{axes} = {expected:?}"), found: format!("{found:?}") })
}

//! Values that a pickle builds. They refer to each other by number, so that a million nested lists are dropped like one,
//! and a list that holds itself is two numbers.

use super::Function;

/// The number of a value in its pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Id(pub(super) usize);

/// A value.
#[derive(Debug)]
pub(in super::super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, little-endian.
    Large(&'a [u8]),
    Float(f64),
    Text(&'a str),
    Bytes,
    /// A tuple, whose values are older than itself.
    Tuple(Vec<Id>),
    /// A list, whose values may be younger than itself: it may hold itself.
    List(Vec<Id>),
    /// A dict, with the same warning.
    Dict(Vec<(Id, Id)>),
    Set,
    /// The name of a Python object, and nothing but the name.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// A part of the file outside the pickle, by its persistent id.
    Persistent(Id),
    /// A call that the file asks for and that is not made.
    Call {
        function: Function,
        arguments: Id,
    },
}

impl Value<'_> {
    /// Name of its kind, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::Large(_) => "an int",
            Self::Float(_) => "a float",
            Self::Text(_) => "a string",
            Self::Bytes => "bytes",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Set => "a set",
            Self::Global { .. } => "the name of a Python object",
            Self::Persistent(_) => "a storage",
            Self::Call { .. } => "a tensor",
        }
    }
}

/// All values of one pickle.
#[derive(Debug)]
pub(in super::super) struct Pickle<'a> {
    pub(super) values: Vec<(Value<'a>, usize)>,
    pub(super) root: Id,
    pub(super) end: usize,
}

impl<'a> Pickle<'a> {
    /// The object that was pickled.
    pub fn root(&self) -> Id {
        self.root
    }

    /// The byte after the pickle.
    pub fn end(&self) -> usize {
        self.end
    }

    /// A value.
    pub fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id.0].0
    }

    /// The byte of the file that asks for it.
    pub fn offset(&self, id: Id) -> usize {
        self.values[id.0].1
    }

    /// The values of a tuple.
    pub fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A text.
    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer that counts something.
    pub fn count(&self, id: Id) -> Option<usize> {
        match self.value(id) {
            Value::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The persistent ids in the order in which they were pickled.
    pub fn persistent(&self) -> impl Iterator<Item = Id> {
        self.values.iter().filter_map(|(value, _)| match value {
            Value::Persistent(id) => Some(*id),
            _ => None,
        })
    }

    /// How many values there is room for, in containers and out of them.
    #[cfg(test)]
    pub fn footprint(&self) -> usize {
        let owned = self.values.iter().map(|(value, _)| match value {
            Value::Tuple(items) | Value::List(items) => items.capacity(),
            Value::Dict(pairs) => 2 * pairs.capacity(),
            _ => 0,
        });
        self.values.capacity() + owned.sum::<usize>()
    }
}

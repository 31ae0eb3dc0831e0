//! The machine: a stack, marks in it, and a memo. Each step takes at least one byte of the pickle and leaves at most one
//! new value, so that time and memory are bounded by its length.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::{Function, Id, Pickle, Value};
use crate::dump::problem::Problem;
use crate::error::shown;

/// How a pickle of protocol 2 or later begins.
pub(in super::super) const MAGIC: &[u8] = b"\x80";

/// The value of the pickle that begins at byte `start` of a file.
pub(in super::super) fn load(bytes: &[u8], start: usize) -> Result<Pickle<'_>, Problem> {
    let mut machine = Machine {
        cursor: Cursor::new(bytes, start),
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        at: start,
    };
    let protocol = machine.cursor.array::<2>()?;
    if protocol[0] != MAGIC[0] || !(2..=5).contains(&protocol[1]) {
        return Err(Problem::at(
            start,
            "a pickle must be of protocol 2 to 5; this one is not. Save it with torch.save's own protocol.",
        ));
    }
    loop {
        machine.at = machine.cursor.offset();
        let [opcode] = machine.cursor.array()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { values: machine.values, root, end: machine.cursor.offset() });
        }
        machine.step(opcode)?;
    }
}

pub(super) struct Machine<'a> {
    cursor: Cursor<'a>,
    pub(super) values: Vec<(Value<'a>, usize)>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
    /// The byte of the opcode that is being executed.
    at: usize,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<(), Problem> {
        if let Some(value) = self.literal(opcode)? {
            self.push(value);
            return Ok(());
        }
        match opcode {
            // A frame only says how far to read ahead.
            b'\x95' => drop(self.cursor.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'q' => self.remember::<1>()?,
            b'r' => self.remember::<4>()?,
            b'\x94' => drop(self.memo.insert(self.memo.len(), self.top()?)),
            b'h' => self.recall::<1>()?,
            b'j' => self.recall::<4>()?,
            b'R' => self.call()?,
            b'\x81' => return self.create(),
            b'b' => self.build()?,
            _ => return self.container(opcode),
        }
        Ok(())
    }

    /// The value of an opcode that says all of it.
    fn literal(&mut self, opcode: u8) -> Result<Option<Value<'a>>, Problem> {
        let cursor = &mut self.cursor;
        Ok(Some(match opcode {
            b'N' => Value::None,
            b'\x88' => Value::Bool(true),
            b'\x89' => Value::Bool(false),
            b'J' => Value::Int(i32::from_le_bytes(cursor.array()?).into()),
            b'K' => Value::Int(u8::from_le_bytes(cursor.array()?).into()),
            b'M' => Value::Int(u16::from_le_bytes(cursor.array()?).into()),
            b'\x8a' => integer(cursor.counted::<1>()?),
            b'\x8b' => integer(cursor.counted::<4>()?),
            b'G' => Value::Float(f64::from_be_bytes(cursor.array()?)),
            b'\x8c' => Value::Text(cursor.text::<1>()?),
            b'X' => Value::Text(cursor.text::<4>()?),
            b'\x8d' => Value::Text(cursor.text::<8>()?),
            b'C' => cursor.counted::<1>().map(|_| Value::Bytes)?,
            b'B' => cursor.counted::<4>().map(|_| Value::Bytes)?,
            b'\x8e' => cursor.counted::<8>().map(|_| Value::Bytes)?,
            b')' => Value::Tuple(Vec::new()),
            b']' => Value::List(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b'\x8f' => Value::Set,
            b'c' => Value::Global { module: cursor.line()?, name: cursor.line()? },
            _ => return Ok(None),
        }))
    }

    /// A call is understood or refused, never made.
    fn call(&mut self) -> Result<(), Problem> {
        let arguments = self.pop()?;
        let callee = self.pop()?;
        let Value::Tuple(items) = self.value(arguments) else {
            return Err(self.malformed("the arguments of a call must be a tuple; they are not"));
        };
        let Value::Global { module, name } = *self.value(callee) else {
            return Err(self.malformed("what is called must be named; it is not"));
        };
        match (Function::by_name(module, name), items.as_slice()) {
            (Some(Function::Dict), []) => self.push(Value::Dict(Vec::new())),
            (Some(Function::Size), &[size]) if matches!(self.value(size), Value::Tuple(_)) => {
                self.stack.push(size);
            }
            (None | Some(Function::Dict | Function::Size), _) => {
                return Err(self.refused("call", module, name));
            }
            (Some(function), _) => self.push(Value::Call { function, arguments }),
        }
        Ok(())
    }

    /// Objects of a class are never tensors.
    fn create(&mut self) -> Result<(), Problem> {
        self.pop()?;
        let class = self.pop()?;
        match *self.value(class) {
            Value::Global { module, name } => Err(self.refused("create", module, name)),
            _ => Err(self.malformed("the class of an object must be named; it is not")),
        }
    }

    /// Attributes of an ordered dict, such as the versions in a `state_dict`, say nothing about its tensors.
    fn build(&mut self) -> Result<(), Problem> {
        self.pop()?;
        match self.value(self.top()?) {
            Value::Dict(_) => Ok(()),
            other => Err(self.problem(format!(
                "the file asks to set attributes of {}; surge_fit reads tensors only and never runs code. \
                 Save a plain dict of tensors.",
                other.kind()
            ))),
        }
    }

    fn remember<const N: usize>(&mut self) -> Result<(), Problem> {
        let key = self.cursor.length::<N>()?;
        let value = self.top()?;
        self.memo.insert(key, value);
        Ok(())
    }

    fn recall<const N: usize>(&mut self) -> Result<(), Problem> {
        let key = self.cursor.length::<N>()?;
        let value = self.memo.get(&key).copied();
        self.stack
            .push(value.ok_or_else(|| self.malformed("what is recalled must have been built; it was not"))?);
        Ok(())
    }

    pub(super) fn push(&mut self, value: Value<'a>) {
        self.stack.push(Id(self.values.len()));
        self.values.push((value, self.at));
    }

    /// The top of the stack, above the last mark.
    pub(super) fn top(&self) -> Result<Id, Problem> {
        match self.stack.last() {
            Some(&id) if self.stack.len() > self.marks.last().copied().unwrap_or(0) => Ok(id),
            _ => Err(self.malformed("a value must be there for this instruction; none is")),
        }
    }

    pub(super) fn pop(&mut self) -> Result<Id, Problem> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    pub(super) fn pop_text(&mut self) -> Result<&'a str, Problem> {
        let id = self.pop()?;
        match self.value(id) {
            Value::Text(text) => Ok(text),
            _ => Err(self.malformed("the name of a Python object must be text; it is not")),
        }
    }

    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Id>, Problem> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(self.malformed("a mark must be there for this instruction; none is")),
        }
    }

    pub(super) fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id.0].0
    }

    pub(super) fn problem(&self, text: String) -> Problem {
        Problem::at(self.at, text)
    }

    pub(super) fn malformed(&self, what: &str) -> Problem {
        self.problem(format!("{what}. The pickle is damaged: copy or save the file again."))
    }

    fn refused(&self, verb: &str, module: &str, name: &str) -> Problem {
        self.problem(format!(
            "the file asks to {verb} '{}.{}'; surge_fit reads tensors only and never runs code. \
             Save a plain dict of tensors.",
            shown(module),
            shown(name)
        ))
    }
}

/// A signed little-endian integer of any length.
fn integer(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::Large(bytes);
    }
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

//! The machine's instructions that gather values from the stack.

use super::machine::Machine;
use super::{Id, Value};
use crate::dump::problem::Problem;

impl Machine<'_> {
    /// Opcodes that gather values from the stack.
    pub(super) fn container(&mut self, opcode: u8) -> Result<(), Problem> {
        let value = match opcode {
            b'\x85' => Value::Tuple(vec![self.pop()?]),
            b'\x86' => {
                let last = self.pop()?;
                Value::Tuple(vec![self.pop()?, last])
            }
            b'\x87' => {
                let (last, middle) = (self.pop()?, self.pop()?);
                Value::Tuple(vec![self.pop()?, middle, last])
            }
            b't' => Value::Tuple(self.pop_to_mark()?),
            b'l' => Value::List(self.pop_to_mark()?),
            b'd' => {
                let items = self.pop_to_mark()?;
                Value::Dict(self.pairs(&items)?)
            }
            b'\x91' => self.pop_to_mark().map(|_| Value::Set)?,
            b'\x93' => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                Value::Global { module, name }
            }
            b'Q' => Value::Persistent(self.pop()?),
            b'a' => {
                let item = self.pop()?;
                return self.extend(vec![item]);
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                return self.extend(items);
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                return self.insert(&[key, value]);
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                return self.insert(&items);
            }
            b'\x90' => return self.add(),
            _ => {
                return Err(self.problem(format!(
                    "the pickle has the instruction 0x{opcode:02x}, which saved tensors do not need; \
                     surge_fit reads tensors only and never runs code. Save a plain dict of tensors."
                )));
            }
        };
        self.push(value);
        Ok(())
    }

    /// Members of sets are counted off and forgotten: a set names nothing.
    fn add(&mut self) -> Result<(), Problem> {
        self.pop_to_mark()?;
        match self.value(self.top()?) {
            Value::Set => Ok(()),
            other => Err(self.malformed(&format!("members must be added to a set; found {}", other.kind()))),
        }
    }

    fn extend(&mut self, items: Vec<Id>) -> Result<(), Problem> {
        let list = self.top()?;
        match &mut self.values[list.0].0 {
            Value::List(values) => values.extend(items),
            other => {
                let kind = other.kind();
                return Err(self.malformed(&format!("items must be added to a list; found {kind}")));
            }
        }
        Ok(())
    }

    fn insert(&mut self, items: &[Id]) -> Result<(), Problem> {
        let pairs = self.pairs(items)?;
        let dict = self.top()?;
        match &mut self.values[dict.0].0 {
            Value::Dict(values) => values.extend(pairs),
            other => {
                let kind = other.kind();
                return Err(self.malformed(&format!("keys must be set in a dict; found {kind}")));
            }
        }
        Ok(())
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, Problem> {
        let (pairs, rest) = items.as_chunks();
        if rest.is_empty() {
            Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
        } else {
            Err(self.malformed("a dict must have a value for each key; one is missing"))
        }
    }
}

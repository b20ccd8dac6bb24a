//! A machine for the part of Python's pickles that tensors are written in.
//!
//! A pickle is a program: it may name any function of Python and have it called. This machine knows the opcodes that
//! tensors need, and of functions a handful by name, whose results it builds itself. It imports nothing and calls
//! nothing. Whatever else a pickle asks for is an error that says what, and where.
//!
//! Values lie in one list and refer to each other by index. So no depth of nesting uses the stack, and the memory is
//! in proportion to the pickle: each opcode makes at most one value.

mod bytes;
mod global;
mod values;

use bytes::Bytes;
pub(crate) use global::{Element, Global};
use std::collections::HashMap;
use tokenbed_memory::{Gather, List, Map, joined, owned};
pub(crate) use values::{Index, Value, Values};

/// A byte offset in the pickle, and what is wrong there.
pub(crate) type Wrong = (usize, String);
type Result<T> = std::result::Result<T, Wrong>;

/// The newest protocol that is known.
const PROTOCOL: u8 = 5;

/// Runs a pickle. The last value is the object that it stands for.
///
/// # Errors
/// The first byte that is no opcode known here, that asks for a name which is not allowed, or whose operands are not
/// what it needs.
pub(crate) fn run(pickle: &[u8]) -> Result<(Values, Index)> {
    let mut machine = Machine { bytes: Bytes::new(pickle), ..Machine::default() };
    loop {
        let at = machine.bytes.at();
        if let Some(result) = machine.step().map_err(|(place, why)| (place.unwrap_or(at), why))? {
            return Ok((machine.values, result));
        }
    }
}

/// What is wrong with an opcode, and where, if that is not its own place.
type Fault = (Option<usize>, String);
type Step<T> = std::result::Result<T, Fault>;

#[derive(Default)]
struct Machine<'a> {
    bytes: Bytes<'a>,
    values: Values,
    stack: Vec<Index>,
    /// Where the values after each mark begin.
    marks: Vec<usize>,
    memo: HashMap<usize, Index>,
}

impl Machine<'_> {
    /// Does what the next opcode says. The result is the object, at the end.
    fn step(&mut self) -> Step<Option<Index>> {
        let opcode = self.bytes.byte()?;
        match opcode {
            // PROTO, FRAME, STOP.
            0x80 => {
                let protocol = self.bytes.byte()?;
                if protocol > PROTOCOL {
                    return wrong(format!("protocol {protocol} of pickles is unknown, the newest known is {PROTOCOL}"));
                }
            }
            0x95 => drop(self.bytes.long()?),
            b'.' => return self.pop().map(Some),
            // NONE, NEWTRUE, NEWFALSE.
            b'N' | 0x88 | 0x89 => self.push(Value::Other),
            // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT.
            b'J' => {
                let number = i32::from_le_bytes(self.bytes.chunk()?);
                self.push(Value::Number(number.into()));
            }
            b'K' => {
                let number = self.bytes.byte()?;
                self.push(Value::Number(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.bytes.chunk()?);
                self.push(Value::Number(number.into()));
            }
            0x8a => {
                let len = self.bytes.byte()?;
                self.push_long(len.into())?;
            }
            0x8b => {
                let len = self.bytes.word()?;
                self.push_long(len)?;
            }
            b'G' => {
                self.bytes.take(8)?;
                self.push(Value::Other);
            }
            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8; the strings of Python 2, which are texts in names.
            b'X' | b'T' => {
                let len = self.bytes.word()?;
                self.push_text(len)?;
            }
            0x8c | b'U' => {
                let len = self.bytes.byte()?;
                self.push_text(len.into())?;
            }
            0x8d => {
                let len = self.bytes.long()?;
                self.push_text(len)?;
            }
            // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8.
            b'B' => {
                let len = self.bytes.word()?;
                self.push_other(len)?;
            }
            b'C' => {
                let len = self.bytes.byte()?;
                self.push_other(len.into())?;
            }
            0x8e | 0x96 => {
                let len = self.bytes.long()?;
                self.push_other(len)?;
            }
            _ => return self.step_objects(opcode).map(|()| None),
        }
        Ok(None)
    }

    /// The opcodes that put objects together.
    fn step_objects(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // MARK, POP, POP_MARK.
            b'(' => self.marks.put(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.marked()?),
            // EMPTY_TUPLE, TUPLE, TUPLE1 to TUPLE3.
            b')' => self.push(Value::Tuple(Vec::new())),
            b't' => {
                let items = self.marked()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let items = self.last(usize::from(opcode - 0x84))?;
                self.push(Value::Tuple(items));
            }
            // EMPTY_LIST, LIST, APPEND, APPENDS; EMPTY_SET, ADDITEMS.
            b']' | 0x8f => self.push(Value::List(Vec::new())),
            b'l' => {
                let items = self.marked()?;
                self.push(Value::List(items));
            }
            b'a' => {
                let items = self.last(1)?;
                self.append(items)?;
            }
            b'e' | 0x90 => {
                let items = self.marked()?;
                self.append(items)?;
            }
            // EMPTY_DICT, DICT, SETITEM, SETITEMS.
            b'}' => self.push(Value::Dict(Vec::new())),
            b'd' => {
                let items = self.marked()?;
                self.push(Value::Dict(Vec::new()));
                self.set(items)?;
            }
            b's' => {
                let items = self.last(2)?;
                self.set(items)?;
            }
            b'u' => {
                let items = self.marked()?;
                self.set(items)?;
            }
            // BINPUT, LONG_BINPUT, MEMOIZE; BINGET, LONG_BINGET.
            b'q' => {
                let place = self.bytes.byte()?;
                self.remember(place.into())?;
            }
            b'r' => {
                let place = self.bytes.word()?;
                self.remember(place)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' => {
                let place = self.bytes.byte()?;
                self.recall(place.into())?;
            }
            b'j' => {
                let place = self.bytes.word()?;
                self.recall(place)?;
            }
            // GLOBAL, STACK_GLOBAL; BINPERSID, REDUCE, BUILD.
            b'c' => {
                let (module, name) = (self.bytes.line()?, self.bytes.line()?);
                self.push_global(&module, &name)?;
            }
            0x93 => {
                let names = self.last(2)?;
                let (module, name) = (self.text(names[0])?, self.text(names[1])?);
                self.push_global(&module, &name)?;
            }
            b'Q' => self.persistent()?,
            b'R' => self.call()?,
            b'b' => self.build()?,
            _ => return wrong(no_opcode(opcode)),
        }
        Ok(())
    }

    fn push(&mut self, value: Value) {
        let index = self.values.put(value);
        self.stack.put(index);
    }

    fn pop(&mut self) -> Step<Index> {
        let least = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= least {
            return wrong("the pickle takes a value from an empty stack".into());
        }
        self.stack.pop().ok_or_else(|| (None, "the pickle takes a value from an empty stack".into()))
    }

    /// The last `count` values, which leave the stack.
    fn last(&mut self, count: usize) -> Step<Vec<Index>> {
        let least = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= least => Ok(self.stack.drain(start..).into_list()),
            _ => wrong(format!("the pickle takes {count} values from a stack that has fewer")),
        }
    }

    /// All values since the last mark, which leave the stack.
    fn marked(&mut self) -> Step<Vec<Index>> {
        match self.marks.pop() {
            Some(start) if start <= self.stack.len() => Ok(self.stack.drain(start..).into_list()),
            _ => wrong("the pickle takes values since a mark that it never set".into()),
        }
    }

    /// The value on top, which stays.
    fn top(&self) -> Step<Index> {
        self.stack.last().copied().ok_or_else(|| (None, "the pickle changes a value on an empty stack".into()))
    }

    fn push_long(&mut self, len: usize) -> Step<()> {
        let bytes = self.bytes.take(len)?;
        // Longer numbers are seeds and the like: no size or offset has more than eight bytes.
        let value = if len <= 8 {
            let mut number = [if bytes.last().is_some_and(|&last| last >= 0x80) { 0xff } else { 0 }; 8];
            number[..len].copy_from_slice(bytes);
            Value::Number(i64::from_le_bytes(number))
        } else {
            Value::Other
        };
        self.push(value);
        Ok(())
    }

    fn push_text(&mut self, len: usize) -> Step<()> {
        let at = self.bytes.at();
        let bytes = self.bytes.take(len)?;
        let text = std::str::from_utf8(bytes).map_err(|_| (Some(at), "a text of the pickle is not UTF-8".into()))?;
        let text = owned(text);
        self.push(Value::Text(text));
        Ok(())
    }

    fn push_other(&mut self, len: usize) -> Step<()> {
        self.bytes.take(len)?;
        self.push(Value::Other);
        Ok(())
    }

    fn push_global(&mut self, module: &str, name: &str) -> Step<()> {
        let Some(global) = Global::of(module, name) else {
            let asked = joined(&[module, ".", name]);
            return wrong(format!(
                "the pickle asks for {}, which is none of the names that tensors need: nothing of it is run. Only what \
                 torch.save writes of tensors in dictionaries, lists and tuples is read",
                cut(&asked)
            ));
        };
        self.push(Value::Global(global));
        Ok(())
    }

    fn text(&self, index: Index) -> Step<String> {
        match self.values.get(index) {
            Value::Text(text) => Ok(owned(text)),
            other => wrong(format!("the pickle takes {} for a name", other.kind())),
        }
    }

    fn append(&mut self, items: Vec<Index>) -> Step<()> {
        let top = self.top()?;
        match self.values.get_mut(top) {
            Value::List(list) => list.put_all(items),
            other => return wrong(format!("the pickle appends to {}", other.kind())),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Index>) -> Step<()> {
        let top = self.top()?;
        match self.values.get_mut(top) {
            Value::Dict(entries) if items.len().is_multiple_of(2) => {
                entries.put_all(items.as_chunks::<2>().0.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            Value::Dict(_) => wrong("the pickle sets a key without a value".into()),
            other => wrong(format!("the pickle sets items of {}", other.kind())),
        }
    }

    fn remember(&mut self, place: usize) -> Step<()> {
        let top = self.top()?;
        Map::put(&mut self.memo, place, top);
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Step<()> {
        match self.memo.get(&place) {
            Some(&index) => {
                self.stack.put(index);
                Ok(())
            }
            None => wrong(format!("the pickle reads memo {place}, which it never wrote")),
        }
    }

    /// A storage, which stands in a file of its own.
    fn persistent(&mut self) -> Step<()> {
        let id = self.pop()?;
        let storage = self.values.storage(id).map_err(|why| (None, why))?;
        self.push(Value::Storage(storage));
        Ok(())
    }

    /// What a function makes of its arguments.
    fn call(&mut self) -> Step<()> {
        let arguments = self.pop()?;
        let function = self.pop()?;
        let Value::Global(global) = *self.values.get(function) else {
            return wrong(format!("the pickle calls {}", self.values.get(function).kind()));
        };
        let made = self.values.call(global, arguments).map_err(|why| (None, why))?;
        self.push(made);
        Ok(())
    }

    /// Attributes of an object. An OrderedDict of PyTorch has `_metadata`, the versions of its modules, which no tensor
    /// needs.
    fn build(&mut self) -> Step<()> {
        self.pop()?;
        let top = self.top()?;
        match self.values.get(top) {
            Value::Dict(_) => Ok(()),
            other => wrong(format!("the pickle sets attributes of {}", other.kind())),
        }
    }
}

fn wrong<T>(why: String) -> Step<T> {
    Err((None, why))
}

fn no_opcode(opcode: u8) -> String {
    let name = match opcode {
        b'i' => "INST, which imports and calls",
        b'o' => "OBJ, which calls",
        0x81 => "NEWOBJ, which makes an object of a class",
        0x92 => "NEWOBJ_EX, which makes an object of a class",
        0x82..=0x84 => "EXT, which names an object of a registry",
        b'P' => "PERSID, of another protocol",
        b'I' | b'L' | b'F' | b'S' | b'V' | b'p' | b'g' => "one of protocol 0, which torch.save does not write",
        0x97 | 0x98 => "one of buffers outside of the pickle",
        _ => "unknown",
    };
    format!("opcode 0x{opcode:02x} of the pickle is {name}: tensors do not need it, and nothing of it is run")
}

/// The first characters of a name, which a hostile pickle may make as long as it likes.
fn cut(name: &str) -> &str {
    name.char_indices().nth(200).map_or(name, |(end, _)| &name[..end])
}

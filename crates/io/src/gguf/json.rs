//! A value of the metadata, read and written as JSON.

use super::header::{Pair, Type, array};
use super::walk::{MOST, Walk};
use crate::mapped::Source;
use std::fmt::{Display, Write};
use tokenbed_core::Result;
use tokenbed_memory::Text;

/// The largest integer up to which float64 has every one.
const EXACT: u64 = (1 << 53) - 1;

/// Reads a value.
pub(super) fn read(file: &Source, pair: &Pair) -> Result<String> {
    let mut json = String::new();
    let mut reader = Reader { walk: Walk::new(file, pair.at), bytes: Vec::new(), json: &mut json };
    reader.value(pair.kind, 0)?;
    Ok(json)
}

/// Reads values and writes them.
struct Reader<'a> {
    walk: Walk<'a>,
    /// The bytes of a text; kept, so that one list serves all.
    bytes: Vec<u8>,
    json: &'a mut String,
}

impl Reader<'_> {
    fn value(&mut self, kind: Type, depth: usize) -> Result<()> {
        let walk = &mut self.walk;
        let what = "a value";
        match kind {
            Type::U8 => {
                let value = walk.u8(what)?;
                self.number(value);
            }
            Type::I8 => {
                let value = walk.u8(what)?.cast_signed();
                self.number(value);
            }
            Type::U16 => {
                let value = walk.u16(what)?;
                self.number(value);
            }
            Type::I16 => {
                let value = walk.u16(what)?.cast_signed();
                self.number(value);
            }
            Type::U32 => {
                let value = walk.u32(what)?;
                self.number(value);
            }
            Type::I32 => {
                let value = walk.u32(what)?.cast_signed();
                self.number(value);
            }
            Type::U64 => {
                let value = walk.u64(what)?;
                self.integer(value, value);
            }
            Type::I64 => {
                let value = walk.u64(what)?.cast_signed();
                self.integer(value, value.unsigned_abs());
            }
            Type::F32 => {
                let value = f32::from_bits(walk.u32(what)?);
                self.float(value.into());
            }
            Type::F64 => {
                let value = f64::from_bits(walk.u64(what)?);
                self.float(value);
            }
            Type::Bool => self.truth()?,
            Type::Text => self.text()?,
            Type::Array => {
                let (kind, count) = array(walk, depth)?;
                self.json.put_char('[');
                for i in 0..count {
                    if i > 0 {
                        self.json.put_char(',');
                    }
                    self.value(kind, depth + 1)?;
                }
                self.json.put_char(']');
            }
        }
        Ok(())
    }

    fn truth(&mut self) -> Result<()> {
        let before = self.walk.at();
        match self.walk.u8("a boolean")? {
            0 => self.json.put_str("false"),
            1 => self.json.put_str("true"),
            other => return Err(self.walk.wrong(before, format!("a boolean of {other}, which is neither 0 nor 1"))),
        }
        Ok(())
    }

    fn number(&mut self, value: impl Display) {
        // No number takes as many bytes, so that nothing grows while it is written.
        self.json.make_room(40);
        // Writing to a string cannot fail.
        let _ = write!(self.json, "{value}");
    }

    fn integer(&mut self, value: impl Display, magnitude: u64) {
        if magnitude <= EXACT {
            return self.number(value);
        }
        self.json.put_char('"');
        self.number(value);
        self.json.put_char('"');
    }

    fn float(&mut self, value: f64) {
        if value.is_finite() {
            self.json.make_room(40);
            let _ = write!(self.json, "{value:e}");
        } else {
            self.json.put_str("null");
        }
    }

    fn text(&mut self) -> Result<()> {
        let length = self.walk.length(MOST, "a text")?;
        let start = self.walk.at();
        self.bytes.clear();
        self.walk.append(length, &mut self.bytes, "a text")?;
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => quoted(text, self.json),
            Err(error) => return Err(self.walk.wrong(start + error.valid_up_to(), "a text that is not UTF-8".into())),
        }
        Ok(())
    }
}

/// Appends a text as JSON has it.
fn quoted(text: &str, json: &mut String) {
    json.make_room(text.len() + 2);
    json.put_char('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (plain, from) = rest.split_at(at);
        json.put_str(plain);
        let mut chars = from.chars();
        match chars.next() {
            Some(escaped @ ('"' | '\\')) => {
                json.put_char('\\');
                json.put_char(escaped);
            }
            Some(control) => {
                json.make_room(6);
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = chars.as_str();
    }
    json.put_str(rest);
    json.put_char('"');
}

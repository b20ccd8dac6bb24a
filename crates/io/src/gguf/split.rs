//! Files that were split: `name-00002-of-00003.gguf` is the second of three.

use super::header::{Header, Pair, Type, open};
use super::walk::Walk;
use crate::mapped::Source;
use std::path::Path;
use tokenbed_core::Result;
use tokenbed_memory::List;

/// Which part a file is, and of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Counted from 0.
    number: u64,
    count: u64,
}

/// What the metadata say; `None` for a file that is the whole.
pub(super) fn place((file, header): &(Source, Header)) -> Result<Option<Place>> {
    let Some(count) = header.pair("split.count") else { return Ok(None) };
    let at = count.at;
    let count = integer(file, count)?;
    let number = header.pair("split.no").map_or(Ok(0), |number| integer(file, number))?;
    if number >= count.max(1) {
        return Err(file.malformed(at, format!("part {number} of {count}, counted from 0, cannot be")));
    }
    Ok((count > 1).then_some(Place { number, count }))
}

/// An integer of the metadata.
fn integer(file: &Source, pair: &Pair) -> Result<u64> {
    let mut walk = Walk::new(file, pair.at);
    let value = match pair.kind {
        Type::U8 | Type::I8 => walk.u8("a value")?.into(),
        Type::U16 | Type::I16 => walk.u16("a value")?.into(),
        Type::U32 | Type::I32 => walk.u32("a value")?.into(),
        Type::U64 | Type::I64 => walk.u64("a value")?,
        _ => u64::MAX,
    };
    if value > u64::from(u16::MAX) {
        return Err(file.malformed(pair.at, format!("{} is no number of parts", pair.key)));
    }
    Ok(value)
}

/// The end of a part's name.
fn ending(number: u64, count: u64) -> String {
    format!("-{:05}-of-{count:05}.gguf", number + 1)
}

/// Opens all parts, of which one is open.
pub(super) fn all(path: &Path, one: (Source, Header), place: Place) -> Result<Vec<(Source, Header)>> {
    let Place { number, count } = place;
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let Some(stem) = name.strip_suffix(ending(number, count).as_str()) else {
        let at = one.1.pair("split.count").map_or(0, |pair| pair.at);
        let message = format!(
            "it is part {} of {count}, and its name does not end in {}, so that the others cannot be found: give it \
             its name back",
            number + 1,
            ending(number, count)
        );
        return Err(one.0.malformed(at, message));
    };
    let mut parts = Vec::new();
    let mut one = Some(one);
    for other in 0..count {
        if other == number {
            parts.put_all(one.take());
            continue;
        }
        let part = open(&path.with_file_name(format!("{stem}{}", ending(other, count))))?;
        if self::place(&part)? != Some(Place { number: other, count }) {
            let message = format!("by its name it is part {} of {count}, its metadata say otherwise", other + 1);
            return Err(part.0.malformed(0, message));
        }
        parts.put(part);
    }
    check_count(&parts)?;
    Ok(parts)
}

/// Checks that the parts have as many tensors as the first one says.
fn check_count(parts: &[(Source, Header)]) -> Result<()> {
    let Some((file, header)) = parts.first() else { return Ok(()) };
    let Some(pair) = header.pair("split.tensors.count") else { return Ok(()) };
    let said = match pair.kind {
        Type::U64 | Type::I64 => Walk::new(file, pair.at).u64("a value")?,
        Type::U32 | Type::I32 => Walk::new(file, pair.at).u32("a value")?.into(),
        Type::U16 | Type::I16 => Walk::new(file, pair.at).u16("a value")?.into(),
        _ => u64::MAX,
    };
    let there: usize = parts.iter().map(|(_, header)| header.tensors.len()).sum();
    if said == there as u64 {
        return Ok(());
    }
    Err(file.malformed(pair.at, format!("{said} tensors in all parts are announced, and {there} are there")))
}

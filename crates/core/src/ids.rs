//! Checks ids of any integer kind against a table in one pass, and handles bad ones.

use crate::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_memory::{List, Slice};

/// Borrowed ids of any integer kind.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum IdSlice<'a> {
    I8(&'a [i8]),
    U8(&'a [u8]),
    I16(&'a [i16]),
    U16(&'a [u16]),
    I32(&'a [i32]),
    U32(&'a [u32]),
    I64(&'a [i64]),
    U64(&'a [u64]),
}

/// Runs `$body` with `$ids` bound to the slice inside. This is the only match on kinds of ids.
macro_rules! with_ids {
    ($slice:expr, $ids:ident => $body:expr) => {
        match $slice {
            IdSlice::I8($ids) => $body,
            IdSlice::U8($ids) => $body,
            IdSlice::I16($ids) => $body,
            IdSlice::U16($ids) => $body,
            IdSlice::I32($ids) => $body,
            IdSlice::U32($ids) => $body,
            IdSlice::I64($ids) => $body,
            IdSlice::U64($ids) => $body,
        }
    };
}

/// A copy of ids in their original kind, for work that outlives the call.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum IdBuf {
    I8(Vec<i8>),
    U8(Vec<u8>),
    I16(Vec<i16>),
    U16(Vec<u16>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    I64(Vec<i64>),
    U64(Vec<u64>),
}

macro_rules! kinds {
    ($($kind:ident),*) => {
        impl From<IdSlice<'_>> for IdBuf {
            fn from(ids: IdSlice<'_>) -> Self {
                match ids {
                    $(IdSlice::$kind(ids) => IdBuf::$kind(ids.to_list()),)*
                }
            }
        }

        impl IdBuf {
            /// All ids.
            pub fn all(&self) -> IdSlice<'_> {
                match self {
                    $(IdBuf::$kind(ids) => IdSlice::$kind(ids),)*
                }
            }
        }
    };
}
kinds!(I8, U8, I16, U16, I32, U32, I64, U64);

impl IdSlice<'_> {
    /// Number of ids.
    pub fn len(&self) -> usize {
        with_ids!(self, ids => ids.len())
    }

    /// Whether there are no ids.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Calls `run` with the index and value of each integer, in order.
pub fn with_values(values: IdSlice<'_>, mut run: impl FnMut(usize, i128)) {
    with_ids!(values, values => values.iter().enumerate().for_each(|(at, &value)| run(at, i128::from(value))));
}

/// What happens to an id that the table has no row for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadIds {
    /// It is an error that names the id.
    Throw,
    /// It becomes the nearest row: 0 if it is negative, else the last row.
    Clamp,
    /// It becomes this row.
    Replace(u32),
}

/// Checks ids against a table of `rows` rows, for the kernels. Valid 32-bit ids are not copied; `scratch` holds all
/// others as u32.
///
/// # Errors
/// [`Error::TokenIndex`] for a bad id that `bad` does not replace (an empty table has no row to replace it with);
/// [`Error::Shape`] for a table of more than [`MAX_ROWS`] rows, unless its ids are valid and 32 bits wide.
pub fn resolve<'a>(
    kernels: Kernels,
    ids: IdSlice<'a>,
    rows: usize,
    bad: BadIds,
    scratch: &'a mut Vec<u32>,
) -> Result<CheckedIds<'a>> {
    let good = match ids {
        IdSlice::U32(ids) => CheckedIds::new(kernels, ids, rows),
        IdSlice::I32(ids) => CheckedIds::from_signed(kernels, ids, rows),
        _ => None,
    };
    if let Some(checked) = good {
        return Ok(checked);
    }
    if rows > MAX_ROWS {
        return Err(Error::Shape(format!("a table must have at most {MAX_ROWS} rows, not {rows}")));
    }
    if rows == 0 && !ids.is_empty() {
        return Err(first_bad(ids, rows));
    }
    with_ids!(ids, ids => replace_bad(ids.iter().map(|&id| i128::from(id)), rows, bad, scratch));
    // A bad id that was not replaced is now u32::MAX, which is beyond every table.
    CheckedIds::new(kernels, scratch, rows).ok_or_else(|| first_bad(ids, rows))
}

/// Largest number of rows of a table. The id after the last one marks a bad id.
pub const MAX_ROWS: usize = u32::MAX as usize;

fn replace_bad(ids: impl Iterator<Item = i128>, rows: usize, bad: BadIds, out: &mut Vec<u32>) {
    out.clear();
    out.put_all(ids.map(|id| match u32::try_from(id) {
        Ok(good) if (good as usize) < rows => good,
        _ => match bad {
            BadIds::Throw => u32::MAX,
            BadIds::Clamp if id < 0 => 0,
            BadIds::Clamp => (rows - 1) as u32,
            BadIds::Replace(row) => row,
        },
    }));
}

#[cold]
fn first_bad(ids: IdSlice<'_>, rows: usize) -> Error {
    let (mut first, mut count) = (None, 0);
    with_ids!(ids, ids => {
        for (flat, &id) in ids.iter().enumerate() {
            let value = i128::from(id);
            if value < 0 || value >= rows as i128 {
                first.get_or_insert((flat, value));
                count += 1;
            }
        }
    });
    let (flat, value) = first.unwrap_or((0, 0));
    Error::TokenIndex { flat, value, rows, count }
}

//! Positions that skip padding, and positions in rows of different lengths.

use tokenbed_core::ids::{IdSlice, with_values};
use tokenbed_core::{Error, Result};
use tokenbed_memory::{List, with_room};

/// `out` = for each id, whether it is not padding.
///
/// # Errors
/// [`Error::Shape`] if `out` has another size.
pub fn mask(ids: IdSlice<'_>, padding: i64, out: &mut [u8]) -> Result<()> {
    check(ids.len(), out.len())?;
    with_values(ids, |at, id| out[at] = u8::from(id != i128::from(padding)));
    Ok(())
}

/// Which integers stand for tokens, as opposed to padding.
#[derive(Clone, Copy, Debug)]
pub enum Real {
    /// All integers except this one.
    Not(i64),
    /// All integers except 0: they are a mask.
    NonZero,
}

/// Positions along sequences of `length`. Tokens count `first, first + 1, ...`, whichever side the padding is on;
/// padding gets the position `padded`.
///
/// # Errors
/// [`Error::Shape`] if `out` has another size, and for ids that are not whole sequences.
pub fn skipping(ids: IdSlice<'_>, real: Real, length: usize, first: i32, padded: i32, out: &mut [i32]) -> Result<()> {
    check(ids.len(), out.len())?;
    if !(ids.is_empty() || length > 0 && ids.len().is_multiple_of(length)) {
        return Err(Error::Shape(format!("{} ids are not whole sequences of {length}", ids.len())));
    }
    let absent = match real {
        Real::Not(padding) => i128::from(padding),
        Real::NonZero => 0,
    };
    let mut next = first;
    let mut left = length;
    with_values(ids, |at, id| {
        if left == 0 {
            (left, next) = (length, first);
        }
        left -= 1;
        out[at] = if id == absent {
            padded
        } else {
            let position = next;
            next = next.wrapping_add(1);
            position
        };
    });
    Ok(())
}

/// Positions in rows that lie end to end, `first, first + 1, ...` in each. `offsets` holds the beginning of each row,
/// and the end of the last. Returns the length of the longest row.
///
/// # Errors
/// [`Error::Shape`], with the offset's index and value, for offsets that do not begin with 0, that decrease, or that do
/// not end with the number of positions.
pub fn ragged(offsets: IdSlice<'_>, first: i32, out: &mut [i32]) -> Result<usize> {
    let mut at = with_room(offsets.len());
    let mut wrong = None;
    with_values(offsets, |i, offset| {
        let before = at.last().copied().unwrap_or(0);
        match usize::try_from(offset) {
            Ok(good) if good >= before && (i > 0 || good == 0) => at.put(good),
            _ => {
                wrong.get_or_insert((i, offset));
            }
        }
    });
    if let Some((i, offset)) = wrong {
        return Err(Error::Shape(format!("offsets must begin with 0 and not decrease, but offset {i} is {offset}")));
    }
    let Some(&end) = at.last() else {
        return Err(Error::Shape(
            "offsets must have one more element than there are rows, so at least the element 0".into(),
        ));
    };
    if end != out.len() {
        return Err(Error::Shape(format!("the last offset is {end}, but there are {} values", out.len())));
    }
    let mut longest = 0;
    for row in at.windows(2) {
        longest = longest.max(row[1] - row[0]);
        out[row[0]..row[1]].iter_mut().zip(first..).for_each(|(out, position)| *out = position);
    }
    Ok(longest)
}

fn check(ids: usize, out: usize) -> Result<()> {
    if ids == out { Ok(()) } else { Err(Error::Shape(format!("the result has {out} elements for {ids} ids"))) }
}

//! Rows of one length, for a batch that is a rectangle.

use crate::batch::{EncodedTexts, fits};
use crate::error::TextError;

/// An end of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// Where the text begins.
    Left,
    /// Where it ends.
    #[default]
    Right,
}

/// How texts become rows of one length. None is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// Ids in a row; as many as the longest text has where nothing is said.
    pub length: Option<usize>,
    /// What short rows are filled up with.
    pub id: u32,
    /// At which end.
    pub side: Side,
}

/// Where texts of `n` rows of one length are written to.
#[derive(Debug)]
pub struct PaddedRows<'a> {
    /// (n, length): row after row.
    pub ids: &'a mut [i32],
    /// (n, length): 1 where a token of the text stands, 0 where the row is filled up.
    pub mask: &'a mut [u8],
    /// (n): ids of each row that are not filled up.
    pub lengths: &'a mut [u32],
}

impl EncodedTexts {
    /// Ids in a row of the padded texts.
    ///
    /// # Errors
    /// [`TextError::Length`] where a text is longer than rows are to be; [`TextError::IdTooLarge`] for a filler that is no
    /// int32; [`TextError::TooLong`] where no memory holds so many rows.
    pub fn padded_length(&self, padding: Padding) -> Result<usize, TextError> {
        let longest = self.rows().map(<[u32]>::len).max().unwrap_or(0);
        let length = padding.length.unwrap_or(longest);
        if longest > length {
            return Err(TextError::Length { what: "a row", found: longest, expected: length });
        }
        int32(0, padding.id)?;
        let size = self.texts().saturating_mul(length);
        let limit = isize::MAX as usize / size_of::<i32>();
        if size > limit {
            return Err(TextError::TooLong { what: "the batch", found: size, limit });
        }
        Ok(length)
    }

    /// Writes the texts as rows of [`EncodedTexts::padded_length`] ids; each element of `out` is written once.
    ///
    /// # Errors
    /// As of [`EncodedTexts::padded_length`]; [`TextError::Length`] for room of another size; [`TextError::IdTooLarge`] for an
    /// id that is no int32.
    pub fn pad(&self, padding: Padding, out: PaddedRows<'_>) -> Result<(), TextError> {
        let length = self.padded_length(padding)?;
        let fill = int32(0, padding.id)?;
        let PaddedRows { ids, mask, lengths } = out;
        fits("room for ids", ids.len(), self.texts() * length)?;
        fits("room for a mask", mask.len(), ids.len())?;
        fits("room for lengths", lengths.len(), self.texts())?;
        for (to, row) in lengths.iter_mut().zip(self.rows()) {
            *to = row.len() as u32;
        }
        if length == 0 {
            return Ok(());
        }
        for ((ids, mask), row) in ids.chunks_exact_mut(length).zip(mask.chunks_exact_mut(length)).zip(self.rows()) {
            let missing = length - row.len();
            let begin = if padding.side == Side::Left { missing } else { 0 };
            let end = begin + row.len();
            ids[..begin].fill(fill);
            copy(row, &mut ids[begin..end])?;
            ids[end..].fill(fill);
            mask[..begin].fill(0);
            mask[begin..end].fill(1);
            mask[end..].fill(0);
        }
        Ok(())
    }
}

/// Copies ids, all of which must be int32.
fn copy(row: &[u32], to: &mut [i32]) -> Result<(), TextError> {
    for (to, &id) in to.iter_mut().zip(row) {
        *to = id.cast_signed();
    }
    // Of all ids the first bit is looked at, in a pass that vectorizes.
    if row.iter().fold(0, |all, id| all | id) > i32::MAX.cast_unsigned() {
        for (position, &id) in row.iter().enumerate() {
            int32(position, id)?;
        }
    }
    Ok(())
}

fn int32(position: usize, id: u32) -> Result<i32, TextError> {
    i32::try_from(id).map_err(|_| TextError::IdTooLarge { position, value: id })
}

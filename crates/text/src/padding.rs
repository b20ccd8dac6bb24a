//! Writes the texts of a batch as rows of one length, which makes a rectangle.

use crate::batch::{EncodedTexts, fits};
use crate::error::TextError;

/// An end of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// Where the text begins.
    Left,
    /// Where the text ends.
    #[default]
    Right,
}

/// How texts become rows of one length. Padding never cuts a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// Number of ids in a row. The default is the length of the longest text.
    pub length: Option<usize>,
    /// The number of ids is rounded up to a multiple of this number, which is at least 1.
    pub multiple: usize,
    /// The id that short rows are filled with.
    pub id: u32,
    /// The end of the row at which they are filled.
    pub side: Side,
}

/// The memory that `n` texts are written to, as rows of one length.
#[derive(Debug)]
pub struct PaddedRows<'a> {
    /// Shape (n, length), row after row.
    pub ids: &'a mut [i32],
    /// Shape (n, length): 1 for a token of the text, 0 for padding.
    pub mask: &'a mut [u8],
    /// Shape (n): number of ids in each row that are not padding.
    pub lengths: &'a mut [u32],
}

impl EncodedTexts {
    /// Number of ids in a row of the padded texts.
    ///
    /// # Errors
    /// [`TextError::Length`] if a text is longer than the rows; [`TextError::IdTooLarge`] if the padding id does not
    /// fit int32; [`TextError::TooLong`] if the rows do not fit the address space.
    pub fn padded_length(&self, padding: Padding) -> Result<usize, TextError> {
        let longest = self.rows().map(<[u32]>::len).max().unwrap_or(0);
        let length = padding.length.unwrap_or(longest);
        if longest > length {
            return Err(TextError::Length { what: "a row", found: longest, expected: length });
        }
        let length = length.div_ceil(padding.multiple.max(1)).saturating_mul(padding.multiple.max(1));
        int32(0, padding.id)?;
        let size = self.texts().saturating_mul(length);
        let limit = isize::MAX as usize / size_of::<i32>();
        if size > limit {
            return Err(TextError::TooLong { what: "the batch", found: size, limit });
        }
        Ok(length)
    }

    /// Writes the texts as rows of [`EncodedTexts::padded_length`] ids. Each element of `out` is written once.
    ///
    /// # Errors
    /// Those of [`EncodedTexts::padded_length`]; [`TextError::Length`] if `out` has another size;
    /// [`TextError::IdTooLarge`] if an id does not fit int32.
    pub fn pad(&self, padding: Padding, out: PaddedRows<'_>) -> Result<(), TextError> {
        let length = self.padded_length(padding)?;
        let fill = int32(0, padding.id)?;
        let PaddedRows { ids, mask, lengths } = out;
        fits("the buffer for ids", ids.len(), self.texts() * length)?;
        fits("the buffer for the mask", mask.len(), ids.len())?;
        fits("the buffer for lengths", lengths.len(), self.texts())?;
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

/// Copies ids, all of which must fit int32.
fn copy(row: &[u32], to: &mut [i32]) -> Result<(), TextError> {
    for (to, &id) in to.iter_mut().zip(row) {
        *to = id.cast_signed();
    }
    // The bitwise or of all ids has the sign bit of each, and this pass vectorizes.
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

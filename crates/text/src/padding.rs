//! Rows of one length, for a batch that is a rectangle.

use crate::batch::EncodedBatch;
use crate::error::TextError;
use tokenbed_memory::{Gather, List, with_room};

/// An end of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// Where the text begins.
    Left,
    /// Where it ends.
    #[default]
    Right,
}

/// Texts as rows of one length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaddedBatch {
    /// Row after row.
    pub ids: Vec<i32>,
    /// For each id 1 where a token of the text stands, 0 where it is filled up.
    pub mask: Vec<u8>,
    /// Ids of each row that are not filled up.
    pub lengths: Vec<u32>,
    /// Ids in a row.
    pub length: usize,
}

impl EncodedBatch {
    /// The texts as rows of `length` ids, or as long as the longest, filled up with `id` at that side. None is cut:
    /// a text that is longer than `length` is an error.
    pub fn pad(&self, length: Option<usize>, id: u32, side: Side) -> Result<PaddedBatch, TextError> {
        let lengths: Vec<u32> = self.offsets.windows(2).map(|ends| ends[1] - ends[0]).into_list();
        let longest = lengths.iter().copied().max().unwrap_or(0) as usize;
        let length = length.unwrap_or(longest);
        if longest > length {
            return Err(TextError::Length { what: "a row", found: longest, expected: length });
        }
        let fill = int32(0, id)?;
        let size = lengths.len().saturating_mul(length);
        let limit = isize::MAX as usize / 4;
        if size > limit {
            return Err(TextError::TooLong { what: "the batch", found: size, limit });
        }
        let (mut ids, mut mask) = (with_room(size), with_room(size));
        for ends in self.offsets.windows(2) {
            let row = ends[0] as usize..ends[1] as usize;
            let missing = length - row.len();
            let (before, after) = if side == Side::Left { (missing, 0) } else { (0, missing) };
            ids.put_all(std::iter::repeat_n(fill, before));
            mask.put_all(std::iter::repeat_n(0, before));
            for (position, &id) in row.clone().zip(&self.ids[row.clone()]) {
                ids.put(int32(position, id)?);
            }
            mask.put_all(std::iter::repeat_n(1, row.len()));
            ids.put_all(std::iter::repeat_n(fill, after));
            mask.put_all(std::iter::repeat_n(0, after));
        }
        Ok(PaddedBatch { ids, mask, lengths, length })
    }
}

fn int32(position: usize, id: u32) -> Result<i32, TextError> {
    i32::try_from(id).map_err(|_| TextError::IdTooLarge { position, value: id })
}

//! Rows that are not one text each: several words that make one text, and windows of a text that is too long.

use crate::batch::{EncodedTexts, GoOn};
use crate::error::{TextError, fit_u32};
use crate::file::Frame;
use crate::padding::Side;
use crate::tokenizer::{RowOptions, Tokenizer};
use tokenbed_memory::List;

/// How encoded texts become rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrangement<'a> {
    /// Number of texts that are the words of each row's text; absent if each text is one. They are encoded one by one
    /// (the library: `is_pretokenized`).
    pub words: Option<&'a [u32]>,
    /// Whether a text that is too long goes on in further rows, which repeat so many ids of the row before (the
    /// library: `stride`); absent if it is cut.
    pub overlap: Option<usize>,
}

/// Rows, and the number of the text that each was made of.
#[derive(Debug, Clone, Default)]
pub struct Arranged {
    /// The rows.
    pub rows: EncodedTexts,
    /// The text of each row.
    pub samples: Vec<u32>,
}

impl Tokenizer {
    /// [`Tokenizer::encode_rows_while`], with rows that are arranged.
    ///
    /// # Errors
    /// [`TextError::NoWindow`] if the overlap leaves no room for new ids; [`TextError::Length`] if the words of all
    /// texts are not all texts; and those of [`Tokenizer::encode_rows_while`].
    pub fn encode_arranged<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RowOptions,
        arrangement: Arrangement<'_>,
        (threads, go_on): (usize, GoOn<'_>),
    ) -> Result<Arranged, TextError> {
        let frame = if options.framed { self.frame() } else { Frame::default() };
        let room = match options.max_length {
            Some(max_length) => {
                max_length.checked_sub(frame.len()).ok_or(TextError::NoRoom { max_length, frame: frame.len() })?
            }
            None => usize::MAX,
        };
        if let Some(overlap) = arrangement.overlap.filter(|&overlap| overlap >= room) {
            return Err(TextError::NoOverlap { overlap, room });
        }
        let counted = arrangement.words.map(|words| words.iter().map(|&count| count as usize).sum::<usize>());
        if let Some(expected) = counted.filter(|&count| count != texts.len()) {
            return Err(TextError::Length { what: "the list of words", found: texts.len(), expected });
        }
        let bare = RowOptions { special: options.special.clone(), framed: false, max_length: None, cut: options.cut };
        let encoded = self.encode_rows_while(texts, &bare, threads, go_on);
        let encoded = encoded.map_err(|error| of_sample(error, arrangement.words))?;
        let mut arranged =
            Arranging { frame, room, overlap: arrangement.overlap, cut: options.cut, ..Arranging::default() };
        let Some(words) = arrangement.words else {
            for (sample, row) in encoded.rows().enumerate() {
                arranged.add(sample, row)?;
            }
            return Ok(arranged.done());
        };
        let mut rows = encoded.rows();
        let mut whole = Vec::new();
        for (sample, &count) in words.iter().enumerate() {
            whole.clear();
            rows.by_ref().take(count as usize).for_each(|word| whole.put_slice(word));
            arranged.add(sample, &whole)?;
        }
        Ok(arranged.done())
    }
}

/// The error of a word as that of the text that it belongs to.
fn of_sample(error: TextError, words: Option<&[u32]>) -> TextError {
    let (Some(words), TextError::InBatch { index, source }) = (words, error.clone()) else { return error };
    let mut end = 0;
    let ends = words.iter().map(|&count| {
        end += count as usize;
        end
    });
    let sample = ends.take_while(|&end| end <= index).count();
    TextError::InBatch { index: sample, source }
}

#[derive(Default)]
struct Arranging {
    frame: Frame,
    room: usize,
    overlap: Option<usize>,
    cut: Side,
    ids: Vec<u32>,
    ends: Vec<u32>,
    samples: Vec<u32>,
}

impl Arranging {
    /// Appends the rows of a text.
    fn add(&mut self, sample: usize, ids: &[u32]) -> Result<(), TextError> {
        let (count, room) = (ids.len(), self.room);
        if count <= room {
            return self.row(sample, ids);
        }
        let Some(overlap) = self.overlap else {
            let from = if self.cut == Side::Left { count - room } else { 0 };
            return self.row(sample, &ids[from..from + room]);
        };
        // The windows begin at the end that is kept; the last one may be shorter.
        let step = room - overlap;
        let windows = (count - room).div_ceil(step) + 1;
        for window in 0..windows {
            let (near, far) = (window * step, (window * step + room).min(count));
            let row = if self.cut == Side::Left { &ids[count - far..count - near] } else { &ids[near..far] };
            self.row(sample, row)?;
        }
        Ok(())
    }

    fn row(&mut self, sample: usize, ids: &[u32]) -> Result<(), TextError> {
        for part in [&self.frame.before, ids, &self.frame.after] {
            self.ids.put_slice(part);
        }
        self.ends.put(fit_u32("the batch", self.ids.len())?);
        self.samples.put(fit_u32("the batch", sample)?);
        Ok(())
    }

    fn done(self) -> Arranged {
        Arranged { rows: EncodedTexts::of_rows(self.ids, self.ends), samples: self.samples }
    }
}

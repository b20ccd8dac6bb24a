//! Encodes a text that comes in parts, so that it need not fit in memory.

use crate::error::TextError;
use crate::offsets::utf16_units;
use crate::special::SpecialPolicy;
use crate::tokenizer::Tokenizer;
use tokenbed_memory::{Text, caught};

/// Encodes one text that is pushed part by part. All ids together are those of [`Tokenizer::encode`] for the whole
/// text, wherever it is cut.
///
/// Text whose ids depend on how it continues is held back: a few characters in ordinary text, at most the longest
/// piece of the encoding's pattern or the longest special token. The length of the text is not limited.
///
/// A tokenizer from a file gets at least 64 KB at a time. Where its text may be cut follows from the parts of the
/// file, and undecided text is held back: usually less than a line, but all of the text if the file's parts do not
/// say where anything ends ([`Self::hold_at_most`]).
///
/// ```no_run
/// use tokenbed_text::{SpecialPolicy, TextStream};
///
/// # fn example(tokenizer: &tokenbed_text::Tokenizer) -> Result<(), tokenbed_text::TextError> {
/// let mut stream = TextStream::new(SpecialPolicy::default());
/// let mut ids = Vec::new();
/// for part in ["It is", "n't cut whe", "re words end."] {
///     stream.push(tokenizer, part, &mut ids)?;
/// }
/// stream.finish(tokenizer, &mut ids)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TextStream {
    policy: SpecialPolicy,
    /// The text that has no ids yet.
    held: String,
    /// Length that `held` must have for another look at it: twice what the last look left, so that the time for a
    /// piece that grows byte by byte stays linear.
    enough: usize,
    /// The same for the first look of a tokenizer from a file.
    block: usize,
    /// Largest length of `held`.
    most: usize,
    /// Number of threads among which long parts are divided.
    threads: usize,
    /// Length of the text that was encoded before `held`.
    before: Length,
}

#[derive(Debug, Clone, Copy, Default)]
struct Length {
    bytes: usize,
    utf16: usize,
}

/// Largest memory that is kept between the parts of a text.
const KEPT: usize = 4 << 20;

/// Smallest number of bytes that a tokenizer from a file looks at, since each look has a cost.
const BLOCK: usize = 64 << 10;

impl TextStream {
    /// Starts a text.
    pub fn new(policy: SpecialPolicy) -> Self {
        let (held, before) = (String::new(), Length::default());
        Self { policy, held, enough: 0, block: BLOCK, most: usize::MAX, threads: 1, before }
    }

    /// Sets the largest number of bytes that may be held back because nothing divides them. By default there is no
    /// limit.
    pub fn hold_at_most(&mut self, bytes: usize) {
        self.most = bytes;
    }

    /// Sets the number of threads among which parts of hundreds of kilobytes are divided, by default one.
    pub fn divide_among(&mut self, threads: usize) {
        self.threads = threads;
    }

    pub(crate) fn policy(&self) -> &SpecialPolicy {
        &self.policy
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Sets the smallest number of bytes that a tokenizer from a file looks at, by default 64 KB. With fewer bytes
    /// ids come sooner, but all takes longer.
    pub fn look_from(&mut self, bytes: usize) {
        self.block = bytes;
    }

    /// Takes the next part of the text, and appends the ids that are certain by now.
    ///
    /// # Errors
    /// The errors that the whole text would give, with places counted from the beginning of the text. Then no ids of
    /// this part are appended; those of earlier parts were. [`TextError::HeldBack`] if more would be held back than
    /// allowed; then the ids that were certain before that part are appended.
    pub fn push(&mut self, tokenizer: &Tokenizer, part: &str, out: &mut Vec<u32>) -> Result<(), TextError> {
        let before = (self.held.len(), out.len());
        let goes_on = self.before.bytes > 0;
        self.held.put_str(part);
        let enough = if tokenizer.is_file() { self.enough.max(self.block) } else { self.enough };
        if self.held.len() < enough && self.held.len() <= self.most {
            return Ok(());
        }
        let encoded = caught(|| tokenizer.encode_certain(&self.held, goes_on, (&self.policy, self.threads), out))
            .unwrap_or_else(|error| {
                // The part was not taken, and can be given again.
                self.held.truncate(before.0);
                out.truncate(before.1);
                error.unwind()
            });
        let end = encoded.map_err(|error| self.in_text(error))?;
        self.before.bytes += end;
        self.before.utf16 += utf16_units(&self.held.as_bytes()[..end]);
        self.held.drain(..end);
        self.enough = self.held.len() * 2;
        self.held.trim_to(KEPT.max(self.enough));
        if self.held.len() > self.most {
            let (start, bytes, limit) = (self.before.bytes, self.held.len(), self.most);
            return Err(TextError::HeldBack { start, bytes, limit });
        }
        Ok(())
    }

    /// Ends the text, and appends the ids of what was held back. The next part begins another text.
    ///
    /// # Errors
    /// The same as [`TextStream::push`].
    pub fn finish(&mut self, tokenizer: &Tokenizer, out: &mut Vec<u32>) -> Result<(), TextError> {
        let goes_on = self.before.bytes > 0;
        tokenizer.encode_rest(&self.held, goes_on, &self.policy, out).map_err(|error| self.in_text(error))?;
        self.held.clear();
        (self.enough, self.before) = (0, Length::default());
        Ok(())
    }

    /// Turns an error in `held` into the same error in the whole text.
    fn in_text(&self, error: TextError) -> TextError {
        match error {
            TextError::DisallowedSpecial { token, byte, utf16 } => {
                TextError::DisallowedSpecial { token, byte: self.before.bytes + byte, utf16: self.before.utf16 + utf16 }
            }
            other => other,
        }
    }
}

//! Encodes a long text part by part, so that the work can be stopped.

use super::{Prepared, Runs};
use crate::batch::GoOn;
use crate::error::{TextError, fit_u32};

impl Prepared<'_> {
    /// Appends the ids of `text` to `out` as [`Self::encode`] does, as long as it may go on. After an error `out` is
    /// unchanged.
    pub(crate) fn encode_while(&self, text: &str, go_on: GoOn<'_>, out: &mut Vec<u32>) -> Result<(), TextError> {
        // Every part takes a fraction of a second.
        let part = match self.file.runs {
            Runs::Native(_) => 1 << 20,
            Runs::Library(..) => 64 << 10,
        };
        if text.len() <= part {
            return self.encode(text, out);
        }
        fit_u32("the text", text.len())?;
        self.searches.check(text)?;
        let start = out.len();
        match self.encode_parts(text, part, go_on, out) {
            Ok(()) => Ok(()),
            Err(TextError::Stopped) => {
                out.truncate(start);
                Err(TextError::Stopped)
            }
            // Limits are those of the whole text, so it decides.
            Err(_) => {
                out.truncate(start);
                self.encode(text, out)
            }
        }
    }

    fn encode_parts(&self, text: &str, part: usize, go_on: GoOn<'_>, out: &mut Vec<u32>) -> Result<(), TextError> {
        let (mut at, mut size) = (0, part);
        while text.len() - at > size {
            if !go_on() {
                return Err(TextError::Stopped);
            }
            let end = (at + size..text.len()).find(|&end| text.is_char_boundary(end)).unwrap_or(text.len());
            match self.encode_certain(&text[at..end], at > 0, out)? {
                // Nothing divides this part.
                0 => size *= 2,
                done => {
                    at += done;
                    size = part;
                }
            }
        }
        if !go_on() {
            return Err(TextError::Stopped);
        }
        self.encode_part(&text[at..], at > 0, out)
    }
}

//! Where the pieces of a text end that are encoded on their own: what tiktoken does with a regular expression.
//!
//! A scanner written by hand for each pattern: the expression engine is the slowest part of other tokenizers.

mod cl100k;
mod classes;
mod contraction;
mod gpt2;
mod numbers;
mod o200k;
mod spaces;
mod unicode;

use classes::CLASSES;

/// The rule that cuts a text into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pattern {
    /// GPT-2's: tiktoken's `r50k_pat_str`, used by `gpt2`, `r50k_base` and `p50k_base`.
    Gpt2,
    /// That of `cl100k_base`.
    Cl100k,
    /// That of `o200k_base`.
    O200k,
}

impl Pattern {
    /// Calls `piece(start, end)` for the pieces of `text[start..end]` from left to right. They leave no byte out.
    #[inline]
    pub(crate) fn split(self, text: &str, mut piece: impl FnMut(usize, usize)) {
        let (classes, text) = (&*CLASSES, text.as_bytes());
        let mut start = 0;
        while start < text.len() {
            let end = match self {
                Self::Gpt2 => gpt2::end_of_piece(classes, text, start),
                Self::Cl100k => cl100k::end_of_piece(classes, text, start),
                Self::O200k => o200k::end_of_piece(classes, text, start),
            };
            piece(start, end);
            start = end;
        }
    }
}

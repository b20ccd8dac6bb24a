//! Where an added token that was found in a text begins and ends: it may take the spaces around it.
//!
//! The library searches the whole text before each token for spaces; here each space is looked at once.

use std::ops::Range;

use regex_syntax::is_word_character;

/// What an added token asks of the text around it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around {
    /// No letter, number or other character of a word may touch it.
    pub(crate) single_word: bool,
    /// It takes the spaces before it.
    pub(crate) lstrip: bool,
    /// It takes the spaces after it.
    pub(crate) rstrip: bool,
}

/// The places of tokens in a text, from left to right.
pub(crate) struct Takes<'a> {
    text: &'a str,
    /// The end of the last token.
    done: usize,
    /// The last run of spaces that was searched.
    run: Range<usize>,
}

impl<'a> Takes<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, done: 0, run: 0..0 }
    }

    /// The end of the last token.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// The place of the next token that was found, with the spaces that it takes, and the end of the one before it.
    /// `None` if it does not count: it is a part of a word, or another one took it with its spaces.
    pub(crate) fn take(&mut self, around: Around, mut start: usize, mut end: usize) -> Option<(usize, Range<usize>)> {
        let text = self.text;
        if around.single_word && (ends_with_word(&text[..start]) || begins_with_word(&text[end..])) {
            return None;
        }
        let done = self.done;
        if around.lstrip {
            let from = done.min(start);
            start = (from + text[from..start].trim_end().len()).max(done);
        }
        if around.rstrip {
            if !self.run.contains(&end) {
                self.run = end..text.len() - text[end..].trim_start().len();
            }
            end = self.run.end.max(end);
        }
        if start >= end {
            return None;
        }
        self.done = end;
        Some((done, start..end))
    }
}

fn ends_with_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(is_word_character)
}

fn begins_with_word(text: &str) -> bool {
    text.chars().next().is_some_and(is_word_character)
}

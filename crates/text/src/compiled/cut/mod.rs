//! Pre-tokenizers: a section of a text becomes pieces.
//!
//! Pieces are places in the section. Some steps also change the text: they put a space or its mark in front, or spell
//! bytes with letters. Byte level models need no letters, because their tokens are bytes here.

mod compile;
mod kinds;
mod matcher;
mod punctuation;
mod scanner;
mod stream;
#[cfg(test)]
mod tests;

use crate::file::limits::{Budget, Limits};
use tokenbed_memory::{List, Text};

use super::models::letters;
pub(super) use matcher::next_word;
use matcher::{Matcher, Split};
use scanner::Scanner;
use stream::Decided;

/// A compiled pre-tokenizer.
pub(crate) struct Cuts {
    steps: Vec<Step>,
    /// Whether several steps make texts longer. One alone cannot make a text much longer.
    grows: bool,
    /// Whether the model gets bytes, because the last step is `ByteLevel`.
    bytes: bool,
    limits: Limits,
}

enum Step {
    /// A pattern that is known, or several, and how far their matches are decided.
    Scan(Scanner, Vec<Decided>),
    /// White space is dropped, and characters of punctuation stand alone.
    Bert,
    Split(Split),
    /// Pieces of a fixed number of characters.
    Fixed(usize),
    Metaspace {
        mark: char,
        prepend: Prepend,
        split: bool,
    },
    /// Puts a space in front of a piece that does not begin with one.
    Space,
    /// Spells bytes with letters, for models that need them spelled.
    Letters,
}

/// Where `Metaspace` puts its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prepend {
    Always,
    First,
    Never,
}

/// A section of a text, cut into pieces. It is used again for each section.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// The pieces: start and end of each in the section's text.
    pub(crate) list: Vec<(u32, u32)>,
    /// The text that the pieces are places of, if it is not the section's own.
    text: String,
    is_changed: bool,
    /// The place of each byte in the original text, if they are wanted.
    places: Vec<(u32, u32)>,
    with_places: bool,
    next: Vec<(u32, u32)>,
    next_text: String,
    next_places: Vec<(u32, u32)>,
    found: Vec<(usize, usize)>,
    parts: Vec<(u32, u32, bool)>,
}

impl Pieces {
    /// The text that the pieces are places of; `section` is the text that was cut.
    pub(crate) fn text<'a>(&'a self, section: &'a str) -> &'a str {
        if self.is_changed { &self.text } else { section }
    }

    /// The places of the bytes of the text.
    pub(crate) fn places(&self) -> &[(u32, u32)] {
        &self.places
    }

    /// Gives back what a long text took, beyond some `kept` bytes.
    pub(crate) fn shrink(&mut self, kept: usize) {
        self.list.clear();
        self.next.clear();
        self.found.clear();
        self.parts.clear();
        self.places.clear();
        self.next_places.clear();
        self.text.clear();
        self.next_text.clear();
        self.list.trim_to(kept / 8);
        self.next.trim_to(kept / 8);
        self.found.trim_to(kept / 16);
        self.parts.trim_to(kept / 16);
        self.places.trim_to(kept / 8);
        self.next_places.trim_to(kept / 8);
        self.text.trim_to(kept);
        self.next_text.trim_to(kept);
    }

    /// Begins a section; `places` are those of its bytes, if they are wanted.
    fn begin(&mut self, section: &str, places: Option<&[(u32, u32)]>) {
        self.list.clear();
        if !section.is_empty() {
            self.list.put((0, section.len() as u32));
        }
        self.is_changed = false;
        self.with_places = places.is_some();
        self.places.clear();
        self.places.put_slice(places.unwrap_or_default());
    }

    /// Writes the text anew: `write` gets each piece, its number and where to append to.
    fn rewrite(&mut self, section: &str, mut write: impl FnMut(&str, &[(u32, u32)], &mut Target<'_>)) {
        let mut target = Target {
            text: std::mem::take(&mut self.next_text),
            places: std::mem::take(&mut self.next_places),
            pieces: &mut self.next,
            start: 0,
        };
        target.text.clear();
        target.places.clear();
        target.pieces.clear();
        let text = if self.is_changed { &self.text } else { section };
        for &(start, end) in &self.list {
            let (start, end) = (start as usize, end as usize);
            let places = if self.with_places { self.places.get(start..end).unwrap_or_default() } else { &[] };
            write(text.get(start..end).unwrap_or_default(), places, &mut target);
            target.end_piece();
        }
        let Target { text, places, .. } = target;
        std::mem::swap(&mut self.list, &mut self.next);
        self.next_text = std::mem::replace(&mut self.text, text);
        self.next_places = std::mem::replace(&mut self.places, places);
        self.is_changed = true;
    }
}

/// A text that is written.
struct Target<'a> {
    text: String,
    places: Vec<(u32, u32)>,
    pieces: &'a mut Vec<(u32, u32)>,
    /// Start of the piece that is written.
    start: usize,
}

impl Target<'_> {
    /// Appends a character that stands for the bytes at a place.
    fn put(&mut self, c: char, place: Option<(u32, u32)>) {
        self.text.put_char(c);
        self.places.put_all(place.into_iter().flat_map(|place| [place; 4].into_iter().take(c.len_utf8())));
    }

    /// Appends text as it is.
    fn put_str(&mut self, text: &str, places: &[(u32, u32)]) {
        self.text.put_str(text);
        self.places.put_slice(places);
    }

    /// Ends a piece, if anything was written.
    fn end_piece(&mut self) {
        let end = self.text.len();
        if end > self.start {
            self.pieces.put((self.start as u32, end as u32));
            self.start = end;
        }
    }
}

impl Cuts {
    /// Whether there are no steps.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && !self.bytes
    }

    /// Whether it leaves each section as it is if that has no spaces.
    pub(crate) fn leave_what_has_no_spaces(&self) -> bool {
        let leaves =
            |step: &Step| matches!(step, Step::Split(Split { matcher: Matcher::Char(' '), invert: false, .. }));
        !self.bytes && self.steps.iter().all(leaves)
    }

    /// Whether it does nothing but what `BertPreTokenizer` does.
    pub(crate) fn are_words(&self) -> bool {
        matches!(*self.steps, [Step::Bert]) && !self.bytes
    }

    /// Whether the model gets bytes.
    pub(crate) fn are_bytes(&self) -> bool {
        self.bytes
    }

    /// Whether a step asks if a piece begins at the text's first character, and only the places in the original text
    /// can tell, because the normalizer or a step before it changed the text.
    pub(crate) fn ask_for_places(&self, is_normalized: bool) -> bool {
        let changes = |step: &Step| matches!(step, Step::Metaspace { .. } | Step::Space | Step::Letters);
        let mut changed = is_normalized;
        self.steps.iter().any(|step| {
            let asks = changed && matches!(step, Step::Metaspace { prepend: Prepend::First, .. });
            changed |= changes(step);
            asks
        })
    }

    /// Cuts a section. `is_front` says whether its first character is the first of the text. `places` are those of its
    /// bytes in the original text, if they are wanted.
    ///
    /// # Errors
    /// A reason such as [`Limits::grows`].
    pub(crate) fn run(
        &self,
        section: &str,
        is_front: bool,
        places: Option<&[(u32, u32)]>,
        budget: &Budget,
        pieces: &mut Pieces,
    ) -> Result<(), String> {
        pieces.begin(section, places);
        for step in &self.steps {
            self.take(step, section, is_front, budget, pieces)?;
        }
        if !self.steps.is_empty() && budget.is_spent_by(section.len()) { Err(self.limits.slow()) } else { Ok(()) }
    }

    /// Takes one step.
    fn take(
        &self,
        step: &Step,
        section: &str,
        is_front: bool,
        budget: &Budget,
        pieces: &mut Pieces,
    ) -> Result<(), String> {
        match step {
            Step::Scan(scanner, _) => {
                each(pieces, section, |text, start, end, out| scanner.cut(text, start, end, out));
            }
            Step::Bert => each(pieces, section, matcher::bert),
            Step::Split(split) => self.split(split, section, budget, pieces)?,
            Step::Fixed(length) => each(pieces, section, |text, start, end, out| {
                matcher::fixed(text, start, end, *length, out);
            }),
            Step::Metaspace { mark, prepend, split } => {
                // A piece that does not begin where the section does is not the first.
                let first = pieces.list.first().map(|&(start, _)| start);
                let is_front = is_front && first == Some(0);
                metaspace(pieces, section, *mark, *prepend, *split, is_front);
            }
            Step::Space => {
                let text = pieces.text(section).as_bytes();
                if pieces.list.iter().any(|&(start, _)| text.get(start as usize) != Some(&b' ')) {
                    pieces.rewrite(section, |piece, places, target| {
                        if !piece.starts_with(' ') {
                            target.put(' ', places.first().copied());
                        }
                        target.put_str(piece, places);
                    });
                }
            }
            Step::Letters => pieces.rewrite(section, |piece, places, target| {
                for (at, &byte) in piece.as_bytes().iter().enumerate() {
                    target.put(letters::of(byte), places.get(at).copied());
                }
            }),
        }
        if self.grows && pieces.text(section).len() > budget.bytes {
            return Err(self.limits.grows());
        }
        Ok(())
    }

    fn split(&self, split: &Split, section: &str, budget: &Budget, pieces: &mut Pieces) -> Result<(), String> {
        let mut found = std::mem::take(&mut pieces.found);
        let mut parts = std::mem::take(&mut pieces.parts);
        let mut result = Ok(());
        each(pieces, section, |text, start, end, out| {
            if result.is_ok() {
                result = split.cut(text, start, end, budget, &mut found, &mut parts, out);
            }
        });
        (pieces.found, pieces.parts) = (found, parts);
        result
    }
}

/// Replaces each piece by those that `cut` appends.
#[inline]
fn each(pieces: &mut Pieces, section: &str, mut cut: impl FnMut(&str, usize, usize, &mut Vec<(u32, u32)>)) {
    let mut next = std::mem::take(&mut pieces.next);
    next.clear();
    let text = pieces.text(section);
    for &(start, end) in &pieces.list {
        cut(text, start as usize, end as usize, &mut next);
    }
    pieces.next = std::mem::replace(&mut pieces.list, next);
}

fn metaspace(pieces: &mut Pieces, section: &str, mark: char, prepend: Prepend, split: bool, mut is_front: bool) {
    pieces.rewrite(section, |piece, places, target| {
        let begins = piece.starts_with(mark) || piece.starts_with(' ');
        let front_place = places.first().map(|place| place.0);
        let is_first = front_place.map_or(std::mem::take(&mut is_front), |place| place == 0);
        if !begins && (prepend == Prepend::Always || (prepend == Prepend::First && is_first)) {
            target.put(mark, places.first().copied());
        }
        let mut done = 0;
        let at = |at: usize| places.get(at).copied();
        let between = |from: usize, to: usize| places.get(from..to).unwrap_or_default();
        while done < piece.len() {
            let rest = &piece[done..];
            let is_mark = |c: char| c == ' ' || (split && c == mark);
            let next = rest.find(is_mark).map_or(piece.len(), |next| done + next);
            target.put_str(&piece[done..next], between(done, next));
            let Some(c) = piece[next..].chars().next() else { break };
            if split && next > 0 {
                target.end_piece();
            }
            target.put(mark, at(next));
            done = next + c.len_utf8();
        }
    });
}

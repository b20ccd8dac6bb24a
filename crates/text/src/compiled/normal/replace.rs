//! A step that replaces a text or the matches of a pattern.

use std::ops::Range;

use memchr::memmem::Finder;
use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};

use super::table::{Fate, Rules, Table, char_at};
use crate::compiled::pattern::Pattern;
use crate::compiled::{Aligned, MARK, NotNative};
use crate::file::limits::{Budget, Limits};
use crate::file::oniguruma::{Spent, translate};
use tokenbed_memory::{List, Text};

/// The step.
pub(super) struct Replace {
    search: Search,
    content: String,
    /// The same search as a pattern, for cuts and where nothing is faster.
    pattern: Pattern,
}

enum Search {
    Byte(u8),
    Text(Box<Finder<'static>>),
    /// Single characters of a set.
    One(Box<Table<Members>>),
    /// All of a run of characters of a set, if it has at least this many.
    Run(Box<Table<Members>>, usize),
    Pattern,
}

/// The members of a set: only they depend on something.
struct Members(ClassUnicode);

impl Rules for Members {
    fn fate(&self, c: char, _: &mut String) -> Fate {
        let ranges = self.0.ranges();
        let at = ranges.partition_point(|range| range.end() < c);
        if ranges.get(at).is_some_and(|range| range.start() <= c) { Fate::Depends } else { Fate::Keep }
    }
}

impl Replace {
    /// Replaces a text.
    pub(super) fn text(text: &str, content: &str, limits: Limits) -> Result<Self, NotNative> {
        let search = match text.as_bytes() {
            [] => return Err(NotNative::new("normalizer: Replace of nothing")),
            [byte] => Search::Byte(*byte),
            bytes => Search::Text(Box::new(Finder::new(bytes).into_owned())),
        };
        Ok(Self { search, content: content.to_owned(), pattern: Pattern::literal("normalizer", text, limits)? })
    }

    /// Replaces the matches of a pattern in the syntax of Oniguruma.
    pub(super) fn regex(source: &str, content: &str, limits: Limits, spent: &mut Spent) -> Result<Self, NotNative> {
        let not_native = || NotNative::new(format!("normalizer: the pattern {source:?}"));
        let written = translate(source, &mut Spent::default()).map_err(|_| not_native())?;
        let pattern = Pattern::regex("normalizer", source, limits, spent)?;
        let hir = regex_syntax::parse(&written).map_err(|_| not_native())?;
        // Where a match may be empty, places of the library have no width, and later steps of it go wrong.
        if hir.properties().minimum_len().is_none_or(|len| len == 0) {
            return Err(not_native());
        }
        Ok(Self { search: Search::of(&hir), content: content.to_owned(), pattern })
    }

    /// Whether it puts the mark in the place of each space, and does nothing else.
    pub(super) fn marks_spaces(&self) -> bool {
        let mut content = self.content.chars();
        matches!(self.search, Search::Byte(b' ')) && content.next() == Some(MARK) && content.next().is_none()
    }

    /// The same search as a pattern.
    pub(super) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Calls `found` for each match, in order.
    pub(super) fn each(&self, text: &str, budget: &Budget, mut found: impl FnMut(Range<usize>)) -> Result<(), String> {
        let bytes = text.as_bytes();
        match &self.search {
            Search::Byte(byte) => memchr::memchr_iter(*byte, bytes).for_each(|at| found(at..at + 1)),
            Search::Text(finder) => {
                finder.find_iter(bytes).for_each(|at| found(at..at + finder.needle().len()));
            }
            Search::One(set) => {
                let mut from = 0;
                while let Some(start) = set.next(bytes, from) {
                    from = char_at(bytes, start).1;
                    found(start..from);
                }
            }
            Search::Run(set, least) => {
                let mut from = 0;
                while let Some(start) = set.next(bytes, from) {
                    let (end, count) = set.run(bytes, start);
                    if count >= *least {
                        found(start..end);
                    }
                    from = end;
                }
            }
            Search::Pattern => {
                let mut matches = Vec::new();
                self.pattern.find_all(text, budget, &mut matches)?;
                matches.into_iter().for_each(|(start, end)| found(start..end));
            }
        }
        Ok(())
    }

    /// Whether a match is the content already, and stands in one place.
    #[inline]
    fn stays(&self, matched: &str) -> bool {
        matched == self.content && char_at(matched.as_bytes(), 0).1 == matched.len()
    }

    /// Writes the result to `out`, which is empty; once it has more than `most` bytes, no more is written. Returns
    /// false if the text stays as it is.
    pub(super) fn run(&self, text: &str, most: usize, budget: &Budget, out: &mut String) -> Result<bool, String> {
        let mut done = 0;
        self.each(text, budget, |place| {
            if out.len() <= most && !self.stays(&text[place.clone()]) {
                out.put_str(&text[done..place.start]);
                out.put_str(&self.content);
                done = place.end;
            }
        })?;
        if done > 0 {
            out.put_str(&text[done..]);
        }
        Ok(done > 0)
    }

    /// The same with places: all of the content stands at the last character of the match.
    pub(super) fn run_aligned(
        &self,
        from: &Aligned,
        most: usize,
        budget: &Budget,
        out: &mut Aligned,
    ) -> Result<bool, String> {
        let mut done = 0;
        let text = from.text.as_str();
        self.each(text, budget, |place| {
            if out.text.len() <= most && !self.stays(&text[place.clone()]) {
                out.put_part(from, done..place.start);
                out.text.put_str(&self.content);
                out.places.fill_to(out.text.len(), from.places[place.end - 1]);
                done = place.end;
            }
        })?;
        if done > 0 {
            out.put_part(from, done..text.len());
        }
        Ok(done > 0)
    }
}

impl Table<Members> {
    /// The place of the first member from `at` on.
    #[inline]
    fn next(&self, text: &[u8], mut at: usize) -> Option<usize> {
        loop {
            at = self.skip(text, at);
            if at >= text.len() {
                return None;
            }
            let (code, end) = char_at(text, at);
            if self.get(code).0 == Fate::Depends {
                return Some(at);
            }
            at = end;
        }
    }

    /// The end of a run of members that begins at `at`, and their number.
    #[inline]
    fn run(&self, text: &[u8], mut at: usize) -> (usize, usize) {
        let mut count = 0;
        while at < text.len() {
            let (code, end) = char_at(text, at);
            if self.get(code).0 != Fate::Depends {
                break;
            }
            (at, count) = (end, count + 1);
        }
        (at, count)
    }
}

impl Search {
    /// The fastest search for a pattern.
    fn of(hir: &Hir) -> Self {
        match hir.kind() {
            HirKind::Capture(group) => Self::of(&group.sub),
            HirKind::Repetition(repeat) if repeat.greedy && repeat.max.is_none() => match set_of(&repeat.sub) {
                Some(set) => Self::Run(Box::new(Table::new(Members(set))), repeat.min as usize),
                None => Self::Pattern,
            },
            _ => set_of(hir).map_or(Self::Pattern, |set| Self::One(Box::new(Table::new(Members(set))))),
        }
    }
}

/// The characters that a pattern of one character matches.
fn set_of(hir: &Hir) -> Option<ClassUnicode> {
    match hir.kind() {
        HirKind::Capture(group) => set_of(&group.sub),
        HirKind::Class(Class::Unicode(set)) => Some(set.clone()),
        HirKind::Class(Class::Bytes(set)) => set.to_unicode_class(),
        HirKind::Literal(text) => {
            let mut chars = std::str::from_utf8(&text.0).ok()?.chars();
            let c = chars.next().filter(|_| chars.as_str().is_empty())?;
            Some(ClassUnicode::new([regex_syntax::hir::ClassUnicodeRange::new(c, c)]))
        }
        _ => None,
    }
}

//! A step that changes characters one by one, around a normalization form of Unicode if there is one.

use std::ops::Range;

use super::letters::{Change, Form, changed, order};
use super::table::{Fate, Rules, Table, char_at};
use crate::compiled::Aligned;
use tokenbed_memory::{List, Text};

/// What the step does, in this order. Without a form nothing is `after` it.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pub(super) before: Vec<Change>,
    pub(super) form: Option<Form>,
    pub(super) after: Vec<Change>,
}

impl Changes {
    pub(super) fn of(change: Change) -> Self {
        Self { before: Vec::from([change]), ..Self::default() }
    }

    pub(super) fn form(form: Form) -> Self {
        Self { form: Some(form), ..Self::default() }
    }

    /// Both steps as one, if they can be one: there is one form at most.
    pub(super) fn then(&self, next: &Self) -> Option<Self> {
        let mut both = self.clone();
        match (self.form, next.form) {
            (Some(_), Some(_)) => return None,
            (Some(_), None) => both.after.put_slice(&next.before),
            (None, form) => {
                both.before.put_slice(&next.before);
                both.form = form;
                both.after.put_slice(&next.after);
            }
        }
        Some(both)
    }

    /// Whether it is nothing but small letters or letters for bytes, so that no character depends on others.
    pub(super) fn is_simple(&self) -> bool {
        self.form.is_none() && self.before.iter().all(|change| matches!(change, Change::Lowercase | Change::Bytes))
    }

    /// The largest factor by which a text grows, in bytes.
    pub(super) fn growth(&self) -> usize {
        let changes = self.before.iter().chain(&self.after).map(|change| change.growth());
        changes.chain(self.form.map(Form::growth)).fold(1, usize::saturating_mul)
    }

    /// Whether it makes small letters of all capitals of ASCII, and no capital of anything else.
    fn lowers_ascii(&self) -> bool {
        let all = || self.before.iter().chain(&self.after);
        all().any(|&change| change == Change::Lowercase)
            // Compatible forms have capitals that no small letter stands for.
            && (self.form.is_none() || self.after.contains(&Change::Lowercase))
    }

    /// Calls `put` for what becomes of characters that are a text of their own.
    fn write(&self, text: impl Iterator<Item = char>, put: &mut dyn FnMut(char)) {
        let Some(form) = self.form else {
            return text.for_each(|c| changed(&self.before, c, put));
        };
        if self.before.is_empty() {
            return form.write(text, |c, _| changed(&self.after, c, put));
        }
        let mut given = Vec::new();
        text.for_each(|c| changed(&self.before, c, &mut |c| given.put(c)));
        form.write(given.into_iter(), |c, _| changed(&self.after, c, put));
    }

    /// The fate of a character that a form sees as `given`.
    fn fate_in(&self, form: Form, c: char, given: &[char]) -> Fate {
        let removed = |c: char| {
            let mut made = false;
            changed(&self.after, c, &mut |_| made = true);
            !made
        };
        let (mut marks_only, mut marks_stay) = (true, false);
        for &c in given {
            form.decompose(c, |part| {
                let is_mark = order(part) != 0;
                marks_only &= is_mark;
                marks_stay |= is_mark && !removed(part);
            });
        }
        if given.is_empty() {
            return Fate::Vanish;
        }
        if !form.composes() && !marks_stay {
            // Marks that are removed need not be ordered.
            return if marks_only { Fate::Vanish } else { Fate::Become };
        }
        if !form.composes() && !self.after.is_empty() {
            // Other marks may be removed, but only after they were ordered, which moves the places of this one.
            return Fate::Depends;
        }
        if order(c) != 0 && given == [c] && form.stays(c) {
            let mut stays = true;
            changed(&self.after, c, &mut |made| stays &= made == c);
            return if stays && !removed(c) { Fate::Mark(order(c)) } else { Fate::Depends };
        }
        if given.first().is_some_and(|&first| form.begins(first)) { Fate::Become } else { Fate::Depends }
    }
}

impl Rules for Changes {
    fn fate(&self, c: char, text: &mut String) -> Fate {
        let fate = match self.form {
            None => Fate::Become,
            Some(form) => {
                let mut given = Vec::new();
                changed(&self.before, c, &mut |c| given.put(c));
                self.fate_in(form, c, &given)
            }
        };
        if fate != Fate::Become {
            return fate;
        }
        self.write(std::iter::once(c), &mut |c| text.put_char(c));
        let stays = text.chars().eq([c]) || self.lowers_ascii() && c.is_ascii_uppercase();
        if stays { Fate::Keep } else { Fate::Become }
    }
}

/// The step.
pub(super) struct ByCharacter {
    table: Table<Changes>,
    lowers_ascii: bool,
}

/// Where the result goes.
trait Sink {
    /// Number of bytes so far.
    fn len(&self) -> usize;
    fn truncate(&mut self, len: usize);
    /// Appends a part of the text as it is.
    fn keep(&mut self, part: Range<usize>);
    /// Appends what became of the character at `at`.
    fn put(&mut self, at: usize, made: &str);
    /// Appends what becomes of a part in which characters depend on each other.
    fn work(&mut self, changes: &Changes, part: Range<usize>);
}

impl ByCharacter {
    pub(super) fn new(changes: Changes) -> Self {
        Self { lowers_ascii: changes.lowers_ascii(), table: Table::new(changes) }
    }

    pub(super) fn changes(&self) -> &Changes {
        self.table.rules()
    }

    /// Writes the result to `out`, which is empty. Returns false, and writes nothing, if the text stays as it is.
    pub(super) fn run(&self, text: &str, out: &mut String) -> bool {
        if !self.scan(text, &mut Plain { text, out }) {
            return false;
        }
        if self.lowers_ascii {
            out.make_ascii_lowercase();
        }
        true
    }

    /// The same with places.
    pub(super) fn run_aligned(&self, from: &Aligned, out: &mut Aligned) -> bool {
        if !self.scan(&from.text, &mut WithPlaces { from, out }) {
            return false;
        }
        if self.lowers_ascii {
            out.text.make_ascii_lowercase();
        }
        true
    }

    /// Returns whether anything was written.
    fn scan(&self, text: &str, sink: &mut impl Sink) -> bool {
        let bytes = text.as_bytes();
        let alone = self.changes().form.is_none();
        let mut flow = Flow { sink, done: 0, changed: false, begin: 0, begin_out: 0 };
        let (mut at, mut class) = (0, 0);
        loop {
            let kept = self.table.skip(bytes, at);
            if kept > at {
                (flow.begin, at, class) = (kept - 1, kept, 0);
            }
            if at >= bytes.len() {
                break;
            }
            let (code, end) = char_at(bytes, at);
            match self.table.get(code) {
                (Fate::Keep, _) => (flow.begin, class) = (at, 0),
                (Fate::Become, made) => {
                    flow.put(at..end, made);
                    // It may end with a mark.
                    class = u8::MAX;
                }
                (Fate::Vanish, _) => flow.skip(at..end),
                (Fate::Mark(its), _) if class <= its => class = its,
                (Fate::Mark(_) | Fate::Depends, _) => {
                    let end = if alone { end } else { self.next_begin(bytes, end) };
                    if alone {
                        flow.begin_at(at);
                    }
                    flow.work(self.changes(), end);
                    (at, class) = (end, 0);
                    continue;
                }
            }
            at = end;
        }
        let lowers = self.lowers_ascii && bytes.iter().any(u8::is_ascii_uppercase);
        if !flow.changed && !lowers {
            return false;
        }
        flow.flush(text.len());
        true
    }

    /// The place of the next character that does not change what is before it.
    fn next_begin(&self, text: &[u8], mut at: usize) -> usize {
        while at < text.len() {
            let (code, end) = char_at(text, at);
            if matches!(self.table.get(code).0, Fate::Keep | Fate::Become) {
                break;
            }
            at = end;
        }
        at
    }
}

/// A text on its way to a sink.
struct Flow<'a, S> {
    sink: &'a mut S,
    /// What is before this place was written.
    done: usize,
    changed: bool,
    /// Place of the last character that changes nothing before it.
    begin: usize,
    /// Place in the sink of what became of it, once it was written.
    begin_out: usize,
}

impl<S: Sink> Flow<'_, S> {
    /// Writes what stays as it is up to `end`.
    fn flush(&mut self, end: usize) {
        if self.begin >= self.done {
            self.begin_out = self.sink.len() + self.begin - self.done;
        }
        if self.done < end {
            self.sink.keep(self.done..end);
        }
        self.done = end;
    }

    fn begin_at(&mut self, at: usize) {
        self.begin = at;
    }

    fn put(&mut self, from: Range<usize>, made: &str) {
        self.begin = from.start;
        self.flush(from.start);
        self.begin_out = self.sink.len();
        self.sink.put(from.start, made);
        (self.done, self.changed) = (from.end, true);
    }

    fn skip(&mut self, from: Range<usize>) {
        self.flush(from.start);
        (self.done, self.changed) = (from.end, true);
    }

    /// Writes anew what begins at the last begin, up to `end`.
    fn work(&mut self, changes: &Changes, end: usize) {
        let begin = self.begin;
        if begin < self.done {
            self.sink.truncate(self.begin_out);
        } else {
            self.flush(begin);
        }
        self.sink.work(changes, begin..end);
        (self.done, self.changed) = (end, true);
    }
}

struct Plain<'a> {
    text: &'a str,
    out: &'a mut String,
}

impl Sink for Plain<'_> {
    fn len(&self) -> usize {
        self.out.len()
    }

    fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    #[inline]
    fn keep(&mut self, part: Range<usize>) {
        self.out.put_str(&self.text[part]);
    }

    #[inline]
    fn put(&mut self, _: usize, made: &str) {
        self.out.put_str(made);
    }

    fn work(&mut self, changes: &Changes, part: Range<usize>) {
        changes.write(self.text[part].chars(), &mut |c| self.out.put_char(c));
    }
}

struct WithPlaces<'a> {
    from: &'a Aligned,
    out: &'a mut Aligned,
}

impl Sink for WithPlaces<'_> {
    fn len(&self) -> usize {
        self.out.text.len()
    }

    fn truncate(&mut self, len: usize) {
        self.out.text.truncate(len);
        self.out.places.truncate(len);
    }

    fn keep(&mut self, part: Range<usize>) {
        self.out.put_part(self.from, part);
    }

    fn put(&mut self, at: usize, made: &str) {
        let place = self.from.places[at];
        self.out.text.put_str(made);
        self.out.places.fill_to(self.out.text.len(), place);
    }

    fn work(&mut self, changes: &Changes, part: Range<usize>) {
        let mut given = Vec::new();
        for (at, c) in self.from.text[part.clone()].char_indices() {
            let place = self.from.places[part.start + at];
            changed(&changes.before, c, &mut |c| given.put((c, place)));
        }
        let Some(form) = changes.form else {
            return given.into_iter().for_each(|(c, place)| self.out.put(c, place));
        };
        // The library counts the characters that were used up. What was inserted stands at the last of them, what
        // took the place of another one at the next.
        let mut used = 0;
        form.write(given.iter().map(|&(c, _)| c), |c, change| {
            let of = if change > 0 { used.max(1) - 1 } else { used };
            let place = given.get(of).or(given.last()).map_or((0, 0), |&(_, place)| place);
            used += if change > 0 { 0 } else { 1 + change.unsigned_abs() };
            changed(&changes.after, c, &mut |c| self.out.put(c, place));
        });
    }
}

//! Many texts in one string.

use crate::{List, Text, with_room};
use std::ops::Range;

/// Texts, end to end in the order in which they came. A string for each would take longer to make, and more memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextList {
    text: String,
    /// Where each text ends.
    ends: Vec<usize>,
}

impl TextList {
    /// Without texts, and with room for the ends of so many.
    pub fn with_room(count: usize) -> Self {
        Self { text: String::new(), ends: with_room(count) }
    }

    /// A string of several texts, and where each ends: in order, at a boundary of characters, and the last one at the
    /// end of the string. None if they do not.
    pub fn of(text: String, ends: Vec<usize>) -> Option<Self> {
        let mut before = 0;
        for &end in &ends {
            if end < before || !text.is_char_boundary(end) {
                return None;
            }
            before = end;
        }
        (before == text.len()).then_some(Self { text, ends })
    }

    /// Appends a text.
    pub fn put(&mut self, text: &str) {
        self.text.put_str(text);
        self.ends.put(self.text.len());
    }

    /// Appends a text, which is not copied if it is the first.
    pub fn put_owned(&mut self, text: String) {
        if self.text.is_empty() {
            self.text = text;
            self.ends.put(self.text.len());
        } else {
            self.put(&text);
        }
    }

    /// Appends to the last text; it is the first one if there are none.
    pub fn put_to_last(&mut self, more: &str) {
        self.text.put_str(more);
        match self.ends.last_mut() {
            Some(end) => *end = self.text.len(),
            None => self.ends.put(self.text.len()),
        }
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of memory that they take.
    pub fn capacity(&self) -> usize {
        self.text.capacity().saturating_add(self.ends.capacity().saturating_mul(size_of::<usize>()))
    }

    /// All texts, one after the other.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All texts, one after the other.
    pub fn into_text(self) -> String {
        self.text
    }

    /// The text at a place.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..end)
    }

    /// The texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.range(0..self.len()).into_iter().flatten()
    }

    /// Some of the texts; None if there are not so many.
    pub fn range(&self, range: Range<usize>) -> Option<impl Iterator<Item = &str>> {
        let ends = self.ends.get(range.clone())?;
        let mut start = range.start.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        Some(ends.iter().map(move |&end| {
            let from = std::mem::replace(&mut start, end);
            self.text.get(from..end).unwrap_or_default()
        }))
    }

    /// All texts as a list.
    pub fn list(&self) -> Vec<&str> {
        let mut list = with_room(self.len());
        list.put_all(self.iter());
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> TextList {
        let mut texts = TextList::default();
        ["a", "", "é", "last"].iter().for_each(|text| texts.put(text));
        texts
    }

    #[test]
    fn texts_stay_apart() {
        let mut texts = some();
        assert_eq!(texts.list(), ["a", "", "é", "last"]);
        assert_eq!((texts.get(2), texts.get(4)), (Some("é"), None));
        texts.put_to_last("ing");
        assert_eq!(texts.range(1..4).unwrap().collect::<Vec<_>>(), ["", "é", "lasting"]);
        assert!(texts.range(3..5).is_none());
        assert_eq!(texts.text(), "aélasting");
    }

    #[test]
    fn the_first_text_is_not_copied() {
        let text = String::from("the first");
        let place = text.as_ptr();
        let mut texts = TextList::default();
        texts.put_owned(text);
        assert_eq!(texts.text().as_ptr(), place);
        texts.put_owned("second".into());
        assert_eq!(texts.list(), ["the first", "second"]);
        let mut one = TextList::default();
        one.put_to_last("begun");
        assert_eq!(one.list(), ["begun"]);
    }

    #[test]
    fn ends_that_do_not_fit_are_refused() {
        assert_eq!(TextList::of("aé".into(), vec![1, 3]).unwrap().list(), ["a", "é"]);
        for ends in [vec![], vec![2, 3], vec![3, 1, 3], vec![1], vec![1, 4]] {
            assert!(TextList::of("aé".into(), ends.clone()).is_none(), "{ends:?}");
        }
    }
}

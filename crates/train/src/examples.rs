//! Examples of a classifier: texts with their classes, which come as such or as the lines of a file.

use crate::words::WordCounter;
use std::cmp::Reverse;
use std::collections::HashMap;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, List, Map, Text, filled, owned};

/// What a word of a line begins with that names a class, as fastText has it.
pub const LABEL: &str = "__label__";

/// Texts of words with their classes.
#[derive(Debug)]
pub struct Labelled {
    /// The words.
    pub words: Vec<String>,
    /// The names of the classes.
    pub labels: Vec<String>,
    /// The texts.
    pub examples: Examples,
}

/// Bags of ids, each with its classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examples {
    /// The ids of all bags, end to end.
    pub ids: Vec<u32>,
    /// Where each bag ends.
    pub ends: Vec<usize>,
    /// The classes of all bags, end to end.
    pub classes: Vec<u32>,
    /// Where those of each bag end.
    pub class_ends: Vec<usize>,
}

impl Examples {
    /// Adds an example; nothing where it has no id or no class.
    pub fn push(&mut self, ids: impl Iterator<Item = u32>, classes: impl Iterator<Item = u32>) {
        let (ids_before, classes_before) = (self.ids.len(), self.classes.len());
        self.ids.put_all(ids);
        self.classes.put_all(classes);
        if self.ids.len() == ids_before || self.classes.len() == classes_before {
            self.ids.truncate(ids_before);
            self.classes.truncate(classes_before);
            return;
        }
        self.ends.put(self.ids.len());
        self.class_ends.put(self.classes.len());
    }
}

/// Names of classes, numbered in the order in which they first come.
#[derive(Debug, Default)]
pub struct Classes {
    numbers: HashMap<Box<str>, u32>,
    names: Vec<String>,
    counts: Vec<u64>,
}

impl Classes {
    /// The number of a class, which comes once more.
    pub fn number(&mut self, name: &str) -> u32 {
        let number = match self.numbers.get(name) {
            Some(&number) => number,
            None => {
                let number = self.names.len() as u32;
                self.names.put(owned(name));
                self.counts.put(0);
                self.numbers.put(owned(name).into_boxed_str(), number);
                number
            }
        };
        self.counts[number as usize] += 1;
        number
    }

    /// The names, by their numbers. A `hint` says how classes are given.
    ///
    /// # Errors
    /// [`Error::Usage`] where there are less than two.
    pub fn names(self, hint: &str) -> Result<Vec<String>> {
        match self.names.len() {
            2.. => Ok(self.names),
            count => Err(too_few(count, hint)),
        }
    }

    /// The names by how often they come, then by which came first; and what each number becomes.
    ///
    /// # Errors
    /// As of [`Classes::names`].
    fn sorted(self) -> Result<(Vec<String>, Vec<u32>)> {
        let Self { counts, .. } = &self;
        let mut order: Vec<u32> = (0..counts.len() as u32).into_list();
        order.sort_by_key(|&number| Reverse(counts[number as usize]));
        let mut new = filled(0, order.len());
        (0..).zip(&order).for_each(|(to, &from)| new[from as usize] = to);
        let names = self.names("")?;
        Ok((order.iter().map(|&from| owned(&names[from as usize])).into_list(), new))
    }
}

/// That a classifier needs two classes.
pub(crate) fn too_few(count: usize, hint: &str) -> Error {
    let verb = if count == 1 { "there is 1" } else { "there are none" };
    Error::Usage(format!("a classifier needs two classes, and {verb}{hint}"))
}

/// How classes are written in a file.
pub const IN_LINES: &str =
    ": in a file, a word that begins with __label__ names the class of its line, as in __label__yes";

/// Texts with a class each, whose words are what stands between white space.
#[derive(Debug, Default)]
pub struct ExampleWords {
    words: WordCounter,
    classes: Classes,
    /// Of each text that has a word.
    class_of: Vec<u32>,
}

impl ExampleWords {
    /// Adds a text; whatever stands in it is text.
    pub fn push(&mut self, class: &str, text: &str) {
        let class = self.classes.number(class);
        if self.words.sentence(text.split_whitespace()) {
            self.class_of.put(class);
        }
    }

    /// The vocabulary of words that come at least `min_count` times, and the examples; those of which no word is left are
    /// left out.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is no example, or but one class.
    pub fn finish(self, min_count: u64) -> Result<Labelled> {
        let (words, sentences) = self.words.numbered(min_count)?;
        let (labels, new) = self.classes.sorted()?;
        let mut examples = Examples::default();
        for (ids, &class) in sentences.iter().zip(&self.class_of) {
            examples.push(ids.iter().copied(), [new[class as usize]].into_iter());
        }
        Ok(Labelled { words, labels, examples })
    }
}

/// Takes a line of fastText's apart: words that begin with [`LABEL`], wherever they stand, name its classes, and the rest is
/// its text, as it is written.
pub fn take_apart<'a>(line: &'a str, mut class: impl FnMut(&'a str), text: &mut String) {
    let end_of = |from: &str, is_end: fn(char) -> bool| from.find(is_end).unwrap_or(from.len());
    let mut rest = line.trim_start();
    let mut ends_in_label = false;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(end_of(rest, char::is_whitespace));
        let (gap, next) = after.split_at(end_of(after, |c| !c.is_whitespace()));
        let label = word.strip_prefix(LABEL);
        match label {
            Some(name) => class(name),
            None => {
                text.put_str(word);
                text.put_str(gap);
            }
        }
        ends_in_label = label.is_some();
        rest = next;
    }
    if ends_in_label {
        text.truncate(text.trim_end().len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(line: &str) -> (Vec<&str>, String) {
        let (mut classes, mut text) = (Vec::new(), String::new());
        take_apart(line, |name| classes.push(name), &mut text);
        (classes, text)
    }

    #[test]
    fn lines_are_taken_apart() {
        assert_eq!(apart("__label__a good  day "), (vec!["a"], "good  day ".into()));
        assert_eq!(apart(" __label__a\t__label__b x"), (vec!["a", "b"], "x".into()));
        assert_eq!(apart("x  y __label__a  z"), (vec!["a"], "x  y z".into()));
        assert_eq!(apart("x y  __label__a "), (vec!["a"], "x y".into()));
        assert_eq!(apart("x__label__a (__label__b"), (vec![], "x__label__a (__label__b".into()));
        assert_eq!(apart("__label__ x"), (vec![""], "x".into()));
        assert_eq!(apart("__label____label__a x"), (vec!["__label__a"], "x".into()));
        assert_eq!(apart("__label__\u{fc}\u{a0}\u{e9}"), (vec!["\u{fc}"], "\u{e9}".into()));
        assert_eq!(apart(" \t"), (vec![], String::new()));
    }

    #[test]
    fn a_text_is_text_whatever_it_says() {
        let mut given = ExampleWords::default();
        given.push("ham", "the __label__spam day\nthe end");
        given.push("two words", " ");
        given.push("two words", "__label__ham day");
        let Labelled { words, labels, examples } = given.finish(1).unwrap();
        assert_eq!(words, ["the", "day", "__label__spam", "end", "__label__ham"]);
        assert_eq!(labels, ["two words", "ham"], "the most frequent first");
        assert_eq!((examples.ids, examples.ends), (vec![0, 2, 1, 0, 3, 4, 1], vec![5, 7]));
        assert_eq!((examples.classes, examples.class_ends), (vec![1, 0], vec![1, 2]));
    }

    #[test]
    fn rare_words_are_left_out_with_the_examples_that_had_no_others() {
        let mut given = ExampleWords::default();
        given.push("a", "x x");
        given.push("b", "y");
        given.push("b", "y z");
        given.push("b", "z x");
        let Labelled { words, examples, .. } = given.finish(3).unwrap();
        assert_eq!(words, ["x"]);
        assert_eq!((examples.ids, examples.classes), (vec![0, 0, 0], vec![1, 0]));
    }

    #[test]
    fn what_cannot_be_told_apart_is_an_error() {
        let message = |examples: &[(&str, &str)], min_count| {
            let mut given = ExampleWords::default();
            examples.iter().for_each(|(class, text)| given.push(class, text));
            given.finish(min_count).unwrap_err().to_string()
        };
        assert!(message(&[("a", "x"), ("a", "y")], 1).contains("two classes, and there is 1"));
        assert!(message(&[("a", ""), ("b", " \n")], 1).contains("empty"));
        assert!(message(&[], 1).contains("empty"));
        assert!(message(&[("a", "x"), ("b", "y")], 2).contains("comes once"));
    }
}

//! Examples of a classifier: texts with their classes, which are given separately or in the lines of a file.

use crate::words::WordCounter;
use std::cmp::Reverse;
use std::collections::HashMap;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, List, Map, Text, filled, owned};

/// The prefix of words in a line that name a class, as in fastText.
const LABEL: &str = "__label__";

/// Texts of words, with their classes.
#[derive(Debug)]
pub struct Labelled {
    /// The vocabulary.
    pub words: Vec<String>,
    /// The names of the classes.
    pub labels: Vec<String>,
    /// The texts, as ids of words.
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
    /// Where the classes of each bag end.
    pub class_ends: Vec<usize>,
}

/// The ids, or the classes, of the i-th bag.
pub(crate) fn part<'a>(values: &'a [u32], ends: &[usize], i: usize) -> &'a [u32] {
    &values[if i == 0 { 0 } else { ends[i - 1] }..ends[i]]
}

impl Examples {
    /// Adds an example; does nothing if it has no id or no class.
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

/// The names of classes, numbered in the order of their first occurrence.
#[derive(Debug, Default)]
struct Classes {
    numbers: HashMap<Box<str>, u32>,
    names: Vec<String>,
    counts: Vec<u64>,
}

impl Classes {
    /// Takes the classes that are there before the texts. They keep these numbers, and others count for nothing.
    fn know<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        names.for_each(|name| {
            self.number(name);
        });
    }

    /// The number of a class, after counting one more occurrence.
    fn number(&mut self, name: &str) -> u32 {
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

    /// The names, by number. A `hint` says how to give classes.
    ///
    /// # Errors
    /// [`Error::Usage`] if there are fewer than two.
    fn names(self, hint: &str) -> Result<Vec<String>> {
        match self.names.len() {
            2.. => Ok(self.names),
            count => Err(too_few(count, hint)),
        }
    }

    /// The names sorted by how often they occur, then by first occurrence, and the new number of each old one.
    ///
    /// # Errors
    /// As for [`Classes::names`].
    fn sorted(self, hint: &str) -> Result<(Vec<String>, Vec<u32>)> {
        let Self { counts, .. } = &self;
        let mut order: Vec<u32> = (0..counts.len() as u32).into_list();
        order.sort_by_key(|&number| Reverse(counts[number as usize]));
        let mut new = filled(0, order.len());
        (0..).zip(&order).for_each(|(to, &from)| new[from as usize] = to);
        let names = self.names(hint)?;
        Ok((order.iter().map(|&from| owned(&names[from as usize])).into_list(), new))
    }
}

/// The error that a classifier needs two classes.
fn too_few(count: usize, hint: &str) -> Error {
    let verb = if count == 1 { "the corpus has 1" } else { "the corpus has none" };
    Error::Usage(format!("a classifier needs at least two classes, but {verb}{hint}"))
}

/// A hint on how classes are written in a file.
pub const IN_LINES: &str =
    ": in a file, a word that begins with __label__ names the class of its line, as in __label__yes";

/// Receives examples: texts with their classes, whichever way the classes were given.
pub trait Sink {
    /// Adds a text with its classes, in order. Nothing in the text is interpreted as a class.
    fn example<'a>(&mut self, classes: impl Iterator<Item = &'a str>, text: &str);
}

/// Examples whose words are separated by white space.
#[derive(Debug, Default)]
pub struct ExampleWords {
    words: WordCounter,
    classes: Classes,
    /// The classes of all texts that have at least one word, end to end.
    classes_of: Vec<u32>,
    /// Where the classes of each such text end.
    class_ends: Vec<usize>,
}

impl Sink for ExampleWords {
    fn example<'a>(&mut self, classes: impl Iterator<Item = &'a str>, text: &str) {
        let before = self.classes_of.len();
        self.classes_of.put_all(classes.map(|class| self.classes.number(class)));
        if self.words.sentence(text.split_whitespace()) {
            self.class_ends.put(self.classes_of.len());
        } else {
            self.classes_of.truncate(before);
        }
    }
}

impl ExampleWords {
    /// Takes the words and classes that are there before the texts.
    ///
    /// # Errors
    /// [`Error::Usage`] for a word that comes twice.
    pub fn know_word(&mut self, word: &str) -> Result<()> {
        self.words.know(word)
    }

    /// Takes the classes that are there before the texts.
    pub fn know_classes<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.classes.know(names);
    }

    /// The examples, without the words and the classes that were not known before.
    ///
    /// # Errors
    /// [`Error::Usage`] if no example is left.
    pub fn finish_known(self, classes: u32) -> Result<Examples> {
        let (_, sentences) = self.words.numbered(u64::MAX)?;
        let mut examples = Examples::default();
        let begins = [0].into_iter().chain(self.class_ends.iter().copied());
        for (ids, (begin, &end)) in sentences.iter().zip(begins.zip(&self.class_ends)) {
            let its = self.classes_of[begin..end].iter().copied();
            examples.push(ids.iter().copied(), its.filter(|&class| class < classes));
        }
        some(examples)
    }
    /// The vocabulary of words that occur at least `min_count` times, and the examples. Examples without a class, and
    /// those with no word left, are left out. A `hint` says how to give classes.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no example, or only one class.
    pub fn finish(self, min_count: u64, hint: &str) -> Result<Labelled> {
        let (words, sentences) = self.words.numbered(min_count)?;
        let (labels, new) = self.classes.sorted(hint)?;
        let mut examples = Examples::default();
        let begins = [0].into_iter().chain(self.class_ends.iter().copied());
        for (ids, (begin, &end)) in sentences.iter().zip(begins.zip(&self.class_ends)) {
            let classes = self.classes_of[begin..end].iter();
            examples.push(ids.iter().copied(), classes.map(|&class| new[class as usize]));
        }
        if examples.ends.is_empty() {
            return Err(Error::Usage(format!("no line of the corpus has both a class ({LABEL}...) and a word")));
        }
        Ok(Labelled { words, labels, examples })
    }
}

/// Examples whose texts are kept until they are encoded.
#[derive(Debug, Default)]
pub struct ExampleTexts {
    classes: Classes,
    /// All texts, end to end.
    texts: String,
    /// Where each text ends.
    text_ends: Vec<usize>,
    /// The classes of all texts, end to end.
    classes_of: Vec<u32>,
    /// Where the classes of each text end.
    class_ends: Vec<usize>,
}

impl Sink for ExampleTexts {
    fn example<'a>(&mut self, classes: impl Iterator<Item = &'a str>, text: &str) {
        self.classes_of.put_all(classes.map(|class| self.classes.number(class)));
        self.class_ends.put(self.classes_of.len());
        self.texts.put_str(text);
        self.text_ends.put(self.texts.len());
    }
}

/// The examples.
///
/// # Errors
/// [`Error::Usage`] if there is none.
fn some(examples: Examples) -> Result<Examples> {
    if examples.ends.is_empty() {
        return Err(Error::Usage("no held-out text has both a word and a class that are learned".into()));
    }
    Ok(examples)
}

impl ExampleTexts {
    /// Takes the classes that are there before the texts.
    pub fn know_classes<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.classes.know(names);
    }

    /// The examples, without the classes that were not known before.
    ///
    /// # Errors
    /// Those of `encode`; [`Error::Usage`] if no example is left.
    pub fn finish_known<E: From<Error>>(
        self,
        classes: u32,
        encode: impl Fn(&str, &mut Vec<u32>) -> std::result::Result<(), E>,
    ) -> std::result::Result<Examples, E> {
        let (given, _) = self.finish("", encode)?;
        let mut examples = Examples::default();
        for example in 0..given.ends.len() {
            let its = part(&given.classes, &given.class_ends, example).iter().copied();
            let ids = part(&given.ids, &given.ends, example).iter().copied();
            examples.push(ids, its.filter(|&class| class < classes));
        }
        Ok(some(examples)?)
    }

    /// The examples, and the names of the classes in the order of their first occurrence. `encode` appends the ids of a
    /// text to a list. Texts without a class, and those without ids, are left out. A `hint` says how to give classes.
    ///
    /// # Errors
    /// Those of `encode`; [`Error::Usage`] if there are fewer than two classes.
    pub fn finish<E: From<Error>>(
        self,
        hint: &str,
        encode: impl Fn(&str, &mut Vec<u32>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(Examples, Vec<String>), E> {
        let (mut examples, mut ids) = (Examples::default(), Vec::new());
        let (mut text_begin, mut class_begin) = (0, 0);
        for (&text_end, &class_end) in self.text_ends.iter().zip(&self.class_ends) {
            ids.clear();
            encode(&self.texts[text_begin..text_end], &mut ids)?;
            let classes = &self.classes_of[class_begin..class_end];
            examples.push(ids.iter().copied(), classes.iter().copied());
            (text_begin, class_begin) = (text_end, class_end);
        }
        Ok((examples, self.classes.names(hint)?))
    }
}

/// Lines in fastText's format, arriving in parts of any size. Labels are taken out of texts only here.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line that may continue in the next part.
    rest: String,
    /// A reused buffer for the text of a line.
    text: String,
}

impl Lines {
    /// Takes the next part of the lines; completed lines go to `sink`.
    pub fn push(&mut self, part: &str, sink: &mut impl Sink) {
        let mut part = part;
        while let Some((line, after)) = part.split_once('\n') {
            if self.rest.is_empty() {
                take_apart(line, &mut self.text, sink);
            } else {
                self.rest.put_str(line);
                self.end(sink);
            }
            part = after;
        }
        self.rest.put_str(part);
    }

    /// Ends a text, and with it the last line.
    pub fn end(&mut self, sink: &mut impl Sink) {
        take_apart(&self.rest, &mut self.text, sink);
        self.rest.clear();
    }
}

/// Splits a line. Words that begin with [`LABEL`], anywhere in the line, name its classes; the rest is its text,
/// unchanged but for the trailing carriage return. `text` is a buffer for it.
fn take_apart(line: &str, text: &mut String, sink: &mut impl Sink) {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let end_of = |from: &str, is_end: fn(char) -> bool| from.find(is_end).unwrap_or(from.len());
    let mut classes = Vec::new();
    text.clear();
    let mut rest = line.trim_start();
    let mut ends_in_label = false;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(end_of(rest, char::is_whitespace));
        let (gap, next) = after.split_at(end_of(after, |c| !c.is_whitespace()));
        let label = word.strip_prefix(LABEL);
        match label {
            Some(name) => classes.put(name),
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
    sink.example(classes.into_iter(), text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples that a sink received.
    #[derive(Debug, Default, PartialEq)]
    struct Seen(Vec<(Vec<String>, String)>);

    impl Sink for Seen {
        fn example<'a>(&mut self, classes: impl Iterator<Item = &'a str>, text: &str) {
            self.0.push((classes.map(Into::into).collect(), text.into()));
        }
    }

    fn apart(line: &str) -> (Vec<String>, String) {
        let mut seen = Seen::default();
        take_apart(line, &mut String::new(), &mut seen);
        seen.0.pop().unwrap()
    }

    /// The examples from lines that arrive in these parts.
    fn gathered<S: Sink + Default>(parts: &[&str]) -> S {
        let (mut lines, mut sink) = (Lines::default(), S::default());
        parts.iter().for_each(|part| lines.push(part, &mut sink));
        lines.end(&mut sink);
        sink
    }

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lines_are_split_into_labels_and_text() {
        assert_eq!(apart("__label__a good  day "), (strings(&["a"]), "good  day ".into()));
        assert_eq!(apart(" __label__a\t__label__b x"), (strings(&["a", "b"]), "x".into()));
        assert_eq!(apart("x  y __label__a  z"), (strings(&["a"]), "x  y z".into()));
        assert_eq!(apart("x y  __label__a "), (strings(&["a"]), "x y".into()));
        assert_eq!(apart("x__label__a (__label__b"), (strings(&[]), "x__label__a (__label__b".into()));
        assert_eq!(apart("__label__ x"), (strings(&[""]), "x".into()));
        assert_eq!(apart("__label____label__a x"), (strings(&["__label__a"]), "x".into()));
        assert_eq!(apart("__label__\u{fc}\u{a0}\u{e9}"), (strings(&["\u{fc}"]), "\u{e9}".into()));
        assert_eq!(apart(" \t"), (vec![], String::new()));
        assert_eq!(apart("__label__a x \r"), (strings(&["a"]), "x ".into()));
        assert_eq!(apart("x \r__label__a\r"), (strings(&["a"]), "x".into()));
    }

    #[test]
    fn labels_in_given_texts_are_plain_text() {
        let mut given = ExampleWords::default();
        given.example(["ham"].into_iter(), "the __label__spam day\nthe end");
        given.example(["two words"].into_iter(), " ");
        given.example(["two words"].into_iter(), "__label__ham day");
        let Labelled { words, labels, examples } = given.finish(1, "").unwrap();
        assert_eq!(words, ["the", "day", "__label__spam", "end", "__label__ham"]);
        assert_eq!(labels, ["two words", "ham"], "the most frequent first");
        assert_eq!((examples.ids, examples.ends), (vec![0, 2, 1, 0, 3, 4, 1], vec![5, 7]));
        assert_eq!((examples.classes, examples.class_ends), (vec![1, 0], vec![1, 2]));
    }

    #[test]
    fn leaves_out_rare_words_and_examples_without_others() {
        let mut given = ExampleWords::default();
        given.example(["a"].into_iter(), "x x");
        given.example(["b"].into_iter(), "y");
        given.example(["b"].into_iter(), "y z");
        given.example(["b"].into_iter(), "z x");
        let Labelled { words, examples, .. } = given.finish(3, "").unwrap();
        assert_eq!(words, ["x"]);
        assert_eq!((examples.ids, examples.classes), (vec![0, 0, 0], vec![1, 0]));
    }

    #[test]
    fn rejects_empty_examples_and_single_classes() {
        let message = |examples: &[(&str, &str)], min_count| {
            let mut given = ExampleWords::default();
            examples.iter().for_each(|(class, text)| given.example([*class].into_iter(), text));
            given.finish(min_count, "").unwrap_err().to_string()
        };
        assert!(message(&[("a", "x"), ("a", "y")], 1).contains("two classes, but the corpus has 1"));
        assert!(message(&[("a", ""), ("b", " \n")], 1).contains("empty"));
        assert!(message(&[], 1).contains("empty"));
        assert!(message(&[("a", "x"), ("b", "y")], 2).contains("occurs once"));
    }

    #[test]
    fn lines_are_the_same_wherever_parts_end() {
        let text =
            "__label__x good\u{a0}day\r\nno label\n\n__label__y __label__x b\u{e4}d  day\n__label__y\nend __label__z";
        let whole: Seen = gathered(&[text]);
        assert_eq!(whole.0.len(), 6);
        assert_eq!(whole.0[3], (strings(&["y", "x"]), "b\u{e4}d  day".into()));
        assert_eq!(whole.0[5], (strings(&["z"]), "end".into()));
        for (cut, _) in text.char_indices() {
            assert_eq!(gathered::<Seen>(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn labels_are_not_words() {
        let text = "__label__x good day\nno label\n__label__y __label__x bad day\n__label__y\n";
        let Labelled { words, labels, examples } = gathered::<ExampleWords>(&[text]).finish(1, IN_LINES).unwrap();
        assert_eq!(words, ["day", "good", "no", "label", "bad"]);
        assert_eq!(labels, ["x", "y"]);
        assert_eq!((examples.ids, examples.ends), (vec![1, 0, 4, 0], vec![2, 4]));
        assert_eq!((examples.classes, examples.class_ends), (vec![0, 1, 0], vec![1, 3]));
        let one = gathered::<ExampleWords>(&["__label__x good day"]).finish(1, IN_LINES).unwrap_err().to_string();
        assert!(one.contains("two classes") && one.contains("__label__yes"), "{one}");
        let none = gathered::<ExampleWords>(&["__label__x\n__label__y\ngood day"]).finish(1, IN_LINES).unwrap_err();
        assert!(none.to_string().contains("both a class (__label__...) and a word"), "{none}");
    }

    #[test]
    fn texts_are_given_their_ids_at_the_end() {
        let text = "__label__x good day\nno label\n__label__y __label__x bad day\n__label__y\n";
        let lengths = |text: &str, ids: &mut Vec<u32>| {
            ids.extend(text.split(' ').filter(|word| !word.is_empty()).map(|word| word.len() as u32));
            Ok::<_, Error>(())
        };
        let (examples, labels) = gathered::<ExampleTexts>(&[text]).finish(IN_LINES, lengths).unwrap();
        assert_eq!(labels, ["x", "y"], "the first to come first");
        assert_eq!((examples.ids, examples.ends), (vec![4, 3, 3, 3], vec![2, 4]));
        assert_eq!((examples.classes, examples.class_ends), (vec![0, 1, 0], vec![1, 3]));
        let fails = |_: &str, _: &mut Vec<u32>| Err(Error::Usage("no ids".into()));
        assert_eq!(gathered::<ExampleTexts>(&[text]).finish(IN_LINES, fails).unwrap_err().to_string(), "no ids");
        assert!(gathered::<ExampleTexts>(&["__label__x a"]).finish(IN_LINES, lengths).is_err());
    }
}

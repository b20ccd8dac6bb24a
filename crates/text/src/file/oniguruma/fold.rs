//! Letters of either case, as Oniguruma compares them, including letters that equal several others, such as `\u{df}`
//! and `ss`.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::names::NONE;
use super::write::one;

/// Several characters in lower case, and the single characters that equal them. (Full case folding of Unicode 16.)
#[rustfmt::skip]
const SEVERAL: [(&str, &str); 73] = [
    ("a\u{2be}", "\u{1e9a}"), ("ff", "\u{fb00}"), ("fi", "\u{fb01}"), ("fl", "\u{fb02}"),
    ("h\u{331}", "\u{1e96}"), ("j\u{30c}", "\u{1f0}"), ("ss", "\u{df}\u{1e9e}"), ("st", "\u{fb05}\u{fb06}"),
    ("t\u{308}", "\u{1e97}"), ("w\u{30a}", "\u{1e98}"), ("y\u{30a}", "\u{1e99}"), ("\u{2bc}n", "\u{149}"),
    ("\u{3ac}\u{3b9}", "\u{1fb4}"), ("\u{3ae}\u{3b9}", "\u{1fc4}"), ("\u{3b1}\u{342}", "\u{1fb6}"),
    ("\u{3b1}\u{3b9}", "\u{1fb3}\u{1fbc}"), ("\u{3b7}\u{342}", "\u{1fc6}"),
    ("\u{3b7}\u{3b9}", "\u{1fc3}\u{1fcc}"), ("\u{3b9}\u{342}", "\u{1fd6}"), ("\u{3c1}\u{313}", "\u{1fe4}"),
    ("\u{3c5}\u{313}", "\u{1f50}"), ("\u{3c5}\u{342}", "\u{1fe6}"), ("\u{3c9}\u{342}", "\u{1ff6}"),
    ("\u{3c9}\u{3b9}", "\u{1ff3}\u{1ffc}"), ("\u{3ce}\u{3b9}", "\u{1ff4}"), ("\u{565}\u{582}", "\u{587}"),
    ("\u{574}\u{565}", "\u{fb14}"), ("\u{574}\u{56b}", "\u{fb15}"), ("\u{574}\u{56d}", "\u{fb17}"),
    ("\u{574}\u{576}", "\u{fb13}"), ("\u{57e}\u{576}", "\u{fb16}"), ("\u{1f00}\u{3b9}", "\u{1f80}\u{1f88}"),
    ("\u{1f01}\u{3b9}", "\u{1f81}\u{1f89}"), ("\u{1f02}\u{3b9}", "\u{1f82}\u{1f8a}"),
    ("\u{1f03}\u{3b9}", "\u{1f83}\u{1f8b}"), ("\u{1f04}\u{3b9}", "\u{1f84}\u{1f8c}"),
    ("\u{1f05}\u{3b9}", "\u{1f85}\u{1f8d}"), ("\u{1f06}\u{3b9}", "\u{1f86}\u{1f8e}"),
    ("\u{1f07}\u{3b9}", "\u{1f87}\u{1f8f}"), ("\u{1f20}\u{3b9}", "\u{1f90}\u{1f98}"),
    ("\u{1f21}\u{3b9}", "\u{1f91}\u{1f99}"), ("\u{1f22}\u{3b9}", "\u{1f92}\u{1f9a}"),
    ("\u{1f23}\u{3b9}", "\u{1f93}\u{1f9b}"), ("\u{1f24}\u{3b9}", "\u{1f94}\u{1f9c}"),
    ("\u{1f25}\u{3b9}", "\u{1f95}\u{1f9d}"), ("\u{1f26}\u{3b9}", "\u{1f96}\u{1f9e}"),
    ("\u{1f27}\u{3b9}", "\u{1f97}\u{1f9f}"), ("\u{1f60}\u{3b9}", "\u{1fa0}\u{1fa8}"),
    ("\u{1f61}\u{3b9}", "\u{1fa1}\u{1fa9}"), ("\u{1f62}\u{3b9}", "\u{1fa2}\u{1faa}"),
    ("\u{1f63}\u{3b9}", "\u{1fa3}\u{1fab}"), ("\u{1f64}\u{3b9}", "\u{1fa4}\u{1fac}"),
    ("\u{1f65}\u{3b9}", "\u{1fa5}\u{1fad}"), ("\u{1f66}\u{3b9}", "\u{1fa6}\u{1fae}"),
    ("\u{1f67}\u{3b9}", "\u{1fa7}\u{1faf}"), ("\u{1f70}\u{3b9}", "\u{1fb2}"), ("\u{1f74}\u{3b9}", "\u{1fc2}"),
    ("\u{1f7c}\u{3b9}", "\u{1ff2}"), ("i\u{307}", "\u{130}"), ("ffi", "\u{fb03}"), ("ffl", "\u{fb04}"),
    ("\u{3b1}\u{342}\u{3b9}", "\u{1fb7}"), ("\u{3b7}\u{342}\u{3b9}", "\u{1fc7}"),
    ("\u{3b9}\u{308}\u{300}", "\u{1fd2}"), ("\u{3b9}\u{308}\u{301}", "\u{390}\u{1fd3}"),
    ("\u{3b9}\u{308}\u{342}", "\u{1fd7}"), ("\u{3c5}\u{308}\u{300}", "\u{1fe2}"),
    ("\u{3c5}\u{308}\u{301}", "\u{3b0}\u{1fe3}"), ("\u{3c5}\u{308}\u{342}", "\u{1fe7}"),
    ("\u{3c5}\u{313}\u{300}", "\u{1f52}"), ("\u{3c5}\u{313}\u{301}", "\u{1f54}"),
    ("\u{3c5}\u{313}\u{342}", "\u{1f56}"), ("\u{3c9}\u{342}\u{3b9}", "\u{1ff7}"),
];

/// The set with both cases of each of its letters.
pub(super) fn closed(mut set: ClassUnicode) -> ClassUnicode {
    // This cannot fail with the Unicode tables, which this crate requests.
    let _ = set.try_case_fold_simple();
    set
}

fn of_one(c: char) -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new(c, c)])
}

/// The set as a class of the regex crate.
pub(super) fn written(set: &ClassUnicode) -> String {
    if set.ranges().is_empty() {
        return NONE.into();
    }
    let mut text = String::from("[");
    for range in set.ranges() {
        one(range.start(), &mut text);
        if range.start() < range.end() {
            text += "-";
            one(range.end(), &mut text);
        }
    }
    text += "]";
    text
}

/// Whether two characters are the same in lower case.
fn is_same(a: char, b: char) -> bool {
    a == b || closed(of_one(a)).ranges().iter().any(|range| (range.start()..=range.end()).contains(&b))
}

fn either_case(text: &str, out: &mut String) {
    for c in text.chars() {
        *out += &written(&closed(of_one(c)));
    }
}

/// What a case-insensitive class matches beside single characters: alternatives, each with a bar before it.
pub(super) fn several_in(set: &ClassUnicode) -> String {
    let has = |c: char| set.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c));
    let mut text = String::new();
    for (several, _) in SEVERAL.iter().filter(|(_, ones)| ones.chars().any(has)) {
        text += "|";
        either_case(several, &mut text);
    }
    text
}

/// Writes a case-insensitive text. Where several of its characters equal a single one, that one is matched at their
/// place: first for three characters, then two, then one, without overlaps. In a look-behind (`single`) each
/// character matches one character.
pub(super) fn text(text: &[char], single: bool, out: &mut String) {
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let front = |&&(several, _): &&(&str, &str)| {
            let length = several.chars().count();
            rest.len() >= length && several.chars().zip(rest).all(|(a, &b)| is_same(a, b))
        };
        // The longest comes first: entries of three characters stand after those of two.
        let found = if single { None } else { SEVERAL.iter().rev().find(front) };
        if let Some((several, ones)) = found {
            *out += "(?:";
            either_case(several, out);
            *out += "|[";
            ones.chars().for_each(|c| one(c, out));
            *out += "])";
            rest = &rest[several.chars().count()..];
            continue;
        }
        let is_several = SEVERAL.iter().find(|(_, ones)| ones.contains(first)).filter(|_| !single);
        match is_several {
            Some((several, _)) => {
                *out += "(?:";
                *out += &written(&closed(of_one(first)));
                *out += "|";
                either_case(several, out);
                *out += ")";
            }
            None => {
                let set = closed(of_one(first));
                match set.ranges() {
                    [range] if range.start() == range.end() => one(first, out),
                    _ => *out += &written(&set),
                }
            }
        }
        rest = after;
    }
}

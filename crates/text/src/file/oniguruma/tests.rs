//! Compares the matches of patterns with goldens of the library: `testdata/golden/patterns/make.py`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokenizers::tokenizer::pattern::Pattern;
use tokenizers::{NormalizedString, SplitDelimiterBehavior};

use super::{Spent, names, translate};
use crate::file::Limits;
use crate::file::pattern::Expression;

fn goldens() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/patterns/patterns.json.gz");
    let mut json = String::new();
    flate2::read::GzDecoder::new(&*std::fs::read(path).unwrap()).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

fn digest(text: &str) -> String {
    let bytes = Sha256::digest(text.as_bytes());
    bytes.iter().take(6).fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

fn translated(pattern: &str) -> Result<String, String> {
    translate(pattern, &mut Spent::default()).map_err(|refused| refused.why)
}

fn expression(pattern: &str) -> Result<Expression, String> {
    Expression::new(&translated(pattern)?, Limits::default())
}

fn replaced(expression: &Expression, text: &str) -> String {
    let found = expression.matches(text, &Limits::default().budget(1 << 30)).unwrap();
    let (mut out, mut done) = (String::new(), 0);
    for (start, end) in found {
        out += &text[done..start];
        out += "|";
        done = end;
    }
    out + &text[done..]
}

#[test]
fn names_mean_the_same_characters_as_in_the_library() {
    let goldens = goldens();
    let mut refused = Vec::new();
    for (name, golden) in goldens["sets"].as_object().unwrap() {
        let Ok(class) = translated(name) else {
            refused.push(name.as_str());
            continue;
        };
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for range in names::set_of(&class).unwrap().ranges() {
            let (start, end) = (u32::from(range.start()), u32::from(range.end()));
            match ranges.last_mut() {
                // The gap of the surrogates does not count.
                Some(last) if last.1 == 0xd7ff && start == 0xe000 => last.1 = end,
                _ => ranges.push((start, end)),
            }
        }
        let ranges: Vec<_> = ranges.iter().map(|(start, end)| format!("{start:x}-{end:x}")).collect();
        assert_eq!(golden.as_str(), Some(digest(&ranges.join(",")).as_str()), "{name}");
    }
    // These are blocks, scripts without characters, and names that the library does not know either.
    let known =
        ["\\p{Age_15.0}", "\\p{Age_1_1}", "\\p{InThai}", "\\p{In_CJK_Unified_Ideographs}", "\\p{In_Greek_and_Coptic}"];
    let none = ["\\p{IsGreek}", "\\p{Nonsense}", "\\p{Script_Extensions}", "\\p{Zzzz}", "\\p{gc=Lu}"];
    refused.sort_unstable();
    assert_eq!(refused, [&known[..], &none].concat());
}

#[test]
fn patterns_find_the_same_among_nearly_every_character() {
    let goldens = goldens();
    let alike: Vec<[u32; 2]> = serde_json::from_value(goldens["alike"].clone()).unwrap();
    let is_alike = |c: &char| alike.iter().any(|[low, high]| (*low..*high).contains(&u32::from(*c)));
    let many: Vec<char> = ('\0'..=char::MAX).filter(|c| !is_alike(c)).collect();
    let row = |c: &char| format!("{c}\u{b}{c}{c}\u{b}a{c}b\u{b}");
    let texts: Vec<String> = many.chunks(4096).map(|chunk| chunk.iter().map(row).collect()).collect();
    for case in goldens["every"].as_array().unwrap() {
        let (pattern, golden) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        let expression = expression(pattern).unwrap();
        let found: String = texts.iter().map(|text| replaced(&expression, text)).collect();
        assert_eq!(digest(&found), golden, "{pattern}");
    }
}

#[test]
fn letters_match_in_either_case_as_in_the_library() {
    let goldens = goldens();
    let text = goldens["all_cased"].as_str().unwrap();
    for case in goldens["cased"].as_array().unwrap() {
        let (letter, golden) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        let both = [format!("(?i){letter}"), format!("(?i)[{letter}]")];
        let found: String = both.iter().map(|pattern| replaced(&expression(pattern).unwrap(), text)).collect();
        assert_eq!(digest(&found), golden, "{letter:?}");
    }
}

#[test]
fn patterns_cut_and_replace_as_in_the_library_or_are_refused() {
    let goldens = goldens();
    let cases = goldens["cases"].as_array().unwrap();
    let (mut same, mut refused) = (0, BTreeMap::<String, usize>::new());
    for case in cases {
        let (pattern, rows) = (case[0].as_str().unwrap(), case[3].as_array().unwrap());
        let behavior = match case[1].as_str().unwrap() {
            "removed" => SplitDelimiterBehavior::Removed,
            "isolated" => SplitDelimiterBehavior::Isolated,
            "merged_with_previous" => SplitDelimiterBehavior::MergedWithPrevious,
            "merged_with_next" => SplitDelimiterBehavior::MergedWithNext,
            _ => SplitDelimiterBehavior::Contiguous,
        };
        let invert = case[2].as_bool().unwrap();
        let expression = match expression(pattern) {
            Ok(expression) => expression,
            Err(why) => {
                *refused.entry(why).or_default() += usize::from(!rows.is_empty());
                continue;
            }
        };
        for row in rows {
            let text = row[0].as_str().unwrap();
            assert_eq!(replaced(&expression, text), row[1].as_str().unwrap(), "{pattern:?} in {text:?}");
            let budget = Limits::default().budget(text.len());
            let within = || expression.within(&budget).inverted(invert);
            assert!(within().find_matches(text).is_ok());
            let pieces = NormalizedString::from(text).split(within(), behavior).unwrap();
            let pieces: Vec<_> = pieces.iter().map(NormalizedString::get).filter(|piece| !piece.is_empty()).collect();
            let expected: Vec<_> = row[2].as_array().unwrap().iter().map(|piece| piece.as_str().unwrap()).collect();
            assert_eq!(pieces, expected, "{pattern:?}, {}, {invert}, in {text:?}", case[1]);
            same += 1;
        }
    }
    // Most patterns get the library's meaning. The generated ones repeat parts that may match nothing more often than
    // people do.
    let refused: usize = refused.values().sum();
    assert!(same > 3500 && refused < cases.len() / 3, "{same} the same, {refused} of {} refused", cases.len());
}

#[test]
fn a_refusal_names_the_construct_and_its_place() {
    for (pattern, at, why) in [
        ("ab(?~c)", 2, "absent"),
        (r"a\K", 1, r"\\K"),
        (r"\p{InThai}", 0, "is a block"),
        (r"\p{Lemur}", 0, "not a known property"),
        ("x(?:a*)*|(?:a|b?)+", 17, "may be empty"),
        ("a[b-\\w]", 1, "ends with a set"),
        ("a[z-a]", 1, "before it begins"),
        ("a[", 1, "without an end"),
        ("a(b", 1, "without an end"),
        ("a)", 1, "closes no group"),
        ("(?<=a\\b.*)c", 0, "look-behind"),
        ("(?i:(a)\\1)", 7, "in any case"),
        ("(?s)a", 0, "not a group or option"),
        ("(?W)a", 0, "not supported"),
        ("\\g<0>", 0, "called from elsewhere"),
        ("\\1", 0, "does not exist"),
        ("*a", 0, "repeats nothing"),
        ("^*", 1, "repeats a place"),
        ("a{100001}", 1, "more often"),
        ("\\x{110000}", 0, "not a character"),
        ("\\xff", 0, "not UTF-8"),
        ("(?{x})", 0, "callout"),
        ("(?(1)a|b)", 0, "condition"),
        ("a\\", 1, "ends the pattern"),
        ("\\b.*", 0, "does not look everywhere"),
        ("a\\G", 1, "at the front"),
    ] {
        let refused = translate(pattern, &mut Spent::default()).unwrap_err();
        assert!(refused.at == at && refused.why.contains(why), "{pattern}: {refused:?}");
        assert!(refused.explain(pattern).contains(&format!("at its character {at}")));
    }
}

/// The size of translated patterns is bounded, for all patterns of a file together.
#[test]
fn patterns_do_not_grow_without_bound() {
    for pattern in
        ["(?i)[\\w]".repeat(2000), "\\b".repeat(8000), "\\X".repeat(200), "((".repeat(8000), "[[".repeat(8000)]
    {
        assert!(translate(&pattern, &mut Spent::default()).is_err());
    }
    let mut spent = Spent::default();
    let results: Vec<_> = (0..200).map(|_| translate(r"\bx", &mut spent).is_ok()).collect();
    assert!(results[..64].iter().all(|&fits| fits) && !results[64]);
}

//! Compares the steps with the library's, and the scanners with the patterns that they stand for.

use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper};

use super::scanner::Scanner;
use super::{Cuts, Pieces};
use crate::compiled::Aligned;
use crate::compiled::pattern::Pattern;
use crate::file::Limits;
use crate::file::oniguruma::{Spent, translate};
use crate::split::scanners::Numbers;

/// Every kind of character that a scanner or a step treats differently.
const KINDS: &[char] = &[
    'a',
    'l',
    's',
    'A',
    '\u{17f}',
    '\u{6587}',
    '\u{301}',
    ' ',
    '\n',
    '\u{a0}',
    '\'',
    '7',
    '\u{b2}',
    '!',
    '/',
    '\0',
    '\u{30a2}',
    '\u{30fb}',
    '\u{3099}',
    '\u{3042}',
    '$',
    '\u{2581}',
    '_',
    '\u{1f600}',
];

fn split(pattern: &str, behavior: &str, invert: bool) -> Value {
    json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": behavior, "invert": invert })
}

fn with_lines(numbers: &str) -> String {
    [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|",
        numbers,
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ]
    .concat()
}

fn with_case(numbers: &str, ending: &str) -> String {
    let lower = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+";
    let upper = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*";
    let rest = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    [lower, ending, "|", upper, ending, "|", numbers, rest].concat()
}

/// All known patterns of one step, and whether pieces are their matches.
fn known() -> Vec<(String, bool, Scanner)> {
    let endings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    let o200k = |numbers, contractions| Scanner::O200k { numbers, contractions };
    vec![
        (Scanner::BYTE_LEVEL.to_owned(), false, Scanner::Gpt2),
        (with_lines(r"\p{N}"), false, Scanner::Lines(Numbers::One)),
        (with_lines(r"\p{N}{1,3}"), false, Scanner::Lines(Numbers::Three)),
        (with_lines(r"\p{N}+"), true, Scanner::Lines(Numbers::All)),
        (with_case(r"\p{N}{1,3}", endings), false, o200k(Numbers::Three, true)),
        (with_case(r"\p{N}", ""), true, o200k(Numbers::One, false)),
        (r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+".to_owned(), true, Scanner::Clip),
    ]
}

/// The library's step, with its patterns rewritten for the engine of the crate here.
fn theirs(step: &Value) -> PreTokenizerWrapper {
    let mut step = step.clone();
    rewrite(&mut step);
    serde_json::from_value(step).unwrap()
}

fn rewrite(step: &mut Value) {
    if let Some(Value::String(pattern)) = step.get_mut("pattern").and_then(|pattern| pattern.get_mut("Regex")) {
        *pattern = translate(pattern, &mut Spent::default()).unwrap();
    }
    step.get_mut("pretokenizers").and_then(Value::as_array_mut).into_iter().flatten().for_each(rewrite);
}

fn ours(step: &Value) -> Cuts {
    Cuts::compile(step, false, Limits::default(), &mut Spent::default()).unwrap()
}

/// Checks pieces and their places in a text; also without places.
fn check(ours: &Cuts, theirs: &PreTokenizerWrapper, text: &str) {
    let mut library = PreTokenizedString::from(text);
    theirs.pre_tokenize(&mut library).unwrap();
    let expected: Vec<(String, (u32, u32))> = library
        .get_splits(OffsetReferential::Original, OffsetType::Byte)
        .into_iter()
        .map(|(piece, (start, end), _)| (piece.to_owned(), (start as u32, end as u32)))
        .collect();
    let budget = Limits::default().budget(text.len());
    let mut pieces = Pieces::default();
    for with_places in [true, false] {
        let aligned = Aligned::of(text, 0);
        let places = with_places.then_some(aligned.places.as_slice());
        ours.run(text, true, places, &budget, &mut pieces).unwrap();
        let found: Vec<_> = pieces
            .list
            .iter()
            .enumerate()
            .map(|(i, &(start, end))| {
                let piece = pieces.text(text)[start as usize..end as usize].to_owned();
                let of = pieces.places().get(start as usize..end as usize).unwrap_or_default();
                let known = expected.get(i).map_or((0, 0), |(_, place)| *place);
                let place = of.first().zip(of.last()).map_or(known, |(first, last)| (first.0, last.1));
                (piece, place)
            })
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }
}

fn all_texts(kinds: &[char], length: u32) -> impl Iterator<Item = String> {
    (0..kinds.len().pow(length))
        .map(move |number| (0..length).map(|place| kinds[number / kinds.len().pow(place) % kinds.len()]).collect())
}

#[test]
fn scanners_match_as_their_patterns_do() {
    let budget = Limits::default().budget(1 << 30);
    for (source, only_matches, scanner) in known() {
        let known = if only_matches { Scanner::matching(&source) } else { Scanner::covering(&source) };
        assert_eq!(known, Some(scanner), "{source}");
        let pattern = Pattern::of_scanner(&source, Limits::default()).unwrap();
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let near = ['a', 'A', '\u{6587}', '\u{301}', '!', '\'', 's', ' ', '\n'];
        for text in all_texts(KINDS, 3).chain(all_texts(&near, 5)) {
            pattern.find_all(&text, &budget, &mut expected).unwrap();
            found.clear();
            scanner.cut(&text, 0, text.len(), &mut found);
            let found: Vec<_> = found.iter().map(|&(start, end)| (start as usize, end as usize)).collect();
            assert_eq!(found, expected, "{source}: {text:?}");
        }
    }
}

#[test]
fn deep_seek_is_its_three_patterns() {
    let steps = Scanner::DEEPSEEK.map(|source| split(source, "Isolated", false));
    let step = json!({ "type": "Sequence", "pretokenizers": steps });
    let (ours, theirs) = (ours(&step), theirs(&step));
    assert_eq!(ours.steps.len(), 1);
    let near = ['a', '\u{6587}', '\u{30fb}', '\u{3099}', '!', '7', ' ', '\n', '\0'];
    for text in all_texts(KINDS, 2).chain(all_texts(&near, 4)) {
        check(&ours, &theirs, &text);
    }
}

/// Steps of all kinds.
fn steps() -> Vec<Value> {
    let byte_level = |prefix: bool, regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": regex });
    let metaspace = |scheme: &str, split: bool| json!({ "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": scheme, "split": split });
    let mut steps = vec![
        json!({ "type": "BertPreTokenizer" }),
        json!({ "type": "Whitespace" }),
        json!({ "type": "WhitespaceSplit" }),
        json!({ "type": "Digits", "individual_digits": true }),
        json!({ "type": "Digits", "individual_digits": false }),
        json!({ "type": "CharDelimiterSplit", "delimiter": "a" }),
        json!({ "type": "FixedLength", "length": 2 }),
        byte_level(true, true),
        byte_level(false, true),
        byte_level(true, false),
    ];
    for scheme in ["always", "first", "never"] {
        steps.extend([metaspace(scheme, true), metaspace(scheme, false)]);
    }
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] {
        steps.push(json!({ "type": "Punctuation", "behavior": behavior }));
        for invert in [false, true] {
            steps.extend([split("[a7]", behavior, invert), split(r"\s+|a|", behavior, invert)]);
            let text = json!({ "type": "Split", "pattern": { "String": " " }, "behavior": behavior, "invert": invert });
            steps.push(text);
        }
    }
    steps.extend(known().into_iter().map(|(source, only_matches, _)| match only_matches {
        true => split(&source, "Removed", true),
        false => split(&source, "Isolated", false),
    }));
    steps
}

#[test]
fn each_step_alone_is_the_librarys() {
    for step in steps() {
        let (ours, theirs) = (ours(&step), theirs(&step));
        for text in all_texts(KINDS, 2).chain(all_texts(&['a', ' ', '\u{2581}', '7', '\n'], 4)) {
            check(&ours, &theirs, &text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn sequences_of_steps_are_the_librarys(
        chosen in proptest::collection::vec(proptest::sample::select(steps()), 1..4),
        texts in proptest::collection::vec(
            proptest::collection::vec(proptest::sample::select(KINDS), 0..24).prop_map(|text| text.into_iter().collect::<String>()),
            8,
        ),
    ) {
        let step = json!({ "type": "Sequence", "pretokenizers": chosen });
        let Ok(ours) = Cuts::compile(&step, false, Limits::default(), &mut Spent::default()) else { return Ok(()) };
        let theirs = theirs(&step);
        for text in texts {
            check(&ours, &theirs, &text);
        }
    }
}

//! Parts that are implemented here instead of in the library, to bound time and memory, give the library's results.
#![allow(clippy::expect_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenbed_text::{SpecialPolicy, SpecialSet, Tokenizer};

fn added(index: usize, content: &str, [single_word, lstrip, rstrip, normalized, special]: [bool; 5]) -> Value {
    json!({ "id": index, "content": content, "single_word": single_word, "lstrip": lstrip, "rstrip": rstrip,
            "normalized": normalized, "special": special })
}

/// Checks that the ids are equal, unless the library panics.
fn same_as_the_library(file: &Value, text: &str) -> Result<(), TestCaseError> {
    let json = file.to_string();
    let Ok(library) = tokenizers::Tokenizer::from_bytes(&json) else { return Ok(()) };
    let Ok(expected) = catch_unwind(AssertUnwindSafe(|| library.encode(text, false))) else { return Ok(()) };
    let it = Tokenizer::from_json("test", json.as_bytes()).expect("a tokenizer");
    let mut ids = Vec::new();
    let special = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };
    let result = it.encode(text, &special, &mut ids);
    match expected {
        Ok(expected) => prop_assert_eq!(&ids, expected.get_ids(), "{} of {:?}", json, text),
        Err(_) => prop_assert!(result.is_err()),
    }
    Ok(())
}

/// Patterns with the same meaning in fancy-regex. The library's own engine is not part of any test;
/// `testdata/golden/patterns` has its results for others.
const PATTERNS: &[&str] = &[
    "a",
    "a*",
    "\\s+(?!\\S)|\\s+",
    "(?=b)",
    "\\w+",
    "'s|'t| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "\\Ga",
    "(a)\\1",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn added_tokens_are_those_of_the_library(tokens in prop::collection::vec(("[ab\n ]{1,3}|<x>", any::<[bool; 5]>()), 0..4), text in "[ab\n <>xAB\u{e9}]{0,24}", lower: bool) {
        let tokens: Vec<_> = tokens.iter().enumerate().map(|(i, (content, how))| added(10 + i, content, *how)).collect();
        let normalizer = if lower { json!({ "type": "Lowercase" }) } else { Value::Null };
        let vocab = json!({ "a": 0, "b": 1, "[UNK]": 2, "ab": 3 });
        let cut = json!({ "type": "Split", "pattern": { "String": "" }, "behavior": "Isolated", "invert": false });
        let model = json!({ "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" });
        same_as_the_library(&json!({ "added_tokens": tokens, "normalizer": normalizer, "pre_tokenizer": cut, "model": model }), &text)?;
    }

    #[test]
    fn word_pieces_are_those_of_the_library(vocab in prop::collection::hash_set("(##)?[ab\u{e9}\u{4e00}]{1,4}|#{0,3}", 0..12), prefix in "(##)?|a", text in "[ab\u{e9}\u{4e00}# ]{0,20}", most in 0usize..9) {
        let mut vocab: serde_json::Map<_, _> = vocab.iter().zip(1..).map(|(token, id)| (token.clone(), json!(id))).collect();
        vocab.insert("[UNK]".into(), json!(0));
        let model = json!({ "type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]", "continuing_subword_prefix": prefix, "max_input_chars_per_word": most });
        same_as_the_library(&json!({ "added_tokens": [], "pre_tokenizer": { "type": "WhitespaceSplit" }, "model": model }), &text)?;
    }

    #[test]
    fn patterns_match_as_in_the_library(which in prop::sample::select(PATTERNS), content in "[ab]{0,2}", text in "[ab1' \n\u{e9}\u{4e00}]{0,20}", invert: bool,
                behavior in prop::sample::select(&["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"][..])) {
        let letters = ["a", "b", "1", "'", " ", "\n", "\u{e9}", "\u{4e00}"];
        let vocab: Vec<_> = [["<unk>", "aa"].as_slice(), &letters].concat().iter().map(|token| json!([token, -1.0])).collect();
        let model = json!({ "type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false });
        let pattern = json!({ "Regex": which });
        let cut = json!({ "type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert });
        same_as_the_library(&json!({ "added_tokens": [], "pre_tokenizer": cut, "model": model }), &text)?;
        let replaced = json!({ "type": "Replace", "pattern": pattern, "content": content });
        same_as_the_library(&json!({ "added_tokens": [], "normalizer": replaced, "model": model }), &text)?;
    }
}

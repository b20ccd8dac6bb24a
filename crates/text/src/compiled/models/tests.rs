//! The models give the library's ids and offsets. No regular expression is involved, so the crate is the reference.

use super::byte_bpe::ByteBpe;
use super::{CharBpe, Encode, Settings, WordLevel, WordPiece, letters};
use crate::compiled::{MARK, Memo, NotNative, Tokens};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::{Model, ModelWrapper};

/// The tokens of a vocabulary, as the reader of files gives them.
fn tokens(vocab: &serde_json::Map<String, Value>) -> Result<Tokens, NotNative> {
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    for (token, id) in vocab {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(token.as_bytes());
        places.push((start, bytes.len() as u32, id.as_u64().unwrap() as u32));
    }
    Tokens::new(bytes, &places)
}

fn compiled(model: &Value) -> Result<Box<dyn Encode>, NotNative> {
    let settings: Settings = model.as_object().unwrap().clone();
    let tokens = tokens(model["vocab"].as_object().unwrap())?;
    Ok(match model["type"].as_str().unwrap() {
        "WordPiece" => Box::new(WordPiece::compile(&settings, tokens)?),
        "WordLevel" => Box::new(WordLevel::compile(&settings, tokens)?),
        _ => {
            let id = |token: &Value| tokens.get(token.as_str().unwrap().as_bytes()).unwrap();
            let merges = model["merges"].as_array().unwrap();
            let merges: Vec<_> = merges.iter().map(|merge| (id(&merge[0]), id(&merge[1]))).collect();
            Box::new(CharBpe::compile(&settings, tokens, &merges)?)
        }
    })
}

/// Checks that ids and offsets are the library's. Returns whether the model was compiled.
fn same(model: &Value, texts: &[String]) -> Result<bool, TestCaseError> {
    let Ok(library) = serde_json::from_value::<ModelWrapper>(model.clone()) else { return Ok(false) };
    let Ok(it) = compiled(model) else { return Ok(false) };
    let mut memo = Memo::new();
    // Each text twice, the second time from the memory.
    for text in texts.iter().chain(texts).filter(|text| !text.is_empty()) {
        let (mut ids, mut again, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let done = it.encode(text, &mut memo, &mut ids);
        let placed = it.encode_places(text, &mut again, &mut places);
        match library.tokenize(text) {
            Ok(tokens) => {
                prop_assert_eq!(done, Ok(()), "{} of {:?}", model, text);
                prop_assert_eq!(placed, Ok(()));
                let expected: Vec<_> = tokens.iter().map(|token| token.id).collect();
                prop_assert_eq!(&ids, &expected, "{} of {:?}", model, text);
                prop_assert_eq!(&again, &expected, "{} of {:?}", model, text);
                let expected: Vec<_> = tokens.iter().map(|it| (it.offsets.0 as u32, it.offsets.1 as u32)).collect();
                prop_assert_eq!(&places, &expected, "{} of {:?}", model, text);
            }
            Err(_) => {
                prop_assert!(done.is_err() && placed.is_err(), "{} of {:?}", model, text);
            }
        }
        same_unmarked(&library, it.as_ref(), text, &mut memo)?;
    }
    Ok(true)
}

/// Checks that spaces are read as marks: the library gets a text with marks, and the model one with a space in the
/// place of every other of them.
fn same_unmarked(library: &ModelWrapper, it: &dyn Encode, text: &str, memo: &mut Memo) -> Result<(), TestCaseError> {
    let mut spaced = String::new();
    for (at, part) in text.split(MARK).enumerate() {
        let between = [MARK_TEXT, " "][at % 2];
        spaced.push_str(if at == 0 { "" } else { between });
        spaced.push_str(part);
    }
    let mut ids = Vec::new();
    let done = it.encode_unmarked(&spaced, memo, &mut ids);
    match library.tokenize(&spaced.replace(' ', MARK_TEXT)) {
        Ok(tokens) => {
            prop_assert_eq!(done, Ok(()));
            prop_assert_eq!(ids, tokens.iter().map(|token| token.id).collect::<Vec<_>>(), "{:?}", spaced);
        }
        Err(_) => prop_assert!(done.is_err(), "{:?}", spaced),
    }
    Ok(())
}

const MARK_TEXT: &str = "\u{2581}";

/// A vocabulary of these tokens.
fn vocab(tokens: impl IntoIterator<Item = String>) -> serde_json::Map<String, Value> {
    let mut vocab = serde_json::Map::new();
    for token in tokens {
        let id = vocab.len();
        vocab.entry(token).or_insert(json!(id));
    }
    vocab
}

/// A model of merges: letters, then pairs of earlier tokens by their numbers, in random order.
fn bpe(letters: &str, halves: &[(usize, usize)], order: u64, settings: &Value, more: &[String]) -> Value {
    let prefix = settings["continuing_subword_prefix"].as_str().unwrap_or_default();
    let suffix = settings["end_of_word_suffix"].as_str().unwrap_or_default();
    let mut tokens: Vec<String> = Vec::new();
    for c in letters.chars() {
        tokens.push(c.to_string());
        for extra in [format!("{prefix}{c}"), format!("{c}{suffix}"), format!("{prefix}{c}{suffix}")] {
            if !tokens.contains(&extra) {
                tokens.push(extra);
            }
        }
    }
    tokens.extend(more.iter().cloned());
    let mut merges = Vec::new();
    for &(left, right) in halves {
        let (left, right) = (tokens[left % tokens.len()].clone(), tokens[right % tokens.len()].clone());
        let Some(rest) = right.get(prefix.len()..) else { continue };
        let made = format!("{left}{rest}");
        if made.len() < 24 {
            if !tokens.contains(&made) {
                tokens.push(made);
            }
            merges.push(json!([left, right]));
        }
    }
    // Ranks need not follow the order in which tokens were made.
    let mut state = order | 1;
    for at in (1..merges.len()).rev() {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        merges.swap(at, (state >> 33) as usize % (at + 1));
    }
    let mut model = settings.clone();
    model["type"] = json!("BPE");
    model["vocab"] = Value::Object(vocab(tokens));
    model["merges"] = Value::Array(merges);
    model
}

fn settings() -> impl Strategy<Value = Value> {
    let unk = prop_oneof![Just(Value::Null), Just(json!("<unk>")), Just(json!("a")), Just(json!("?"))];
    let mark = || prop_oneof![4 => Just(Value::Null), 1 => Just(json!("##")), 1 => Just(json!("</w>"))];
    (unk, any::<[bool; 3]>(), mark(), mark()).prop_map(|(unk, [fuse, bytes, whole], prefix, suffix)| {
        json!({ "dropout": null, "unk_token": unk, "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix,
                "fuse_unk": fuse, "byte_fallback": bytes, "ignore_merges": whole })
    })
}

/// Tokens for unknown characters: none, a few, or those of all bytes.
fn more() -> impl Strategy<Value = Vec<String>> {
    let byte = |byte: u8| format!("<0x{byte:02X}>");
    prop_oneof![
        Just(Vec::new()),
        Just(vec!["<unk>".to_owned()]),
        Just((0..=255).map(byte).chain(["<unk>".to_owned()]).collect::<Vec<_>>()),
        Just(vec![byte(0xc3), byte(0xa9), byte(b'x'), "<unk>".to_owned()]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn merges_are_those_of_the_library(
        letters in "[abc\u{2581}\u{e9}\u{4e00}]{1,6}",
        halves in prop::collection::vec((0usize..24, 0usize..24), 0..24),
        order: u64,
        settings in settings(),
        more in more(),
        texts in prop::collection::vec("[abc\u{2581}\u{e9}\u{4e00}x\u{df}\u{1f600}]{0,80}", 1..4),
    ) {
        same(&bpe(&letters, &halves, order, &settings, &more), &texts)?;
    }

    #[test]
    fn merges_of_bytes_are_those_of_the_library(
        // Letters of a, b, the space, the line break, and the two bytes of an e with an accent.
        letters in "[ab\u{120}\u{10a}]{1,4}(\u{c3}\u{a9})?",
        halves in prop::collection::vec((0usize..24, 0usize..24), 0..24),
        order: u64,
        settings in settings(),
        texts in prop::collection::vec("[ab\u{e9} \n]{0,80}", 1..4),
    ) {
        let mut settings = settings;
        settings["byte_fallback"] = json!(false);
        settings["continuing_subword_prefix"] = Value::Null;
        let model = bpe(&letters, &halves, order, &settings, &["<unk>".to_owned(), "\u{4e00}".to_owned()]);
        let library: ModelWrapper = serde_json::from_value(model.clone()).unwrap();
        let tokens = tokens(model["vocab"].as_object().unwrap()).unwrap();
        let id = |token: &Value| tokens.get(token.as_str().unwrap().as_bytes()).unwrap();
        let merges: Vec<_> = model["merges"].as_array().unwrap().iter().map(|it| (id(&it[0]), id(&it[1]))).collect();
        let Ok(it) = ByteBpe::compile(model.as_object().unwrap(), tokens, &merges) else {
            prop_assert!(model["unk_token"] != json!("<unk>"));
            return Ok(());
        };
        for (token, id) in model["vocab"].as_object().unwrap() {
            let id = id.as_u64().unwrap() as u32;
            prop_assert_eq!((it.id_of(token), it.token(id).unwrap()), (Some(id), token.as_str().into()));
        }
        let mut memo = Memo::new();
        for text in texts.iter().chain(&texts).filter(|text| !text.is_empty()) {
            let spelled = letters::of_bytes(text.as_bytes());
            let expected = library.tokenize(&spelled).unwrap();
            let (mut ids, mut again, mut places) = (Vec::new(), Vec::new(), Vec::new());
            prop_assert_eq!(it.encode(text, &mut memo, &mut ids), Ok(()));
            prop_assert_eq!(it.encode_places(text, &mut again, &mut places), Ok(()));
            let expected_ids: Vec<_> = expected.iter().map(|token| token.id).collect();
            prop_assert_eq!(&ids, &expected_ids, "{} of {:?}", model, text);
            prop_assert_eq!(&again, &expected_ids, "{} of {:?}", model, text);
            // Bytes that are left out shift the places of what follows.
            if expected.last().is_some_and(|last| last.offsets.1 == spelled.len()) {
                let byte = |at: usize| spelled[..at].chars().count() as u32;
                let expected: Vec<_> = expected.iter().map(|it| (byte(it.offsets.0), byte(it.offsets.1))).collect();
                prop_assert_eq!(&places, &expected, "{} of {:?}", model, text);
            }
        }
    }

    #[test]
    fn word_pieces_are_those_of_the_library(
        tokens in prop::collection::hash_set("(##)?[ab\u{e9}\u{4e00}]{1,4}|#{0,3}|a{60,70}|##b{62,64}", 0..14),
        prefix in "(##)?|a",
        unknown: bool,
        most in 0usize..90,
        texts in prop::collection::vec("[ab\u{e9}\u{4e00}# ]{0,20}|a{50,80}|ab{55,80}", 1..4),
    ) {
        let tokens = tokens.into_iter().chain(unknown.then(|| "[UNK]".to_owned()));
        let model = json!({ "type": "WordPiece", "vocab": vocab(tokens), "unk_token": "[UNK]",
                            "continuing_subword_prefix": prefix, "max_input_chars_per_word": most });
        prop_assert!(same(&model, &texts)?);
    }

    #[test]
    fn words_are_those_of_the_library(
        tokens in prop::collection::hash_set("[ab]{1,3}|<unk>", 0..6),
        texts in prop::collection::vec("[ab]{0,4}", 1..4),
    ) {
        let model = json!({ "type": "WordLevel", "vocab": vocab(tokens), "unk_token": "<unk>" });
        prop_assert!(same(&model, &texts)?);
    }
}

//! Tokenizers from files. Every kind of decoder, token by token, is compared with the library's own on the whole list.

use proptest::prelude::*;
use serde_json::{Value, json};
use tokenbed_text::{PaddedRows, Padding, RowOptions, Side, SpecialPolicy, SpecialSet, TextError, Tokenizer};

/// Tokens that decoders treat specially.
const TOKENS: &[&str] = &[
    "a",
    "b",
    "##c",
    "##",
    " ",
    "  ",
    "\u{2581}",
    "\u{2581}d",
    "e\u{2581}",
    "\u{2581}\u{2581}",
    "f</w>",
    "</w>",
    "|",
    "<pad>",
    "<0x41>",
    "<0xC3>",
    "<0xA9>",
    "<0xF0>",
    "<0xZZ>",
    "Ġg",
    "Ã",
    "©",
    "ðŁ",
    "ĳ",
    "é",
    ".",
    " .",
    " n't",
    "do",
    " not",
    "ab",
    "aba",
    "ba",
    "<s>",
];

fn file(decoder: &Value) -> Vec<u8> {
    let vocab: serde_json::Map<_, _> =
        TOKENS.iter().zip(0..).map(|(&token, id)| (token.to_owned(), json!(id))).collect();
    let special = json!({
        "id": TOKENS.len() - 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true
    });
    let model = json!({ "type": "WordLevel", "vocab": vocab, "unk_token": "a" });
    json!({ "version": "1.0", "added_tokens": [special], "decoder": decoder, "model": model }).to_string().into_bytes()
}

fn replace(pattern: &str, content: &str) -> Value {
    json!({ "type": "Replace", "pattern": { "String": pattern }, "content": content })
}

fn strip(content: &str, start: usize, stop: usize) -> Value {
    json!({ "type": "Strip", "content": content, "start": start, "stop": stop })
}

fn sequence(decoders: &[Value]) -> Value {
    json!({ "type": "Sequence", "decoders": decoders })
}

fn decoders() -> Vec<Value> {
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true });
    let byte_fallback = json!({ "type": "ByteFallback" });
    let fuse = json!({ "type": "Fuse" });
    let metaspace =
        |scheme| json!({ "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": scheme, "split": true });
    let word_piece = |cleanup| json!({ "type": "WordPiece", "prefix": "##", "cleanup": cleanup });
    let ctc = json!({ "type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true });
    let bpe = json!({ "type": "BPEDecoder", "suffix": "</w>" });
    let regex = json!({ "type": "Replace", "pattern": { "Regex": "a+b?" }, "content": "x" });
    vec![
        Value::Null,
        byte_level.clone(),
        byte_fallback.clone(),
        fuse.clone(),
        metaspace("always"),
        metaspace("never"),
        word_piece(true),
        word_piece(false),
        ctc.clone(),
        bpe.clone(),
        regex.clone(),
        replace("\u{2581}", " "),
        strip(" ", 1, 0),
        sequence(&[replace("\u{2581}", " "), byte_fallback.clone(), fuse.clone(), strip(" ", 1, 0)]),
        sequence(&[fuse.clone(), replace("aba", "z"), replace("ab", "")]),
        sequence(&[fuse.clone(), regex, strip("x", 2, 0)]),
        sequence(&[byte_level.clone(), replace("é", "e"), fuse.clone()]),
        sequence(&[sequence(&[byte_fallback, metaspace("first")]), ctc, fuse.clone(), byte_level]),
        sequence(&[fuse.clone(), metaspace("always"), word_piece(true)]),
        sequence(&[bpe.clone(), fuse, bpe]),
        sequence(&[]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn decoding_equals_the_librarys_in_any_parts(ids in prop::collection::vec(0..TOKENS.len() as u32, 0..14), cut in 0usize..14, skip: bool) {
        for decoder in decoders() {
            let json = file(&decoder);
            let library = tokenizers::Tokenizer::from_bytes(&json).unwrap();
            let tokenizer = Tokenizer::from_json("test", &json).unwrap();
            // The library itself needs at least one token.
            let left = ids.iter().any(|&id| !skip || id as usize != TOKENS.len() - 1);
            let expected = if left { library.decode(&ids, skip).unwrap() } else { String::new() };
            prop_assert_eq!(&tokenizer.decode_with(&ids, skip).unwrap(), &expected, "{}", decoder);
            let mut stream = tokenizer.decoder(skip);
            let (first, second) = ids.split_at(cut.min(ids.len()));
            let mut text = stream.write(first).unwrap();
            for &id in second {
                text += &stream.write(&[id]).unwrap();
            }
            text += &stream.end().unwrap();
            prop_assert_eq!(text, expected, "{}", decoder);
        }
    }

    /// The library itself would panic on tokens that are too short; here they give a text.
    #[test]
    fn stripping_both_sides_never_panics(ids in prop::collection::vec(0..TOKENS.len() as u32, 0..10)) {
        let whole: String = ids.iter().map(|&id| TOKENS[id as usize]).collect();
        let stripped = |text: &str| {
            let text = text.strip_prefix(' ').unwrap_or(text);
            let text = text.strip_suffix(' ').unwrap_or(text);
            text.strip_suffix(' ').unwrap_or(text).to_owned()
        };
        let fused = Tokenizer::from_json("test", &file(&sequence(&[json!({ "type": "Fuse" }), strip(" ", 1, 2)]))).unwrap();
        prop_assert_eq!(fused.decode(&ids).unwrap(), stripped(&whole));
        let each = Tokenizer::from_json("test", &file(&strip(" ", 1, 2))).unwrap();
        prop_assert_eq!(each.decode(&ids).unwrap(), ids.iter().map(|&id| stripped(TOKENS[id as usize])).collect::<String>());
    }
}

#[test]
fn a_template_that_cannot_be_used_is_an_error() {
    let template = |single: Value| {
        let mut json: Value = serde_json::from_slice(&file(&Value::Null)).unwrap();
        let largest = json!({ "x": { "id": "x", "ids": [u32::MAX], "tokens": ["x"] } });
        json["post_processor"] =
            json!({ "type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": largest });
        Tokenizer::from_json("test", json.to_string().as_bytes()).map(|_| ())
    };
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    assert_eq!(template(json!([text])), Ok(()));
    // An id that is used inside to stand for the text is not mistaken for it.
    let other = json!({ "SpecialToken": { "id": "x", "type_id": 0 } });
    for single in [json!([]), json!([text, text]), json!([other])] {
        let error = template(single).unwrap_err();
        assert!(
            matches!(&error, TextError::TokenizerFile { reason, .. } if reason.contains("post_processor: it takes the text")),
            "{error}"
        );
    }
}

#[test]
fn rows_have_room_or_an_error() {
    let tokenizer = Tokenizer::from_json("test", &file(&Value::Null)).unwrap();
    let special = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };
    for (cut, kept) in [(Side::Right, [0, 33]), (Side::Left, [33, 1])] {
        let options = RowOptions { special: special.clone(), framed: true, max_length: Some(2), cut };
        let batch = tokenizer.encode_rows(&["a<s>b", ""], &options, 2).unwrap();
        // The word model has tokens for the text between special tokens.
        assert_eq!(batch.rows().collect::<Vec<_>>(), [&kept[..], &[]]);
    }
}

#[test]
fn padding_never_cuts() {
    let tokenizer = Tokenizer::from_json("test", &file(&Value::Null)).unwrap();
    let special = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };
    let batch = tokenizer.encode_batch(&["a<s>b", "a", ""], &special, 1).unwrap();
    assert_eq!(batch.rows().collect::<Vec<_>>(), [&[0, 33, 1][..], &[0], &[]]);
    let padded = |length: Option<usize>, side| {
        let padding = Padding { length, multiple: 1, id: 9, side };
        let length = batch.padded_length(padding)?;
        let (mut ids, mut mask, mut lengths) = (vec![-1; 3 * length], vec![7; 3 * length], vec![7; 3]);
        batch.pad(padding, PaddedRows { ids: &mut ids, mask: &mut mask, lengths: &mut lengths })?;
        Ok::<_, TextError>((ids, mask, lengths))
    };
    let (ids, mask) = (vec![0, 33, 1, 0, 9, 9, 9, 9, 9], vec![1, 1, 1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(padded(None, Side::Right), Ok((ids, mask, vec![3, 1, 0])));
    let ids = vec![9, 0, 33, 1, 9, 9, 9, 0, 9, 9, 9, 9];
    let mask = vec![0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(padded(Some(4), Side::Left), Ok((ids, mask, vec![3, 1, 0])));
    assert!(matches!(padded(Some(2), Side::Right), Err(TextError::Length { found: 3, expected: 2, .. })));
    let too_large = Padding { length: None, multiple: 1, id: u32::MAX, side: Side::Right };
    assert!(matches!(batch.padded_length(too_large), Err(TextError::IdTooLarge { .. })));
    let no_room = PaddedRows { ids: &mut [0; 8], mask: &mut [0; 9], lengths: &mut [0; 3] };
    let padding = Padding { length: None, multiple: 1, id: 9, side: Side::Right };
    assert!(matches!(batch.pad(padding, no_room), Err(TextError::Length { found: 8, expected: 9, .. })));
}

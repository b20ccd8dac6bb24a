//! Properties that hold for any bytes. The fuzz targets run them, and so does a property test on every compiler.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use tokenbed_testkit::memory::{Counting, within};
use tokenbed_text::{Encoding, Engine, Limits, Origin, SpecialPolicy, SpecialSet, TextError, TextStream, Tokenizer};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static TOKENIZERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let load = |name: &str| {
        let encoding = Encoding::named(name).expect("a known encoding");
        let path = format!("{}/vocab/{}.br", root(), encoding.vocabulary);
        let packed = std::fs::read(path).expect("`npm run build` makes the vocabularies");
        let mut ranks = Vec::new();
        brotli_decompressor::Decompressor::new(&packed[..], 4096).read_to_end(&mut ranks).expect("brotli");
        Tokenizer::new(encoding, &ranks).expect("a sound vocabulary")
    };
    ["gpt2", "cl100k_base", "o200k_base"].map(load).into()
});

/// Path of the project's folder from the crate or from its fuzz crate.
fn root() -> &'static str {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_fuzz = crate_folder.ends_with("fuzz");
    if is_fuzz {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../..")
    } else {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../..")
    }
}

fn encoded(it: &Tokenizer, text: &str, policy: &SpecialPolicy) -> Result<Vec<u32>, TextError> {
    let mut ids = vec![7];
    let result = it.encode(text, policy, &mut ids);
    assert_eq!(ids.first(), Some(&7), "what stood in the output is kept");
    result.map(|()| ids.split_off(1))
}

/// Under every policy decoding inverts encoding, counts equal the number of ids, and a batch has the ids of its
/// texts. The first byte is the number of threads, the others are text.
pub fn encode(data: &[u8]) {
    let Some((&threads, bytes)) = data.split_first() else { return };
    let text = &*String::from_utf8_lossy(bytes);
    let all = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };
    for it in &*TOKENIZERS {
        for policy in [&SpecialPolicy::PLAIN, &all, &SpecialPolicy::default()] {
            let result = encoded(it, text, policy);
            assert_eq!(it.count(text, policy), result.as_ref().map(Vec::len).map_err(Clone::clone), "{}", it.name());
            let has_special = it.special_tokens().iter().any(|(name, _)| text.contains(name.as_str()));
            match &result {
                Ok(ids) => assert_eq!(it.decode(ids).as_deref(), Ok(text), "{}", it.name()),
                Err(error) => {
                    assert!(has_special && matches!(error, TextError::DisallowedSpecial { .. }), "{error}");
                }
            }
            // Line by line, and several times, so that there is enough text for several threads.
            let lines: Vec<&str> = text.split_inclusive('\n').cycle().take(text.lines().count() * 4).collect();
            let batch = it.encode_batch(&lines, policy, usize::from(threads % 5));
            let single: Result<Vec<_>, _> = lines.iter().map(|line| encoded(it, line, policy)).collect();
            match (batch, single) {
                (Ok(batch), Ok(single)) => assert!(batch.rows().eq(&single)),
                (Err(TextError::InBatch { index, source }), Err(error)) => {
                    assert_eq!(*source, error);
                    assert_eq!(encoded(it, lines[index], policy), Err(error));
                }
                (batch, single) => panic!("{batch:?}, and one by one {single:?}"),
            }
        }
    }
}

/// Reading any bytes as a vocabulary ends, and what was read encodes. The bytes are used as they are, and after a valid
/// beginning, so that the reader gets as far as the merges.
pub fn vocabulary(data: &[u8]) {
    let mut merges = b"TBVOCAB1".to_vec();
    let numbers = data.iter().filter(|&&byte| byte < 128).count() as u32;
    merges.extend_from_slice(&(256 + numbers / 2).to_le_bytes());
    merges.extend(0..=255);
    merges.extend_from_slice(data);
    for file in [data, &merges] {
        let encoding = Encoding { tokens: None, special: vec![], ..Encoding::named("gpt2").expect("known") };
        let Ok(it) = Tokenizer::new(encoding, file) else { continue };
        assert!(it.vocab_size() >= 256);
        for id in 0..it.vocab_size() as u32 {
            let bytes = it.token_bytes(id).expect("a token");
            if let Ok(token) = std::str::from_utf8(&bytes) {
                // Once, and often enough to be cut into blocks.
                for text in [token.to_owned(), token.repeat(130 / token.len().max(1) + 1)] {
                    let ids = encoded(&it, &text, &SpecialPolicy::PLAIN).expect("plain text");
                    assert_eq!(it.decode(&ids).as_deref(), Ok(&*text));
                    assert_eq!(it.count(&text, &SpecialPolicy::PLAIN), Ok(ids.len()));
                }
            }
        }
    }
}

/// More time than any of these takes on a slow and busy machine.
const TIME: Duration = Duration::from_secs(30);

/// Limits that a small text can reach.
const LIMITS: Limits = Limits { growth: 40, pattern_steps: 100_000, seconds_per_megabyte: 50.0 };

/// Texts that the parts of a tokenizer treat specially.
const TEXTS: &[&str] = &[
    "",
    "a",
    "Hello, w\u{f6}rld! 12 \u{fb01}gures\r\n\n  and \u{4e00}\u{4e01}.",
    " \n \t <s>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa<s>\n",
    "\u{301}e\u{301}\u{1f468}\u{200d}\u{1f469}\0\u{feff}\u{ad}\u{1100}\u{1161}",
];

/// Reading any bytes as a tokenizer.json ends, and what was read encodes and decodes, or gives an error that says
/// which part is wrong, in memory and time that are in proportion to the file and the text.
pub fn tokenizer_json(data: &[u8]) {
    let origin = Origin { name: "fuzz".into(), path: "fuzz".into(), limits: LIMITS };
    let room = (16 << 20) + data.len() * 4096;
    let loaded = within(room, TIME, || Tokenizer::from_file(origin, data));
    let it = match loaded {
        Ok(it) => it,
        Err(TextError::TokenizerFile { offset, .. }) => return assert!(offset <= data.len()),
        Err(error) => panic!("{error:?}"),
    };
    let all = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };
    let own = String::from_utf8_lossy(data);
    for text in TEXTS.iter().copied().chain([&*own]) {
        for policy in [&all, &SpecialPolicy::PLAIN] {
            let result = within(room + text.len() * 8192, TIME, || encoded(&it, text, policy));
            let ids = match result {
                Ok(ids) => ids,
                Err(TextError::TokenizerFile { .. } | TextError::Unencodable { .. }) => continue,
                Err(error) => panic!("{error:?}"),
            };
            assert!(ids.iter().all(|&id| (id as usize) < it.vocab_size()));
            if let Some(streamed) = in_parts(&it, text, policy) {
                assert_eq!(streamed, ids, "{text:?} in parts");
            }
            // A model may give ids without a token, for words that it does not know.
            let known: Vec<u32> = ids.into_iter().filter(|&id| it.token(id).is_ok()).collect();
            let decoded = within(room + known.len() * 8192, TIME, || it.decode(&known));
            let mut decoder = it.decoder(false);
            let streamed: Result<Vec<String>, _> = known.iter().map(|&id| decoder.write(&[id])).collect();
            if let (Ok(decoded), Ok(mut streamed)) = (decoded, streamed)
                && let Ok(rest) = decoder.end()
            {
                streamed.push(rest);
                assert_eq!(streamed.concat(), decoded);
            }
        }
    }
}

/// The ids of a text that comes in parts, if it has any. The limits hold for each look at the text.
fn in_parts(it: &Tokenizer, text: &str, policy: &SpecialPolicy) -> Option<Vec<u32>> {
    let mut stream = TextStream::new(policy.clone());
    stream.look_from(1);
    let mut ids = Vec::new();
    // About ten parts, whatever the length of the text.
    let size = text.len() / 10 + 1;
    let mut rest = text;
    while !rest.is_empty() {
        let end = (size.min(rest.len())..=rest.len()).find(|&at| rest.is_char_boundary(at))?;
        let (part, after) = rest.split_at(end);
        stream.push(it, part, &mut ids).ok()?;
        rest = after;
    }
    stream.finish(it, &mut ids).ok().map(|()| ids)
}

/// Any bytes as a pattern of a file are refused, or cut and replace.
pub fn pattern(data: &[u8]) {
    let pattern = json!({ "Regex": String::from_utf8_lossy(data) });
    let file = json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": { "type": "Replace", "pattern": pattern, "content": "b" },
        "pre_tokenizer": { "type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false },
        "decoder": { "type": "Replace", "pattern": pattern, "content": "" },
        "model": { "type": "WordLevel", "vocab": { "a": 0, "b": 1, "[UNK]": 2 }, "unk_token": "[UNK]" },
    });
    tokenizer_json(file.to_string().as_bytes());
}

/// Runs [`tokenizer_json`] with a file put together from known parts; the bytes choose the parts and their content.
pub fn tokenizer_parts(data: &[u8]) {
    tokenizer_json(file_of(&mut Bytes(data)).to_string().as_bytes());
}

/// What encodes a file natively has the ids, places and errors of the library's crate. The first bytes put a file
/// together, and the rest is text.
pub fn engines(data: &[u8]) {
    let mut bytes = Bytes(data);
    let file = file_of(&mut bytes).to_string();
    let origin = || Origin { name: "fuzz".into(), path: "fuzz".into(), limits: LIMITS };
    let Ok(native) = Tokenizer::from_file(origin(), file.as_bytes()) else { return };
    if native.engine() != Engine::Native {
        return;
    }
    let library = Tokenizer::by_library(origin(), file.as_bytes()).expect("what is read natively, the library reads");
    let all = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };
    let own = String::from_utf8_lossy(bytes.0).into_owned();
    let drawn: String = (0..24).map(|_| bytes.text()).collect();
    for text in TEXTS.iter().copied().chain([&*own, &*drawn]) {
        for policy in [&all, &SpecialPolicy::PLAIN] {
            let expected = library.encode_offsets(text, policy, false);
            let found = native.encode_offsets(text, policy, false);
            match (&found, &expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found, expected, "{text:?} with {file}");
                    assert_eq!(encoded(&native, text, policy).as_ref(), Ok(&found.ids), "{text:?} with {file}");
                }
                (Err(_), Err(_)) => {}
                _ => panic!("{found:?}, and by the library {expected:?}: {text:?} with {file}"),
            }
        }
    }
}

fn file_of(bytes: &mut Bytes<'_>) -> Value {
    json!({
        "version": "1.0",
        "added_tokens": bytes.list(3, added_token),
        "normalizer": bytes.sequence("normalizers", normalizer),
        "pre_tokenizer": bytes.sequence("pretokenizers", pre_tokenizer),
        "post_processor": bytes.sequence("processors", post_processor),
        "decoder": bytes.sequence("decoders", decoder),
        "model": model(bytes),
    })
}

/// A sequence of choices, with zeros at the end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        first
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn one_of<'b>(&mut self, all: &[&'b str]) -> &'b str {
        all[usize::from(self.next()) % all.len()]
    }

    fn number(&mut self) -> u64 {
        [0, 1, 2, 3, 5, 100, 1 << 20, 1 << 31, u32::MAX.into(), u64::MAX][usize::from(self.next()) % 10]
    }

    /// A short text.
    fn text(&mut self) -> String {
        let pieces =
            ["a", "b", "##", " ", "\n", "\u{2581}", "\u{e9}", "\u{301}", "<s>", "\u{120}", "<0x41>", "A", "1", "."];
        (0..self.next() % 5).map(|_| self.one_of(&pieces)).collect()
    }

    fn pattern(&mut self) -> Value {
        let patterns = [
            "a*",
            "\\s+(?!\\S)",
            "(a+)+b",
            "",
            "(?=.*b)a",
            "\\w+|\\W",
            ".*[^a]|a",
            "(.)\\1",
            "\\G.",
            "(?<=a)b",
            "^|$",
            "\\p{L}{1,9}",
        ];
        if self.flag() { json!({ "String": self.text() }) } else { json!({ "Regex": self.one_of(&patterns) }) }
    }

    fn list<T>(&mut self, most: u8, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.next() % (most + 1)).map(|_| make(self)).collect()
    }

    fn sequence(&mut self, name: &str, mut make: impl FnMut(&mut Self) -> Value) -> Value {
        match self.next() % 4 {
            0 => Value::Null,
            1 => make(self),
            _ => json!({ "type": "Sequence", name: self.list(6, make) }),
        }
    }
}

fn added_token(bytes: &mut Bytes<'_>) -> Value {
    json!({ "id": bytes.number(), "content": bytes.text(), "single_word": bytes.flag(), "lstrip": bytes.flag(),
            "rstrip": bytes.flag(), "normalized": bytes.flag(), "special": bytes.flag() })
}

fn normalizer(bytes: &mut Bytes<'_>) -> Value {
    let maps = ["BAAAAAAAAABhYmM=", "/////w==", "CAAAAAAEAAAAAQAAYWJjAGQA", ""];
    match bytes.next() % 10 {
        0 => json!({ "type": "BertNormalizer", "clean_text": bytes.flag(), "handle_chinese_chars": bytes.flag(),
                     "strip_accents": bytes.flag(), "lowercase": bytes.flag() }),
        1 => json!({ "type": "Strip", "strip_left": bytes.flag(), "strip_right": bytes.flag() }),
        2 => json!({ "type": "Prepend", "prepend": bytes.text() }),
        3 | 4 => json!({ "type": "Replace", "pattern": bytes.pattern(), "content": bytes.text() }),
        5 => json!({ "type": "Precompiled", "precompiled_charsmap": bytes.one_of(&maps) }),
        _ => {
            json!({ "type": bytes.one_of(&["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt", "StripAccents", "ByteLevel"]) })
        }
    }
}

const BEHAVIORS: &[&str] = &["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];

fn pre_tokenizer(bytes: &mut Bytes<'_>) -> Value {
    match bytes.next() % 9 {
        0 => {
            json!({ "type": "ByteLevel", "add_prefix_space": bytes.flag(), "trim_offsets": true, "use_regex": bytes.flag() })
        }
        1 => {
            json!({ "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": bytes.one_of(&["always", "never", "first"]), "split": bytes.flag() })
        }
        2 | 3 => {
            json!({ "type": "Split", "pattern": bytes.pattern(), "behavior": bytes.one_of(BEHAVIORS), "invert": bytes.flag() })
        }
        4 => json!({ "type": "FixedLength", "length": bytes.number() }),
        5 => json!({ "type": "Digits", "individual_digits": bytes.flag() }),
        6 => json!({ "type": "Punctuation", "behavior": bytes.one_of(BEHAVIORS) }),
        7 => json!({ "type": "CharDelimiterSplit", "delimiter": "a" }),
        _ => json!({ "type": bytes.one_of(&["Whitespace", "WhitespaceSplit", "BertPreTokenizer", "UnicodeScripts"]) }),
    }
}

fn post_processor(bytes: &mut Bytes<'_>) -> Value {
    let piece = |bytes: &mut Bytes<'_>| match bytes.next() % 3 {
        0 => json!({ "Sequence": { "id": bytes.one_of(&["A", "A", "A", "B"]), "type_id": 0 } }),
        _ => json!({ "SpecialToken": { "id": bytes.one_of(&["x", "y"]), "type_id": 0 } }),
    };
    match bytes.next() % 4 {
        0 => json!({ "type": "BertProcessing", "sep": ["a", bytes.number()], "cls": ["b", bytes.number()] }),
        1 => {
            json!({ "type": "ByteLevel", "add_prefix_space": bytes.flag(), "trim_offsets": bytes.flag(), "use_regex": true })
        }
        _ => {
            let ids = bytes.list(3, Bytes::number);
            let tokens = vec!["a"; ids.len()];
            json!({ "type": "TemplateProcessing", "single": bytes.list(5, piece), "pair": [],
                    "special_tokens": { "x": { "id": "x", "ids": ids, "tokens": tokens } } })
        }
    }
}

fn decoder(bytes: &mut Bytes<'_>) -> Value {
    match bytes.next() % 9 {
        0 | 1 => json!({ "type": "Replace", "pattern": bytes.pattern(), "content": bytes.text() }),
        2 => json!({ "type": "Strip", "content": "a", "start": bytes.number(), "stop": bytes.number() }),
        3 => json!({ "type": "WordPiece", "prefix": bytes.text(), "cleanup": bytes.flag() }),
        4 => {
            json!({ "type": "CTC", "pad_token": bytes.text(), "word_delimiter_token": bytes.text(), "cleanup": bytes.flag() })
        }
        5 => json!({ "type": "BPEDecoder", "suffix": bytes.text() }),
        6 => {
            json!({ "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": bytes.one_of(&["always", "never", "first"]), "split": true })
        }
        7 => json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }),
        _ => json!({ "type": bytes.one_of(&["Fuse", "ByteFallback"]) }),
    }
}

fn model(bytes: &mut Bytes<'_>) -> Value {
    let kind = bytes.next() % 4;
    let tokens: Vec<String> = bytes.list(20, Bytes::text);
    let vocab: serde_json::Map<_, _> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| (token.clone(), json!(if bytes.next() < 240 { id as u64 } else { bytes.number() })))
        .collect();
    let unknown = bytes.text();
    match kind {
        0 => {
            let pair = |bytes: &mut Bytes<'_>| {
                let all: Vec<&str> = tokens.iter().map(String::as_str).chain(["a"]).collect();
                json!([bytes.one_of(&all), bytes.one_of(&all)])
            };
            json!({ "type": "BPE", "vocab": vocab, "merges": bytes.list(8, pair), "unk_token": unknown, "fuse_unk": bytes.flag(),
                    "byte_fallback": bytes.flag(), "ignore_merges": bytes.flag(), "continuing_subword_prefix": bytes.text(),
                    "end_of_word_suffix": bytes.text(), "dropout": if bytes.flag() { json!(0.5) } else { Value::Null } })
        }
        1 => {
            json!({ "type": "WordPiece", "vocab": vocab, "unk_token": unknown, "continuing_subword_prefix": bytes.text(),
                     "max_input_chars_per_word": bytes.number() })
        }
        2 => {
            let scored: Vec<_> = tokens.iter().map(|token| json!([token, -f64::from(bytes.next())])).collect();
            json!({ "type": "Unigram", "unk_id": bytes.number(), "vocab": scored, "byte_fallback": bytes.flag() })
        }
        _ => json!({ "type": "WordLevel", "vocab": vocab, "unk_token": unknown }),
    }
}

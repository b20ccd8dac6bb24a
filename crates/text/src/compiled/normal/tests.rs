//! Compared with the library's crate, which runs no regular expressions here but those of a plain text.

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokenizers::normalizer::Range;
use tokenizers::{NormalizedString, Normalizer, NormalizerWrapper};

use super::*;

/// A table of replacements in SentencePiece's format, as base 64.
pub(super) fn charsmap(entries: &[(&str, &str)]) -> String {
    // A trie of the keys, as a double array in which each node has a block of its own.
    let mut nodes: Vec<Vec<(u8, usize)>> = vec![Vec::new()];
    let mut values: Vec<Option<u32>> = vec![None];
    let mut texts = Vec::new();
    for (key, text) in entries {
        let mut node = 0;
        for byte in key.bytes() {
            node = match nodes[node].iter().find(|edge| edge.0 == byte) {
                Some(edge) => edge.1,
                None => {
                    nodes.push(Vec::new());
                    values.push(None);
                    let new = nodes.len() - 1;
                    nodes[node].push((byte, new));
                    new
                }
            };
        }
        values[node] = Some(texts.len() as u32);
        texts.extend(text.bytes());
        texts.push(0);
    }
    let mut units = vec![0u32; (nodes.len() + 1) * 256];
    // The root is unit 0; the children of node n are in block n + 1.
    let mut place = vec![0usize; nodes.len()];
    for node in 0..nodes.len() {
        let block = (node + 1) * 256;
        let label = units[place[node]] & 0xff;
        let offset = (place[node] ^ block) as u32;
        let unit = if offset < 1 << 21 { offset << 10 } else { offset >> 8 << 10 | 1 << 9 };
        units[place[node]] = unit | label | u32::from(values[node].is_some()) << 8;
        if let Some(value) = values[node] {
            units[block] = 1 << 31 | value;
        }
        for &(byte, child) in &nodes[node] {
            place[child] = block | usize::from(byte);
            units[place[child]] = u32::from(byte);
        }
    }
    let mut bytes = ((units.len() * 4) as u32).to_le_bytes().to_vec();
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(&texts);
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let digit = if i <= three.len() { char::from(DIGITS[(word >> (18 - 6 * i) & 63) as usize]) } else { '=' };
            text.push(digit);
        }
    }
    text
}

fn entries() -> String {
    charsmap(&[
        ("\u{1e}", ""),
        ("\t", " "),
        ("\n", " "),
        ("\r", " "),
        ("\u{200b}", ""),
        ("\u{ff21}", "A"),
        ("\u{2122}", "TM"),
        ("\u{fb01}", "fi"),
        ("e\u{301}", "\u{e9}"),
        ("\u{300}", ""),
        ("\u{1100}\u{1161}", "\u{ac00}"),
        ("\u{ac01}", "gag"),
        ("\u{fdfa}", "\u{635}\u{644}\u{649} \u{627}\u{644}\u{644}\u{647}"),
        ("\u{1f468}", "man"),
        ("\u{93c}", "!"),
        ("b", "\u{4e00}\u{4e01}"),
        ("x\u{300}", ""),
    ])
}

/// All kinds of steps.
fn kinds() -> Vec<Value> {
    let bert = |clean: bool, chinese: bool, strip: Option<bool>, lower: bool| {
        json!({"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese,
               "strip_accents": strip, "lowercase": lower})
    };
    let replace =
        |text: &str, content: &str| json!({"type": "Replace", "pattern": {"String": text}, "content": content});
    let mut all: Vec<Value> = ["Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Nmt", "ByteLevel"]
        .iter()
        .map(|kind| json!({"type": kind}))
        .collect();
    for bits in 0..8 {
        for strip in [None, Some(false), Some(true)] {
            all.push(bert(bits & 1 != 0, bits & 2 != 0, strip, bits & 4 != 0));
        }
    }
    for (left, right) in [(true, true), (true, false), (false, true), (false, false)] {
        all.push(json!({"type": "Strip", "strip_left": left, "strip_right": right}));
    }
    all.push(json!({"type": "Prepend", "prepend": "\u{2581}"}));
    all.push(json!({"type": "Prepend", "prepend": "ab"}));
    all.extend([replace(" ", "\u{2581}"), replace("``", "\""), replace("e", ""), replace("\u{301}", "e\u{327}")]);
    all.push(replace("a", "a"));
    all.push(replace("  ", " "));
    all.push(json!({"type": "Precompiled", "precompiled_charsmap": entries()}));
    all
}

/// The result of the library: the text, and the place of each byte.
fn expected(normalizer: &NormalizerWrapper, text: &str) -> Aligned {
    let mut it = NormalizedString::from(text);
    normalizer.normalize(&mut it).unwrap();
    let place = |at: usize| {
        let place = it.convert_offsets(Range::Normalized(at..at + 1)).unwrap();
        (place.start as u32, place.end as u32)
    };
    Aligned { text: it.get().to_owned(), places: (0..it.get().len()).map(place).collect() }
}

struct Pair {
    ours: Normal,
    theirs: NormalizerWrapper,
    room: Room,
    written: String,
}

impl Pair {
    fn new(part: &Value) -> Self {
        let ours = Normal::compile(part, Limits::default(), &mut Spent::default()).unwrap();
        let theirs = serde_json::from_value(part.clone()).unwrap();
        Self { ours, theirs, room: Room::default(), written: part.to_string().chars().take(300).collect() }
    }

    fn check(&mut self, text: &str) {
        let limits = Limits::default();
        let budget = limits.budget(text.len());
        let most = limits.most_bytes(text.len());
        let section = Section { budget: &budget, goes_on: false, most };
        let expected = expected(&self.theirs, text);
        let ours = self.ours.run(text, &mut self.room, section).unwrap();
        assert_eq!(ours, expected.text, "{text:?} by {}", self.written);
        let mut aligned = Aligned::of(text, 0);
        self.ours.run_aligned(&mut aligned, section).unwrap();
        assert_eq!(aligned, expected, "{text:?} by {}", self.written);
        let mut aligned = Aligned::of(text, 0);
        self.ours.run_noted(&mut aligned, section, &mut |_| {}).unwrap();
        assert_eq!(aligned, expected, "{text:?} step by step by {}", self.written);
    }
}

#[test]
fn characters_alone_doubled_and_between_letters() {
    // Of the large blocks of characters that are alike, a few.
    let are_alike = |code: u32| matches!(code, 0x3400..0xa000 | 0xac00..0xd800 | 0xe000..0xf900 | 0x1_2000..0x1_a000);
    let codes = (0..0x2_0000u32).filter(|&code| code % 37 == 0 || !are_alike(code));
    let chars: Vec<char> =
        codes.chain(0x2_f7f0..0x2_fa30).chain(0xe_0000..0xe_0200).filter_map(char::from_u32).collect();
    for part in kinds() {
        let mut pair = Pair::new(&part);
        for chunk in chars.chunks(64) {
            let mut text = String::new();
            for &c in chunk {
                text.extend([c, '\n', c, c, ' ', 'a', c, 'B', '\n']);
            }
            pair.check(&text);
        }
    }
}

/// The golden values are those of the library's Python package, which runs regular expressions of its own.
#[test]
fn every_character_as_in_python() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/normalizers/digests.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let codes = (0..0x11_0000u32).filter(|&code| !(0x3_2000..0xe_0000).contains(&code) && code < 0xe_0200);
    let chars: Vec<char> = codes.filter_map(char::from_u32).collect();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let limits = Limits::default();
        let ours = Normal::compile(&case["part"], limits, &mut Spent::default()).unwrap();
        let mut digest = Sha256::new();
        for chunk in chars.chunks(64) {
            let text: String = chunk.iter().flat_map(|&c| [c, '\n', c, c, ' ', 'a', c, 'B', '\n']).collect();
            let budget = limits.budget(text.len());
            let section = Section { budget: &budget, goes_on: false, most: limits.most_bytes(text.len()) };
            let mut aligned = Aligned::of(&text, 0);
            ours.run_aligned(&mut aligned, section).unwrap();
            digest.update(aligned.text.as_bytes());
            digest.update([0]);
            let mut number = vec![0; text.len() + 1];
            let mut count = 0u32;
            for (at, c) in text.char_indices() {
                number[at] = count;
                count += 1;
                number[at + c.len_utf8()] = count;
            }
            for (at, _) in aligned.text.char_indices() {
                let (start, end) = aligned.places[at];
                digest.update(number[start as usize].to_le_bytes());
                digest.update(number[end as usize].to_le_bytes());
            }
        }
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, case["sha256"].as_str().unwrap(), "{}", case["part"]);
    }
}

/// Characters that normalizers treat in some special way, and a few that they do not.
pub(super) fn special() -> impl Strategy<Value = char> {
    const SPECIAL: &str = concat!(
        "aAeEb ZI`'\u{0}\t\n\r\u{b}\u{1e}\u{7f}\u{85}\u{a0}\u{ad}\u{e9}\u{c9}\u{130}\u{131}\u{149}\u{300}\u{301}",
        "\u{302}\u{307}\u{315}\u{31b}\u{323}\u{327}\u{338}\u{344}\u{345}\u{34f}\u{390}\u{3a3}\u{3c3}\u{5b0}\u{5bc}\u{64b}",
        "\u{651}\u{670}\u{93c}\u{94d}\u{915}\u{928}\u{958}\u{9be}\u{9c7}\u{e33}\u{e38}\u{eb3}\u{f71}\u{f72}\u{f73}\u{f81}",
        "\u{1100}\u{1161}\u{11a8}\u{ac00}\u{ac01}\u{1e9e}\u{1ea5}\u{1f80}\u{200b}\u{200d}\u{200f}\u{2028}\u{20dd}\u{2122}",
        "\u{212a}\u{212b}\u{2581}\u{302e}\u{3099}\u{304b}\u{304c}\u{4e00}\u{9fff}\u{a015}\u{f900}\u{fb01}\u{fb2c}\u{fdfa}",
        "\u{fe0f}\u{feff}\u{ff21}\u{ff9e}\u{ff76}\u{fffd}\u{10400}\u{1109a}\u{110ba}\u{11131}\u{1d15e}\u{1d165}\u{1d16d}",
        "\u{1f1e6}\u{1f1fa}\u{1f468}\u{1f3fd}\u{20000}\u{2f800}\u{e0001}\u{e01ef}\u{f0000}\u{10ffff}",
    );
    let all: Vec<char> = SPECIAL.chars().collect();
    prop_oneof![6 => proptest::sample::select(all), 1 => any::<char>(), 2 => proptest::char::range('a', 'f')]
}

#[test]
fn long_texts_take_time_in_proportion() {
    let one = |text: &str| text.repeat((1 << 20) / text.len());
    let texts = [
        one("a"),
        one(" "),
        one("\u{301}"),
        one("\u{301}\u{323}"),
        one("e\u{301}"),
        one("\u{1f1e6}"),
        one("\u{1f468}\u{200d}"),
        one("\u{915}\u{94d}"),
        one("\u{1100}"),
        one("\u{1d165}\u{e38}"),
        one("\u{fdfa}"),
        one("\r\n"),
        one("\0"),
    ];
    for part in kinds() {
        let limits = Limits::default();
        let ours = Normal::compile(&part, limits, &mut Spent::default()).unwrap();
        let mut room = Room::default();
        for text in &texts {
            let budget = limits.budget(text.len());
            let section = Section { budget: &budget, goes_on: false, most: limits.most_bytes(text.len()) };
            let len = ours.run(text, &mut room, section).unwrap().len();
            let mut aligned = Aligned::of(text, 0);
            ours.run_aligned(&mut aligned, section).unwrap();
            assert_eq!(aligned.text.len(), len);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn random_sequences_of_steps(
        steps in proptest::collection::vec(proptest::sample::select(kinds()), 0..6),
        texts in proptest::collection::vec(proptest::collection::vec(special(), 0..24), 1..8),
    ) {
        let mut pair = Pair::new(&json!({"type": "Sequence", "normalizers": steps}));
        for text in texts {
            pair.check(&text.into_iter().collect::<String>());
        }
    }
}

//! A text that comes in parts has the ids of the whole, wherever it is cut.

mod common;

use common::{GPT2, all};
use proptest::prelude::*;
use tokenbed_text::{Encoding, SpecialPolicy, SpecialSet, TextError, TextStream, Tokenizer};

type Encoded = Result<Vec<u32>, TextError>;

fn whole(tokenizer: &Tokenizer, policy: &SpecialPolicy, text: &str) -> Encoded {
    let mut ids = Vec::new();
    tokenizer.encode(text, policy, &mut ids).map(|()| ids)
}

fn streamed<'a>(tokenizer: &Tokenizer, policy: &SpecialPolicy, parts: impl IntoIterator<Item = &'a str>) -> Encoded {
    let mut stream = TextStream::new(policy.clone());
    let mut ids = Vec::new();
    parts.into_iter().try_for_each(|part| stream.push(tokenizer, part, &mut ids))?;
    stream.finish(tokenizer, &mut ids).map(|()| ids)
}

/// The text cut before the characters of these numbers.
fn cut(text: &str, before: impl Fn(usize) -> bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (i, (at, _)) in text.char_indices().enumerate() {
        if i > 0 && before(i) {
            parts.push(&text[start..at]);
            start = at;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Policies: none special, all allowed, all disallowed, and one of each.
fn policies() -> [SpecialPolicy; 4] {
    let some = |names: &[&str]| SpecialSet::Only(names.iter().map(|&name| name.to_owned()).collect());
    [
        SpecialPolicy::PLAIN,
        SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::All },
        SpecialPolicy::default(),
        SpecialPolicy {
            allowed: some(&["<|endoftext|>", "<|fim_prefix|>"]),
            disallowed: some(&["<|endofprompt|>", "|>x"]),
        },
    ]
}

/// One character of each kind that the scanners treat differently, and the letters of contractions.
const KINDS: [char; 16] =
    ['a', 'l', 'v', 'E', 's', 'A', '\u{1c5}', '\u{6587}', '\u{301}', ' ', '\n', '\u{a0}', '\'', '7', '!', '/'];

/// All texts of `length` characters, each of one of these kinds.
fn texts_of(kinds: &[char], length: usize) -> impl Iterator<Item = String> {
    (0..kinds.len().pow(length as u32)).map(move |number| {
        (0..length as u32).map(|place| kinds[number / kinds.len().pow(place) % kinds.len()]).collect()
    })
}

#[test]
fn every_text_of_four_kinds_of_characters_cut_in_every_way() {
    for it in all() {
        for text in (1..=4).flat_map(|length| texts_of(&KINDS, length)) {
            let expected = whole(&it.tokenizer, &SpecialPolicy::PLAIN, &text);
            for cuts in 0..1 << (text.chars().count() - 1) {
                let parts = cut(&text, |i| cuts >> (i - 1) & 1 == 1);
                let found = streamed(&it.tokenizer, &SpecialPolicy::PLAIN, parts);
                assert_eq!(found, expected, "{}: {text:?}, cut by {cuts:b}", it.name());
            }
        }
    }
}

/// Texts in which scanners look far ahead: words whose end only shows after them, white space, contractions.
#[test]
fn every_longer_text_of_the_hard_kinds_cut_once() {
    for (kinds, length) in [
        (&['a', 'A', '\u{6587}', '\u{301}', ' '][..], 6),
        // o200k_base has tokens that reach from letters without case into capitals.
        (&['\u{4e9a}', '\u{6d32}', 'A', 'V', 'v', ' '], 6),
        (&['\'', 'l', 'A', 'e', ' ', '\n'], 6),
        (&[' ', '\n', '!', '\u{a0}'], 8),
    ] {
        for it in all() {
            for text in texts_of(kinds, length) {
                let expected = whole(&it.tokenizer, &SpecialPolicy::PLAIN, &text);
                for at in 1..length {
                    let found = streamed(&it.tokenizer, &SpecialPolicy::PLAIN, cut(&text, |i| i == at));
                    assert_eq!(found, expected, "{}: {text:?}, cut at {at}", it.name());
                }
            }
        }
    }
}

/// Text that is rich in characters that matter to patterns and special tokens.
fn texts() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => " ?[a-z]{1,12}",
        2 => "[ \t\r\n\u{a0}\u{2028}\u{3000}\u{85}]{1,4}",
        2 => "[a-zA-Z]?'([stdmSTDM\u{17f}x]|ll|ve|re|LL|Ve|rE|l\u{17f})?",
        2 => "[a-dA-D\u{c0}\u{e0}\u{1c5}\u{2b0}\u{aa}\u{5d0}\u{301}]{1,6}",
        1 => "[0-9\u{663}\u{bd}\u{2167}]{1,5}",
        2 => "[!/\r\n ]{1,5}",
        1 => any::<char>().prop_map(String::from),
        1 => "[\u{4e00}-\u{4eff}\u{300}-\u{310}\u{1f600}-\u{1f64f}]{1,6}",
        2 => prop::sample::select(vec!["<|endoftext|>", "<|fim_prefix|>", "<|endofprompt|>", "<|endof", "|>x", "<|", "<"])
            .prop_map(String::from),
    ];
    prop::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn texts_cut_anywhere_have_the_ids_of_the_whole(text in texts(), cuts in prop::collection::vec(0usize..120, 0..30)) {
        for it in all() {
            for policy in policies() {
                let expected = whole(&it.tokenizer, &policy, &text);
                prop_assert_eq!(&streamed(&it.tokenizer, &policy, cut(&text, |i| cuts.contains(&i))), &expected);
                prop_assert_eq!(&streamed(&it.tokenizer, &policy, cut(&text, |_| true)), &expected);
                prop_assert_eq!(&streamed(&it.tokenizer, &policy, [&*text]), &expected);
            }
        }
    }

    #[test]
    fn texts_cut_once_have_the_ids_of_the_whole(text in texts()) {
        for it in all() {
            for policy in policies() {
                let expected = whole(&it.tokenizer, &policy, &text);
                for at in 0..text.chars().count() {
                    prop_assert_eq!(&streamed(&it.tokenizer, &policy, cut(&text, |i| i == at)), &expected, "at {}", at);
                }
            }
        }
    }

    /// The names overlap, begin alike, and hide each other.
    #[test]
    fn special_tokens_of_any_names(text in "[ab<>é ]{0,24}", names in prop::collection::hash_set("[ab<>é]{1,5}", 1..5),
                                   allowed: u8, disallowed: u8, empty: bool, cuts: u32) {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort();
        let special = names.iter().zip(60_000..).map(|(name, id)| (name.clone(), id)).collect();
        let tokenizer = Tokenizer::new(Encoding { special, ..Encoding::named("gpt2").unwrap() }, &GPT2.ranks).unwrap();
        let choose = |bits: u8| names.iter().enumerate().filter(|&(i, _)| bits >> i & 1 == 1).map(|(_, n)| n.clone()).collect::<Vec<_>>();
        let mut forbidden = choose(disallowed);
        if empty && disallowed > 200 {
            forbidden.push(String::new());
        }
        for disallowed in [SpecialSet::All, SpecialSet::Only(forbidden)] {
            let policy = SpecialPolicy { allowed: SpecialSet::Only(choose(allowed)), disallowed };
            let expected = whole(&tokenizer, &policy, &text);
            prop_assert_eq!(streamed(&tokenizer, &policy, cut(&text, |i| cuts >> i & 1 == 1)), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Texts of more than 16 KB, where pieces are remembered, in parts of any size.
    #[test]
    fn long_texts(words in prop::collection::vec(texts(), 2..8), order in prop::collection::vec(0usize..8, 200),
                  sizes in prop::collection::vec(prop_oneof![1usize..5, 1usize..3000, 16_000usize..60_000], 1..20)) {
        let part: String = order.iter().map(|&i| words[i % words.len()].as_str()).collect();
        let text = part.repeat(100_000 / part.len().max(1) + 1);
        for it in all() {
            for policy in policies() {
                let mut rest = &*text;
                let parts = sizes.iter().cycle().map_while(|&size| {
                    let end = (size.min(rest.len())..=rest.len()).find(|&at| rest.is_char_boundary(at))?;
                    let (part, after) = rest.split_at(end);
                    rest = after;
                    (!part.is_empty()).then_some(part)
                });
                prop_assert_eq!(streamed(&it.tokenizer, &policy, parts), whole(&it.tokenizer, &policy, &text));
            }
        }
    }
}

#[test]
fn a_long_text_is_divided_among_threads() {
    let kinds = [
        "It was the best of times, ",
        "\u{6587}\u{301} ",
        "we'll  see\n\n  ",
        "<|endoftext|>",
        "don't stop ",
        "a\u{1f999}b c ",
    ];
    let text: String = (0..60_000usize).map(|i| kinds[i * 31 % 97 % kinds.len()]).collect();
    assert!(text.len() > 700_000);
    for tokenizer in all().map(|it| &it.tokenizer) {
        for policy in policies() {
            let expected = whole(tokenizer, &policy, &text);
            let mut ids = Vec::new();
            let divided = tokenizer.encode_long(&text, &policy, 3, &mut ids).map(|()| ids);
            assert!(divided == expected, "{policy:?}");
            let mut stream = TextStream::new(policy.clone());
            stream.divide_among(3);
            let mut ids = Vec::new();
            let parts = cut(&text, |at| at % 400_000 < 2);
            let pushed = parts.into_iter().try_for_each(|part| stream.push(tokenizer, part, &mut ids));
            let streamed = pushed.and_then(|()| stream.finish(tokenizer, &mut ids)).map(|()| ids);
            assert!(streamed == expected, "{policy:?}");
        }
    }
}

#[test]
fn ids_come_as_soon_as_they_are_certain() {
    for it in all() {
        let mut stream = TextStream::new(SpecialPolicy::default());
        let mut ids = Vec::new();
        stream.push(&it.tokenizer, "It was the best of times, it was", &mut ids).unwrap();
        assert!(it.tokenizer.decode(&ids).unwrap().starts_with("It was the best of times,"), "{}", it.name());
        // A possible special token is held back until it cannot be one.
        let mut ids = Vec::new();
        let mut stream = TextStream::new(SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::All });
        stream.push(&it.tokenizer, "that is the end, my old friend <|endofte", &mut ids).unwrap();
        assert!(it.tokenizer.decode(&ids).unwrap().starts_with("that is the end, my old"), "{}", it.name());
        stream.push(&it.tokenizer, "st and some more words to read", &mut ids).unwrap();
        let text = it.tokenizer.decode(&ids).unwrap();
        assert!(text.starts_with("that is the end, my old friend <|endoftest and some more words"), "{text}");
        stream.push(&it.tokenizer, " up to its end<|endoftext|>", &mut ids).unwrap();
        assert_eq!(ids.last().copied(), it.tokenizer.id_of(b"<|endoftext|>"));
    }
}

#[test]
fn places_in_errors_count_from_the_beginning_of_the_text() {
    let mut stream = TextStream::new(SpecialPolicy::default());
    let mut ids = Vec::new();
    let tokenizer = &GPT2.tokenizer;
    for _ in 0..1000 {
        stream.push(tokenizer, "é🙂 and so on. <|endof", &mut ids).unwrap();
    }
    let given = ids.len();
    let error = stream.push(tokenizer, "text|> and this is what comes after it", &mut ids).unwrap_err();
    let expected = TextError::DisallowedSpecial { token: "<|endoftext|>".into(), byte: 25_000 - 7, utf16: 22_000 - 7 };
    assert_eq!(error, expected);
    assert_eq!(ids.len(), given);
}

#[test]
fn a_stream_that_ended_begins_another_text() {
    let mut stream = TextStream::new(SpecialPolicy::default());
    let mut ids = Vec::new();
    for text in ["a text", "", " and another ", "\n"] {
        for part in cut(text, |_| true) {
            stream.push(&GPT2.tokenizer, part, &mut ids).unwrap();
        }
        stream.finish(&GPT2.tokenizer, &mut ids).unwrap();
    }
    let expected: Vec<_> = ["a text", " and another ", "\n"].iter().flat_map(|text| GPT2.encode(text)).collect();
    assert_eq!(ids, expected);
    let error = stream.push(&GPT2.tokenizer, "a<|endoftext|>", &mut ids).unwrap_err();
    assert!(matches!(error, TextError::DisallowedSpecial { byte: 1, utf16: 1, .. }));
}

/// A single piece that never ends, in parts of one byte. If the work of each part were linear in the text held, this
/// would take hours.
#[test]
fn hostile_texts_take_linear_time() {
    for unit in ["a", "A", " ", "\n", "\u{6587}A", "'", "!/\n", "<|endoftext", "1"] {
        for it in all() {
            let text = unit.repeat(1 << 20);
            let found = streamed(&it.tokenizer, &SpecialPolicy::default(), cut(&text, |_| true)).unwrap();
            assert!(found == it.encode(&text), "{}: {unit:?}", it.name());
        }
    }
}

/// More of this is in `stream_file.rs`.
#[test]
fn a_tokenizer_from_a_file_gets_64_kilobytes_and_holds_a_word() {
    let json = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"[UNK]":0,"the":1,"white":2,"whale":3},"unk_token":"[UNK]"}}"#;
    let tokenizer = Tokenizer::from_json("words", json.as_bytes()).unwrap();
    let text = "the white whale, the whale\nwhite\r\n".repeat(10_000) + "the wh";
    let expected = whole(&tokenizer, &SpecialPolicy::default(), &text).unwrap();
    for size in [1, 999, 100_000] {
        assert!(streamed(&tokenizer, &SpecialPolicy::default(), cut(&text, |i| i % size == 0)).unwrap() == expected);
    }
    let mut stream = TextStream::new(SpecialPolicy::default());
    let mut ids = Vec::new();
    stream.push(&tokenizer, &text, &mut ids).unwrap();
    assert_eq!(ids.len() + 1, expected.len(), "all but the last word");
    stream.push(&tokenizer, "ale ", &mut ids).unwrap();
    assert_eq!(ids.len() + 1, expected.len(), "a few bytes are not looked at");
    stream.push(&tokenizer, &"the ".repeat(20_000), &mut ids).unwrap();
    assert_eq!(ids.len() + 1, expected.len() + 20_000, "a line need not end");
    assert_eq!(ids[expected.len() - 1], 3, "a word that came in two parts");
}

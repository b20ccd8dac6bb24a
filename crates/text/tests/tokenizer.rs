//! Properties that hold for every text, and the errors that users see.

mod common;

use common::{CL100K, GPT2, O200K, all};
use proptest::prelude::*;
use tokenbed_text::{Encoding, Pattern, SpecialPolicy, SpecialSet, TextError, Tokenizer, encodings};

/// Text that is rich in what matters to patterns: runs of white space, contractions, digits, case, letters of many
/// scripts.
fn texts() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-z]{1,12}",
        2 => "[ \t\r\n\u{a0}\u{2028}\u{3000}\u{85}]{1,4}",
        2 => " ?'([stdmSTDM\u{17f}x]|ll|ve|re|LL|Ve|rE|l\u{17f})?",
        2 => "[a-dA-D\u{c0}\u{e0}\u{1c5}\u{2b0}\u{aa}\u{5d0}\u{301}]{1,6}",
        1 => "[0-9\u{663}\u{bd}\u{2167}]{1,5}",
        1 => r"[!-/:-@\[-`{-~]{1,6}",
        1 => "[!/\r\n ]{1,5}",
        2 => any::<char>().prop_map(String::from),
        1 => "[\u{3b1}-\u{3c9}\u{4e00}-\u{4eff}\u{300}-\u{310}\u{1f600}-\u{1f64f}]{1,6}",
        1 => prop::sample::select(vec!["<|endoftext|>", "<|fim_prefix|>", "<|endofprompt|>"]).prop_map(String::from),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(text in texts()) {
        for it in all() {
            prop_assert_eq!(it.tokenizer.decode(&it.encode(&text)).unwrap(), &*text);
        }
    }

    #[test]
    fn ids_equal_those_of_the_definition(text in texts()) {
        for it in all() {
            prop_assert_eq!(it.encode(&text), it.naive_encode(&text), "{}", it.name());
        }
    }

    /// Pieces of more than 64 bytes are cut into blocks and joined.
    #[test]
    fn ids_of_long_pieces_equal_those_of_the_definition(text in prop_oneof!["[a-e]{65,400}", "[a-z]{65,300}", "[-=.*]{65,300}", "(ab|c|aa){40,90}",
                                           "(the|and|ing|tion|es){20,60}", "[\u{4e00}-\u{9fff}]{22,60}"]) {
        for it in all() {
            prop_assert_eq!(it.pattern.find_iter(&text).count(), 1);
            prop_assert_eq!(it.encode(&text), it.naive_merge(text.as_bytes()), "{}", it.name());
        }
    }

    #[test]
    fn ids_of_runs_equal_those_of_the_definition(unit in "[a-cA\n ]{1,5}", times in 1usize..200, before in "[a-c]{0,3}") {
        let text = before + &unit.repeat(times);
        for it in all() {
            prop_assert_eq!(it.encode(&text), it.naive_encode(&text), "{}", it.name());
        }
    }

    #[test]
    fn the_count_is_the_number_of_ids(text in texts()) {
        for it in all() {
            prop_assert_eq!(it.tokenizer.count(&text, &SpecialPolicy::PLAIN).unwrap(), it.encode(&text).len());
        }
    }

    /// A text may be cut where a piece certainly ends: after a letter and before a space that a letter follows.
    #[test]
    fn ids_of_two_texts_join_at_a_certain_edge(a in texts(), b in texts()) {
        let (a, b) = (a + "x", format!(" y{b}"));
        for it in all() {
            prop_assert_eq!(it.encode(&(a.clone() + &b)), [it.encode(&a), it.encode(&b)].concat());
        }
    }

    #[test]
    fn a_special_token_separates(a in texts(), b in texts()) {
        let (a, b) = (a.replace("<|", "<"), b.replace("|>", ">"));
        let policy = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::All };
        for it in all() {
            for (token, id) in it.tokenizer.special_tokens() {
                let mut ids = Vec::new();
                it.tokenizer.encode(&format!("{a}{token}{b}"), &policy, &mut ids).unwrap();
                prop_assert_eq!(ids, [it.encode(&a), vec![*id], it.encode(&b)].concat());
            }
        }
    }

    #[test]
    fn any_ids_decode_to_their_tokens(ids in prop::collection::vec(0u32..50257, 0..50)) {
        for it in all() {
            let bytes: Vec<u8> = ids.iter().flat_map(|&id| it.tokenizer.token_bytes(id).unwrap().into_owned()).collect();
            prop_assert_eq!(it.tokenizer.decode_bytes(&ids).unwrap(), &*bytes);
            prop_assert_eq!(it.tokenizer.decode(&ids).unwrap(), String::from_utf8_lossy(&bytes));
        }
    }

    /// Loading any bytes as a vocabulary ends, and so does encoding with what was loaded.
    #[test]
    fn damaged_vocabularies_never_panic(at in 0usize..192_016, byte: u8, cut in prop::option::of(0usize..192_016)) {
        let mut ranks = GPT2.ranks.clone();
        let at = at % ranks.len();
        ranks[at] = byte;
        ranks.truncate(cut.unwrap_or(ranks.len()));
        if let Ok(tokenizer) = Tokenizer::new(Encoding::named("gpt2").unwrap(), &ranks) {
            let text = "the quick brown fox jumps over ".repeat(3) + &"thequickbrownfox".repeat(30);
            let mut ids = Vec::new();
            tokenizer.encode(&text, &SpecialPolicy::PLAIN, &mut ids).unwrap();
            prop_assert_eq!(tokenizer.decode_bytes(&ids).unwrap(), text.into_bytes());
        }
    }

    #[test]
    fn random_vocabularies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let encoding = || Encoding { tokens: None, special: vec![], ..Encoding::named("gpt2").unwrap() };
        prop_assert!(Tokenizer::new(encoding(), &bytes).is_err());
        // A valid beginning lets the reader get as far as the merges.
        let mut file = b"TBVOCAB1".to_vec();
        file.extend_from_slice(&(256 + bytes.len() as u32 / 3).to_le_bytes());
        file.extend(0..=255);
        file.extend_from_slice(&bytes);
        if let Ok(tokenizer) = Tokenizer::new(encoding(), &file) {
            prop_assert_eq!(tokenizer.vocab_size(), 256 + bytes.len() / 3);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// In texts of more than 16 KB pieces are remembered. There are few words, so that they repeat.
    #[test]
    fn ids_of_long_texts_equal_those_of_the_definition(words in prop::collection::vec(texts(), 2..8), order in prop::collection::vec(0usize..8, 200)) {
        let part: String = order.iter().map(|&i| words[i % words.len()].as_str()).collect();
        let text = part.repeat(16_384 / part.len().max(1) + 1);
        for it in all() {
            prop_assert_eq!(it.encode(&text), it.naive_encode(&text), "{}", it.name());
            prop_assert_eq!(it.tokenizer.count(&text, &SpecialPolicy::PLAIN).unwrap(), it.encode(&text).len());
        }
    }
}

#[test]
fn every_token_is_found_by_its_bytes_and_by_merging() {
    for it in all() {
        for id in 0..Encoding::named(it.name()).unwrap().tokens.unwrap() as u32 {
            let bytes = it.tokenizer.token_bytes(id).unwrap();
            assert_eq!(it.tokenizer.id_of(&bytes), Some(id));
            assert_eq!(it.naive_merge(&bytes), [id]);
        }
        for (token, id) in it.tokenizer.special_tokens() {
            assert_eq!(it.tokenizer.id_of(token.as_bytes()), Some(*id));
            assert_eq!(it.tokenizer.token(*id).unwrap(), token.as_str());
        }
        assert_eq!(it.tokenizer.id_of(b"no such token"), None);
        assert_eq!(it.tokenizer.id_of(b""), None);
    }
}

#[test]
fn sizes_and_names() {
    let end = ("<|endoftext|>", 50256);
    let cl100k = [
        ("<|endoftext|>", 100257),
        ("<|fim_prefix|>", 100258),
        ("<|fim_middle|>", 100259),
        ("<|fim_suffix|>", 100260),
        ("<|endofprompt|>", 100276),
    ];
    let o200k = [("<|endoftext|>", 199999), ("<|endofprompt|>", 200018)];
    let edit = [end, ("<|fim_prefix|>", 50281), ("<|fim_middle|>", 50282), ("<|fim_suffix|>", 50283)];
    let expected = [
        ("gpt2", 50257, &[end][..]),
        ("r50k_base", 50257, &[end]),
        ("p50k_base", 50281, &[end]),
        ("p50k_edit", 50284, &edit),
        ("cl100k_base", 100277, &cl100k),
        ("o200k_base", 200019, &o200k),
        ("o200k_harmony", 201088, &[]),
    ];
    assert_eq!(encodings().collect::<Vec<_>>(), expected.map(|(name, ..)| name));
    for (name, size, special) in expected {
        let encoding = Encoding::named(name).unwrap();
        let shipped =
            all().into_iter().find(|it| Encoding::named(it.name()).unwrap().vocabulary == encoding.vocabulary);
        let tokenizer = Tokenizer::new(encoding, &shipped.unwrap().ranks).unwrap();
        assert_eq!((tokenizer.name(), tokenizer.vocab_size()), (name, size));
        let found: Vec<_> = tokenizer.special_tokens().iter().map(|(token, id)| (token.as_str(), *id)).collect();
        match name {
            // It has a thousand of them.
            "o200k_harmony" => assert!(found.len() == 1091 && found.contains(&("<|call|>", 200012))),
            _ => assert_eq!(found, special),
        }
    }
}

#[test]
fn a_tokenizer_can_be_shared_among_threads() {
    fn check<T: Send + Sync>() {}
    check::<Tokenizer>();
}

#[test]
fn the_error_for_an_unknown_encoding_names_the_known_ones() {
    let error = Encoding::named("gpt5").unwrap_err();
    let known = "gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base, o200k_harmony";
    assert_eq!(error.to_string(), format!("unknown encoding \"gpt5\"; known: {known}"));
}

#[test]
fn the_error_for_an_unknown_id_names_its_place() {
    let error = GPT2.tokenizer.decode(&[1, 2, 50257]).unwrap_err();
    assert_eq!(error, TextError::UnknownId { position: 2, value: 50257, vocab_size: 50257 });
    assert_eq!(error.to_string(), "id 50257 at position 2 is not a token: the vocabulary has 50257 ids");
    assert!(GPT2.tokenizer.token(u32::MAX).is_err());
}

#[test]
fn ids_between_the_tokens_are_unknown() {
    for (it, gaps, size) in [
        (&CL100K, [100256..100257, 100261..100276, 100277..100278], 100277),
        (&O200K, [199998..199999, 200000..200018, 200019..200020], 200019),
    ] {
        for value in gaps.into_iter().flatten() {
            let error = it.tokenizer.decode(&[0, value]).unwrap_err();
            assert_eq!(error, TextError::UnknownId { position: 1, value, vocab_size: size });
            assert_eq!(error.to_string().contains("the encoding leaves this id unused"), (value as usize) < size);
            assert!(it.tokenizer.token(value).is_err());
        }
    }
}

#[test]
fn the_error_for_a_disallowed_token_names_its_place() {
    let mut ids = Vec::new();
    let error = GPT2.tokenizer.encode("é🙂<|endoftext|>", &SpecialPolicy::default(), &mut ids).unwrap_err();
    assert_eq!(error, TextError::DisallowedSpecial { token: "<|endoftext|>".into(), byte: 6, utf16: 3 });
    assert!(error.to_string().starts_with(r#"the text contains the special token "<|endoftext|>" at position 3"#));
}

#[test]
fn vocabularies_of_other_encodings_are_refused() {
    let encoding = || Encoding::named("gpt2").unwrap();
    let of = |special: &[(&str, u32)]| Encoding {
        special: special.iter().map(|&(name, id)| (name.to_owned(), id)).collect(),
        pattern: Pattern::Gpt2,
        ..encoding()
    };
    let mut bytes_only = b"TBVOCAB1\0\x01\0\0".to_vec();
    bytes_only.extend(0..=255);
    let error = Tokenizer::new(encoding(), &bytes_only).err().unwrap();
    assert_eq!(error, TextError::WrongVocabulary { encoding: "gpt2".into(), expected: 50256, found: 256 });

    for (bytes, reason) in [
        (&b""[..], "it ends too soon"),
        (b"IQ== 0\nIg== 1\n", "it does not begin with TBVOCAB1"),
        (b"TBVOCAB1\xff\xff\xff\xff", "the number of tokens is out of range"),
        (b"TBVOCAB1\xff\xff\x0f\0", "it has fewer bytes than its number of tokens needs"),
    ] {
        let error = Tokenizer::new(encoding(), bytes).err().unwrap();
        assert!(error.to_string().contains(reason), "{error}");
    }

    // In the first, 256 is "aa", 257 "ab" and 258 "aab", made of "a" and "ab". But encoding "aab" begins with "aa".
    for (merges, reason) in [
        (&[97, 97, 97, 98, 97, 129, 2][..], "a token is not the encoding of its own bytes (at byte 272)"),
        (&[97, 98, 97, 98, 97, 97], "a token is not the encoding of its own bytes (at byte 270)"),
        (&[97, 98, 129, 2, 97, 97, 98], "a token is made from later tokens (at byte 270)"),
        (&[97, 98, 97, 98, 128, 128, 128, 1, 97], "a number is too large (at byte 272)"),
        (&[97, 98, 97, 99, 97, 100, 0], "bytes follow the last token (at byte 274)"),
        (&[97, 98, 97, 99, 97], "it ends too soon (at byte 273)"),
    ] {
        let file = [&b"TBVOCAB1\x03\x01\0\0"[..], &bytes_only[12..], merges].concat();
        let error = Tokenizer::new(encoding(), &file).err().unwrap();
        assert!(error.to_string().contains(reason), "{error}");
    }

    for special in [&[("", 50256)][..], &[("<|a|>", 50255)], &[("<|a|>", 50256), ("<|b|>", 50256)]] {
        assert!(matches!(Tokenizer::new(of(special), &GPT2.ranks).err().unwrap(), TextError::SpecialToken { .. }));
    }
}

#[test]
fn the_longer_of_two_special_tokens_at_one_place_counts() {
    let special = vec![("<a>".to_owned(), 60000), ("<a><b>".to_owned(), 60001), ("[x]".to_owned(), 60002)];
    let tokenizer = Tokenizer::new(Encoding { special, ..Encoding::named("gpt2").unwrap() }, &GPT2.ranks).unwrap();
    assert_eq!(tokenizer.vocab_size(), 60003);
    assert!(tokenizer.decode(&[50256]).is_err(), "a gap among the ids");
    let mut ids = Vec::new();
    let policy = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::All };
    tokenizer.encode("<a><b><a>[x]<b>", &policy, &mut ids).unwrap();
    assert_eq!(ids, [vec![60001, 60000, 60002], GPT2.encode("<b>")].concat());
    // A token that is not allowed is skipped, also if it hides an allowed one.
    ids.clear();
    let policy = SpecialPolicy { allowed: SpecialSet::Only(vec!["<a>".into()]), disallowed: SpecialSet::NONE };
    tokenizer.encode("<a><b>", &policy, &mut ids).unwrap();
    assert_eq!(ids, [vec![60000], GPT2.encode("<b>")].concat());
}

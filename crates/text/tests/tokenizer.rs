//! What holds for every text, and what users are told when something is wrong.

mod common;

use common::{GPT2, PATTERN, RANKS, encode, naive_encode, naive_merge};
use proptest::prelude::*;
use tokenbed_text::{Encoding, Pattern, SpecialPolicy, SpecialSet, TextError, Tokenizer, encodings};

/// Text with much of what patterns care about: runs of white space, contractions, digits, letters of many scripts.
fn texts() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-z]{1,12}",
        2 => "[ \t\r\n\u{a0}\u{2028}\u{3000}\u{85}]{1,4}",
        2 => " ?'(s|t|d|m|ll|ve|re|S|LL|x)?",
        1 => "[0-9\u{663}\u{bd}\u{2167}]{1,5}",
        1 => r"[!-/:-@\[-`{-~]{1,6}",
        2 => any::<char>().prop_map(String::from),
        1 => "[\u{3b1}-\u{3c9}\u{4e00}-\u{4eff}\u{300}-\u{310}\u{1f600}-\u{1f64f}]{1,6}",
        1 => Just("<|endoftext|>".to_owned()),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(text in texts()) {
        prop_assert_eq!(GPT2.decode(&encode(&text)).unwrap(), text);
    }

    #[test]
    fn the_ids_are_those_of_the_definition(text in texts()) {
        prop_assert_eq!(encode(&text), naive_encode(&text));
    }

    /// Pieces of more than 64 bytes go another way: cut into blocks and joined.
    #[test]
    fn long_pieces_too(text in prop_oneof!["[a-e]{65,400}", "[a-z]{65,300}", "[-=.*]{65,300}", "(ab|c|aa){40,90}",
                                           "(the|and|ing|tion|es){20,60}", "[\u{4e00}-\u{9fff}]{22,60}"]) {
        prop_assert_eq!(PATTERN.find_iter(&text).count(), 1);
        prop_assert_eq!(encode(&text), naive_merge(text.as_bytes()));
    }

    #[test]
    fn runs_of_any_length_and_phase(unit in "[a-c ]{1,5}", times in 1usize..200, before in "[a-c]{0,3}") {
        let text = before + &unit.repeat(times);
        prop_assert_eq!(encode(&text), naive_encode(&text));
    }

    #[test]
    fn counting_is_encoding(text in texts()) {
        prop_assert_eq!(GPT2.count(&text, &SpecialPolicy::PLAIN).unwrap(), encode(&text).len());
    }

    /// Where a piece ends for certain, texts may be cut: after a letter and before a space that a letter follows.
    #[test]
    fn concatenation(a in texts(), b in texts()) {
        let (a, b) = (a + "x", format!(" y{b}"));
        prop_assert_eq!(encode(&(a.clone() + &b)), [encode(&a), encode(&b)].concat());
    }

    #[test]
    fn a_special_token_separates(a in texts(), b in texts()) {
        let (a, b) = (a.replace("<|endoftext|>", "<|"), b.replace("<|endoftext|>", "|>"));
        let policy = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::All };
        let mut ids = Vec::new();
        GPT2.encode(&format!("{a}<|endoftext|>{b}"), &policy, &mut ids).unwrap();
        prop_assert_eq!(ids, [encode(&a), vec![50256], encode(&b)].concat());
    }

    #[test]
    fn a_batch_is_its_texts(texts in prop::collection::vec(texts(), 0..6)) {
        let batch = GPT2.encode_batch(&texts, &SpecialPolicy::PLAIN, 4).unwrap();
        prop_assert_eq!(batch.offsets.len(), texts.len() + 1);
        for (text, ends) in texts.iter().zip(batch.offsets.windows(2)) {
            prop_assert_eq!(&batch.ids[ends[0] as usize..ends[1] as usize], encode(text));
        }
    }

    #[test]
    fn any_ids_decode_to_their_tokens(ids in prop::collection::vec(0u32..50257, 0..50)) {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| GPT2.token_bytes(id).unwrap()).copied().collect();
        prop_assert_eq!(GPT2.decode_bytes(&ids).unwrap(), bytes.clone());
        prop_assert_eq!(GPT2.decode(&ids).unwrap(), String::from_utf8_lossy(&bytes));
    }

    /// Whatever the bytes of a vocabulary file, loading ends, and so does encoding with what was loaded.
    #[test]
    fn damaged_vocabularies(at in 0usize..192_016, byte: u8, cut in prop::option::of(0usize..192_016)) {
        let mut ranks = RANKS.clone();
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
    fn random_vocabularies(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let encoding = || Encoding { tokens: None, special: vec![], ..Encoding::named("gpt2").unwrap() };
        prop_assert!(Tokenizer::new(encoding(), &bytes).is_err());
        // With a sound beginning, so that the reader gets as far as the merges.
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

    /// In texts of more than 16 KB pieces are remembered; few words, so that they come again.
    #[test]
    fn long_texts_too(words in prop::collection::vec(texts(), 2..8), order in prop::collection::vec(0usize..8, 200)) {
        let part: String = order.iter().map(|&i| words[i % words.len()].as_str()).collect();
        let text = part.repeat(16_384 / part.len().max(1) + 1);
        prop_assert_eq!(encode(&text), naive_encode(&text));
        prop_assert_eq!(GPT2.count(&text, &SpecialPolicy::PLAIN).unwrap(), encode(&text).len());
    }
}

#[test]
fn every_token_is_found_by_its_bytes_and_by_merging() {
    for id in 0..50256 {
        let bytes = GPT2.token_bytes(id).unwrap();
        assert_eq!(GPT2.id_of(bytes), Some(id));
        assert_eq!(naive_merge(bytes), [id]);
    }
    assert_eq!(GPT2.id_of(b"<|endoftext|>"), Some(50256));
    assert_eq!(GPT2.id_of(b"no such token"), None);
    assert_eq!(GPT2.id_of(b""), None);
}

#[test]
fn sizes_and_names() {
    assert_eq!(encodings().collect::<Vec<_>>(), ["gpt2", "r50k_base"]);
    for name in encodings() {
        let tokenizer = Tokenizer::new(Encoding::named(name).unwrap(), &RANKS).unwrap();
        assert_eq!((tokenizer.name(), tokenizer.vocab_size()), (name, 50257));
        assert_eq!(tokenizer.special_tokens(), [("<|endoftext|>".to_owned(), 50256)]);
        assert_eq!(tokenizer.token(50256).unwrap(), "<|endoftext|>");
    }
}

#[test]
fn a_tokenizer_goes_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Tokenizer>();
}

#[test]
fn unknown_encodings_name_the_known() {
    let error = Encoding::named("gpt5").unwrap_err();
    assert_eq!(error.to_string(), r#"unknown encoding "gpt5": the known ones are gpt2, r50k_base"#);
}

#[test]
fn unknown_ids_say_where_they_are() {
    let error = GPT2.decode(&[1, 2, 50257]).unwrap_err();
    assert_eq!(error, TextError::UnknownId { position: 2, value: 50257, vocab_size: 50257 });
    assert_eq!(error.to_string(), "id 50257 at position 2 is no token: the vocabulary has 50257");
    assert!(GPT2.token(u32::MAX).is_err());
}

#[test]
fn disallowed_tokens_say_where_they_are() {
    let mut ids = Vec::new();
    let error = GPT2.encode("é🙂<|endoftext|>", &SpecialPolicy::default(), &mut ids).unwrap_err();
    assert_eq!(error, TextError::DisallowedSpecial { token: "<|endoftext|>".into(), byte: 6, utf16: 3 });
    assert!(error.to_string().starts_with(r#"the text contains the special token "<|endoftext|>" at position 3"#));

    let error = GPT2.encode_batch(&["fine", "<|endoftext|>"], &SpecialPolicy::default(), 4).unwrap_err();
    assert!(error.to_string().starts_with("text 1 of the batch: the text contains"));
}

#[test]
fn vocabularies_that_do_not_fit() {
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

    // In the first, 256 is "aa", 257 "ab" and 258 "aab" out of "a" and "ab": but encoding "aab" begins with "aa".
    for (merges, reason) in [
        (&[97, 97, 97, 98, 97, 129, 2][..], "a token is not the encoding of its own bytes (at byte 272)"),
        (&[97, 98, 97, 98, 97, 97], "a token is not the encoding of its own bytes (at byte 270)"),
        (&[97, 98, 129, 2, 97, 97, 98], "a token is made of later tokens (at byte 270)"),
        (&[97, 98, 97, 98, 128, 128, 128, 1, 97], "a number is too large (at byte 272)"),
        (&[97, 98, 97, 99, 97, 100, 0], "bytes follow the last token (at byte 274)"),
        (&[97, 98, 97, 99, 97], "it ends too soon (at byte 273)"),
    ] {
        let file = [&b"TBVOCAB1\x03\x01\0\0"[..], &bytes_only[12..], merges].concat();
        let error = Tokenizer::new(encoding(), &file).err().unwrap();
        assert!(error.to_string().contains(reason), "{error}");
    }

    for special in [&[("", 50256)][..], &[("<|a|>", 50255)], &[("<|a|>", 50256), ("<|b|>", 50256)]] {
        assert!(matches!(Tokenizer::new(of(special), &RANKS).err().unwrap(), TextError::SpecialToken { .. }));
    }
}

#[test]
fn of_two_special_tokens_at_one_place_the_longer_counts() {
    let special = vec![("<a>".to_owned(), 60000), ("<a><b>".to_owned(), 60001), ("[x]".to_owned(), 60002)];
    let tokenizer = Tokenizer::new(Encoding { special, ..Encoding::named("gpt2").unwrap() }, &RANKS).unwrap();
    assert_eq!(tokenizer.vocab_size(), 60003);
    assert!(tokenizer.decode(&[50256]).is_err(), "a gap among the ids");
    let mut ids = Vec::new();
    let policy = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::All };
    tokenizer.encode("<a><b><a>[x]<b>", &policy, &mut ids).unwrap();
    assert_eq!(ids, [vec![60001, 60000, 60002], encode("<b>")].concat());
    // What is not allowed is passed over, also where it hides an allowed one.
    ids.clear();
    let policy = SpecialPolicy { allowed: SpecialSet::Only(vec!["<a>".into()]), disallowed: SpecialSet::NONE };
    tokenizer.encode("<a><b>", &policy, &mut ids).unwrap();
    assert_eq!(ids, [vec![60000], encode("<b>")].concat());
}

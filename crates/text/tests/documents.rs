//! Texts in parts, divided into documents: each has the ids of its own text, wherever the parts are cut.
#![allow(clippy::expect_used, reason = "helpers of tests")]

mod common;

use common::GPT2;
use proptest::prelude::*;
use tokenbed_text::{Division, Documents, SpecialPolicy};

/// The ids of each document of the texts, which come in parts of so many characters.
fn divided(texts: &[&str], division: Division, size: usize) -> Vec<Vec<u32>> {
    divided_among(1, texts, division, size)
}

/// The same on up to so many threads.
fn divided_among(threads: usize, texts: &[&str], division: Division, size: usize) -> Vec<Vec<u32>> {
    let mut documents = Documents::new(SpecialPolicy::default(), division);
    documents.divide_among(threads);
    let (mut ids, mut ends) = (Vec::new(), Vec::new());
    for text in texts {
        let characters: Vec<char> = text.chars().collect();
        for part in characters.chunks(size) {
            let part: String = part.iter().collect();
            documents.push(&GPT2.tokenizer, &part, &mut ids, &mut ends).expect("the text is encoded");
        }
        documents.finish(&GPT2.tokenizer, &mut ids, &mut ends).expect("the text is encoded");
    }
    assert_eq!(ends.last().copied().unwrap_or(0), ids.len(), "all ids belong to a document");
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(&ends).map(|(from, &to)| ids[from..to].to_vec()).collect()
}

/// Lines as `str::lines` divides them, but for those that are empty.
fn lines(text: &str) -> Vec<Vec<u32>> {
    text.lines().filter(|line| !line.is_empty()).map(|line| GPT2.encode(line)).collect()
}

#[test]
fn a_text_is_a_document_and_may_be_empty() {
    let texts = ["Two\nlines.", "", "It isn't."];
    for size in [1, 4, 100] {
        let expected: Vec<_> = texts.iter().map(|text| GPT2.encode(text)).collect();
        assert_eq!(divided(&texts, Division::Texts, size), expected);
    }
}

#[test]
fn lines_end_as_files_of_any_system_end_them() {
    for text in ["a b\nc d\n", "a\r\nb\r\n", "\n\na\n\n\nb", "a\rb\r\r\nc\r", "\r\n\r\n", "\r", "", "no end"] {
        for size in [1, 2, 3, 100] {
            let expected = lines(text);
            assert_eq!(divided(&[text], Division::Lines, size), expected, "{text:?} in parts of {size}");
        }
    }
    // A line ends where its text does.
    assert_eq!(divided(&["a", "b\nc"], Division::Lines, 1), [GPT2.encode("a"), GPT2.encode("b"), GPT2.encode("c")]);
}

#[test]
fn several_threads_give_the_same_documents() {
    let line =
        |i: usize| format!("{}{}{}", "a rose is a rose ".repeat(i % 23), "\r".repeat(i % 3), "\n".repeat(1 + i % 2));
    let many: String = (0..4000).map(line).collect();
    let long = format!("{many}{}\n{many}", "no end of roses ".repeat(9000));
    for text in [many.as_str(), &long, many.trim_end()] {
        for size in [100_000, 2_000_000] {
            for division in [Division::Lines, Division::Texts] {
                let found = divided_among(4, &[text, "", text], division, size);
                assert!(found == divided(&[text, "", text], division, size), "{division:?} in parts of {size}");
            }
        }
    }
    let mut documents = Documents::new(SpecialPolicy::default(), Division::Lines);
    documents.divide_among(4);
    let special = format!("{many}<|endoftext|>\n{many}");
    let refused = documents.push(&GPT2.tokenizer, &special, &mut Vec::new(), &mut Vec::new());
    assert!(matches!(refused, Err(tokenbed_text::TextError::DisallowedSpecial { byte: 0, .. })), "{refused:?}");
}

proptest! {
    #[test]
    fn lines_of_any_text_have_their_ids(text in "[ab \\r\\n\u{e9}]{0,30}", size in 1usize..8) {
        prop_assert_eq!(divided(&[&text], Division::Lines, size), lines(&text));
    }
}

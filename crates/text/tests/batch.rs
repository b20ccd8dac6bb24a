//! Many texts on many threads give the same ids as one after the other.
#![allow(clippy::expect_used, reason = "helpers of tests")]

mod common;

use common::{GPT2, all};
use proptest::prelude::*;
use tokenbed_text::{EncodedTexts, SpecialPolicy, TextError};

const THREADS: [usize; 6] = [0, 1, 2, 3, 8, 200];

/// Texts of these lengths, all different.
fn texts(lengths: impl IntoIterator<Item = usize>) -> Vec<String> {
    let text =
        |(i, length): (usize, usize)| format!("{i} tales of Don't, ").repeat(length / 18 + 1)[..length].to_owned();
    lengths.into_iter().enumerate().map(text).collect()
}

fn one_by_one(it: &common::Subject, texts: &[String]) -> Vec<Vec<u32>> {
    texts.iter().map(|text| it.encode(text)).collect()
}

/// Whether they are these, row by row and end to end.
fn is_same(found: &EncodedTexts, expected: &[Vec<u32>]) -> bool {
    let (mut ids, mut offsets) = (vec![u32::MAX; found.ids()], vec![u32::MAX; found.texts() + 1]);
    found.join(&mut ids, &mut offsets).expect("the sizes are its own");
    let ends = expected.iter().scan(0, |end, row| {
        *end += row.len() as u32;
        Some(*end)
    });
    found.rows().eq(expected) && ids == expected.concat() && offsets.into_iter().eq([0].into_iter().chain(ends))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_batch_has_the_ids_of_its_texts(lengths in prop::collection::vec(prop_oneof![0usize..40, 0usize..3000, 0usize..60_000], 0..60)) {
        let texts = texts(lengths);
        for it in all() {
            let expected = one_by_one(it, &texts);
            for threads in THREADS {
                let found = it.tokenizer.encode_batch(&texts, &SpecialPolicy::PLAIN, threads).unwrap();
                prop_assert!(is_same(&found, &expected), "{} threads", threads);
            }
        }
    }
}

#[test]
fn batches_that_divide_badly_are_right() {
    let huge = 1 << 20;
    for lengths in
        [vec![], vec![0], vec![huge], vec![0, huge], vec![huge, 0, 0], vec![huge, 1, 1, huge], vec![1; 100_000]]
    {
        let texts = texts(lengths);
        let expected = one_by_one(&GPT2, &texts);
        for threads in THREADS {
            let found = GPT2.tokenizer.encode_batch(&texts, &SpecialPolicy::PLAIN, threads).unwrap();
            assert!(is_same(&found, &expected), "{threads} threads");
        }
    }
}

/// It does not matter which thread finds an error first.
#[test]
fn the_error_is_that_of_the_first_text() {
    for wrong in [vec![0], vec![299], vec![150, 151], vec![70, 298, 299], (20..300).collect()] {
        let mut texts = texts([3000; 300]);
        for &i in &wrong {
            // In later texts the token stands closer to the front, so it is found sooner.
            texts[i].insert_str((300 - i) * 10, "<|endoftext|>");
        }
        for threads in THREADS {
            for _ in 0..5 {
                let error = GPT2.tokenizer.encode_batch(&texts, &SpecialPolicy::default(), threads).unwrap_err();
                let TextError::InBatch { index, source } = error else { panic!("{error:?}") };
                assert_eq!(index, wrong[0]);
                assert!(matches!(*source, TextError::DisallowedSpecial { byte, .. } if byte == (300 - index) * 10));
            }
        }
    }
    let error = GPT2.tokenizer.encode_batch(&["fine", "<|endoftext|>"], &SpecialPolicy::default(), 4).unwrap_err();
    assert!(error.to_string().starts_with("text 1 of the batch: the text contains"));
}

#[test]
fn room_of_another_size_is_refused() {
    let found = GPT2.tokenizer.encode_batch(&["a", "b b"], &SpecialPolicy::PLAIN, 1).unwrap();
    assert_eq!((found.ids(), found.texts()), (3, 2));
    for (ids, offsets) in [(2, 3), (4, 3), (3, 2), (3, 4)] {
        let error = found.join(&mut vec![0; ids], &mut vec![0; offsets]).unwrap_err();
        assert!(matches!(error, TextError::Length { .. }), "{error}");
    }
}

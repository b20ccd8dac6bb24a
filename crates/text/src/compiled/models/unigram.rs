//! Unigram: the division of a piece into tokens with the largest sum of scores.

use std::borrow::Cow;

use serde_json::Value;

use super::prefixes::Prefixes;
use super::{Encode, Settings, spelling};
use crate::compiled::{Memo, NotNative, Tokens};
use crate::file::check::MOST_NESTED_BYTES;
use tokenbed_memory::{Gather, List, filled};

/// A Unigram model.
pub(crate) struct Unigram {
    tokens: Prefixes,
    scores: Scores,
    unknown: Option<u32>,
    /// The score of a character without a token.
    unknown_score: f64,
    /// The tokens of all bytes that have one, if unknown characters become bytes.
    bytes: Option<Box<[Option<u32>; 256]>>,
}

/// The scores of all tokens by id.
enum Scores {
    /// Numbers of 32 bits, and how many numbers of 64 bits lie between each and the score. Models are trained with 32
    /// bits, and files have these numbers in decimals, which are often read as a neighbour.
    Near(Vec<f32>, Vec<i8>),
    Double(Vec<f64>),
}

/// How many numbers of 64 bits lie between a score and the same with 32 bits; `None` if they are too many.
fn beyond_single(score: f64) -> Option<i8> {
    let single = f64::from(score as f32).to_bits().cast_signed();
    i8::try_from(score.to_bits().cast_signed().checked_sub(single)?).ok()
}

impl Scores {
    fn new(mut scores: Vec<f64>) -> Self {
        if scores.iter().any(|&score| beyond_single(score).is_none()) {
            scores.trim_to(0);
            return Self::Double(scores);
        }
        let beyond = scores.iter().map(|&score| beyond_single(score).unwrap_or_default()).into_list();
        Self::Near(scores.into_iter().map(|score| score as f32).into_list(), beyond)
    }

    #[inline]
    fn get(&self, id: u32) -> f64 {
        let score = match self {
            Self::Near(scores, beyond) => {
                scores.get(id as usize).zip(beyond.get(id as usize)).map(|(&score, &beyond)| {
                    f64::from_bits(f64::from(score).to_bits().wrapping_add_signed(i64::from(beyond)))
                })
            }
            Self::Double(scores) => scores.get(id as usize).copied(),
        };
        score.unwrap_or_default()
    }
}

/// How much worse than the worst token an unknown character is.
const PENALTY: f64 = 10.0;

/// The best division that ends at a place of a piece.
#[derive(Clone, Copy)]
struct Best {
    score: f64,
    /// Start of the last token; [`NOWHERE`] if no division ends here.
    start: u32,
    id: u32,
}

const NOWHERE: u32 = u32::MAX;
const NONE: Best = Best { score: 0.0, start: NOWHERE, id: 0 };

/// Pieces up to this length need no memory.
const SHORT: usize = 63;

impl Unigram {
    /// The id for what is unknown.
    pub(crate) fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Compiles a model. `scores` are in the order of the ids.
    pub(crate) fn compile(settings: &Settings, tokens: Tokens, scores: Vec<f64>) -> Result<Self, NotNative> {
        let odd = |name: &str| NotNative::new(format!("model: Unigram with an odd {name}"));
        if tokens.len() != scores.len() || tokens.end() != scores.len() {
            return Err(odd("vocab"));
        }
        let unknown = match settings.get("unk_id") {
            None | Some(Value::Null) => None,
            Some(id) => {
                let id = id.as_u64().filter(|&id| id < scores.len() as u64).ok_or_else(|| odd("unk_id"))?;
                Some(id as u32)
            }
        };
        let falls_back = match settings.get("byte_fallback") {
            None => false,
            Some(on) => on.as_bool().ok_or_else(|| odd("byte_fallback"))?,
        };
        let mut least = f64::INFINITY;
        for &score in &scores {
            least = if score < least { score } else { least };
        }
        let bytes = falls_back.then(|| {
            let mut bytes = Box::new([None; 256]);
            for (byte, id) in bytes.iter_mut().enumerate() {
                *id = tokens.get(format!("<0x{byte:02X}>").as_bytes());
            }
            bytes
        });
        let (tokens, scores) = (Prefixes::new(tokens)?, Scores::new(scores));
        let it = Self { tokens, scores, unknown, unknown_score: least - PENALTY, bytes };
        it.is_bounded().then_some(it).ok_or_else(|| odd("number of tokens within tokens"))
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        let scores = match &self.scores {
            Scores::Near(scores, beyond) => 4 * scores.capacity() + beyond.capacity(),
            Scores::Double(scores) => 8 * scores.capacity(),
        };
        self.tokens.memory() + scores
    }

    /// Whether few tokens lie within one another, so that finding them takes time in proportion.
    fn is_bounded(&self) -> bool {
        let tokens = (0..self.tokens.len() as u32).filter_map(|id| self.tokens.token(id));
        tokens.filter(|token| token.len() > 64).all(|token| {
            let mut bytes = 0;
            self.tokens.each(token, |len, _| bytes += len);
            bytes <= MOST_NESTED_BYTES
        })
    }

    /// Calls `put` with the id, the start and the end of each token.
    fn divide(&self, piece: &str, put: impl FnMut(u32, usize, usize)) -> Result<(), String> {
        if piece.len() <= SHORT {
            let mut room = [NONE; SHORT + 1];
            self.divide_in(piece, &mut room[..=piece.len()], put)
        } else {
            self.divide_in(piece, &mut filled(NONE, piece.len() + 1), put)
        }
    }

    /// `best` has a place for each byte of the piece and for its end.
    fn divide_in(&self, piece: &str, best: &mut [Best], mut put: impl FnMut(u32, usize, usize)) -> Result<(), String> {
        self.search(piece, best)?;
        let Some(last) = best.len().checked_sub(1).filter(|&last| last > 0) else { return Ok(()) };
        // Turns the path around: each place on it gets the next one instead of the one before.
        let (mut at, mut next) = (last, last);
        loop {
            let start = best[at].start as usize;
            best[at].start = next as u32;
            next = at;
            if start == 0 {
                break;
            }
            at = start;
        }
        let mut start = 0;
        loop {
            let mut end = next;
            let id = best[end].id;
            next = best[end].start as usize;
            if Some(id) == self.unknown {
                // Unknown characters side by side are one token.
                while end != last && best[next].id == id {
                    (end, next) = (next, best[next].start as usize);
                }
                self.put_unknown(id, piece.as_bytes(), start, end, &mut put);
            } else {
                put(id, start, end);
            }
            if end == last {
                return Ok(());
            }
            start = end;
        }
    }

    /// Finds the best division that ends at each place.
    #[inline]
    fn search(&self, piece: &str, best: &mut [Best]) -> Result<(), String> {
        let bytes = piece.as_bytes();
        let mut start = 0;
        while let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) {
            let before = best[start].score;
            let width = match rest[0] {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            let mut is_known = false;
            let ends = &mut best[start..];
            let mut reach = |len: usize, score: f64, id: u32| {
                let Some(end) = ends.get_mut(len) else { return false };
                let score = score + before;
                let is_better = end.start == NOWHERE || score > end.score;
                if is_better {
                    *end = Best { score, start: start as u32, id };
                }
                is_better
            };
            self.tokens.each(rest, |len, id| {
                reach(len, self.scores.get(id), id);
                is_known |= len == width;
            });
            if !is_known && reach(width, self.unknown_score, self.unknown.unwrap_or(0)) && self.unknown.is_none() {
                return Err("Encountered an unknown token but `unk_id` is missing".into());
            }
            start += width;
        }
        Ok(())
    }

    /// The tokens of what is unknown: a token that is spelled so after all, bytes, or the token for it.
    fn put_unknown(&self, id: u32, piece: &[u8], start: usize, end: usize, put: &mut impl FnMut(u32, usize, usize)) {
        let text = piece.get(start..end).unwrap_or_default();
        if let Some(known) = self.tokens.get(text) {
            return put(known, start, end);
        }
        if let Some(bytes) = &self.bytes
            && text.iter().all(|&byte| bytes[usize::from(byte)].is_some())
        {
            return text.iter().filter_map(|&byte| bytes[usize::from(byte)]).for_each(|id| put(id, start, end));
        }
        put(id, start, end);
    }
}

impl Encode for Unigram {
    fn remembers(&self) -> bool {
        true
    }

    #[inline]
    fn encode(&self, piece: &str, memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), String> {
        memo.get_or(piece.as_bytes(), out, |out| self.divide(piece, |id, _, _| out.put(id)))
    }

    fn encode_places(&self, piece: &str, out: &mut Vec<u32>, places: &mut Vec<(u32, u32)>) -> Result<(), String> {
        self.divide(piece, |id, start, end| {
            out.put(id);
            places.put((start as u32, end as u32));
        })
    }

    fn token(&self, id: u32) -> Option<Cow<'_, str>> {
        self.tokens.token(id).and_then(spelling)
    }

    fn id_of(&self, token: &str) -> Option<u32> {
        self.tokens.get(token.as_bytes())
    }

    fn sizes(&self) -> (usize, usize) {
        (self.tokens.len(), self.tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use tokenizers::Model as _;
    use tokenizers::models::unigram::Unigram as Theirs;

    use super::*;

    fn both(vocabulary: &[(String, f64)], unknown: Option<usize>, falls_back: bool) -> (Unigram, Theirs) {
        let theirs = Theirs::from(vocabulary.to_vec(), unknown, falls_back).unwrap();
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for (id, (token, _)) in vocabulary.iter().enumerate() {
            let start = bytes.len() as u32;
            bytes.extend(token.bytes());
            places.push((start, bytes.len() as u32, id as u32));
        }
        let scores = vocabulary.iter().map(|token| token.1).collect();
        let settings = json!({"unk_id": unknown, "byte_fallback": falls_back});
        let tokens = Tokens::new(bytes, &places).unwrap();
        let ours = Unigram::compile(settings.as_object().unwrap(), tokens, scores).unwrap();
        (ours, theirs)
    }

    fn check(ours: &Unigram, theirs: &Theirs, text: &str) {
        let expected = theirs.tokenize(text).map_err(|error| error.to_string());
        let expected = expected.map(|tokens| {
            let place = |place: (usize, usize)| (place.0 as u32, place.1 as u32);
            tokens.iter().map(|token| (token.id, place(token.offsets))).collect::<Vec<_>>()
        });
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        let found = ours.encode_places(text, &mut ids, &mut places);
        assert_eq!(found.map(|()| ids.iter().copied().zip(places).collect()), expected, "{text:?}");
        for _ in 0..2 {
            let mut again = Vec::new();
            if ours.encode(text, &mut Memo::new(), &mut again).is_ok() {
                assert_eq!(again, ids);
            }
        }
    }

    #[test]
    fn scores_keep_their_bits() {
        let bits = |score: f64| score.to_bits();
        let singles =
            [-2.012_292_9_f32, -0.0, 0.0, 1.5, f32::MAX, f32::MIN_POSITIVE, 1e-45, f32::INFINITY].map(f64::from);
        let near: Vec<f64> = singles.iter().flat_map(|&one| [one, one.next_up(), one.next_down()]).collect();
        let near: Vec<f64> = near.into_iter().filter(|&score| beyond_single(score).is_some()).collect();
        assert!(near.len() > 16);
        for scores in [near.clone(), [&near[..], &[-0.1, f64::NAN, 1e300, f64::MIN]].concat()] {
            let stored = Scores::new(scores.clone());
            assert_eq!(matches!(stored, Scores::Near(..)), scores.len() == near.len());
            let found: Vec<u64> = (0..scores.len() as u32).map(|id| bits(stored.get(id))).collect();
            assert_eq!(found, scores.into_iter().map(bits).collect::<Vec<_>>());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

        #[test]
        fn random_vocabularies_with_ties(
            tokens in proptest::collection::btree_map(
                "[abc\u{e9}\u{4e2d}\u{1f600}]{0,5}", proptest::sample::select(vec![-1.0, -2.0, -3.0, -0.1, -0.3, -7.25, 0.0, 5.5]), 0..40),
            texts in proptest::collection::vec("[abcd\u{e9}\u{4e2d}\u{1f600}<unk>\u{0}]{0,80}", 1..10),
            unknown in proptest::sample::select(vec![None, Some(0), Some(1)]),
            falls_back in 0..3,
        ) {
            let mut vocabulary = vec![("<unk>".to_owned(), 0.0), ("<s>".to_owned(), -2.0)];
            vocabulary.extend(tokens);
            // Of the bytes of é, the second one is missing in one of three cases.
            let bytes: &[u8] = if falls_back == 2 { b"\xc3 d<\0" } else { b"\xc3\xa9d<>unk\0\xf0\x9f\x98\x80" };
            if falls_back > 0 {
                vocabulary.extend(bytes.iter().map(|byte| (format!("<0x{byte:02X}>"), -9.0)));
            }
            let mut seen = std::collections::HashSet::new();
            vocabulary.retain(|(token, _)| seen.insert(token.clone()));
            let (ours, theirs) = both(&vocabulary, unknown, falls_back > 0);
            for text in texts {
                check(&ours, &theirs, &text);
            }
        }
    }

    #[test]
    fn large_vocabularies() {
        // All words of up to four letters, and long ones: many blocks of the trie.
        let mut vocabulary = vec![("<unk>".to_owned(), 0.0)];
        let letters: Vec<char> = "abcdefghijk\u{e9}\u{4e2d}".chars().collect();
        let mut words = vec![String::new()];
        for _ in 0..4 {
            words = words.iter().flat_map(|word| letters.iter().map(move |&c| format!("{word}{c}"))).collect();
            let score = |number: usize| -((number * 7919 % 1000) as f64) / 64.0 - 1.0;
            let start = vocabulary.len();
            vocabulary.extend(words.iter().enumerate().map(|(i, word)| (word.clone(), score(start + i))));
        }
        let (ours, theirs) = both(&vocabulary, Some(0), false);
        for (id, (token, _)) in vocabulary.iter().enumerate() {
            assert_eq!(ours.id_of(token), Some(id as u32));
            let mut found = Vec::new();
            ours.tokens.each(token.as_bytes(), |len, id| found.push((len, id)));
            let expected: Vec<(usize, u32)> = (1..=token.len())
                .filter(|&end| token.is_char_boundary(end))
                .filter_map(|end| Some((end, ours.id_of(&token[..end])?)))
                .collect();
            assert_eq!(found, if id == 0 { vec![(5, 0)] } else { expected });
        }
        for seed in 0..200usize {
            let text: String = (0..60).map(|i| letters[(seed * 31 + i * i * 7 + i) % letters.len()]).collect();
            check(&ours, &theirs, &text);
        }
    }

    #[test]
    fn long_pieces_take_time_in_proportion() {
        let mut vocabulary: Vec<(String, f64)> = vec![("<unk>".to_owned(), 0.0)];
        vocabulary.extend((1..=16).map(|len| ("a".repeat(len), -(len as f64).sqrt())));
        let (ours, _) = both(&vocabulary, Some(0), false);
        for text in ["a".repeat(1 << 20), "b".repeat(1 << 20), "\u{301}".repeat(1 << 19), "ab".repeat(1 << 19)] {
            let (mut ids, mut places) = (Vec::new(), Vec::new());
            ours.encode_places(&text, &mut ids, &mut places).unwrap();
            assert_eq!(places.last().map(|place| place.1), Some(text.len() as u32));
        }
    }

    #[test]
    fn nested_tokens_are_refused() {
        let vocabulary: Vec<(String, f64)> = (1..300).map(|len| ("a".repeat(len), -1.0)).collect();
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for (id, (token, _)) in vocabulary.iter().enumerate() {
            places.push((bytes.len() as u32, (bytes.len() + token.len()) as u32, id as u32));
            bytes.extend(token.bytes());
        }
        let scores = vec![-1.0; vocabulary.len()];
        assert!(Unigram::compile(&Settings::new(), Tokens::new(bytes, &places).unwrap(), scores).is_err());
    }
}

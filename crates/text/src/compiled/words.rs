//! Words of a text, cut as `BertPreTokenizer` cuts them, straight to ids.
//!
//! Most words are up to sixteen letters of ASCII. They are found eight bytes at a time, and these bytes are the key of
//! the memory of pieces, so that such a word is read once and is written nowhere. All others take the usual way.

use super::Memo;
use super::cut::next_word;
use super::eight::letters_or_digits;
use super::memo::head;
use super::models::Encode;
use tokenbed_memory::List;

/// Appends the ids of all words. `pieces` is room for those that take the usual way.
pub(super) fn encode_words(
    model: &impl Encode,
    text: &str,
    memo: &mut Memo,
    pieces: &mut Vec<(u32, u32)>,
    out: &mut Vec<u32>,
) -> Result<(), String> {
    let bytes = text.as_bytes();
    // Few texts have more ids than half their bytes.
    out.make_room(bytes.len() / 4);
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Letters { words, length } = letters(rest);
        match rest.get(length) {
            Some(b' ') if length == 0 => {
                at += 1;
                continue;
            }
            Some(&byte) if length == 0 && byte.is_ascii_punctuation() => {
                if !memo.get_word((u64::from(byte), 0), 1, out) {
                    model.encode(text.get(at..at + 1).unwrap_or_default(), memo, out)?;
                }
                at += 1;
                continue;
            }
            Some(b' ') if memo.get_word(words, length, out) => {
                at += length + 1;
                continue;
            }
            Some(&byte) if length > 0 && byte.is_ascii_punctuation() && memo.get_word(words, length, out) => {
                at += length;
                continue;
            }
            None if memo.get_word(words, length, out) => return Ok(()),
            _ => {}
        }
        pieces.clear();
        let end = next_word(text, at, pieces);
        for &(start, end) in pieces.iter() {
            model.encode(text.get(start as usize..end as usize).unwrap_or_default(), memo, out)?;
        }
        at = end;
    }
    Ok(())
}

/// Letters and digits of ASCII, up to sixteen.
struct Letters {
    /// Their bytes as two numbers, with zeros behind them.
    words: (u64, u64),
    /// How many they are.
    length: usize,
}

/// The letters and digits of ASCII that a text begins with.
///
/// It is a part of the loop over words: what it returns would be written to memory in two halves and read at once as
/// one, for which a processor waits until both are there. That took an eighth of the time of a text.
#[expect(clippy::inline_always, reason = "measured: without it, words take an eighth longer")]
#[inline(always)]
fn letters(text: &[u8]) -> Letters {
    let first = text.first_chunk::<8>().map_or_else(|| head(text), |eight| u64::from_le_bytes(*eight));
    let length = letters_or_digits(first);
    if length < 8 {
        return Letters { words: (first & !(u64::MAX << (8 * length)), 0), length };
    }
    let second = head(text.get(8..).unwrap_or_default());
    let more = letters_or_digits(second);
    let second = if more < 8 { second & !(u64::MAX << (8 * more)) } else { second };
    Letters { words: (first, second), length: 8 + more }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::Tokens;
    use crate::compiled::models::WordPiece;
    use proptest::prelude::*;
    use serde_json::json;

    /// Some words, and all letters on their own and within words.
    fn model() -> WordPiece {
        let mut tokens: Vec<String> =
            ["[UNK]", "the", "word", "abab", "##abab", "##ing", "a1", ",", "."].map(String::from).into();
        let letters = ["a", "b", "c", "d", "o", "r", "w", "\u{e9}", "\u{4e2d}", "1", "9"];
        tokens.extend(letters.iter().flat_map(|letter| [(*letter).to_owned(), format!("##{letter}")]));
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for (token, id) in tokens.iter().zip(0..) {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(token.as_bytes());
            places.push((start, bytes.len() as u32, id));
        }
        let settings =
            json!({ "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 20 });
        WordPiece::compile(settings.as_object().unwrap(), Tokens::new(bytes, &places).unwrap()).unwrap()
    }

    /// The ids by the usual way: all pieces first, and a memory that knows none of them.
    fn one_by_one(model: &WordPiece, text: &str) -> Vec<u32> {
        let (mut pieces, mut ids, mut at) = (Vec::new(), Vec::new(), 0);
        while at < text.len() {
            at = next_word(text, at, &mut pieces);
        }
        for (start, end) in pieces {
            model.encode(&text[start as usize..end as usize], &mut Memo::new(), &mut ids).unwrap();
        }
        ids
    }

    proptest! {
        #[test]
        fn ids_are_those_of_the_usual_way(
            texts in prop::collection::vec("([abcdorw19]{1,24}|the|word|,|\\[|\u{e9}|\u{4e2d}| |  |\n|\u{a0}|\u{2014}|\0){0,24}", 1..6),
        ) {
            let (model, mut memo, mut pieces) = (model(), Memo::new(), Vec::new());
            // The second time all words are remembered.
            for text in texts.iter().chain(&texts) {
                let mut ids = vec![7];
                encode_words(&model, text, &mut memo, &mut pieces, &mut ids).unwrap();
                prop_assert_eq!(&ids[1..], one_by_one(&model, text), "{:?}", text);
            }
        }

        #[test]
        fn letters_are_those_of_the_front(text in "[a-zA-Z0-9]{0,20}[ ,.\u{e9}]?[a-z]{0,9}") {
            let bytes = text.as_bytes();
            let expected = bytes.iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let Letters { words, length } = letters(bytes);
            prop_assert_eq!(length, expected);
            let mut padded = [0; 16];
            padded[..length].copy_from_slice(&bytes[..length]);
            let halves = padded.as_chunks::<8>().0;
            prop_assert_eq!(words, (u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1])));
        }
    }
}

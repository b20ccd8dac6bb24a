//! Checks a file's description before the library acts on it: for sizes that the library would believe, and for work
//! that nobody needs.

use super::base64;
use serde_json::Value;
use tokenbed_memory::{Gather, Slice};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;
use unicode_segmentation::UnicodeSegmentation;

/// Largest number of steps of a normalizer, a pre-tokenizer, a post-processor or a decoder. Files in use have fewer
/// than ten.
const MOST_STEPS: usize = 256;
/// Largest number of bytes of all patterns of a file together. DeepSeek's have about 600.
const MOST_PATTERN: usize = 16 << 10;
/// Largest product of the repetition counts in all patterns. Each repetition costs memory.
const MOST_REPEATED: u64 = 10_000;
/// Largest number of tokens that a template may put around a text.
const MOST_FRAME: usize = 4096;
/// Largest number of bytes of tokens that are compared for a byte of text. A vocabulary in use has some hundred.
pub(crate) const MOST_NESTED_BYTES: usize = 16 << 10;
/// The largest id. One more must fit an i32.
pub(crate) const LARGEST_ID: u32 = i32::MAX as u32 - 1;

/// Totals over the parts that were checked so far.
#[derive(Default)]
pub(crate) struct Found {
    steps: usize,
    pattern: usize,
    repeated: u64,
}

impl Found {
    /// Checks a part of the file other than the model.
    pub(crate) fn part(&mut self, part: &Value) -> Result<(), String> {
        self.steps = 0;
        self.step(part)
    }

    fn step(&mut self, step: &Value) -> Result<(), String> {
        let Value::Object(object) = step else { return Ok(()) };
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err(format!("it has more than {MOST_STEPS} steps"));
        }
        if let Some(map) = object.get("precompiled_charsmap").and_then(Value::as_str) {
            charsmap(map)?;
        }
        if object.get("length").and_then(Value::as_u64) == Some(0) {
            return Err("its length must be at least 1".into());
        }
        if let Some(pattern) = object.get("pattern").and_then(|pattern| pattern.get("Regex")).and_then(Value::as_str) {
            self.pattern(pattern)?;
        }
        if let Some(single) = object.get("single") {
            template(single, object.get("special_tokens").unwrap_or(&Value::Null))?;
        }
        for name in ["normalizers", "pretokenizers", "processors", "decoders"] {
            for step in object.get(name).and_then(Value::as_array).into_iter().flatten() {
                self.step(step)?;
            }
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), String> {
        self.pattern += pattern.len();
        if self.pattern > MOST_PATTERN {
            return Err(format!("the patterns of the file have more than {MOST_PATTERN} bytes"));
        }
        self.repeated = repetitions(pattern).fold(self.repeated.max(1), |all, count| all.saturating_mul(count.max(1)));
        if self.repeated > MOST_REPEATED {
            return Err(format!("the patterns of the file repeat parts more than {MOST_REPEATED} times"));
        }
        Ok(())
    }
}

/// The larger number of each `{2}`, `{2,}` and `{2,5}`.
fn repetitions(pattern: &str) -> impl Iterator<Item = u64> {
    let is_repetition = |at: usize| {
        let before = &pattern.as_bytes()[..at];
        // `\x{41}` is the number of a character, not a repetition.
        !matches!(before, [.., b'\\', b'x' | b'u' | b'U' | b'o'])
    };
    pattern.match_indices('{').filter(move |&(at, _)| is_repetition(at)).filter_map(|(at, _)| {
        let (numbers, _) = pattern[at + 1..].split_once('}')?;
        let digits = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let mut largest = None;
        for number in numbers.split(',').map(str::trim).filter(|number| !number.is_empty()) {
            if !digits(number) {
                return None;
            }
            largest = largest.max(Some(number.parse().unwrap_or(u64::MAX)));
        }
        largest
    })
}

/// Refuses a template that does more than texts can use.
fn template(single: &Value, tokens: &Value) -> Result<(), String> {
    let ids_of = |name: &str| match tokens {
        Value::Object(tokens) => tokens.get(name),
        Value::Array(tokens) => tokens.iter().find(|token| token.get("id").and_then(Value::as_str) == Some(name)),
        _ => None,
    };
    let width = |name: &str| ids_of(name).and_then(|token| token["ids"].as_array()).map_or(1, Vec::len);
    let pieces: Vec<&Value> = single.as_array().map_or_else(|| Vec::from([single]), |pieces| pieces.iter().into_list());
    let (mut texts, mut frame) = (0, 0usize);
    for piece in pieces {
        match piece {
            Value::String(words) => {
                for word in words.split(' ') {
                    let name = word.rsplit_once(':').map_or(word, |(name, _)| name);
                    let is_text = name.starts_with('$');
                    texts += usize::from(is_text);
                    frame += if is_text { 0 } else { width(name).max(width(word)) };
                }
            }
            _ if piece.get("Sequence").is_some() => texts += 1,
            _ => frame += width(piece["SpecialToken"]["id"].as_str().unwrap_or_default()),
        }
        if frame > MOST_FRAME {
            return Err(format!("it puts more than {MOST_FRAME} tokens around a text"));
        }
    }
    if texts > 1 {
        return Err(format!("it takes the text {texts} times, once is supported"));
    }
    Ok(())
}

/// Decodes a table from base 64. Its first number is the length of its first part; this returns the rest, its
/// entries.
fn charsmap(written: &str) -> Result<Vec<u8>, String> {
    let wrong = || "its precompiled_charsmap is damaged".to_owned();
    let bytes = base64::decoded(written).ok_or_else(wrong)?;
    let (size, rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
    // The library's reader allocates memory for this length without checking it.
    let size = u32::from_le_bytes(*size) as usize / 4 * 4;
    if size == 0 {
        return Err(wrong());
    }
    rest.get(size..).map(Slice::to_list).ok_or_else(wrong)
}

/// Number of bytes of the longest replacement in a table.
pub(crate) fn longest_entry(table: &Precompiled) -> Result<usize, String> {
    let written = serde_json::to_value(table).map_err(|error| error.to_string())?;
    let entries = charsmap(written["precompiled_charsmap"].as_str().unwrap_or_default())?;
    Ok(entries.split(|&byte| byte == 0).map(<[u8]>::len).max().unwrap_or(0).max(1))
}

/// Number of bytes that a table makes of a text.
pub(crate) fn table_bytes(table: &Precompiled, text: &str) -> usize {
    let of = |part: &str| table.transform(part).map(str::len);
    let characters = |part: &str| {
        part.char_indices().map(|(at, c)| of(&part[at..at + c.len_utf8()]).unwrap_or(c.len_utf8())).sum::<usize>()
    };
    let parts = text.graphemes(true).map(|part| {
        let whole = if part.len() < 6 { of(part) } else { None };
        whole.unwrap_or_else(|| characters(part))
    });
    parts.fold(0, usize::saturating_add)
}

/// Refuses a vocabulary in which so many tokens lie within one another that finding them takes time out of
/// proportion.
pub(crate) fn unigram(model: &Unigram) -> Result<(), String> {
    let mut long: Vec<&str> =
        model.iter().map(|(token, _)| token.as_str()).filter(|token| token.len() > 64).into_list();
    if long.is_empty() {
        return Ok(());
    }
    let mut all: Vec<&str> = model.iter().map(|(token, _)| token.as_str()).into_list();
    all.sort_unstable();
    long.sort_unstable();
    for token in long {
        let is_token = |end: &usize| token.is_char_boundary(*end) && all.binary_search(&&token[..*end]).is_ok();
        // A token longer than this exceeds the limit by itself.
        let bytes = token.len() + (1..token.len().min(MOST_NESTED_BYTES)).filter(is_token).sum::<usize>();
        if bytes > MOST_NESTED_BYTES {
            return Err(format!(
                "it has tokens within tokens: {bytes} bytes of them at one place, at most {MOST_NESTED_BYTES}"
            ));
        }
    }
    Ok(())
}

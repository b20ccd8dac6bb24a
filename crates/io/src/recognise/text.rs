//! Recognises text formats.

use super::{Found, Wanted, narrowed};
use memchr::memmem;
use std::str::from_utf8;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn recognise(start: &[u8], wanted: Wanted) -> Option<Found> {
    if let Some((name, iconv)) = wide(start) {
        let advice = format!("convert it to UTF-8 (iconv -f {iconv} -t UTF-8)");
        return Some(Found { what: format!("{name} text"), advice });
    }
    let marked = start.starts_with(BYTE_ORDER_MARK);
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    let found = markup(text).or_else(|| json(text, wanted)).or_else(|| tables(text, wanted));
    // If the rest is right, the mark is the problem.
    let mark = || Found::new("text with a byte order mark in front", "save it as UTF-8 without one");
    found.or_else(|| (marked && matches!(wanted, Wanted::Tokenizer | Wanted::Own)).then(mark))
}

/// UTF-16 and UTF-32, told by their byte order marks or by ASCII text in UTF-16.
fn wide(start: &[u8]) -> Option<(&'static str, &'static str)> {
    match start {
        [0xff, 0xfe, 0, 0, ..] => return Some(("UTF-32", "UTF-32")),
        [0, 0, 0xfe, 0xff, ..] => return Some(("UTF-32", "UTF-32")),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(("UTF-16", "UTF-16")),
        _ => {}
    }
    let some = &start[..start.len().min(64) & !1];
    let is_ascii = |first: usize| {
        let letters = narrowed(some, first);
        let zeros = narrowed(some, 1 - first);
        letters.iter().all(|&byte| byte == b'\n' || byte == b'\r' || byte == b'\t' || (0x20..0x7f).contains(&byte))
            && zeros.iter().all(|&byte| byte == 0)
    };
    match some.len() {
        0..8 => None,
        _ if is_ascii(0) => Some(("UTF-16", "UTF-16LE")),
        _ if is_ascii(1) => Some(("UTF-16", "UTF-16BE")),
        _ => None,
    }
}

fn markup(text: &[u8]) -> Option<Found> {
    let begins = |with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if begins(b"<!doctype html") || begins(b"<html") || begins(b"<head") || begins(b"<body") {
        let title = between(text, b"<title>", b"</title>").map_or(String::new(), |title| format!(", \"{title}\""));
        let advice = "a server sent it instead of the file: download that by the link to its raw contents, logged in where it \
                      asks for that";
        return Some(Found { what: format!("a page of HTML{title}"), advice: advice.into() });
    }
    if begins(b"<?xml") || begins(b"<Error>") {
        let code = between(text, b"<Code>", b"</Code>").map_or(String::new(), |code| format!(" ({code})"));
        let what = format!("a document of XML{code}");
        return Some(Found { what, advice: "if a server sent it instead of the file, download that again".into() });
    }
    None
}

/// A short text between two tags.
fn between<'a>(text: &'a [u8], before: &[u8], after: &[u8]) -> Option<&'a str> {
    let (_, rest) = text.split_at_checked(memmem::find(text, before)? + before.len())?;
    let found = from_utf8(&rest[..memmem::find(rest, after)?]).ok()?.trim();
    (!found.is_empty() && found.len() <= 80 && !found.contains(char::is_control)).then_some(found)
}

/// JSON, told by the names in it.
fn json(text: &[u8], wanted: Wanted) -> Option<Found> {
    if !matches!(text.first(), Some(b'{' | b'[')) || wanted == Wanted::Text {
        return None;
    }
    let has = |name: &str| memmem::find(text, format!("\"{name}\"").as_bytes()).is_some();
    let tokenizer = "take the tokenizer.json that lies beside it";
    if has("weight_map") {
        let advice = match wanted {
            Wanted::Tokenizer => tokenizer,
            _ => "load the files that its weight_map names, which lie beside it",
        };
        return Some(Found::new("the index of a model in several files (shards)", advice));
    }
    if wanted == Wanted::Tokenizer {
        // A tokenizer.json has one of these names, and its own reader explains better what is wrong with it.
        if has("added_tokens") || has("pre_tokenizer") || has("normalizer") {
            return None;
        }
        if has("tokenizer_class") || has("added_tokens_decoder") || has("model_max_length") {
            return Some(Found::new("a tokenizer_config.json", tokenizer));
        }
        if has("architectures") || has("model_type") || has("hidden_size") {
            return Some(Found::new("the config.json of a model", tokenizer));
        }
        return None;
    }
    if wanted == Wanted::Own {
        return None;
    }
    let error = between(text, b"\"error\":\"", b"\"").map_or(String::new(), |error| format!(" (\"{error}\")"));
    Some(Found::new(&format!("JSON{error}"), "name the file of tensors or vectors itself"))
}

/// Lines of words and vectors, or of tokens.
fn tables(text: &[u8], wanted: Wanted) -> Option<Found> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    let line = from_utf8(line).ok()?.trim_end();
    if let Some((token, "0")) = line.split_once(' ')
        && token.len() >= 4
        && token.len().is_multiple_of(4)
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        && token.ends_with('=')
    {
        let advice = "Tokenizer.load has OpenAI's encodings; of another model take its tokenizer.json";
        return Some(Found::new("a vocabulary of tiktoken (base64 and ranks)", advice));
    }
    let mut numbers = line.split(' ').map(str::parse::<u64>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(_)), Some(Ok(_)), None) if matches!(wanted, Wanted::Safetensors | Wanted::Npy | Wanted::FastText) => {
            Some(Found::new("vectors in a format of word2vec", "loadWord2Vec reads them"))
        }
        _ => None,
    }
}

//! Tokens to text, as the file's decoder does it, but token by token: each stage gives on what can no longer change.
//!
//! The library decodes a list as a whole. A stage here is one of its decoders as a machine that takes tokens one at a
//! time; what it waits for is exactly what the rest of the list could still change. Whole lists are decoded by the same
//! machines, so that streaming cannot differ.

use tokenizers::decoders::strip::Strip;
use tokenizers::normalizers::replace::Replace;
use tokenizers::{Decoder, DecoderWrapper};

use super::load;
use crate::error::TextError;
use crate::utf8;

/// One decoder of the file.
#[derive(Debug)]
pub(crate) enum Stage {
    /// No decoder at all: tokens are joined by spaces.
    Join,
    /// Each token by itself.
    Each(DecoderWrapper),
    /// The first token is another than those that follow.
    First(DecoderWrapper),
    /// The last token is another than those before it.
    Last(DecoderWrapper),
    /// A token that repeats the one before it does not count.
    Runs(DecoderWrapper),
    /// Characters stand for bytes; all tokens become one.
    ByteLevel(Box<ByteTable>),
    /// Runs of `<0xNN>` are bytes.
    ByteFallback,
    /// All tokens become one.
    Fuse,
    /// Characters at the ends of each token.
    Strip(Strip),
    /// The same, of a token that comes in parts.
    StripParts(Strip),
    /// Replaces a text in a token that comes in parts.
    ReplaceParts { pattern: String, content: String },
    /// What needs to see a token whole that comes in parts.
    Whole(DecoderWrapper),
}

/// Where a stage is.
#[derive(Debug, Default)]
pub(crate) struct StageState {
    started: bool,
    /// Text, or a token, that waits.
    held: String,
    bytes: Vec<u8>,
    /// Characters taken off the front.
    stripped: usize,
    /// Whether no more are taken off there.
    past_front: bool,
}

/// The stages of a file's decoder.
pub(super) fn stages(decoder: Option<&DecoderWrapper>) -> Vec<Stage> {
    let mut stages = Vec::new();
    match decoder {
        None => stages.push(Stage::Join),
        Some(decoder) => add(decoder, &mut false, &mut stages),
    }
    stages
}

/// `fused`: whether the tokens have become one, which then comes in parts.
fn add(decoder: &DecoderWrapper, fused: &mut bool, stages: &mut Vec<Stage>) {
    use DecoderWrapper as D;
    let stage = match decoder {
        D::Sequence(sequence) => {
            for decoder in sequence.get_decoders() {
                add(decoder, fused, stages);
            }
            return;
        }
        // One token is its own fusion.
        D::Fuse(_) if *fused => return,
        // Of one token, which is the first, it treats each character alike.
        D::Metaspace(_) if *fused => Stage::Each(decoder.clone()),
        D::Strip(strip) if *fused => Stage::StripParts(strip.clone()),
        D::Replace(replace) if *fused => match literal(replace) {
            Some(pattern) => Stage::ReplaceParts { pattern, content: replace.content.clone() },
            None => Stage::Whole(decoder.clone()),
        },
        _ if *fused => Stage::Whole(decoder.clone()),
        D::Replace(_) => Stage::Each(decoder.clone()),
        D::WordPiece(_) | D::Metaspace(_) => Stage::First(decoder.clone()),
        D::BPE(_) => Stage::Last(decoder.clone()),
        D::CTC(_) => Stage::Runs(decoder.clone()),
        D::Strip(strip) => Stage::Strip(strip.clone()),
        D::ByteFallback(_) => Stage::ByteFallback,
        D::ByteLevel(_) => Stage::ByteLevel(Box::new(ByteTable::new())),
        D::Fuse(_) => Stage::Fuse,
    };
    *fused |= matches!(stage, Stage::ByteLevel(_) | Stage::Fuse);
    stages.push(stage);
}

/// The text that is replaced, where it is one: not an expression, not nothing.
fn literal(replace: &Replace) -> Option<String> {
    let pattern = serde_json::to_value(replace).ok()?;
    let text = pattern.get("pattern")?.get("String")?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

impl Stage {
    /// Takes a token, and gives on what can no longer change.
    pub(crate) fn push(&self, state: &mut StageState, token: String, out: &mut Vec<String>) -> Result<(), TextError> {
        let first = !std::mem::replace(&mut state.started, true);
        match self {
            Self::Join => out.push(if first { token } else { format!(" {token}") }),
            Self::First(decoder) if !first => out.extend(run(decoder, vec![String::new(), token])?.into_iter().skip(1)),
            Self::Each(decoder) | Self::First(decoder) => out.extend(run(decoder, vec![token])?),
            Self::Last(decoder) => {
                let before = std::mem::replace(&mut state.held, token);
                if !first {
                    out.extend(run(decoder, vec![before, String::new()])?.into_iter().take(1));
                }
            }
            Self::Runs(decoder) => {
                if first || state.held != token {
                    out.extend(run(decoder, vec![token.clone()])?);
                    state.held = token;
                }
            }
            Self::ByteLevel(table) => {
                table.append(&token, &mut state.bytes);
                out.push(utf8::take_complete(&mut state.bytes));
            }
            Self::ByteFallback => match byte_of(&token) {
                Some(byte) => state.bytes.push(byte),
                None => {
                    end_run(&mut state.bytes, out);
                    out.push(token);
                }
            },
            Self::Fuse => out.push(token),
            Self::Strip(strip) => out.push(strip_token(strip, &token)),
            Self::StripParts(strip) => out.push(strip_part(strip, state, &token)),
            Self::ReplaceParts { pattern, content } => {
                state.held.push_str(&token);
                out.push(replace_part(pattern, content, &mut state.held));
            }
            Self::Whole(_) => state.held.push_str(&token),
        }
        Ok(())
    }

    /// No token follows: gives on what waited.
    pub(crate) fn end(&self, state: &mut StageState, out: &mut Vec<String>) -> Result<(), TextError> {
        let state = std::mem::take(state);
        if !state.started {
            return Ok(());
        }
        match self {
            Self::Last(decoder) | Self::Whole(decoder) => out.extend(run(decoder, vec![state.held])?),
            Self::ByteLevel(_) => out.push(String::from_utf8_lossy(&state.bytes).into_owned()),
            Self::ByteFallback => {
                let mut bytes = state.bytes;
                end_run(&mut bytes, out);
            }
            Self::ReplaceParts { .. } => out.push(state.held),
            // What StripParts holds is what is stripped.
            _ => {}
        }
        Ok(())
    }
}

fn run(decoder: &DecoderWrapper, tokens: Vec<String>) -> Result<Vec<String>, TextError> {
    decoder.decode_chain(tokens).map_err(|error| load::wrong(0, format!("decoder: {error}")))
}

fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    // `from_str_radix` takes a sign, too, as the library does.
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// Bytes that are no text are as many replacement characters.
fn end_run(bytes: &mut Vec<u8>, out: &mut Vec<String>) {
    match String::from_utf8(std::mem::take(bytes)) {
        Ok(text) if text.is_empty() => {}
        Ok(text) => out.push(text),
        Err(error) => out.extend(error.as_bytes().iter().map(|_| char::REPLACEMENT_CHARACTER.to_string())),
    }
}

fn strip_token(strip: &Strip, token: &str) -> String {
    let front = token.chars().take(strip.start).take_while(|&c| c == strip.content).count();
    let back = token.chars().rev().take(strip.stop).take_while(|&c| c == strip.content).count();
    let length = token.chars().count();
    token.chars().take(length - back).skip(front).collect()
}

/// Characters at the end wait: they are stripped if nothing follows.
fn strip_part(strip: &Strip, state: &mut StageState, part: &str) -> String {
    let mut rest = part;
    while !state.past_front {
        let Some(next) = rest.chars().next() else { break };
        if state.stripped < strip.start && next == strip.content {
            state.stripped += 1;
            rest = &rest[next.len_utf8()..];
        } else {
            state.past_front = true;
        }
    }
    state.held.push_str(rest);
    let waiting = state.held.chars().rev().take(strip.stop).take_while(|&c| c == strip.content).count();
    let waits = state.held.split_off(state.held.len() - waiting * strip.content.len_utf8());
    std::mem::replace(&mut state.held, waits)
}

/// Replaces what is there, and leaves what could be the beginning of another in `held`.
fn replace_part(pattern: &str, content: &str, held: &mut String) -> String {
    let mut done = String::with_capacity(held.len());
    let mut rest = held.as_str();
    while let Some(at) = rest.find(pattern) {
        done.push_str(&rest[..at]);
        done.push_str(content);
        rest = &rest[at + pattern.len()..];
    }
    let ends = pattern.char_indices().map(|(at, _)| at).rev().find(|&at| rest.ends_with(&pattern[..at])).unwrap_or(0);
    done.push_str(&rest[..rest.len() - ends]);
    let waits = rest[rest.len() - ends..].to_owned();
    *held = waits;
    done
}

/// GPT-2's characters for bytes: printable ones stand for themselves, the others for those from U+0100 on.
pub(crate) struct ByteTable(Vec<Option<u8>>);

impl std::fmt::Debug for ByteTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByteTable")
    }
}

impl ByteTable {
    fn new() -> Self {
        let mut table = vec![None; 256 + 68];
        let mut next = 256;
        for byte in 0..=u8::MAX {
            let place = if matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) {
                usize::from(byte)
            } else {
                next += 1;
                next - 1
            };
            table[place] = Some(byte);
        }
        Self(table)
    }

    /// The bytes that a token stands for; one with a character that stands for none is text as it is.
    fn append(&self, token: &str, out: &mut Vec<u8>) {
        let start = out.len();
        for c in token.chars() {
            let Some(&Some(byte)) = self.0.get(c as usize) else {
                out.truncate(start);
                out.extend_from_slice(token.as_bytes());
                return;
            };
            out.push(byte);
        }
    }
}

//! Tokens to text, as the file's decoder does it, but token by token: each stage passes on what can no longer change.
//!
//! The library decodes a whole list. A stage here is one of its decoders as a machine that takes tokens one at a
//! time, and holds back exactly what the rest of the list could still change. Whole lists are decoded by the same
//! machines, so that streaming cannot differ.

use tokenizers::decoders::strip::Strip;
use tokenizers::normalizers::replace::Replace;
use tokenizers::{Decoder, DecoderWrapper};

use super::limits::{Budget, Limits};
use super::normal::replaced;
use super::pattern::Expression;
use crate::utf8;
use tokenbed_memory::{List, Text, filled, joined, lossy_owned, owned};

/// One decoder of the file.
pub(crate) enum Stage {
    /// There is no decoder: tokens are joined by spaces.
    Join,
    /// Decodes each token by itself.
    Each(DecoderWrapper),
    /// Treats the first token differently from those that follow.
    First(DecoderWrapper),
    /// Treats the last token differently from those before it.
    Last(DecoderWrapper),
    /// Skips a token that repeats the one before it.
    Runs(DecoderWrapper),
    /// Characters stand for bytes; all tokens become one.
    ByteLevel(Box<ByteTable>),
    /// Runs of `<0xNN>` are bytes.
    ByteFallback,
    /// All tokens become one.
    Fuse,
    /// Strips characters at the ends of each token.
    Strip(Strip),
    /// The same for a token that comes in parts.
    StripParts(Strip),
    /// Replaces a text in a token that comes in parts.
    ReplaceParts { pattern: String, content: String },
    /// Replaces the matches of a pattern in each token, or in one whole token that comes in parts.
    Replace { pattern: Box<Expression>, content: String, whole: bool },
    /// A decoder that needs to see a whole token, which comes in parts.
    Whole(DecoderWrapper),
}

/// State of a stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct StageState {
    started: bool,
    /// Text, or a token, that waits.
    held: String,
    bytes: Vec<u8>,
    /// Number of characters that were stripped from the front.
    stripped: usize,
    /// Whether stripping at the front has ended.
    past_front: bool,
}

impl StageState {
    /// Number of bytes that wait.
    pub(crate) fn waits(&self) -> usize {
        self.held.len() + self.bytes.len()
    }
}

/// The stages of a file's decoder.
pub(super) fn stages(decoder: Option<&DecoderWrapper>, limits: Limits) -> Result<Vec<Stage>, String> {
    let mut stages = Vec::new();
    match decoder {
        None => stages.put(Stage::Join),
        Some(decoder) => add(decoder, limits, &mut false, &mut stages)?,
    }
    Ok(stages)
}

/// Adds the stages of a decoder. `fused` says whether all tokens have become one, which then comes in parts.
fn add(decoder: &DecoderWrapper, limits: Limits, fused: &mut bool, stages: &mut Vec<Stage>) -> Result<(), String> {
    use DecoderWrapper as D;
    let stage = match decoder {
        D::Sequence(sequence) => {
            for decoder in sequence.get_decoders() {
                add(decoder, limits, fused, stages)?;
            }
            return Ok(());
        }
        // Fusing one token changes nothing.
        D::Fuse(_) if *fused => return Ok(()),
        // There is only one token, the first, and Metaspace treats all its characters alike.
        D::Metaspace(_) if *fused => Stage::Each(decoder.clone()),
        D::Strip(strip) if *fused => Stage::StripParts(strip.clone()),
        D::Replace(replace) if *fused => match literal(replace) {
            Some(pattern) => Stage::ReplaceParts { pattern, content: replace.content.clone() },
            None => replace_stage(replace, limits, true)?,
        },
        _ if *fused => Stage::Whole(decoder.clone()),
        D::Replace(replace) => replace_stage(replace, limits, false)?,
        D::WordPiece(_) | D::Metaspace(_) => Stage::First(decoder.clone()),
        D::BPE(_) => Stage::Last(decoder.clone()),
        D::CTC(_) => Stage::Runs(decoder.clone()),
        D::Strip(strip) => Stage::Strip(strip.clone()),
        D::ByteFallback(_) => Stage::ByteFallback,
        D::ByteLevel(_) => Stage::ByteLevel(Box::new(ByteTable::new())),
        D::Fuse(_) => Stage::Fuse,
    };
    *fused |= matches!(stage, Stage::ByteLevel(_) | Stage::Fuse);
    stages.put(stage);
    Ok(())
}

fn replace_stage(replace: &Replace, limits: Limits, whole: bool) -> Result<Stage, String> {
    Ok(Stage::Replace { pattern: Box::new(replaced(replace, limits)?), content: replace.content.clone(), whole })
}

/// The text that is replaced, if it is a non-empty text and not an expression.
fn literal(replace: &Replace) -> Option<String> {
    let pattern = serde_json::to_value(replace).ok()?;
    let text = pattern.get("pattern")?.get("String")?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

impl Stage {
    /// Takes a token, and passes on what can no longer change.
    pub(crate) fn push(
        &self,
        state: &mut StageState,
        token: String,
        out: &mut Vec<String>,
        room: &Room,
    ) -> Result<(), String> {
        let first = !std::mem::replace(&mut state.started, true);
        match self {
            Self::Join => out.put(if first { token } else { joined(&[" ", &token]) }),
            Self::First(decoder) if !first => {
                out.put_all(run(decoder, Vec::from([String::new(), token]))?.into_iter().skip(1))
            }
            Self::Each(decoder) | Self::First(decoder) => out.put_all(run(decoder, Vec::from([token]))?),
            Self::Last(decoder) => {
                let before = std::mem::replace(&mut state.held, token);
                if !first {
                    out.put_all(run(decoder, Vec::from([before, String::new()]))?.into_iter().take(1));
                }
            }
            Self::Runs(decoder) => {
                if first || state.held != token {
                    out.put_all(run(decoder, Vec::from([owned(&token)]))?);
                    state.held = token;
                }
            }
            Self::ByteLevel(table) => {
                table.append(&token, &mut state.bytes);
                out.put(utf8::take_complete(&mut state.bytes));
            }
            Self::ByteFallback => match byte_of(&token) {
                Some(byte) => state.bytes.put(byte),
                None => {
                    end_run(&mut state.bytes, out);
                    out.put(token);
                }
            },
            Self::Fuse => out.put(token),
            Self::Strip(strip) => out.put(strip_token(strip, &token)),
            Self::StripParts(strip) => out.put(strip_part(strip, state, &token)),
            Self::ReplaceParts { pattern, content } => {
                state.held.put_str(&token);
                let found = state.held.matches(pattern.as_str()).count();
                let kept = state.held.len() - found * pattern.len();
                room.take(kept.saturating_add(found.saturating_mul(content.len())))?;
                out.put(replace_part(pattern, content, &mut state.held));
            }
            Self::Replace { pattern, content, whole: false } => out.put(replace(pattern, content, &token, room)?),
            Self::Whole(_) | Self::Replace { .. } => state.held.put_str(&token),
        }
        Ok(())
    }

    /// Passes on what waited, since no token follows.
    pub(crate) fn end(&self, state: &mut StageState, out: &mut Vec<String>, room: &Room) -> Result<(), String> {
        let state = std::mem::take(state);
        if !state.started {
            return Ok(());
        }
        match self {
            Self::Last(decoder) | Self::Whole(decoder) => out.put_all(run(decoder, Vec::from([state.held]))?),
            Self::ByteLevel(_) => out.put(lossy_owned(state.bytes)),
            Self::ByteFallback => {
                let mut bytes = state.bytes;
                end_run(&mut bytes, out);
            }
            Self::ReplaceParts { .. } => out.put(state.held),
            Self::Replace { pattern, content, whole: true } => out.put(replace(pattern, content, &state.held, room)?),
            // The characters that StripParts holds are stripped.
            _ => {}
        }
        Ok(())
    }
}

fn run(decoder: &DecoderWrapper, tokens: Vec<String>) -> Result<Vec<String>, String> {
    decoder.decode_chain(tokens).map_err(|error| error.to_string())
}

/// A bound on the text that tokens may become.
pub(crate) struct Room {
    limits: Limits,
    budget: Budget,
    used: std::cell::Cell<usize>,
}

impl Room {
    /// The bound for tokens of `bytes` bytes.
    pub(crate) fn new(limits: Limits, bytes: usize) -> Self {
        Self { limits, budget: limits.budget(bytes), used: std::cell::Cell::new(0) }
    }

    /// Begins another stage.
    pub(crate) fn begin_stage(&self) {
        self.used.set(0);
    }

    /// Counts the bytes that a stage gave.
    fn take(&self, bytes: usize) -> Result<(), String> {
        let used = self.used.get().saturating_add(bytes);
        self.used.set(used);
        if used > self.budget.bytes { Err(self.limits.grows()) } else { Ok(()) }
    }
}

fn replace(pattern: &Expression, content: &str, token: &str, room: &Room) -> Result<String, String> {
    // As in the library, which finds no match in an empty text.
    if token.is_empty() {
        return Ok(String::new());
    }
    let found = pattern.matches(token, &room.budget)?;
    let kept = token.len() - found.iter().map(|(start, end)| end - start).sum::<usize>();
    let bytes = kept.saturating_add(found.len().saturating_mul(content.len()));
    room.take(bytes)?;
    let mut text = String::new();
    text.make_room(bytes);
    let mut before = 0;
    for (start, end) in found {
        text.put_str(&token[before..start]);
        text.put_str(content);
        before = end;
    }
    text.put_str(&token[before..]);
    Ok(text)
}

fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    // `from_str_radix` also accepts a sign, as the library does.
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// Ends a run of bytes. Bytes that are not UTF-8 become as many replacement characters.
fn end_run(bytes: &mut Vec<u8>, out: &mut Vec<String>) {
    match String::from_utf8(std::mem::take(bytes)) {
        Ok(text) if text.is_empty() => {}
        Ok(text) => out.put(text),
        Err(error) => out.put_all(error.as_bytes().iter().map(|_| char::REPLACEMENT_CHARACTER.to_string())),
    }
}

fn strip_token(strip: &Strip, token: &str) -> String {
    let front = token.chars().take(strip.start).take_while(|&c| c == strip.content).count();
    let back = token.chars().rev().take(strip.stop).take_while(|&c| c == strip.content).count();
    let length = token.chars().count();
    token.chars().take(length - back).skip(front).fold(String::new(), |mut text, char| {
        text.put_char(char);
        text
    })
}

/// Strips a part. Characters at its end wait: they are stripped if nothing follows.
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
    state.held.put_str(rest);
    let waiting = state.held.chars().rev().take(strip.stop).take_while(|&c| c == strip.content).count();
    let waits = state.held.split_off(state.held.len() - waiting * strip.content.len_utf8());
    std::mem::replace(&mut state.held, waits)
}

/// Replaces the pattern, and leaves the possible beginning of another match in `held`.
fn replace_part(pattern: &str, content: &str, held: &mut String) -> String {
    let mut done = String::new();
    Text::make_room(&mut done, held.len());
    let mut rest = held.as_str();
    while let Some(at) = rest.find(pattern) {
        done.put_str(&rest[..at]);
        done.put_str(content);
        rest = &rest[at + pattern.len()..];
    }
    let ends = pattern.char_indices().map(|(at, _)| at).rev().find(|&at| rest.ends_with(&pattern[..at])).unwrap_or(0);
    done.put_str(&rest[..rest.len() - ends]);
    let waits = owned(&rest[rest.len() - ends..]);
    *held = waits;
    done
}

/// GPT-2's characters for bytes: printable bytes stand for themselves, the others are the characters from U+0100 on.
pub(crate) struct ByteTable(Vec<Option<u8>>);

impl std::fmt::Debug for ByteTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByteTable")
    }
}

impl ByteTable {
    fn new() -> Self {
        let mut table = filled(None, 256 + 68);
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

    /// Appends the bytes that a token stands for. A token with a character that stands for no byte is appended as
    /// text.
    fn append(&self, token: &str, out: &mut Vec<u8>) {
        let start = out.len();
        for c in token.chars() {
            let Some(&Some(byte)) = self.0.get(c as usize) else {
                out.truncate(start);
                out.put_slice(token.as_bytes());
                return;
            };
            out.put(byte);
        }
    }
}

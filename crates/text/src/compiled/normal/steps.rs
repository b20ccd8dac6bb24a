//! The steps of a normalizer, read from a file.

use std::ops::Range;

use serde_json::{Map, Value};

use super::Section;
use super::by_character::{ByCharacter, Changes};
use super::charsmap::Charsmap;
use super::letters::{Change, Form};
use super::replace::Replace;
use crate::compiled::{Aligned, NotNative};
use crate::file::limits::Limits;
use crate::file::oniguruma::Spent;
use tokenbed_memory::{List, Text, owned};

/// A step.
pub(super) enum Step {
    ByCharacter(Box<ByCharacter>),
    Charsmap(Box<Charsmap>),
    Replace(Box<Replace>),
    /// Puts a text before one that is not empty.
    Prepend(String),
    /// Strips spaces from the front, the end, or both.
    Strip {
        front: bool,
        end: bool,
    },
}

/// Largest number of steps. The old way refuses files with more.
const MOST_STEPS: usize = 256;

/// Appends the steps of a part.
pub(super) fn add(part: &Value, limits: Limits, spent: &mut Spent, steps: &mut Vec<Step>) -> Result<(), NotNative> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or("unknown");
    let not_native = || NotNative::new(format!("normalizer: {kind}"));
    let part = part.as_object().ok_or_else(not_native)?;
    let text = |name: &str| part.get(name).and_then(Value::as_str).ok_or_else(not_native);
    let switch = |name: &str| part.get(name).and_then(Value::as_bool).ok_or_else(not_native);
    let changes = match kind {
        "Sequence" => {
            let all = part.get("normalizers").and_then(Value::as_array).ok_or_else(not_native)?;
            return all.iter().try_for_each(|part| add(part, limits, spent, steps));
        }
        "Bert" | "BertNormalizer" => bert(part).ok_or_else(not_native)?,
        "Lowercase" => Changes::of(Change::Lowercase),
        "StripAccents" => Changes::of(Change::RemoveMarks),
        "Nmt" => Changes::of(Change::Nmt),
        "ByteLevel" => Changes::of(Change::Bytes),
        "NFC" => Changes::form(Form::C),
        "NFD" => Changes::form(Form::D),
        "NFKC" => Changes::form(Form::Kc),
        "NFKD" => Changes::form(Form::Kd),
        "Strip" => {
            steps.put(Step::Strip { front: switch("strip_left")?, end: switch("strip_right")? });
            return Ok(());
        }
        "Prepend" => {
            // The library gives what follows an empty text a place without width, and later steps of it go wrong.
            let front = Some(text("prepend")?).filter(|front| !front.is_empty()).ok_or_else(not_native)?;
            steps.put(Step::Prepend(owned(front)));
            return Ok(());
        }
        "Precompiled" => {
            let charsmap = Charsmap::new(text("precompiled_charsmap")?).ok_or_else(not_native)?;
            steps.put(Step::Charsmap(Box::new(charsmap)));
            return Ok(());
        }
        "Replace" => {
            let (content, pattern) = (text("content")?, part.get("pattern").and_then(Value::as_object));
            let pattern = pattern.filter(|pattern| pattern.len() == 1).ok_or_else(not_native)?;
            let of = |kind: &str| pattern.get(kind).and_then(Value::as_str);
            let replace = match (of("String"), of("Regex")) {
                (Some(text), _) => Replace::text(text, content, limits)?,
                (_, Some(regex)) => Replace::regex(regex, content, limits, spent)?,
                _ => return Err(not_native()),
            };
            steps.put(Step::Replace(Box::new(replace)));
            return Ok(());
        }
        _ => return Err(not_native()),
    };
    if steps.len() >= MOST_STEPS {
        return Err(not_native());
    }
    steps.put(Step::ByCharacter(Box::new(ByCharacter::new(changes))));
    Ok(())
}

/// BERT's normalizer. Without a word about accents it removes them if it makes small letters.
fn bert(part: &Map<String, Value>) -> Option<Changes> {
    let switch = |name: &str| part.get(name)?.as_bool();
    let (clean, chinese, lowercase) = (switch("clean_text")?, switch("handle_chinese_chars")?, switch("lowercase")?);
    let remove = match part.get("strip_accents") {
        None | Some(Value::Null) => lowercase,
        Some(remove) => remove.as_bool()?,
    };
    let mut changes = Changes::default();
    changes.before.put_all(clean.then_some(Change::Clean));
    changes.before.put_all(chinese.then_some(Change::SpaceChinese));
    changes.form = remove.then_some(Form::D);
    changes.after.put_all(remove.then_some(Change::RemoveNonspacing));
    let last = if remove { &mut changes.after } else { &mut changes.before };
    last.put_all(lowercase.then_some(Change::Lowercase));
    Some(changes)
}

/// The part of a text that is left without the spaces at its ends.
pub(super) fn stripped(text: &str, front: bool, end: bool) -> Range<usize> {
    let start = if front { text.len() - text.trim_start().len() } else { 0 };
    let rest = &text[start..];
    start..start + if end { rest.trim_end().len() } else { rest.len() }
}

impl Step {
    /// The step and the next one as one step, if that is possible.
    pub(super) fn joined_with(&self, next: &Self) -> Option<Self> {
        let (Self::ByCharacter(one), Self::ByCharacter(other)) = (self, next) else { return None };
        Some(Self::ByCharacter(Box::new(ByCharacter::new(one.changes().then(other.changes())?))))
    }

    /// The largest factor by which it makes a text longer, if it may be joined with others.
    pub(super) fn growth(&self) -> Option<usize> {
        match self {
            Self::ByCharacter(step) => Some(step.changes().growth()),
            _ => None,
        }
    }

    /// Writes the result to `out`, which is empty. Returns false if the text stays as it is.
    pub(super) fn run(&self, text: &str, section: &Section<'_>, out: &mut String) -> Result<bool, String> {
        match self {
            Self::ByCharacter(step) => Ok(step.run(text, out)),
            Self::Charsmap(step) => Ok(step.run(text, section.most, out)),
            Self::Replace(step) => step.run(text, section.most, section.budget, out),
            Self::Prepend(front) => {
                if text.is_empty() || section.goes_on {
                    return Ok(false);
                }
                out.put_str(front);
                out.put_str(text);
                Ok(true)
            }
            Self::Strip { front, end } => {
                let kept = stripped(text, *front && !section.goes_on, *end);
                out.put_str(&text[kept.clone()]);
                Ok(kept.len() != text.len())
            }
        }
    }

    /// The same with places.
    pub(super) fn run_aligned(&self, text: &Aligned, section: &Section<'_>, out: &mut Aligned) -> Result<bool, String> {
        match self {
            Self::ByCharacter(step) => Ok(step.run_aligned(text, out)),
            Self::Charsmap(step) => Ok(step.run_aligned(text, section.most, out)),
            Self::Replace(step) => step.run_aligned(text, section.most, section.budget, out),
            Self::Prepend(front) => {
                let Some(&place) = text.places.first().filter(|_| !section.goes_on) else {
                    return Ok(false);
                };
                out.text.put_str(front);
                out.places.fill_to(front.len(), place);
                out.put_part(text, 0..text.text.len());
                Ok(true)
            }
            Self::Strip { front, end } => {
                let kept = stripped(&text.text, *front && !section.goes_on, *end);
                if kept.len() == text.text.len() {
                    return Ok(false);
                }
                out.put_part(text, kept);
                Ok(true)
            }
        }
    }
}

//! Rewrites the regular expressions of a file from the library's syntax to that of the engine here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use fancy_regex::Regex;
use serde_json::value::RawValue;

use super::load::Wrong;
use super::oniguruma::{Spent, translate};
use tokenbed_memory::{List, Text};

/// Parts that may have patterns, and the name of the list of steps in a sequence of them.
const PARTS: [(&str, &str); 3] =
    [("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")];

type Object<'a> = BTreeMap<String, &'a RawValue>;

/// The file with each of its patterns rewritten for the engine here; the file itself if none differs.
///
/// # Errors
/// The first pattern that cannot be given the library's meaning, and its place.
pub(super) fn rewritten<'a>(json: &'a str, parts: &Object<'a>) -> Result<Cow<'a, str>, Wrong> {
    let mut found = Vec::new();
    for (name, steps) in PARTS {
        if let Some(part) = parts.get(name) {
            gather(part, name, steps, &mut found);
        }
    }
    let place = |raw: &RawValue| raw.get().as_ptr() as usize - json.as_ptr() as usize;
    found.sort_unstable_by_key(|&(_, raw)| place(raw));
    let mut spent = Spent::default();
    let (mut text, mut done) = (String::new(), 0);
    for (name, raw) in found {
        let at = place(raw);
        let Ok(pattern) = serde_json::from_str::<String>(raw.get()) else { continue };
        let wrong = |why: String| (at, format!("{name}: {why}"));
        let written = translate(&pattern, &mut spent).map_err(|refused| wrong(refused.explain(&pattern)))?;
        if written == pattern {
            continue;
        }
        // Only here is the pattern known as it is spelled in the file.
        Regex::new(&written).map_err(|error| wrong(format!("the pattern {pattern:?} cannot be used: {error}")))?;
        let written = serde_json::to_string(&written).map_err(|error| wrong(error.to_string()))?;
        text.put_str(&json[done..at]);
        text.put_str(&written);
        done = at + raw.get().len();
    }
    if done == 0 {
        return Ok(Cow::Borrowed(json));
    }
    text.put_str(&json[done..]);
    Ok(Cow::Owned(text))
}

/// Collects the patterns of a part.
fn gather<'a>(part: &'a RawValue, name: &'static str, steps: &str, found: &mut Vec<(&'static str, &'a RawValue)>) {
    let Ok(part) = serde_json::from_str::<Object<'a>>(part.get()) else { return };
    let pattern = part.get("pattern").and_then(|pattern| serde_json::from_str::<Object<'a>>(pattern.get()).ok());
    if let Some(pattern) = pattern.and_then(|pattern| pattern.get("Regex").copied()) {
        found.put((name, pattern));
    }
    let all = part.get(steps).and_then(|all| serde_json::from_str::<Vec<&'a RawValue>>(all.get()).ok());
    all.into_iter().flatten().for_each(|step| gather(step, name, steps, found));
}

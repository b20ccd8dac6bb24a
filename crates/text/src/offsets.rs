//! Where the tokens of a text stand in it.
//!
//! An engine gives byte ranges of the text. Here they become what users see: the file's post-processor takes spaces
//! off, the tokens around the text get the range (0, 0) as in the library, and bytes become UTF-16 code units.

use serde_json::Value;
use tokenbed_memory::{Gather, List, with_room};

/// The tokens of a text, and where each of them stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Located {
    /// The ids, as encoding gives them.
    pub ids: Vec<u32>,
    /// For each id the UTF-16 code unit of the text at which the token begins.
    pub starts: Vec<u32>,
    /// For each id the code unit at which it ends; it belongs to what follows.
    pub ends: Vec<u32>,
    /// For each id the number of the word that it belongs to, as the pre-tokenizer cuts the text; [`NO_WORD`] for
    /// tokens around the text.
    pub words: Vec<u32>,
}

/// The word of a token that belongs to none.
pub const NO_WORD: u32 = u32::MAX;

/// A range of bytes of the text as it was given.
pub(crate) type Place = (u32, u32);

/// Number of spaces that a token begins with, and that it ends with.
pub(crate) type Spaces = (usize, usize);

/// The tokens of a text as an engine gives them.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) ids: Vec<u32>,
    /// The place of each token.
    pub(crate) places: Vec<Place>,
    /// The spaces of each token, or nothing if they are not needed.
    pub(crate) spaces: Vec<Spaces>,
    /// The number of the word of each token.
    pub(crate) words: Vec<u32>,
    /// The number of the next word.
    pub(crate) next_word: u32,
}

impl Found {
    /// Ends a word: the ids since the last one belong to it.
    pub(crate) fn end_word(&mut self) {
        self.words.fill_to(self.ids.len(), self.next_word);
        self.next_word += 1;
    }
}

/// How a post-processor takes spaces off the places of tokens (the library: `trim_offsets`).
#[derive(Default)]
pub(crate) struct Trims(Vec<Trim>);

struct Trim {
    /// A single space at the front of the text's first token stays, since the file may have put it there.
    keeps_first: bool,
    /// Whether tokens were put around the text before, so that none of its own is the first.
    after_frame: bool,
}

impl Trims {
    /// Those of a file's post-processor.
    pub(crate) fn of(post_processor: &Value) -> Self {
        let mut trims = Self::default();
        trims.add(post_processor, &mut false);
        trims
    }

    fn add(&mut self, step: &Value, framed: &mut bool) {
        let is_set = |name: &str| step[name].as_bool().unwrap_or(false);
        let kind = step["type"].as_str().unwrap_or_default();
        if matches!(kind, "ByteLevel" | "RobertaProcessing") && is_set("trim_offsets") {
            self.0.put(Trim { keeps_first: is_set("add_prefix_space"), after_frame: *framed });
        }
        *framed |= matches!(kind, "RobertaProcessing" | "BertProcessing" | "TemplateProcessing");
        for step in step["processors"].as_array().into_iter().flatten() {
            self.add(step, framed);
        }
    }

    /// Whether nothing is taken off.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the spaces off all places. `begins` says whether the text's first token is the first of all.
    fn run(&self, text: &str, found: &mut Found, begins: bool) {
        for trim in &self.0 {
            for (i, (place, &(leading, trailing))) in found.places.iter_mut().zip(&found.spaces).enumerate() {
                if leading == 0 && trailing == 0 {
                    continue;
                }
                let (mut start, mut end) = (place.0 as usize, place.1 as usize);
                let is_first = start == 0 || i == 0 && (begins || !trim.after_frame);
                if leading > 1 || leading == 1 && !(is_first && trim.keeps_first) {
                    let rest = text.get(start..end).unwrap_or_default();
                    start = rest.char_indices().nth(leading).map_or(end, |(at, _)| start + at);
                }
                if let Some(last) = trailing.checked_sub(1) {
                    let before = text.get(..end).unwrap_or_default().char_indices().nth_back(last);
                    end = before.map_or(end, |(at, _)| at.max(start));
                }
                *place = (start as u32, end as u32);
            }
        }
    }
}

/// The spaces that a token begins and ends with. Byte-level vocabularies write a space as a letter.
pub(crate) fn spaces(token: &str) -> Spaces {
    let is_space = |c: &char| *c == '\u{120}' || c.is_whitespace();
    (token.chars().take_while(is_space).count(), token.chars().rev().take_while(is_space).count())
}

/// What a file does with the places of tokens.
pub(crate) struct Finish<'a> {
    pub(crate) trims: &'a Trims,
    /// Ids around the text.
    pub(crate) before: &'a [u32],
    pub(crate) after: &'a [u32],
}

impl Finish<'_> {
    /// Turns what an engine found in `text` into what users see. Places within a character count as its beginning, as
    /// in the library.
    pub(crate) fn run(&self, text: &str, mut found: Found) -> Located {
        for (start, end) in &mut found.places {
            *start = beginning(text, *start as usize) as u32;
            *end = beginning(text, *end as usize) as u32;
        }
        self.trims.run(text, &mut found, self.before.is_empty());
        let count = self.before.len() + found.ids.len() + self.after.len();
        let mut located = Located {
            ids: with_room(count),
            starts: with_room(count),
            ends: with_room(count),
            words: with_room(count),
        };
        located.ids.put_slice(self.before);
        located.ids.put_slice(&found.ids);
        located.ids.put_slice(self.after);
        let nowhere = |ids: &[u32], located: &mut Located| {
            located.starts.put_all(ids.iter().map(|_| 0));
            located.ends.put_all(ids.iter().map(|_| 0));
            located.words.put_all(ids.iter().map(|_| NO_WORD));
        };
        nowhere(self.before, &mut located);
        units(text, &found.places, &mut located);
        located.words.put_slice(&found.words);
        nowhere(self.after, &mut located);
        located
    }
}

/// The places of tokens whose bytes, end to end, are those of the text. A token that is a part of a character stands
/// where the whole character stands.
pub(crate) fn end_to_end(text: &str, (ids, words): (Vec<u32>, Vec<u32>), length: impl Fn(u32) -> usize) -> Located {
    let mut end = 0;
    let place = |&id: &u32| {
        let start = end;
        end = text.len().min(end + length(id));
        let boundary = |at: usize| text.is_char_boundary(at);
        (beginning(text, start) as u32, (end..text.len()).find(|&at| boundary(at)).unwrap_or(text.len()) as u32)
    };
    let places = ids.iter().map(place).into_list();
    let mut located = Located { starts: with_room(ids.len()), ends: with_room(ids.len()), ids, words };
    units(text, &places, &mut located);
    located
}

/// The beginning of the character that a byte belongs to; the text's end for a place beyond it.
fn beginning(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Appends places in UTF-16 code units.
fn units(text: &str, places: &[Place], located: &mut Located) {
    if text.is_ascii() {
        located.starts.put_all(places.iter().map(|place| place.0));
        located.ends.put_all(places.iter().map(|place| place.1));
        return;
    }
    let mut units = Units { text: text.as_bytes(), byte: 0, unit: 0 };
    for &(start, end) in places {
        located.starts.put(units.at(start as usize));
        located.ends.put(units.at(end as usize));
    }
}

/// A place in a text that is not ASCII, in bytes and in UTF-16 code units. Going to a place near the last one takes
/// little time.
struct Units<'a> {
    text: &'a [u8],
    byte: usize,
    unit: usize,
}

impl Units<'_> {
    fn at(&mut self, byte: usize) -> u32 {
        let byte = byte.min(self.text.len());
        if byte >= self.byte {
            self.unit += utf16_units(&self.text[self.byte..byte]);
        } else {
            self.unit -= utf16_units(&self.text[byte..self.byte]);
        }
        self.byte = byte;
        self.unit as u32
    }
}

/// Number of UTF-16 code units of whole characters.
pub(crate) fn utf16_units(text: &[u8]) -> usize {
    text.iter().map(|&byte| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finished(post_processor: &Value, text: &str, places: &[Place], spaces: &[Spaces]) -> Vec<(u32, u32)> {
        let found = Found {
            ids: places.iter().map(|_| 7).collect(),
            places: places.to_vec(),
            spaces: spaces.to_vec(),
            words: places.iter().map(|_| 3).collect(),
            next_word: 4,
        };
        let located = Finish { trims: &Trims::of(post_processor), before: &[1], after: &[2] }.run(text, found);
        assert_eq!(located.ids.len(), places.len() + 2);
        assert_eq!((located.words[0], located.words[1]), (NO_WORD, 3));
        located.starts.into_iter().zip(located.ends).collect()
    }

    #[test]
    fn places_become_utf16_units_and_the_frame_stands_nowhere() {
        let text = "a\u{e9}\u{1f999}b";
        let places = [(0, 1), (1, 3), (3, 7), (4, 7), (7, 8), (1, 8)];
        let found = finished(&Value::Null, text, &places, &[]);
        assert_eq!(found, [(0, 0), (0, 1), (1, 2), (2, 4), (2, 4), (4, 5), (1, 5), (0, 0)]);
    }

    #[test]
    fn spaces_are_taken_off_as_the_post_processor_says() {
        let byte_level = |keeps: bool| json!({ "type": "ByteLevel", "add_prefix_space": keeps, "trim_offsets": true });
        let text = " a  b ";
        let (places, counts) = ([(0, 2), (2, 5), (5, 6)], [(1, 0), (2, 0), (1, 1)]);
        let of = |step: &Value| finished(step, text, &places, &counts)[1..4].to_vec();
        assert_eq!(of(&byte_level(true)), [(0, 2), (4, 5), (6, 6)]);
        assert_eq!(of(&byte_level(false)), [(1, 2), (4, 5), (6, 6)]);
        assert_eq!(of(&json!({ "type": "ByteLevel", "trim_offsets": false })), [(0, 2), (2, 5), (5, 6)]);
        let roberta = json!({ "type": "RobertaProcessing", "add_prefix_space": true, "trim_offsets": true });
        assert_eq!(of(&roberta), [(0, 2), (4, 5), (6, 6)]);
        let both = json!({ "type": "Sequence", "processors": [{ "type": "BertProcessing" }, byte_level(true)] });
        // The first token begins after the text's beginning, and `[CLS]` is the first of all.
        let found = |step: &Value| finished(step, "  a", &[(1, 3)], &[(1, 0)])[1];
        assert_eq!((found(&byte_level(true)), found(&both)), ((1, 3), (2, 3)));
    }

    #[test]
    fn a_part_of_a_character_stands_where_the_character_stands() {
        let located = end_to_end("a\u{1f999}b", (vec![1, 2, 2, 1], vec![0; 4]), |id| id as usize);
        assert_eq!((located.starts, located.ends), (vec![0, 1, 1, 3], vec![1, 3, 3, 4]));
    }
}

//! Finds the token that a whole piece of text is. Most words of a text are tokens.

use crate::vocabulary::Vocabulary;
use tokenbed_memory::filled;

/// A hash table from the bytes of a token to its id.
///
/// A piece of up to eight bytes is its own key, so that the slot decides and nothing else is read. Longer pieces have
/// a hash as the key and are compared with the token's bytes.
pub(crate) struct Words {
    slots: Vec<Slot>,
    shift: u32,
    longest: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    id: u32,
    /// Length of the token in bytes; 0 in an empty slot.
    length: u32,
}

impl Words {
    /// A table of all tokens. If two tokens have the same bytes, the first one counts.
    pub(crate) fn new(vocabulary: &Vocabulary) -> Self {
        let size = (vocabulary.len() * 2).next_power_of_two();
        let mut slots = filled(Slot { key: 0, id: 0, length: 0 }, size);
        let shift = 64 - size.trailing_zeros();
        for id in 0..vocabulary.len() as u32 {
            let Some(token) = vocabulary.token(id) else { break };
            let (key, length) = (key_of(token, 0, token.len()), token.len() as u32);
            let mut at = home(key, token.len(), shift);
            loop {
                let slot = &mut slots[at & (size - 1)];
                if slot.length == 0 {
                    *slot = Slot { key, id, length };
                    break;
                }
                if slot.key == key && slot.length == length && vocabulary.token(slot.id) == Some(token) {
                    break;
                }
                at += 1;
            }
        }
        Self { slots, shift, longest: vocabulary.longest() }
    }

    /// The token that equals `text[start..end]`, which must not be empty.
    #[inline(always)]
    pub(crate) fn get(&self, vocabulary: &Vocabulary, text: &[u8], start: usize, end: usize) -> Option<u32> {
        let length = end - start;
        if length > self.longest {
            return None;
        }
        let key = key_of(text, start, end);
        let mask = self.slots.len() - 1;
        let mut at = home(key, length, self.shift);
        loop {
            let slot = &self.slots[at & mask];
            if slot.key == key
                && slot.length as usize == length
                && (length <= 8 || vocabulary.token(slot.id) == text.get(start..end))
            {
                return Some(slot.id);
            }
            if slot.length == 0 {
                return None;
            }
            at += 1;
        }
    }
}

/// Up to eight bytes as they are; longer pieces hashed.
#[inline]
fn key_of(text: &[u8], start: usize, end: usize) -> u64 {
    let length = end - start;
    if length <= 8 {
        return head(text, start, length);
    }
    let mut hash = 0u64;
    let mut at = start;
    while at + 8 < end {
        hash = mix(hash ^ head(text, at, 8));
        at += 8;
    }
    // Uses the last eight bytes, which may overlap those before, so that no tail shorter than a word is read.
    mix(hash ^ head(text, end - 8, 8))
}

/// `length` bytes (at most 8) from `at`, little endian, with zeros above.
#[inline]
pub(crate) fn head(text: &[u8], at: usize, length: usize) -> u64 {
    if let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        // A whole word is read and masked; only the very end of the text needs a loop over bytes.
        return u64::from_le_bytes(*word) & (u64::MAX >> (8 * (8 - length.clamp(1, 8))));
    }
    let tail = text.get(at..at + length).unwrap_or_default();
    tail.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[inline]
fn mix(value: u64) -> u64 {
    let product = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

#[inline]
fn home(key: u64, length: usize, shift: u32) -> usize {
    ((key ^ (length as u64) << 59).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}

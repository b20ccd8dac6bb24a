//! The tokens that are single characters.

use crate::compiled::Tokens;
use tokenbed_memory::{List, filled};

/// The id of each character that is a token: a table for each block of 256 characters that has one.
pub(crate) struct Alphabet {
    /// The number of the table of each block. Table 0 is empty.
    blocks: Vec<u16>,
    ids: Vec<u32>,
}

/// The id of a character that is no token.
pub(crate) const NO_TOKEN: u32 = u32::MAX;

impl Alphabet {
    pub(crate) fn new(tokens: &Tokens) -> Self {
        let mut it = Self { blocks: filled(0, (char::MAX as usize >> 8) + 1), ids: filled(NO_TOKEN, 256) };
        for (id, token) in tokens.iter() {
            let Some(c) = single(token) else { continue };
            let block = &mut it.blocks[c as usize >> 8];
            if *block == 0 {
                // There are 4352 blocks.
                *block = (it.ids.len() >> 8) as u16;
                it.ids.fill_to(it.ids.len() + 256, NO_TOKEN);
            }
            it.ids[usize::from(*block) << 8 | c as usize & 255] = id;
        }
        it
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        2 * self.blocks.capacity() + 4 * self.ids.capacity()
    }

    /// The id of a character, or [`NO_TOKEN`].
    #[inline]
    pub(crate) fn get(&self, c: char) -> u32 {
        let block = self.blocks.get(c as usize >> 8).copied().unwrap_or(0);
        self.ids.get(usize::from(block) << 8 | c as usize & 255).copied().unwrap_or(NO_TOKEN)
    }
}

/// The character that is the whole token.
fn single(token: &[u8]) -> Option<char> {
    let mut chars = std::str::from_utf8(token).ok()?.chars();
    let c = chars.next()?;
    chars.as_str().is_empty().then_some(c)
}

//! Finds all tokens that a text begins with: a trie of the tokens' bytes as a double array, one number for each node.

use crate::compiled::tokens::Starts;
use crate::compiled::{NotNative, Tokens};
use tokenbed_memory::{Gather, List, filled};

/// The tokens, and a trie of them.
///
/// A node is a unit. The child of a node by a byte is the unit at `base ^ byte`, if its label is that byte. No two
/// nodes have the same base. Where a single token is left, the trie ends, and the rest of the token is compared.
#[derive(Debug)]
pub(super) struct Prefixes {
    /// The label in the lowest byte, [`ENDS`] or [`LEAF`], and above them the base, or the token of a leaf. At the base
    /// of a node with [`ENDS`] is a unit without label that has the token.
    units: Vec<u32>,
    /// The tokens end to end, in the order of their ids.
    bytes: Vec<u8>,
    starts: Starts,
    /// The token of no bytes.
    empty: Option<u32>,
}

/// A token ends at the node, and others go on.
const ENDS: u32 = 1 << 8;
/// A single token begins with the bytes up to here.
const LEAF: u32 = 1 << 9;
const SHIFT: u32 = 10;
/// Bases and tokens are smaller than this.
const MOST: usize = 1 << (32 - SHIFT);

impl Prefixes {
    /// The trie of tokens whose ids have no gaps.
    pub(super) fn new(tokens: Tokens) -> Result<Self, NotNative> {
        let too_large = || NotNative::new("model: Unigram with millions of tokens");
        if tokens.end() > MOST {
            return Err(too_large());
        }
        let (bytes, starts) = tokens.into_parts()?;
        let mut it = Self { units: Vec::new(), bytes, starts, empty: None };
        let mut keys = (0..it.len() as u32).map(|id| Key::new(id, it.token(id).unwrap_or_default())).into_list();
        keys.sort_unstable();
        // Of equal tokens the last is found.
        keys.dedup_by(|later, kept| {
            let same = later.bytes == kept.bytes;
            kept.id = if same { later.id } else { kept.id };
            same
        });
        if keys.iter().any(|key| key.bytes.contains(&0)) {
            return Err(NotNative::new("model: Unigram with a token of NUL"));
        }
        let empty = keys.first().filter(|key| key.bytes.is_empty()).map(|key| key.id);
        let first = usize::from(empty.is_some());
        let mut builder = Builder::default();
        builder.add_block();
        // The root is used, and so is its base 0: a text's NUL would lead from there to the root.
        builder.take(0);
        builder.is_base[0] = true;
        let mut left = Vec::from([Node { unit: 0, depth: 0, first, last: keys.len() }]);
        while let Some(node) = left.pop() {
            builder.place(&keys, &node, &mut left);
            if builder.units.len() > MOST {
                return Err(too_large());
            }
        }
        builder.close();
        drop(keys);
        builder.units.trim_to(0);
        (it.units, it.empty) = (builder.units, empty);
        Ok(it)
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        4 * self.units.capacity() + self.bytes.capacity() + self.starts.memory()
    }

    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.starts.tokens()
    }

    /// The bytes of a token.
    #[inline]
    pub(super) fn token(&self, id: u32) -> Option<&[u8]> {
        self.bytes.get(self.starts.range(id)?)
    }

    /// The token with these bytes.
    pub(super) fn get(&self, token: &[u8]) -> Option<u32> {
        let mut found = if token.is_empty() { self.empty } else { None };
        self.each(token, |len, id| {
            if len == token.len() {
                found = Some(id);
            }
        });
        found
    }

    /// Calls `found` with the length and the id of each token that `text` begins with, the shortest first. A token of
    /// no bytes does not count.
    #[inline(always)]
    pub(super) fn each(&self, text: &[u8], mut found: impl FnMut(usize, u32)) {
        let Some(&(mut node)) = self.units.first() else { return };
        for (at, &byte) in text.iter().enumerate() {
            let Some(&next) = self.units.get((node >> SHIFT) as usize ^ usize::from(byte)) else { return };
            if next & 0xff != u32::from(byte) || byte == 0 {
                return;
            }
            node = next;
            if node & (ENDS | LEAF) == 0 {
                continue;
            }
            let len = at + 1;
            if node & LEAF != 0 {
                let id = node >> SHIFT;
                let token = self.token(id).unwrap_or_default();
                let rests = text.get(len..token.len()).zip(token.get(len..));
                if rests.is_some_and(|(text, token)| are_equal(text, token)) {
                    found(token.len(), id);
                }
                return;
            }
            let Some(&end) = self.units.get((node >> SHIFT) as usize) else { return };
            found(len, end >> SHIFT);
        }
    }
}

/// Whether two short parts of the same length are equal.
#[inline]
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

/// A token, with its first bytes as a number, by which most comparisons are decided.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    head: u64,
    bytes: &'a [u8],
    id: u32,
}

impl<'a> Key<'a> {
    fn new(id: u32, bytes: &'a [u8]) -> Self {
        let head = (0..8).fold(0, |head, at| head << 8 | u64::from(bytes.get(at).copied().unwrap_or(0)));
        Self { head, bytes, id }
    }

    fn byte(&self, at: usize) -> u8 {
        match at {
            0..8 => (self.head >> (56 - 8 * at)) as u8,
            _ => self.bytes.get(at).copied().unwrap_or(0),
        }
    }
}

/// A node whose children have no place yet: `keys[first..last]` begin with its bytes.
struct Node {
    unit: usize,
    depth: usize,
    first: usize,
    last: usize,
}

const BLOCK: usize = 256;
/// Units are taken from this many blocks at the end; what is free in earlier ones stays so.
const OPEN: usize = 16;
const WINDOW: usize = OPEN * BLOCK;
/// Number of free units that are tried for a node.
const TRIES: usize = 128;
const NONE: u32 = u32::MAX;

struct Builder {
    units: Vec<u32>,
    /// Of the open blocks, by the place of a unit modulo the window: whether it is free, its neighbours in the list of
    /// free ones, and whether it is a base.
    is_free: Vec<bool>,
    next: Vec<u32>,
    previous: Vec<u32>,
    is_base: Vec<bool>,
    first: u32,
    last: u32,
    /// Scratch: the labels of the children of a node.
    labels: Vec<u8>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            units: Vec::new(),
            is_free: filled(false, WINDOW),
            next: filled(NONE, WINDOW),
            previous: filled(NONE, WINDOW),
            is_base: filled(false, WINDOW),
            first: NONE,
            last: NONE,
            labels: Vec::new(),
        }
    }
}

impl Builder {
    /// Appends a block of free units.
    fn add_block(&mut self) {
        let start = self.units.len();
        if start >= WINDOW {
            self.close_block(start - WINDOW);
        }
        self.units.fill_to(start + BLOCK, 0);
        for at in start..start + BLOCK {
            let slot = at % WINDOW;
            (self.is_free[slot], self.is_base[slot]) = (true, false);
            (self.next[slot], self.previous[slot]) = (NONE, self.last);
            match self.last {
                NONE => self.first = at as u32,
                last => self.next[last as usize % WINDOW] = at as u32,
            }
            self.last = at as u32;
        }
    }

    /// Removes a unit from the list of free ones.
    fn take(&mut self, at: usize) {
        let slot = at % WINDOW;
        self.is_free[slot] = false;
        let (previous, next) = (self.previous[slot], self.next[slot]);
        match previous {
            NONE => self.first = next,
            previous => self.next[previous as usize % WINDOW] = next,
        }
        match next {
            NONE => self.last = previous,
            next => self.previous[next as usize % WINDOW] = previous,
        }
    }

    /// Gives the free units of a block labels that lead to them from no base.
    fn close_block(&mut self, start: usize) {
        // Each base has a unit of its own, so while one of them is free there is a number that is no base.
        let Some(unused) = (start..start + BLOCK).find(|&at| !self.is_base[at % WINDOW]) else { return };
        for at in start..start + BLOCK {
            if self.is_free[at % WINDOW] {
                self.take(at);
                self.units[at] = ((at ^ unused) & 0xff) as u32;
            }
        }
    }

    fn close(&mut self) {
        let end = self.units.len();
        (end.saturating_sub(WINDOW)..end).step_by(BLOCK).for_each(|start| self.close_block(start));
    }

    /// A base such that the units of all labels are free.
    fn base(&mut self) -> usize {
        let first = usize::from(self.labels.first().copied().unwrap_or(0));
        let mut at = self.first;
        for _ in 0..TRIES {
            if at == NONE {
                break;
            }
            let base = at as usize ^ first;
            let fits = |&label: &u8| self.is_free[(base ^ usize::from(label)) % WINDOW];
            if !self.is_base[base % WINDOW] && self.labels.iter().all(fits) {
                return base;
            }
            at = self.next[at as usize % WINDOW];
        }
        self.add_block();
        self.units.len() - BLOCK
    }

    /// Gives the children of a node their places, and appends them to `left`.
    fn place(&mut self, keys: &[Key<'_>], node: &Node, left: &mut Vec<Node>) {
        let Some(keys_of_it) = keys.get(node.first..node.last).filter(|keys| !keys.is_empty()) else { return };
        let (ends, id) = (keys_of_it[0].bytes.len() == node.depth, keys_of_it[0].id);
        if keys_of_it.len() == 1 && node.depth > 0 {
            self.units[node.unit] |= LEAF | id << SHIFT;
            return;
        }
        self.labels.clear();
        if ends {
            self.labels.put(0);
        }
        let begin = left.len();
        for (at, key) in keys_of_it.iter().enumerate().skip(usize::from(ends)) {
            let label = key.byte(node.depth);
            let last = node.first + at + 1;
            match left[begin..].last_mut() {
                Some(child) if child.unit == usize::from(label) => child.last = last,
                _ => {
                    self.labels.put(label);
                    left.put(Node { unit: usize::from(label), depth: node.depth + 1, first: last - 1, last });
                }
            }
        }
        let base = self.base();
        self.is_base[base % WINDOW] = true;
        self.units[node.unit] |= (base as u32) << SHIFT;
        if ends {
            self.units[node.unit] |= ENDS;
            self.take(base);
            self.units[base] = id << SHIFT;
        }
        for child in &mut left[begin..] {
            let label = child.unit;
            child.unit = base ^ label;
            self.take(child.unit);
            self.units[child.unit] = label as u32;
        }
    }
}

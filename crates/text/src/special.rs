//! Special tokens in a text: which of them count, and where they are (tiktoken: `Encoding.encode`, `CoreBPE.encode`).

use crate::error::TextError;
use tokenbed_memory::Gather;

/// A choice among special tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecialSet {
    /// All special tokens of the encoding (tiktoken: `"all"`).
    All,
    /// The tokens with these names.
    Only(Vec<String>),
}

impl SpecialSet {
    /// No special tokens (tiktoken: `set()` or `()`).
    pub const NONE: Self = Self::Only(Vec::new());
}

/// What happens to special tokens in a text (tiktoken: `allowed_special` and `disallowed_special`).
///
/// An allowed token gets its id. A disallowed token is an error, even if it is also allowed; `All` means all that are
/// not allowed. Any other token is plain text. By default none is allowed and all are disallowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialPolicy {
    /// Tokens that get their id. Names that the encoding does not have are ignored.
    pub allowed: SpecialSet,
    /// Tokens that are an error. Names that the encoding does not have are searched for, too.
    pub disallowed: SpecialSet,
}

impl Default for SpecialPolicy {
    fn default() -> Self {
        Self { allowed: SpecialSet::NONE, disallowed: SpecialSet::All }
    }
}

impl SpecialPolicy {
    /// Every special token is plain text.
    pub const PLAIN: Self = Self { allowed: SpecialSet::NONE, disallowed: SpecialSet::NONE };

    /// The two searches of this policy, for an encoding with these special tokens.
    pub(crate) fn searches<'a>(&'a self, special: &'a [(String, u32)]) -> Searches<'a> {
        let names = special.iter().map(|(name, _)| name.as_str());
        Searches { allowed: Search::new(names.filter(|name| self.allows(name))), ..self.refusals(special) }
    }

    /// The same without the search for allowed tokens.
    pub(crate) fn refusals<'a>(&'a self, special: &'a [(String, u32)]) -> Searches<'a> {
        let names = special.iter().map(|(name, _)| name.as_str());
        let disallowed = match &self.disallowed {
            SpecialSet::All if self.allowed == SpecialSet::All => Search::new(std::iter::empty()),
            SpecialSet::All => Search::new(names.filter(|name| !self.allows(name))),
            SpecialSet::Only(disallowed) => Search::new(disallowed.iter().map(String::as_str)),
        };
        Searches { allowed: Search::new(std::iter::empty()), disallowed }
    }

    /// Whether a token gets its id.
    fn allows(&self, name: &str) -> bool {
        match &self.allowed {
            SpecialSet::All => true,
            SpecialSet::Only(allowed) => allowed.iter().any(|allowed| allowed == name),
        }
    }
}

/// A policy prepared for many texts.
pub(crate) struct Searches<'a> {
    pub(crate) allowed: Search<'a>,
    disallowed: Search<'a>,
}

impl Searches<'_> {
    /// Fails if the text contains a disallowed token; the error names the leftmost.
    pub(crate) fn check(&self, text: &str) -> Result<(), TextError> {
        self.disallowed.find(text, 0).map_or(Ok(()), |found| Err(disallowed(text, found)))
    }

    /// The same for an unfinished text. Returns the place before which it is certain that no disallowed token begins.
    pub(crate) fn check_certain(&self, text: &str) -> Result<usize, TextError> {
        let decided = self.disallowed.decided(text, 0);
        match self.disallowed.find(text, 0).filter(|&(byte, _)| byte < decided) {
            Some(found) => Err(disallowed(text, found)),
            None => Ok(decided),
        }
    }
}

impl Searches<'_> {
    /// Whether an allowed token may stand across a place before a space.
    pub(crate) fn may_hold_spaces(&self) -> bool {
        self.allowed.names.iter().any(|name| name.contains(' '))
    }

    /// Whether a disallowed token stands across this place.
    pub(crate) fn divides(&self, text: &str, at: usize) -> bool {
        let longest = self.disallowed.names.first().map_or(0, |name| name.len());
        let mut from = at.saturating_sub(longest);
        while let Some((start, name)) = self.disallowed.find(text, from).filter(|&(start, _)| start < at) {
            if start + name.len() > at {
                return true;
            }
            from = start + 1;
        }
        false
    }
}

fn disallowed(text: &str, (byte, token): (usize, &str)) -> TextError {
    let utf16 = text[..byte].chars().map(char::len_utf16).sum();
    TextError::DisallowedSpecial { token: token.to_owned(), byte, utf16 }
}

/// A search for the leftmost of several names, and the longest of those that begin at the same place.
pub(crate) struct Search<'a> {
    /// The names, the longest first.
    names: Vec<&'a str>,
    /// The first bytes of the names, each once. In practice there are one or two, which are found at the speed of
    /// memory.
    first: Vec<u8>,
    /// Number of bytes with which all names begin alike. An encoding may have a thousand names that begin with `<|`.
    alike: usize,
}

impl<'a> Search<'a> {
    fn new(names: impl Iterator<Item = &'a str>) -> Self {
        let mut names: Vec<_> = names.into_list();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let mut first: Vec<_> = names.iter().filter_map(|name| name.bytes().next()).into_list();
        first.sort_unstable();
        first.dedup();
        let alike = names.split_first().map_or(0, |(one, others)| {
            let common = |other: &&str| one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
            others.iter().map(common).min().unwrap_or(one.len())
        });
        Self { names, first, alike }
    }

    /// Position of the leftmost name at or after `from`, and the name.
    pub(crate) fn find(&self, text: &str, from: usize) -> Option<(usize, &'a str)> {
        let bytes = text.as_bytes();
        let mut at = from;
        // The empty name is everywhere, as in tiktoken's expression.
        let everywhere = self.names.last().is_some_and(|name| name.is_empty());
        loop {
            if !everywhere {
                at += self.next_candidate(bytes.get(at..)?)?;
            }
            let rest = bytes.get(at..)?;
            let may_begin = self.names.first().is_some_and(|name| rest.starts_with(&name.as_bytes()[..self.alike]));
            let mut names = self.names.iter();
            if let Some(name) = names.find(|name| may_begin && rest.starts_with(name.as_bytes())) {
                return Some((at, name));
            }
            at += 1;
        }
    }

    /// The place before which it is certain which names begin, in an unfinished text: the first place, from `from`
    /// on, where the rest of the text may be the front of a name.
    pub(crate) fn decided(&self, text: &str, from: usize) -> usize {
        let longest = self.names.first().map_or(0, |name| name.len());
        let is_front = |rest: &[u8]| self.names.iter().any(|n| n.len() > rest.len() && n.as_bytes().starts_with(rest));
        let bytes = text.as_bytes();
        let tails = from.max((bytes.len() + 1).saturating_sub(longest))..bytes.len();
        tails.into_iter().find(|&at| is_front(&bytes[at..])).unwrap_or(bytes.len())
    }

    fn next_candidate(&self, bytes: &[u8]) -> Option<usize> {
        match *self.first.as_slice() {
            [] => None,
            [a] => memchr::memchr(a, bytes),
            [a, b] => memchr::memchr2(a, b, bytes),
            [a, b, c] => memchr::memchr3(a, b, c, bytes),
            ref many => bytes.iter().position(|byte| many.binary_search(byte).is_ok()),
        }
    }
}

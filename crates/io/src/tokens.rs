//! Folders of token ids: a corpus that was encoded once, to be read without being held in memory.
//!
//! Two files hold the data, both little endian and without a header. One is the ids of all documents end to end, as
//! `u16` or `u32`. The other is an index of `u64`: document `i` is the ids from `index[i]` up to, and without,
//! `index[i + 1]`, so the index has one number more than there are documents, the first is 0 and the last is the number
//! of ids. Windows and documents are found by arithmetic alone, in constant time.
//!
//! The corpus is one file and not several of a bounded size. Windows reach from one document into the next, and over
//! one array their places are a product; the system reads the pages that are touched, however large the file is; and
//! other programs map one file in a line. Names of the files carry a part of their digest, so that a folder can be
//! replaced while others read it: the manifest, which is written last and by the caller, names the files that belong
//! together.

mod reader;
mod writer;

pub use reader::{Ids, Stored, Tokens};
pub use writer::{TokensWriter, Written, WrittenFile};

/// How an id is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// In two bytes: ids below 65,536.
    Two,
    /// In four bytes.
    Four,
}

impl Width {
    /// Bytes of an id.
    pub fn bytes(self) -> usize {
        match self {
            Self::Two => size_of::<u16>(),
            Self::Four => size_of::<u32>(),
        }
    }
}

/// Bytes of an entry of the index.
const ENTRY: usize = size_of::<u64>();

#[cfg(test)]
mod tests;

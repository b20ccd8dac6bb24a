//! What a file is that is not what its reader wants, told by its first bytes: so that an error can name it.
//!
//! What people hand to readers is seldom damaged. It is the pointer that stands for a large file in Git, a page of HTML that
//! a server sent instead, a pickle, a compressed file under another name. Only the first [`LOOK`] bytes are ever looked at,
//! and only after a reader has refused the file.

mod binary;
mod text;

use tokenbed_memory::List;

/// Bytes of a file that are looked at, at most.
pub const LOOK: usize = 4096;

/// What a reader wanted to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A safetensors file.
    Safetensors,
    /// An .npy file.
    Npy,
    /// Words and vectors in a format of word2vec.
    Words,
    /// Text in UTF-8.
    Text,
    /// A tokenizer.json.
    Tokenizer,
    /// A file of JSON, or of lines, of a model's folder.
    Own,
}

/// What a file is, and what to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// As in "a page of HTML".
    pub what: String,
    /// As in "download the file itself".
    pub advice: String,
}

impl Found {
    /// That a file is this instead of what its reader wanted.
    pub fn instead_of(&self, wanted: Wanted) -> String {
        let wanted = match wanted {
            Wanted::Safetensors => "a safetensors file",
            Wanted::Npy => "an .npy file",
            Wanted::Words => "a file of word2vec, whose first line says how many words there are",
            Wanted::Text => "text in UTF-8",
            Wanted::Tokenizer => "a tokenizer.json",
            Wanted::Own => "a file that saveModel wrote",
        };
        format!("it is {}, and not {wanted}: {}", self.what, self.advice)
    }

    fn new(what: &str, advice: &str) -> Self {
        Self { what: what.into(), advice: advice.into() }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.advice)
    }
}

/// What a file is that begins with these bytes, where that is known and is not what was wanted.
pub fn recognise(start: &[u8], wanted: Wanted) -> Option<Found> {
    let start = &start[..start.len().min(LOOK)];
    // Its first bytes are a number, and could look like anything.
    if is_safetensors(start) {
        return (!matches!(wanted, Wanted::Safetensors | Wanted::Own))
            .then(|| Found::new("a safetensors file", "loadSafetensors reads it, and it holds tensors alone"));
    }
    binary::recognise(start, wanted).or_else(|| text::recognise(start, wanted))
}

/// A number of eight bytes that says how long the header is, and a header in JSON.
fn is_safetensors(start: &[u8]) -> bool {
    let length = start.first_chunk().map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length > 1 && length <= 100_000_000) && start.get(8) == Some(&b'{')
}

/// The bytes of a text in UTF-16 as those of UTF-8, as far as they are ASCII.
fn narrowed(bytes: &[u8], first: usize) -> Vec<u8> {
    let mut narrow = Vec::new();
    narrow.put_all(bytes.iter().skip(first).step_by(2).copied());
    narrow
}

/// How a packed file is unpacked.
fn unpacked(wanted: Wanted, ending: &str, command: &str) -> String {
    match wanted {
        Wanted::Text | Wanted::Words if [".gz", ".zst"].contains(&ending) => format!("let its name end in {ending}"),
        _ => format!("unpack it first ({command})"),
    }
}

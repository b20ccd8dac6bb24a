//! Recognises a file by its first bytes when it is not what its reader wanted, so that an error can name it.
//!
//! Files that readers refuse are seldom damaged. They are the pointer that stands for a large file in Git, an HTML
//! page that a server sent instead, a pickle, or a compressed file under another name. At most the first [`LOOK`]
//! bytes are read, and only after a reader has refused the file.

mod binary;
mod text;

use tokenbed_memory::List;

/// Largest number of bytes of a file that are looked at.
pub const LOOK: usize = 4096;

/// What a reader wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A safetensors file.
    Safetensors,
    /// An .npy file.
    Npy,
    /// A GGUF file.
    Gguf,
    /// A zip archive of .npy files.
    Npz,
    /// A file of PyTorch.
    Torch,
    /// A model of fastText.
    FastText,
    /// Words and vectors in a format of word2vec.
    Words,
    /// Words and vectors in GloVe's format.
    Lines,
    /// Text in UTF-8.
    Text,
    /// A tokenizer.json.
    Tokenizer,
    /// A JSON or text file of a model's folder.
    Own,
}

/// What a file is, and what to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// A noun, such as "a page of HTML".
    pub what: String,
    /// An imperative, such as "download the file itself".
    pub advice: String,
}

impl Found {
    /// A message: the file is this instead of what its reader wanted.
    pub fn instead_of(&self, wanted: Wanted) -> String {
        let wanted = match wanted {
            Wanted::Safetensors => "a safetensors file",
            Wanted::Npy => "an .npy file",
            Wanted::Gguf => "a GGUF file",
            Wanted::Npz => "an .npz file",
            Wanted::Torch => "a zip archive of torch.save",
            Wanted::FastText => "a model of fastText",
            Wanted::Words => "a file of word2vec, whose first line says how many words there are",
            Wanted::Lines => "a text of GloVe, whose lines are a word and its numbers",
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

/// What a file with these first bytes is, if that is known and is not what was wanted.
pub fn recognise(start: &[u8], wanted: Wanted) -> Option<Found> {
    let start = &start[..start.len().min(LOOK)];
    // Safetensors comes first, because its first bytes are a number and could look like anything.
    if is_safetensors(start) {
        return (!matches!(wanted, Wanted::Safetensors | Wanted::Own))
            .then(|| Found::new("a safetensors file", "loadSafetensors reads it, and it holds tensors alone"));
    }
    binary::recognise(start, wanted).or_else(|| text::recognise(start, wanted))
}

/// Whether there is a header length of eight bytes, and then a header in JSON.
fn is_safetensors(start: &[u8]) -> bool {
    let length = start.first_chunk().map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length > 1 && length <= 100_000_000) && start.get(8) == Some(&b'{')
}

/// Every second byte, from `first` on: for UTF-16 text the ASCII characters, or the zeros between them.
fn narrowed(bytes: &[u8], first: usize) -> Vec<u8> {
    let mut narrow = Vec::new();
    narrow.put_all(bytes.iter().skip(first).step_by(2).copied());
    narrow
}

/// Advice for unpacking a compressed file.
fn unpacked(wanted: Wanted, ending: &str, command: &str) -> String {
    match wanted {
        Wanted::Text | Wanted::Words | Wanted::Lines if [".gz", ".zst"].contains(&ending) => {
            format!("let its name end in {ending}")
        }
        _ => format!("unpack it first ({command})"),
    }
}

//! Recognises binary formats.

use super::{Found, Wanted, unpacked};
use memchr::memmem;

const SAFETENSORS: &str = "in Python, write it as safetensors";

/// Formats with fixed first bytes: the bytes, what the file is, and what to do with it.
const MAGIC: [(&[u8], &str, &str); 11] = [
    (b"ggjt", "an old file of llama.cpp", "take the .safetensors of the same model"),
    (b"tjgg", "an old file of llama.cpp", "take the .safetensors of the same model"),
    (
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file, as of Keras",
        "in Python, write its arrays with numpy.save or as safetensors",
    ),
    (b"PAR1", "a Parquet file", "loadParquet of tokenbed/arrow reads its vectors; write its texts as a file of text"),
    (b"ARROW1", "an Arrow file", "loadArrow of tokenbed/arrow reads its vectors; write its texts as a file of text"),
    (b"SQLite format 3\0", "an SQLite database", "export what is needed from it"),
    (b"%PDF-", "a PDF", "extract its text first (pdftotext)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first (7z x)"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"/annex/objects/", "a pointer of git-annex, not the file that it stands for", "fetch that: git annex get"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file that it stands for", "fetch that: git lfs pull"),
];

pub(super) fn recognise(start: &[u8], wanted: Wanted) -> Option<Found> {
    if start.starts_with(b"GGUF") {
        return gguf(wanted);
    }
    if let Some((_, what, advice)) = MAGIC.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return Some(Found::new(what, advice));
    }
    packed(start, wanted)
        .or_else(|| zip(start, wanted))
        .or_else(|| numpy(start, wanted))
        .or_else(|| fast_text(start, wanted))
        .or_else(|| pickle(start, wanted))
        .or_else(|| sentence_piece(start, wanted))
}

fn gguf(wanted: Wanted) -> Option<Found> {
    let advice = match wanted {
        // Its own reader explains better what is wrong with it.
        Wanted::Gguf => return None,
        Wanted::Tokenizer => "Tokenizer.fromGGUF reads the tokenizer in it",
        _ => "loadGGUF reads it",
    };
    Some(Found::new("a GGUF file, as of llama.cpp", advice))
}

fn packed(start: &[u8], wanted: Wanted) -> Option<Found> {
    let (name, advice) = match start {
        [0x1f, 0x8b, 8, ..] => ("gzip", unpacked(wanted, ".gz", "gunzip")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", unpacked(wanted, ".zst", "zstd -d")),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ("xz", unpacked(wanted, ".xz", "unxz")),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => ("bzip2", unpacked(wanted, ".bz2", "bunzip2")),
        [4, 0x22, 0x4d, 0x18, ..] => ("lz4", unpacked(wanted, ".lz4", "lz4 -d")),
        _ if start.get(257..262) == Some(b"ustar") => ("a tar archive", unpacked(wanted, ".tar", "tar -xf")),
        _ => return None,
    };
    Some(Found { what: name.into(), advice })
}

/// A zip archive, told by the name of its first file.
fn zip(start: &[u8], wanted: Wanted) -> Option<Found> {
    let rest = start.strip_prefix(b"PK\x03\x04")?;
    let len = rest.get(22..24).and_then(|len| len.try_into().ok()).map_or(0, u16::from_le_bytes);
    let name = rest.get(26..26 + usize::from(len)).unwrap_or_default();
    let (kind, found) = if name.ends_with(b"data.pkl") || memmem::find(start, b"/data.pkl").is_some() {
        let what = "a file of PyTorch (a zip with a pickle in it)";
        (Some(Wanted::Torch), Found::new(what, "loadTorch reads it, and runs nothing of the pickle"))
    } else if name.ends_with(b".npy") {
        (Some(Wanted::Npz), Found::new("an .npz file (a zip of .npy files)", "loadNpz reads it"))
    } else if name == b"[Content_Types].xml" || name.starts_with(b"word/") {
        (None, Found::new("an Office document (a zip)", "save its text as a file of plain text"))
    } else {
        (None, Found::new("a zip archive", "unpack it first (unzip)"))
    };
    // Of the kind that was wanted, its own reader says better what is wrong with it.
    (kind != Some(wanted)).then_some(found)
}

fn numpy(start: &[u8], wanted: Wanted) -> Option<Found> {
    (start.starts_with(b"\x93NUMPY") && wanted != Wanted::Npy)
        .then(|| Found::new("an .npy file of NumPy", "loadNpy reads it"))
}

fn fast_text(start: &[u8], wanted: Wanted) -> Option<Found> {
    // Its own reader says better what is wrong with it.
    let is_other = wanted != Wanted::FastText && start.starts_with(&793_712_314i32.to_le_bytes());
    is_other.then(|| Found::new("a model of fastText (.bin or .ftz)", "loadFastText reads it"))
}

/// A Python pickle, told by its first opcodes.
fn pickle(start: &[u8], wanted: Wanted) -> Option<Found> {
    let is_pickle = match start {
        [0x80, 2..=5, opcode, ..] => b"]}c(X\x8a\x95)NKMJGU\x8c".contains(opcode),
        // Protocol 0 has no mark of its own. It may begin with a dictionary, a list, or an object of a common class.
        [b'(', b'd' | b'l', b'p', b'0'..=b'9', b'\n', ..] => true,
        _ => start.starts_with(b"ccollections\nOrderedDict\n") || start.starts_with(b"ccopy_reg\n_reconstructor\n"),
    };
    if !is_pickle {
        return None;
    }
    // This is the number that torch.save wrote first, before it wrote zip archives.
    if start.starts_with(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") {
        let advice = "loadTorch reads the form that came after it: take the .safetensors of the same model, or in Python \
                      torch.save(torch.load(path, weights_only=True), path2)";
        return Some(Found::new("a file of PyTorch before 1.6 (a pickle)", advice));
    }
    if memmem::find(start, b"gensim.").is_some() {
        let advice = "it is never run here; in Python: KeyedVectors.load(path).save_word2vec_format(path2, binary=True) \
                      (of a model, its .wv), and loadWord2Vec reads that";
        return Some(Found::new("what gensim's own save writes (a pickle)", advice));
    }
    let advice = match wanted {
        Wanted::Npy => "it is never run here; in Python, write the array with numpy.save".into(),
        _ => format!("it is never run here; {SAFETENSORS}"),
    };
    Some(Found { what: "a pickle of Python".into(), advice })
}

/// A model of SentencePiece: a protobuf message whose first field is a piece, which is a text and a score.
fn sentence_piece(start: &[u8], wanted: Wanted) -> Option<Found> {
    let [0x0a, piece, 0x0a, text, rest @ ..] = start else { return None };
    let (piece, text) = (usize::from(*piece), usize::from(*text));
    // Both lengths are below 128, so that each is one byte. The score is a tag and four bytes.
    let fits = piece < 128 && text > 0 && piece >= 2 + text + 5 && rest.get(text) == Some(&0x15);
    if !fits || std::str::from_utf8(rest.get(..text)?).is_err() {
        return None;
    }
    let make = "transformers makes one: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)";
    let advice = match wanted {
        Wanted::Tokenizer => format!("take the tokenizer.json of the same model; where there is none, {make}"),
        _ => "it is a tokenizer; Tokenizer.fromFile reads the tokenizer.json of the same model".into(),
    };
    Some(Found { what: "a model of SentencePiece, as tokenizer.model is".into(), advice })
}

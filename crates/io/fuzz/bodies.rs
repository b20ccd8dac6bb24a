//! Properties that hold for files of any bytes. The fuzz targets run them, and so does a property test on every
//! compiler. Time and memory must be in proportion to the input. A target for another format is a function here, a
//! file in `fuzz_targets/` and an entry in `Cargo.toml`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;
use tokenbed_core::storage::{Part, Storage};
use tokenbed_core::{DType, Error};
use tokenbed_io::fasttext;
use tokenbed_io::gguf;
use tokenbed_io::npy;
use tokenbed_io::npz;
use tokenbed_io::recognise::{Wanted, recognise};
use tokenbed_io::safetensors::{ToSave, load, save};
use tokenbed_io::shards;
use tokenbed_io::text::{InvalidUtf8, MAX_RATIO, TextFile};
use tokenbed_io::tokens::{Stored, Tokens, Width};
use tokenbed_io::torch;
use tokenbed_io::word2vec;
use tokenbed_io::word2vec::glove;
use tokenbed_io::writer::{Column, RowWriter};
use tokenbed_testkit::memory::{Counting, within};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One folder for all files of this process.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder for temporary files"));

/// More time than any of these takes on a slow and busy machine.
const TIME: Duration = Duration::from_secs(20);

/// A new file with these bytes, so that no mapped file is overwritten.
fn file(content: &[u8], ending: &str) -> PathBuf {
    let path = FOLDER.path().join(format!("{:?}{ending}", std::thread::current().id()));
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, content).expect("a file can be written");
    path
}

/// Number of bytes that a reader may hold at once: some for itself, and some for each byte of the file.
fn room(own: usize, each: usize, content: &[u8]) -> usize {
    own + each * content.len()
}

/// Loading gives an error, or tensors whose shapes match their elements. The bytes are used as they are, and
/// as a header with its length before it and a few bytes of data after it.
pub fn safetensors(data: &[u8]) {
    let (few, header) = data.split_first().map_or((0, data), |(&first, rest)| (usize::from(first % 33), rest));
    let framed = [&(header.len() as u64).to_le_bytes(), header, &vec![1; few]].concat();
    for content in [data, &framed] {
        let path = file(content, "");
        let Ok(tensors) = within(room(64 << 10, 64, content), TIME, || load(&path)) else { continue };
        let mut total = 0;
        for tensor in &tensors {
            let elements: usize = tensor.shape.iter().product();
            assert_eq!(tensor.storage.len(), elements * tensor.dtype.size(), "{tensor:?}");
            assert!((tensor.storage.as_ptr() as usize).is_multiple_of(tensor.dtype.size()));
            total += tensor.storage.len();
        }
        assert!(total + 8 <= content.len());
    }
}

/// Reading gives an error whose place is in the text, or an index in which every tensor has a file of the folder. The
/// bytes are used as they are, and as the map in an index.
pub fn shards(data: &[u8]) {
    let framed = [b"{\"metadata\": {}, \"weight_map\": {".as_slice(), data, b"}}"].concat();
    for content in [data, &framed] {
        let path = file(content, ".index.json");
        let read = within(room(64 << 10, 64, content), TIME, || shards::open(&path));
        if let Err(Error::Format { offset, .. }) = read {
            assert!(offset <= content.len() as u64, "{offset}");
            continue;
        }
        let index = read.expect("a file that can be read");
        for name in index.names().iter() {
            let file = index.file(name).expect("every tensor is in a file");
            assert!(!file.is_empty() && !file.contains(['/', '\\', '\0', ':']) && !file.starts_with(".."), "{file:?}");
        }
        let ends = |name: &str| name == "weight" || name.ends_with(".weight");
        assert_eq!(index.ending("weight").count(), index.names().iter().filter(|name| ends(name)).count());
    }
}

/// What any file is called, and what is advised, is a text of a line, in whatever it was wanted for.
pub fn recognised(data: &[u8]) {
    use Wanted::{FastText, Gguf, Lines, Npy, Npz, Own, Safetensors, Text, Tokenizer, Torch, Words};
    for wanted in [Safetensors, Npy, Gguf, Npz, Torch, FastText, Words, Lines, Text, Tokenizer, Own] {
        if let Some(found) = within(room(64 << 10, 16, data), TIME, || recognise(data, wanted)) {
            assert!(!found.what.is_empty() && !found.advice.is_empty());
            assert!(found.what.len() + found.advice.len() <= 2000 && !found.to_string().contains('\n'), "{found}");
        }
    }
}

/// Loading gives an error, or an array whose shape matches its elements. The bytes are used as they are, and as a
/// header after a valid beginning; the first byte decides whether the file is read or mapped.
pub fn npy(data: &[u8]) {
    let (few, header) = data.split_first().map_or((0, data), |(&first, rest)| (usize::from(first), rest));
    let length = (header.len() as u16).to_le_bytes();
    let framed =
        [b"\x93NUMPY\x01\x00".as_slice(), &length, &header[..header.len().min(0xffff)], &vec![1; few]].concat();
    for content in [data, &framed] {
        let path = file(content, ".npy");
        let Ok(array) = within(room(64 << 10, 64, content), TIME, || npy::load(&path, Some(few % 2 == 1))) else {
            continue;
        };
        let elements: usize = array.shape.iter().product();
        assert_eq!(array.storage.len(), elements * array.dtype.size(), "{array:?}");
        assert!((array.storage.as_ptr() as usize).is_multiple_of(array.dtype.size()));
    }
}

/// Opening gives an error, or values that are JSON or refused, and tensors with as many bytes as the header says. The
/// bytes are used as they are, and as what follows a valid beginning.
pub fn gguf(data: &[u8]) {
    let counts = data.split_first_chunk::<2>().map_or((0, 0), |([a, b], _)| (u64::from(a % 4), u64::from(b % 8)));
    let (tensors, pairs) = counts;
    let beginning = [b"GGUF".as_slice(), &3u32.to_le_bytes(), &tensors.to_le_bytes(), &pairs.to_le_bytes()].concat();
    let framed = [&beginning, data.get(2..).unwrap_or_default()].concat();
    for content in [data, &framed] {
        let path = file(content, ".gguf");
        within(room(1 << 20, 64, content), TIME, || {
            let Ok(opened) = gguf::open(&path) else { return };
            for place in 0..opened.keys().len() {
                // Beside the value stands the text that is being read, and a boolean becomes five bytes and a comma.
                let value = opened.value(place);
                assert!(value.is_err() || value.is_ok_and(|json| json.len() <= 64 + 24 * content.len()));
            }
            let sizes: Vec<usize> = opened.entries().map(|entry| entry.bytes).collect();
            for (place, bytes) in sizes.into_iter().enumerate() {
                assert!(opened.tensor(place).map_or(true, |loaded| loaded.storage.len() == bytes));
            }
        });
    }
}

/// Opening gives an error, or matrices whose rows can all be read, and a dictionary that is refused or whose entries
/// are found again. The index has a table of twice the entries at most.
pub fn fasttext(data: &[u8]) {
    let path = file(data, ".bin");
    within(room(1 << 20, 64, data), TIME, || {
        let Ok(opened) = fasttext::open(&path) else { return };
        let (bytes, header) = (opened.bytes(), opened.header());
        assert_eq!(bytes, data);
        let mut sum = vec![0.0; header.dim];
        for matrix in [opened.input(), opened.output()] {
            // Rows without elements could be very many.
            for row in (0..matrix.rows).take(data.len()) {
                matrix.add_row(bytes, row, &mut sum);
                matrix.dot_row(bytes, row, &sum);
            }
        }
        let Ok(dictionary) = opened.dictionary() else { return };
        for number in 0..header.words + header.labels {
            let text = dictionary.text(bytes, number);
            assert_eq!(dictionary.find(bytes, text), Some(number));
            dictionary.count(bytes, number);
        }
        assert_eq!(dictionary.find(bytes, b""), None);
        for bucket in 0..header.bucket.min(1000) {
            let row = dictionary.kept(bucket);
            assert!(row.is_none_or(|row| header.pruned.is_some_and(|count| (row as usize) < count)));
        }
    });
}

/// Loading gives an error, or arrays whose shapes match their elements, in memory that follows the file and what it may
/// become. The bytes are used as they are, and as an entry of an archive, stored and compressed.
pub fn npz(data: &[u8]) {
    let (how, rest) = data.split_first().map_or((0, data), |(&first, rest)| (first, rest));
    for content in [data.to_vec(), zip_of(&[("x.npy", rest, how & 2 != 0)], how & 4 != 0)] {
        let path = file(&content, ".npz");
        // Compressed entries may become sixteen megabytes, and arrays of other orders and types are copied once more.
        let is_packed = how & 2 != 0 || content.len() == data.len();
        let own = if is_packed { 36 << 20 } else { 256 << 10 };
        let Ok(arrays) = within(room(own, 64, &content), TIME, || npz::load(&path, Some(how & 1 != 0), 20)) else {
            continue;
        };
        for tensor in &arrays.tensors {
            let elements: usize = tensor.shape.iter().product();
            assert_eq!(tensor.storage.len(), elements * tensor.dtype.size(), "{tensor:?}");
            assert!((tensor.storage.as_ptr() as usize).is_multiple_of(tensor.dtype.size()));
        }
    }
}

/// Loading gives an error whose place is in the file, or tensors whose shapes match their elements, in memory that
/// follows the file. The bytes are used as they are, and as the pickle of an archive with two storages; the first byte
/// decides how.
pub fn torch(data: &[u8]) {
    let (how, pickle) = data.split_first().map_or((0, data), |(&first, rest)| (first, rest));
    let entries =
        [("x/data.pkl", pickle, how & 2 != 0), ("x/data/0", &[1; 64], how & 4 != 0), ("x/data/1", &[2; 6], false)];
    for content in [data.to_vec(), zip_of(&entries, how & 8 != 0)] {
        let path = file(&content, ".pt");
        let load = || {
            let opened = torch::open(&path, Some(how & 1 != 0))?;
            let count = opened.entries().len();
            (0..count).for_each(|index| drop(opened.tensor(index)));
            opened.readable()
        };
        let is_packed = how & 6 != 0 || content.len() == data.len();
        let own = if is_packed { 36 << 20 } else { 3 << 20 };
        match within(room(own, 300, &content), TIME, load) {
            Ok(torch::Tensors { parts, names }) => {
                for (name, shape, part) in names {
                    let elements: usize = shape.iter().product();
                    let torch::Part { dtype, storage } = &parts[part];
                    assert_eq!(storage.len(), elements * dtype.size(), "{name}: {shape:?}");
                    assert!((storage.as_ptr() as usize).is_multiple_of(dtype.size()));
                }
            }
            Err(Error::Format { offset, .. }) => assert!(offset <= content.len() as u64, "{offset}"),
            Err(_) => {}
        }
    }
}

/// An archive of these entries: name, bytes, and whether they are compressed. With `lies` its directory says that the
/// last entry is longer than it is.
fn zip_of(entries: &[(&str, &[u8], bool)], lies: bool) -> Vec<u8> {
    let (mut content, mut directory) = (Vec::new(), Vec::new());
    for (index, &(name, bytes, deflated)) in entries.iter().enumerate() {
        let mut sum = flate2::Crc::new();
        sum.update(bytes);
        let packed = if deflated {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, bytes).expect("memory takes bytes");
            encoder.finish().expect("memory takes bytes")
        } else {
            bytes.to_vec()
        };
        let more = u32::from(lies && index + 1 == entries.len());
        let [method, name_len] = [u16::from(deflated) * 8, name.len() as u16].map(u16::to_le_bytes);
        let [size, len] = [bytes.len() as u32 + more, packed.len() as u32 + more].map(u32::to_le_bytes);
        let fields: Vec<u8> =
            [&[20, 0, 0, 0][..], &method, &[0; 4], &sum.sum().to_le_bytes(), &len, &size, &name_len, &[0; 2]].concat();
        let at = content.len() as u32;
        content.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), &packed].concat());
        directory.extend([b"PK\x01\x02\x14\x00", &fields[..], &[0; 10], &at.to_le_bytes(), name.as_bytes()].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let [len, at] = [directory.len(), content.len()].map(|number| (number as u32).to_le_bytes());
    [content, directory, [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &len, &at, &[0; 2]].concat()].concat()
}

/// Loading gives an error, or as many vectors as words, all of which differ.
/// The first byte decides how the rest is read.
pub fn word2vec(data: &[u8]) {
    let (how, content) = data.split_first().map_or((0, data), |(&first, rest)| (first, rest));
    let binary = [None, Some(false), Some(true)][usize::from(how % 3)];
    let limit = (how & 4 != 0).then_some(usize::from(how >> 4));
    let invalid = if how & 8 == 0 { InvalidUtf8::Refuse } else { InvalidUtf8::Replace };
    let path = file(content, "");
    let escape = how & 128 != 0;
    let options = word2vec::Options { binary, limit, invalid, ratio: MAX_RATIO, escape, threads: 2 };
    // The reader holds two blocks of lines.
    let loaded = within(room(6 << 20, 64, content), TIME, || word2vec::load(&path, options));
    if binary.is_none() && std::str::from_utf8(content).is_ok_and(|text| !text.chars().any(is_control)) {
        let said = word2vec::load(&path, word2vec::Options { binary: Some(false), ..options });
        let outcome = |of: &tokenbed_core::Result<word2vec::Loaded>| {
            of.as_ref().map(|loaded| loaded.words.clone()).map_err(ToString::to_string)
        };
        assert_eq!(outcome(&loaded), outcome(&said), "a text is read as one");
    }
    let Ok(loaded) = loaded else { return };
    let width = loaded.dim * size_of::<f32>();
    assert!(loaded.storage.len() >= loaded.words.len() * width);
    assert_eq!(loaded.words.iter().collect::<std::collections::HashSet<_>>().len(), loaded.words.len());
    assert!(loaded.words.len() * width <= content.len().saturating_mul(2), "memory follows the file");
}

/// Loading gives an error whose place is in the text, or as many vectors as words, all of which differ, at any number
/// of threads. The first byte decides how the rest is read.
pub fn glove(data: &[u8]) {
    let (how, content) = data.split_first().map_or((0, data), |(&first, rest)| (first, rest));
    let limit = (how & 4 != 0).then_some(usize::from(how >> 4));
    let invalid = if how & 8 == 0 { InvalidUtf8::Refuse } else { InvalidUtf8::Replace };
    let packed = [".gz", ".zst", ".txt", ".txt"][usize::from(how % 4)];
    let path = file(content, packed);
    let options = glove::Options { limit, invalid, ratio: 20, threads: 1 };
    // This covers Zstandard's window.
    let own = if packed == ".zst" { 400 << 20 } else { 40 << 20 };
    let loaded = within(room(own, 64, content), TIME, || glove::load(&path, options));
    let outcome = |of: &tokenbed_core::Result<word2vec::Loaded>| {
        of.as_ref().map(|loaded| (loaded.words.clone(), loaded.dim)).map_err(ToString::to_string)
    };
    assert_eq!(outcome(&loaded), outcome(&glove::load(&path, glove::Options { threads: 3, ..options })));
    match loaded {
        Ok(loaded) => {
            assert_eq!(loaded.storage.len(), loaded.words.len() * loaded.dim * size_of::<f32>());
            assert_eq!(loaded.words.iter().collect::<std::collections::HashSet<_>>().len(), loaded.words.len());
            let shortest = loaded.words.len() * (2 * loaded.dim + 1);
            assert!(packed != ".txt" || shortest <= content.len() + 1, "each number has a byte and a space");
        }
        Err(Error::Format { offset, .. }) => assert!(packed != ".txt" || offset <= content.len() as u64, "{offset}"),
        Err(_) => {}
    }
}

fn is_control(char: char) -> bool {
    char.is_control() && !char.is_ascii_whitespace() && char != '\x0b'
}

/// Reading to the end gives text or an error, in memory that does not grow with the decompressed text. The first byte
/// decides the file's name.
pub fn text_file(data: &[u8]) {
    let (how, content) = data.split_first().map_or((0, data), |(&first, rest)| (first, rest));
    let ending = [".gz", ".zst", ".txt"][usize::from(how % 3)];
    let invalid = if how & 4 == 0 { InvalidUtf8::Refuse } else { InvalidUtf8::Replace };
    let path = file(content, ending);
    // This covers Zstandard's window, which is a power of two and a little more, and the smaller one before it.
    let own = if ending == ".zst" { 400 << 20 } else { 8 << 20 };
    within(room(own, 8, content), TIME, || {
        let Ok(mut file) = TextFile::open(&path, invalid, 20) else { return };
        let (mut part, mut bytes) = (String::new(), 0);
        loop {
            part.clear();
            let more = file.read(&mut part);
            assert!(part.len() <= 4 << 20, "a part is a megabyte, or three where all is replaced");
            bytes += part.len();
            match more {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return,
            }
        }
        assert!(bytes <= (16 << 20) * 3 + content.len() * 60, "{bytes}");
        if ending == ".txt" && invalid == InvalidUtf8::Refuse {
            assert_eq!(bytes, content.len());
        }
    });
}

/// Opening a folder of token ids ends with an error, or with documents that lie within its ids. The bytes say how many
/// ids and documents there are said to be, how wide ids are, and where the file of ids ends and that of documents
/// begins.
pub fn tokens(data: &[u8]) {
    let [kind, ids, documents, rest @ ..] = data else { return };
    let width = if kind & 1 == 0 { Width::Two } else { Width::Four };
    let said = |byte: u8| if byte == u8::MAX { usize::MAX } else { usize::from(byte) };
    let (count, documents) = (said(*ids), said(*documents));
    let (first, second) = rest.split_at(count.saturating_mul(width.bytes()).min(rest.len()));
    let (ids, index) = (file(first, ".ids"), file(second, ".documents"));
    // Both files are small enough to be read, 64 KB at a time.
    within(room(192 << 10, 16, data), TIME, || {
        let stored = (Stored { path: &ids, count }, Stored { path: &index, count: documents });
        let Ok(tokens) = Tokens::open(stored.0, stored.1, width) else { return };
        assert_eq!((tokens.count(), tokens.documents()), (count, documents));
        let mut all = vec![0; count];
        tokens.copy(0, &mut all).expect("so many are there");
        let sound = tokens.check_documents().is_ok();
        for document in 0..documents {
            let found = tokens.document(document);
            assert!(found.is_ok() || !sound);
            if let Ok(range) = found {
                let range = range.expect("a document");
                assert!(range.start <= range.end && range.end <= count);
            }
        }
        assert!(tokens.document(documents).is_ok_and(|none| none.is_none()));
    });
}

/// Tensors, rows and words survive a round trip bit for bit. The bytes decide sizes, types and elements.
pub fn writers(data: &[u8]) {
    let [rows, width, kind, rest @ ..] = data else { return };
    let (rows, width) = (usize::from(*rows % 7), usize::from(*width % 5));
    let dtypes =
        [DType::Float32, DType::Float64, DType::Int64, DType::Int32, DType::UInt8, DType::Bool, DType::Float16];
    let dtype = dtypes[usize::from(*kind) % dtypes.len()];
    let wanted = rows * width * dtype.size();
    let flag = |byte: u8| if dtype == DType::Bool { byte & 1 } else { byte };
    let bytes: Vec<u8> = rest.iter().copied().chain(std::iter::repeat(7)).map(flag).take(wanted).collect();
    let path = file(b"", ".npy");
    within(room(4 << 20, 256, data), TIME, || {
        npy::save(&path, dtype, &[rows, width], &bytes).expect("npy is written");
        let array = npy::load(&path, None).expect("what was written");
        assert_eq!((array.dtype, &array.shape, held::<u8>(array.storage)), (dtype, &vec![rows, width], bytes.clone()));
        let name = String::from_utf8_lossy(rest).into_owned();
        let tensor = ToSave { name: name.clone(), dtype, shape: vec![rows, width], bytes: &bytes };
        let path = path.with_extension("safetensors");
        let notes = HashMap::from([(name.clone(), name.clone())]);
        if save(&path, vec![tensor], notes).is_ok() {
            let mut loaded = load(&path).expect("what was written");
            let tensor = loaded.pop().expect("a tensor");
            assert_eq!(
                (loaded.len(), &tensor.name, tensor.dtype, &tensor.shape),
                (0, &name, dtype, &vec![rows, width])
            );
            assert_eq!(held::<u8>(tensor.storage), bytes);
        } else {
            assert!(name == "__metadata__", "{name:?} can be a name");
        }
        for path in [&path, &path.with_extension("npy")] {
            let column = Column { name: "rows".into(), dtype, shape: vec![width] };
            let mut writer = RowWriter::create(path, vec![column], HashMap::new()).expect("a writer");
            for row in 0..rows {
                let size = width * dtype.size();
                writer.append(0, 1, &bytes[row * size..][..size]).expect("a row");
            }
            writer.close().expect("a file");
        }
        assert_eq!(held::<u8>(npy::load(&path.with_extension("npy"), Some(true)).expect("rows").storage), bytes);
        assert_eq!(held::<u8>(load(&path).expect("rows").pop().expect("a tensor").storage), bytes);
        words(rest, width.max(1), kind % 2 == 0);
    });
}

/// The elements of a storage.
fn held<T: bytemuck::Pod>(storage: Storage) -> Vec<T> {
    let len = storage.len();
    let part = Part::new(&Arc::new(storage), 0, len).expect("all of it");
    part.elements::<T>().expect("aligned").to_vec()
}

/// A round trip of words and vectors; all NaNs are equal.
fn words(data: &[u8], dim: usize, binary: bool) {
    let text = String::from_utf8_lossy(data).into_owned();
    let mut words: Vec<String> = Vec::new();
    for word in text.split_inclusive(|c: char| c.is_ascii_whitespace() || c == '\x0b').take(9) {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    let mut bits =
        data.chunks(4).map(|four| four.iter().fold(0, |bits: u32, &byte| bits << 8 | u32::from(byte))).cycle();
    let table: Vec<f32> = (0..words.len() * dim).map(|_| f32::from_bits(bits.next().unwrap_or(0))).collect();
    let path = file(b"", ".vec");
    word2vec::save(&path, &words, &table, dim, word2vec::Written { binary, escape: true, header: true })
        .expect("words are written");
    let options = word2vec::Options {
        binary: Some(binary),
        limit: None,
        invalid: InvalidUtf8::Refuse,
        ratio: MAX_RATIO,
        escape: true,
        threads: 1,
    };
    let loaded = word2vec::load(&path, options).expect("what was written");
    let found: Vec<_> = loaded.words.iter().map(str::to_owned).collect();
    assert_eq!((&found, loaded.dim), (&words, dim));
    let values = held::<f32>(loaded.storage);
    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    assert!(values.len() == table.len() && values.iter().zip(&table).all(same), "{values:?} {table:?}");
}

/// Records of a text do not depend on how it is divided; the first two bytes say the format and where it is cut.
pub fn records(data: &[u8]) {
    use tokenbed_io::records::{Format, Record, Records, Settings, Unreadable};
    type Kept = Record<'static>;
    let [how, cut, rest @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let format = [Format::Lines, Format::JsonLines, Format::Table(b','), Format::Table(b'\t')][usize::from(*how % 4)];
    let settings = Settings { format, field: "text".into(), id: "id".into(), most: 200, is_inside: false };
    let read = |parts: &[&str]| -> (Vec<Kept>, Result<(), Unreadable>) {
        let (mut reader, mut found) = (Records::new(settings.clone()), Vec::new());
        let mut give = |Record { id, text, line, offset }: Record<'_>| {
            found.push(Kept { id, text: text.map(|text| text.into_owned().into()), line, offset });
        };
        let mut outcome = Ok(());
        for part in parts {
            outcome = outcome.and_then(|()| reader.push(part, &mut give));
        }
        let outcome = outcome.and_then(|()| reader.finish(&mut give));
        (found, outcome)
    };
    let (whole, outcome) = read(&[text]);
    let mut at = usize::from(*cut).min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    let (parts, again) = read(&[&text[..at], &text[at..]]);
    assert_eq!(outcome.is_ok(), again.is_ok());
    if outcome.is_ok() {
        assert_eq!(whole, parts);
    }
    for record in &whole {
        assert!(record.offset <= text.len() as u64 && record.line > 0);
        if let Ok(text) = &record.text {
            assert!(text.len() <= 200);
        }
    }
}

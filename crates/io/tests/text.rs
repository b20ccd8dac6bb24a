//! Text files give their text, with any compression and wherever a part ends.
#![allow(clippy::unwrap_used)]

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokenbed_core::Error;
use tokenbed_io::text::{InvalidUtf8, MAX_RATIO, TextFile};

fn read(path: &Path, invalid: InvalidUtf8) -> Result<String, Error> {
    let mut file = TextFile::open(path, invalid, MAX_RATIO)?;
    let mut text = String::new();
    while file.read(&mut text)? {}
    Ok(text)
}

/// A temporary folder with a file of this name and content.
fn write(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn read_bytes(name: &str, content: &[u8], invalid: InvalidUtf8) -> Result<String, Error> {
    let (_folder, path) = write(name, content);
    read(&path, invalid)
}

fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zst(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

/// The text of testdata/golden/packed/make.py.
fn packed_text() -> String {
    (0..3000).map(|i| format!("{i}: The whale, Wal, baleine, кит, 鯨, 🐋.\n")).collect()
}

fn packed() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden/packed");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending != "py")).collect()
}

/// Number of bytes that are read at a time.
const PART: usize = 1 << 20;

#[test]
fn parts_of_a_file_are_read_with_its_offsets() {
    let bytes: Vec<u8> = (0..3 * PART as u32 / 2).map(|i| b"ab\n"[i as usize % 3]).collect();
    let (_folder, path) = write("long.txt", &bytes);
    let part = |from: u64, to: u64| {
        let mut file = TextFile::open_part(&path, InvalidUtf8::Refuse, (from, to))?;
        let mut text = String::new();
        while file.read(&mut text)? {}
        assert_eq!(file.offset(), to);
        Ok::<_, Error>(text)
    };
    let whole = std::str::from_utf8(&bytes).unwrap();
    let len = bytes.len() as u64;
    for (from, to) in [(0, 0), (0, 5), (5, 6), (7, 7 + PART as u64), (3, len), (0, len), (len, len)] {
        assert_eq!(part(from, to).unwrap(), whole[from as usize..to as usize], "{from}..{to}");
    }
    assert!(part(0, len + 1).unwrap_err().to_string().contains("cut short"));
    assert!(part(len + 7, len + 9).unwrap_err().to_string().contains("cut short"));
}

#[test]
fn files_compressed_by_other_programs_are_read() {
    let expected = packed_text();
    let files = packed();
    assert_eq!(files.len(), 6);
    for path in files {
        assert!(read(&path, InvalidUtf8::Refuse).unwrap() == expected, "{}", path.display());
    }
}

#[test]
fn sizes_around_a_part_are_read_whole() {
    for size in [0, 1, 2, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 3] {
        let text = "ab\u{e9}\u{6587}\u{1f600}".repeat(size / 11 + 1);
        let text = (0..=size).rev().find(|&at| text.is_char_boundary(at)).map(|at| &text[..at]).unwrap();
        for (name, bytes) in
            [("a", text.as_bytes().to_vec()), ("a.GZ", gz(text.as_bytes())), ("a.zst", zst(text.as_bytes()))]
        {
            assert!(read_bytes(name, &bytes, InvalidUtf8::Refuse).unwrap() == text, "{size} of {name}");
        }
    }
}

#[test]
fn characters_across_parts_are_whole() {
    for char in ["\u{e9}", "\u{6587}", "\u{1f600}"] {
        for back in 0..=char.len() {
            let text = format!("{}{char} and on", "x".repeat(PART - back));
            for invalid in [InvalidUtf8::Refuse, InvalidUtf8::Replace] {
                assert!(read_bytes("a.txt", text.as_bytes(), invalid).unwrap() == text);
            }
        }
    }
}

#[test]
fn a_byte_order_mark_stays() {
    assert_eq!(read_bytes("a.txt", b"\xef\xbb\xbfa", InvalidUtf8::Refuse).unwrap(), "\u{feff}a");
}

#[test]
fn errors_for_invalid_utf8_name_the_byte() {
    for (bad, valid) in
        [(&b"\xff"[..], 0), (b"\xc3", 0), (b"\xe6\x96", 0), (b"\xf0\x9f\x98", 0), (b"\xed\xa0\x80", 0), (b"a\x80", 1)]
    {
        for before in [0, 5, PART - 2, PART - 1, PART, 2 * PART + 7] {
            let bytes = [&vec![b'x'; before], bad].concat();
            for (name, bytes) in [("a.txt", bytes.clone()), ("a.gz", gz(&bytes))] {
                let error = read_bytes(name, &bytes, InvalidUtf8::Refuse).unwrap_err();
                let (Error::Format { path, offset, message } | Error::InvalidUtf8 { path, offset, message }) = &error
                else {
                    panic!("{error:?}")
                };
                assert_eq!(*offset, (before + valid) as u64, "{bad:x?} after {before}");
                assert!(path.ends_with(name));
                assert_eq!(message.contains("decompressed"), name == "a.gz", "{message}");
            }
        }
    }
    let message = |bytes: &[u8]| read_bytes("a", bytes, InvalidUtf8::Refuse).unwrap_err().to_string();
    assert!(
        message(b"text\x80 text")
            .contains("byte 0x80 is not UTF-8, which text must be, unless invalidUtf8 is 'replace' (at byte 4)")
    );
    assert!(message(b"\xff\xfea\0b\0").contains("it looks like UTF-16"));
    assert!(message(&gz(b"text")).contains(".gz"));
    assert!(message(&zst(b"text")).contains(".zst"));
}

/// The bytes of a Latin-1, UTF-16 or binary file, and parts of valid characters.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        "[a-z\u{e9}\u{6587}\u{1f600}]{1,4}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..6),
        prop::sample::select(vec![
            &b"\xf0\x9f\x98"[..],
            b"\xf0\x9f",
            b"\xe6\x96",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xc0\xaf"
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

/// Whether it says what is wrong with the bytes of a file.
fn is_of_format(error: &Error) -> bool {
    error.code() == "FORMAT"
}

proptest! {
    /// The result is that of `String::from_utf8_lossy`, which follows the Encoding Standard as `TextDecoder` does.
    #[test]
    fn invalid_bytes_are_replaced_as_the_standard_says(bytes in any_bytes(), back in 0usize..24) {
        let long = [&vec![b'x'; PART - back], &*bytes].concat();
        for content in [&bytes, &long] {
            let found = read_bytes("a.txt", content, InvalidUtf8::Replace).unwrap();
            prop_assert!(found == String::from_utf8_lossy(content));
        }
    }

    /// No file ends the process. A damaged one gives an error or its text.
    #[test]
    fn damaged_files_give_an_error_or_their_text(at in 0usize..4000, byte: u8, cut in prop::option::of(0usize..4000)) {
        let text = packed_text();
        for path in packed() {
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at % bytes.len();
            let same = bytes[at] == byte;
            bytes[at] = byte;
            bytes.truncate(cut.unwrap_or(bytes.len()).max(1));
            let name = path.file_name().unwrap().to_str().unwrap();
            match read_bytes(name, &bytes, InvalidUtf8::Refuse) {
                // Some fields of a header are not checked, and unchecked.txt.zst has no checksum at all.
                Ok(found) => prop_assert!(same || name.starts_with("unchecked") || text.starts_with(&found), "{name} at {at}"),
                Err(error) => prop_assert!(is_of_format(&error), "{error:?}"),
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (name, magic) in [("a.gz", &b"\x1f\x8b\x08\0"[..]), ("a.zst", b"\x28\xb5\x2f\xfd"), ("a.zst", b""), ("a.txt", b"")] {
            let _ = read_bytes(name, &[magic, &bytes].concat(), InvalidUtf8::Refuse);
        }
    }
}

#[test]
fn compressed_data_that_ends_too_soon_is_an_error() {
    let text = packed_text();
    for path in packed() {
        let whole = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        // The file may also end where a member or a frame does.
        let several = name.starts_with("members") || name.starts_with("frames");
        for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            match read_bytes(name, &whole[..length], InvalidUtf8::Refuse) {
                Ok(found) => assert!(several && text.starts_with(&found), "{name} up to {length}"),
                Err(error) => {
                    assert!(is_of_format(&error), "{name} up to {length}: {error:?}");
                    assert!(error.to_string().contains("damaged or ends too soon"), "{error}");
                }
            }
        }
    }
}

#[test]
fn checksums_are_compared() {
    for name in ["whole.txt.gz", "whole.txt.zst"] {
        let path = packed().into_iter().find(|path| path.ends_with(name)).unwrap();
        let mut bytes = std::fs::read(path).unwrap();
        // A gzip file ends with the checksum and the length, four bytes each.
        let at = bytes.len() - if name.ends_with("gz") { 8 } else { 4 };
        bytes[at] ^= 1;
        assert!(is_of_format(&read_bytes(name, &bytes, InvalidUtf8::Refuse).unwrap_err()), "{name}");
    }
}

#[test]
fn files_that_cannot_be_read_have_the_systems_error() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["none", "none.gz", "none.zst"] {
        let error = read(&folder.path().join(name), InvalidUtf8::Refuse).unwrap_err();
        assert!(matches!(&error, Error::File { source, .. } if source.raw_os_error().is_some()), "{error:?}");
        assert!(error.to_string().starts_with("cannot open "));
    }
    for name in ["folder", "folder.gz"] {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(read(&path, InvalidUtf8::Refuse).unwrap_err(), Error::File { .. }));
    }
}

/// The start of a process's memory can be opened but not read.
#[cfg(target_os = "linux")]
#[test]
fn a_failing_disk_is_not_reported_as_damaged_data() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.txt", "a.gz", "a.zst"] {
        let path = folder.path().join(name);
        std::os::unix::fs::symlink("/proc/self/mem", &path).unwrap();
        let error = read(&path, InvalidUtf8::Refuse).unwrap_err();
        assert!(matches!(&error, Error::File { source, .. } if source.raw_os_error() == Some(5)), "{name}: {error:?}");
    }
}

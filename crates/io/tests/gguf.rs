//! GGUF files: those of the real writer, and files that lie. Each lie is an error with a byte of the file.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokenbed_core::{DType, Error};
use tokenbed_io::gguf::{Opened, open};

/// A file that is put together by hand.
#[derive(Clone, Default)]
struct File(Vec<u8>);

impl File {
    /// The beginning, of so many tensors and pairs.
    fn new(tensors: u64, pairs: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(3).u64(tensors).u64(pairs)
    }

    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        let mut file = self.u64(text.len() as u64);
        file.0.extend(text.bytes());
        file
    }

    /// A key with the type of its value, which follows.
    fn key(self, key: &str, kind: u32) -> Self {
        self.text(key).u32(kind)
    }

    fn tensor(self, name: &str, dims: &[u64], kind: u32, start: u64) -> Self {
        let file = self.text(name).u32(dims.len() as u32);
        dims.iter().fold(file, |file, &size| file.u64(size)).u32(kind).u64(start)
    }

    /// Zeros up to a multiple, then so many bytes.
    fn data(mut self, multiple: usize, bytes: usize) -> Self {
        self.0.resize(self.0.len().next_multiple_of(multiple) + bytes, 0);
        self
    }
}

const U32: u32 = 4;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;
const F32: u32 = 0;
const Q8_0: u32 = 8;

fn opened(file: &File) -> (TempDir, tokenbed_core::Result<Opened>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.gguf");
    std::fs::write(&path, &file.0).expect("a file");
    let opened = open(&path);
    (folder, opened)
}

/// The byte and the message of a format error.
#[track_caller]
fn refused(file: &File) -> (u64, String) {
    match opened(file).1 {
        Err(Error::Format { offset, message, .. }) => {
            assert!(offset <= file.0.len() as u64, "{offset} is not in the file: {message}");
            (offset, message)
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn says(file: &File, what: &str) {
    let (_, message) = refused(file);
    assert!(message.contains(what), "{message}");
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden/gguf").join(name)
}

/// A file with metadata of several types and two tensors.
fn good() -> File {
    File::new(2, 4)
        .key("general.alignment", U32)
        .u32(64)
        .key("name", TEXT)
        .text("good")
        .key("list", ARRAY)
        .u32(TEXT)
        .u64(2)
        .text("a")
        .text("b")
        .key("yes", BOOL)
        .u8(1)
        .tensor("a", &[3, 2], F32, 0)
        .tensor("b", &[32, 1], Q8_0, 64)
        .data(64, 64 + 34)
}

#[test]
fn a_good_file_opens() {
    let (_folder, opened) = opened(&good());
    let opened = opened.expect("a good file");
    assert_eq!(opened.keys().collect::<Vec<_>>(), ["general.alignment", "name", "list", "yes"]);
    let values: Vec<_> = (0..4).map(|place| opened.value(place).expect("a value")).collect();
    assert_eq!(values, ["64", r#""good""#, r#"["a","b"]"#, "true"]);
    let entries: Vec<_> = opened.entries().map(|entry| (entry.name.to_owned(), entry.stored, entry.bytes)).collect();
    assert_eq!(entries, [("a".into(), "F32".into(), 24), ("b".into(), "Q8_0".into(), 34)]);
    assert_eq!(opened.entries().map(|entry| entry.shape.to_vec()).collect::<Vec<_>>(), [vec![2, 3], vec![1, 32]]);
    let loaded = opened.tensor(1).expect("blocks");
    assert_eq!((loaded.dtype, loaded.storage.len()), (DType::UInt8, 34));
    assert!(matches!(opened.tensor(2), Err(Error::Usage(_))));
    assert!(matches!(opened.value(4), Err(Error::Usage(_))));
}

#[test]
fn a_file_cut_short_at_any_byte_is_an_error() {
    let file = good();
    for len in 0..file.0.len() {
        refused(&File(file.0[..len].to_vec()));
    }
}

/// Whatever one byte becomes, the file opens or is refused, and its values and tensors are read or refused.
#[test]
fn a_changed_byte_is_never_a_crash() {
    let file = good();
    for at in 0..file.0.len() {
        for change in [1, 0x80, 0xff] {
            let mut file = file.clone();
            file.0[at] ^= change;
            let (_folder, Ok(opened)) = opened(&file) else { continue };
            for place in 0..opened.keys().len() {
                let _ = opened.value(place);
            }
            for place in 0..opened.entries().len() {
                let _ = opened.tensor(place);
            }
        }
    }
}

#[test]
fn versions_and_orders_of_bytes_are_named() {
    let version = |version: u32| File(b"GGUF".to_vec()).u32(version).u64(0).u64(0);
    says(&version(1), "version 1");
    says(&version(4), "version 4");
    says(&version(3u32.swap_bytes()), "big endian");
    assert!(opened(&version(2)).1.is_ok());
    assert!(opened(&version(3)).1.is_ok());
    let (_folder, other) = opened(&File(b"PK\x03\x04 this is a zip archive and not more".to_vec()));
    assert!(other.expect_err("another kind").to_string().contains("zip"));
}

#[test]
fn numbers_beyond_the_file_are_refused_before_they_are_used() {
    for huge in [1 << 20, 1 << 40, u64::MAX / 24, u64::MAX] {
        says(&File::new(huge, 0), "more than the file has room for");
        says(&File::new(0, huge), "more than the file has room for");
        refused(&File::new(0, 1).u64(huge).data(1, 40));
        refused(&File::new(0, 1).key("k", TEXT).u64(huge).data(1, 40));
        refused(&File::new(0, 1).key("k", ARRAY).u32(0).u64(huge).data(1, 40));
        refused(&File::new(0, 1).key("k", ARRAY).u32(TEXT).u64(huge).data(1, 40));
        refused(&File::new(1, 0).tensor("t", &[huge, huge], F32, 0).data(32, 40));
        refused(&File::new(1, 0).tensor("t", &[huge], F32, 0).data(32, 40));
        refused(&File::new(1, 0).tensor("t", &[2], F32, huge & !31).data(32, 40));
    }
    says(&File::new(1, 0).tensor("t", &[2; 5], F32, 0).data(32, 400), "5 dimensions");
    says(&File::new(0, 1).key("k", 13).data(1, 40), "type 13");
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| {
        let file = (0..depth).fold(File::new(0, 1).key("k", ARRAY), |file, _| file.u32(ARRAY).u64(1));
        file.u32(U32).u64(1).u32(7)
    };
    let (_folder, opened) = opened(&nested(63));
    assert_eq!(opened.expect("64 arrays").value(0).expect("a value"), format!("{}7{}", "[".repeat(64), "]".repeat(64)));
    says(&nested(64), "deep");
    says(&nested(100_000), "deep");
}

#[test]
fn tensors_that_overlap_or_lie_elsewhere_are_refused() {
    let two = |first: u64, second: u64| {
        File::new(2, 0).tensor("a", &[16], F32, first).tensor("b", &[16], F32, second).data(32, 128)
    };
    assert!(opened(&two(0, 64)).1.is_ok());
    assert!(opened(&two(64, 0)).1.is_ok());
    says(&two(0, 32), "overlaps");
    says(&two(0, 0), "overlaps");
    says(&two(0, 96), "beyond the end");
    says(&two(0, 68), "no multiple of 32");
    says(&File::new(1, 0).tensor("t", &[33, 1], Q8_0, 0).data(32, 400), "no whole blocks of Q8_0");
    let alignment = |kind: u32, value: u32| File::new(0, 1).key("general.alignment", kind).u32(value);
    says(&alignment(U32, 0), "general.alignment");
    says(&alignment(U32, 48), "general.alignment");
    says(&alignment(5, 32), "general.alignment");
}

#[test]
fn names_and_keys_are_unique() {
    let twice = File::new(2, 0).tensor("t", &[8], F32, 0).tensor("t", &[8], F32, 32).data(32, 64);
    says(&twice, "two tensors have the name \"t\"");
    says(&File::new(0, 2).key("k", U32).u32(1).key("k", U32).u32(1), "\"k\" is there twice");
}

/// What is read late is checked then.
#[test]
fn values_are_checked_when_they_are_read() {
    let file = File::new(0, 2).key("text", TEXT).u64(2).u8(b'a').u8(0xff).key("truth", BOOL).u8(2);
    let (_folder, opened) = opened(&file);
    let opened = opened.expect("lengths fit");
    for (place, what, at) in [(0, "UTF-8", 49), (1, "neither 0 nor 1", 67)] {
        match opened.value(place) {
            Err(Error::Format { offset, message, .. }) => {
                assert!(message.contains(what), "{message}");
                assert_eq!(offset, at, "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn elements_that_are_not_read_are_named_when_they_are_asked_for() {
    let file = File::new(2, 0).tensor("iq", &[256], 16, 0).tensor("new", &[256], 99, 96).data(32, 96);
    let (_folder, opened) = opened(&file);
    let opened = opened.expect("their headers are right");
    for (place, name) in ["IQ2_XXS", "type 99"].into_iter().enumerate() {
        match opened.tensor(place) {
            Err(Error::DType(message)) => assert!(message.contains(name), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

fn part(number: u64, count: u64) -> String {
    format!("parts-{number:05}-of-{count:05}.gguf")
}

/// A folder with the parts of a file.
fn parts() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 1..=3 {
        std::fs::copy(golden(&part(number, 3)), folder.path().join(part(number, 3))).expect("a copy");
    }
    folder
}

#[test]
fn parts_are_opened_from_any_of_them() {
    let whole = open(&golden("whole.gguf")).expect("a file");
    for number in 1..=3 {
        let opened = open(&golden(&part(number, 3))).expect("parts");
        assert!(opened.keys().any(|key| key == "general.name"), "the metadata are those of the first part");
        let names = |of: &Opened| of.entries().map(|entry| entry.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&opened), names(&whole));
    }
}

#[test]
fn a_missing_part_is_named() {
    let folder = parts();
    std::fs::remove_file(folder.path().join(part(2, 3))).expect("it is there");
    match open(&folder.path().join(part(3, 3))) {
        Err(Error::File { path, .. }) => assert!(path.ends_with(part(2, 3)), "{path:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let folder = parts();
    let at = |number: u64| folder.path().join(part(number, 3));
    std::fs::copy(at(3), at(2)).expect("a copy");
    let error = open(&at(1)).expect_err("the third part twice").to_string();
    assert!(error.contains("part 2 of 3"), "{error}");
    let renamed = folder.path().join("renamed.gguf");
    std::fs::copy(at(1), &renamed).expect("a copy");
    let error = open(&renamed).expect_err("a name without a number").to_string();
    assert!(error.contains("-00001-of-00003.gguf"), "{error}");
}

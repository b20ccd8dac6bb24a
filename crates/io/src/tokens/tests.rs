use super::*;
use std::fs;
use std::path::{Path, PathBuf};
use tokenbed_core::{Error, Result};

/// Writes documents, and says where the files are.
fn written(folder: &Path, width: Width, documents: &[&[u32]]) -> (PathBuf, PathBuf, usize) {
    let mut writer = TokensWriter::create(folder, width, 60_000).unwrap();
    for document in documents {
        writer.append(document).unwrap();
        writer.end_document().unwrap();
    }
    let count = writer.count() as usize;
    assert_eq!(writer.documents() as usize, documents.len());
    let Written { ids, documents } = writer.finish().unwrap();
    (folder.join(ids.name), folder.join(documents.name), count)
}

fn open(ids: &Path, count: usize, index: &Path, documents: usize, width: Width) -> Result<Tokens> {
    Tokens::open(Stored { path: ids, count }, Stored { path: index, count: documents }, width)
}

fn copied(tokens: &Tokens, range: std::ops::Range<usize>) -> Vec<u32> {
    let mut ids = vec![0; range.len()];
    tokens.copy(range.start, &mut ids).unwrap();
    ids
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

const DOCUMENTS: [&[u32]; 4] = [&[1, 2, 59_999], &[], &[0], &[7, 7, 7, 300]];

#[test]
fn what_is_written_is_read_again() {
    for width in [Width::Two, Width::Four] {
        let folder = tempfile::tempdir().unwrap();
        let (ids, index, count) = written(folder.path(), width, &DOCUMENTS);
        assert_eq!(fs::metadata(&ids).unwrap().len() as usize, count * width.bytes());
        let tokens = open(&ids, count, &index, 4, width).unwrap();
        assert_eq!((tokens.count(), tokens.documents()), (8, 4));
        for (i, expected) in DOCUMENTS.iter().enumerate() {
            let found = copied(&tokens, tokens.document(i).unwrap().unwrap());
            assert_eq!(found, *expected);
        }
        assert_eq!(tokens.document(4).unwrap(), None);
        tokens.check_documents().unwrap();
        assert_eq!(copied(&tokens, 6..8), [7, 300]);
        for start in [7, 8, usize::MAX] {
            assert!(matches!(tokens.copy(start, &mut [0; 2]), Err(Error::Shape(_))));
        }
        assert_eq!((tokens.beyond(59_999), tokens.beyond(60_000)), (Some((2, 59_999)), None));
    }
}

#[test]
fn the_bytes_are_plain_and_their_digest_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = TokensWriter::create(folder.path(), Width::Two, 1 << 16).unwrap();
    writer.append(&[1, 0xfffe]).unwrap();
    writer.end_document().unwrap();
    let Written { ids, documents } = writer.finish().unwrap();
    assert_eq!(fs::read(folder.path().join(&ids.name)).unwrap(), [1, 0, 0xfe, 0xff]);
    assert_eq!(fs::read(folder.path().join(&documents.name)).unwrap(), [[0; 8], [2, 0, 0, 0, 0, 0, 0, 0]].concat());
    for file in [ids, documents] {
        assert_eq!(crate::digest::of_file(&folder.path().join(&file.name)).unwrap(), file.digest);
        assert!(file.name.contains(&file.digest[..16]));
    }
}

#[test]
fn a_corpus_of_many_parts_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let long: Vec<u32> = (0..300_001).map(|i| i * 7919 % 60_000).collect();
    let parts: Vec<&[u32]> = long.chunks(70_001).collect();
    let (ids, index, count) = written(folder.path(), Width::Two, &parts);
    let tokens = open(&ids, count, &index, parts.len(), Width::Two).unwrap();
    assert!(copied(&tokens, 0..count) == long);
}

#[test]
fn no_ids_and_no_documents_are_a_folder_too() {
    let folder = tempfile::tempdir().unwrap();
    let (ids, index, count) = written(folder.path(), Width::Four, &[]);
    let tokens = open(&ids, count, &index, 0, Width::Four).unwrap();
    assert_eq!((tokens.count(), tokens.documents()), (0, 0));
}

#[test]
fn files_of_other_sizes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (ids, index, count) = written(folder.path(), Width::Two, &DOCUMENTS);
    for (count, documents, width, what) in [
        (count + 1, 4, Width::Two, "cut short: 16 bytes, and the manifest says 18"),
        (count - 1, 4, Width::Two, "longer than it was"),
        (count, 4, Width::Four, "cut short"),
        (count, 5, Width::Two, "cut short"),
        (count, 3, Width::Two, "longer than it was"),
        (usize::MAX, 4, Width::Two, "cut short"),
        (count, usize::MAX, Width::Two, "cut short"),
    ] {
        let found = message(open(&ids, count, &index, documents, width));
        assert!(found.contains(what), "{found}");
    }
    assert!(matches!(open(&folder.path().join("none"), 0, &index, 4, Width::Two), Err(Error::File { .. })));
}

#[test]
fn an_index_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (ids, _, count) = written(folder.path(), Width::Two, &DOCUMENTS);
    let index = folder.path().join("index");
    let with = |entries: &[u64]| {
        fs::write(&index, entries.iter().flat_map(|entry| entry.to_le_bytes()).collect::<Vec<_>>()).unwrap();
        open(&ids, count, &index, entries.len() - 1, Width::Two)
    };
    assert!(message(with(&[1, 8])).contains("begins at 1"));
    assert!(message(with(&[0, 9])).contains("ends at 9, and there are 8 ids"));
    assert!(message(with(&[0, u64::MAX])).contains("ends at"));
    for entries in [[0, 5, 3, 8], [0, u64::MAX, 3, 8]] {
        let tokens = with(&entries).unwrap();
        assert!(message(tokens.check_documents()).contains("is said to be"));
        assert!(tokens.document(1).is_err());
        assert_eq!(tokens.document(2).unwrap(), Some(3..8));
    }
}

#[test]
fn a_writer_takes_no_id_beyond_the_vocabulary() {
    let folder = tempfile::tempdir().unwrap();
    assert!(message(TokensWriter::create(folder.path(), Width::Two, 65_537)).contains("u32"));
    let mut writer = TokensWriter::create(folder.path(), Width::Two, 10).unwrap();
    let refused = writer.append(&[1, 10, 11]);
    assert!(matches!(refused, Err(Error::TokenIndex { flat: 1, value: 10, rows: 10, count: 2 })));
    writer.append(&[9]).unwrap();
    writer.end_document().unwrap();
    assert_eq!(writer.count(), 1);
    writer.finish().unwrap();
    assert!(message(writer.append(&[1])).contains("has ended"));
    assert!(message(writer.finish()).contains("has ended"));
}

#[test]
fn a_writer_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = TokensWriter::create(folder.path(), Width::Two, 10).unwrap();
    writer.append(&[1; 200_000]).unwrap();
    writer.abort();
    assert!(message(writer.end_document()).contains("has ended"));
    drop(TokensWriter::create(folder.path(), Width::Four, 10).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(matches!(TokensWriter::create(&folder.path().join("none"), Width::Two, 10), Err(Error::File { .. })));
}

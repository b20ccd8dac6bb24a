//! Tests of storage: its addresses, its lifetime and its accounting. They are here rather than in `tests/`, because
//! looking at the bytes is unsafe.

use super::{MappedFile, Storage, Usage, usage};
use crate::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) const MIB: usize = 1 << 20;
/// Sizes around the limits: pages, huge pages, and the size from which on a table is large.
const SIZES: [usize; 12] =
    [1, 63, 64, 65, 4096, 5000, 2 * MIB, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 6 * MIB, 9 * MIB + 12345];

/// Makes tests that hold storage run one after the other, because the counters belong to the process.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of a storage, which nobody may write meanwhile.
pub(super) fn bytes(storage: &Storage) -> &[u8] {
    // SAFETY: there are that many bytes, and no test writes while it holds this.
    unsafe { std::slice::from_raw_parts(storage.as_ptr(), storage.len()) }
}

fn write(storage: &Storage, at: usize, value: u8) {
    assert!(at < storage.len());
    // SAFETY: in bounds, and no test holds a slice of it meanwhile.
    unsafe { storage.as_ptr().add(at).write(value) }
}

/// A file with these bytes, which lives as long as the folder.
fn file(folder: &tempfile::TempDir, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn zeroed_is_aligned_zero_and_writable_to_the_last_byte() {
    let _alone = alone();
    for len in SIZES {
        let storage = Storage::zeroed(len).unwrap();
        assert_eq!((storage.len(), storage.is_empty()), (len, false));
        let alignment = if len < 4 * MIB { 64 } else { 2 * MIB };
        assert_eq!(storage.as_ptr() as usize % alignment, 0, "{len}");
        assert!(bytes(&storage).iter().all(|&byte| byte == 0), "{len}");
        write(&storage, 0, 1);
        write(&storage, len - 1, 2);
        assert_eq!(bytes(&storage)[len - 1], 2);
    }
}

#[test]
fn freed_memory_comes_back_zeroed() {
    let _alone = alone();
    for len in [100, 5000, 3 * MIB, 5 * MIB] {
        let storage = Storage::zeroed(len).unwrap();
        (0..len).for_each(|at| write(&storage, at, 0xff));
        drop(storage);
        assert!(bytes(&Storage::zeroed(len).unwrap()).iter().all(|&byte| byte == 0), "{len}");
    }
}

#[test]
fn an_empty_storage_is_valid() {
    let _alone = alone();
    let before = usage();
    for storage in [Storage::zeroed(0).unwrap(), Storage::copy_of(&[]).unwrap()] {
        assert!(storage.is_empty() && !storage.as_ptr().is_null());
        assert_eq!(storage.as_ptr() as usize % 8, 0, "aligned for every element type");
        assert_eq!(usage(), before);
    }
}

#[test]
fn copies_have_their_own_bytes() {
    let _alone = alone();
    let mut source: Vec<u8> = (0..5 * MIB + 3).map(|i| i as u8).collect();
    for len in [1, 65, 5 * MIB + 3] {
        let storage = Storage::copy_of(&source[..len]).unwrap();
        assert_eq!(bytes(&storage), &source[..len]);
    }
    let storage = Storage::copy_of(&source).unwrap();
    source[7] = 99;
    assert_eq!(bytes(&storage)[7], 7);
}

#[test]
fn filled_storage_has_what_was_written() {
    let _alone = alone();
    let before = usage();
    for len in [0, 1, 65, 5 * MIB + 3] {
        let storage = Storage::filled(len, |new| {
            assert!(new.len() == len && new.iter().all(|&byte| byte == 0));
            new.fill(7);
            Ok(())
        })
        .unwrap();
        assert!(!storage.is_mapped() && bytes(&storage).iter().all(|&byte| byte == 7));
        assert!(Storage::filled(len, |_| Err(Error::Shape("bad".into()))).is_err());
    }
    assert_eq!(usage(), before);
}

#[test]
fn absurd_sizes_are_errors() {
    let _alone = alone();
    let before = usage();
    let most = isize::MAX as usize;
    for len in [usize::MAX, usize::MAX - 1, most + 1, most, most - 1, most - 4 * MIB, 1 << 62] {
        match Storage::zeroed(len) {
            Err(error @ Error::Memory { bytes, .. }) => {
                assert_eq!(bytes, len);
                assert_eq!(error.code(), "MEMORY");
                assert!(error.to_string().starts_with(&format!("cannot allocate {len} bytes: ")), "{error}");
            }
            other => panic!("{len}: {other:?}"),
        }
    }
    // 64 TiB: a system that overcommits may promise even that.
    drop(Storage::zeroed(1 << 46));
    assert_eq!(usage(), before);
}

#[test]
fn usage_goes_up_and_down() {
    let _alone = alone();
    let before = usage();
    let mut held = Vec::new();
    let mut counted = before.tables;
    for len in SIZES {
        held.push(Storage::zeroed(len).unwrap());
        let more = usage().tables - counted;
        // With huge pages, all of the last one is touched.
        assert!(more == len || len >= 4 * MIB && more == len.next_multiple_of(2 * MIB), "{len}: {more}");
        counted += more;
    }
    let shared = Arc::new(held.pop().unwrap());
    let other = Arc::clone(&shared);
    drop(shared);
    assert_eq!(usage().tables, counted, "counted while anybody holds it");
    drop((held, other));
    assert_eq!(usage(), before);
}

#[test]
fn a_shared_storage_lives_on_in_another_thread() {
    let _alone = alone();
    for len in [1000, 5 * MIB] {
        let storage = Arc::new(Storage::copy_of(&vec![7u8; len]).unwrap());
        let theirs = Arc::clone(&storage);
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let reader = std::thread::spawn(move || {
            receive.recv().unwrap();
            bytes(&theirs).iter().map(|&byte| usize::from(byte)).sum::<usize>()
        });
        drop(storage);
        send.send(()).unwrap();
        assert_eq!(reader.join().unwrap(), 7 * len);
    }
}

#[test]
fn a_storage_moves_to_another_thread_and_is_dropped_there() {
    let _alone = alone();
    let before = usage();
    let storage = Storage::zeroed(5 * MIB).unwrap();
    std::thread::spawn(move || write(&storage, 0, 1)).join().unwrap();
    assert_eq!(usage(), before);
}

#[test]
fn files_that_cannot_be_mapped_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let failure = |path: &Path| match MappedFile::open(path) {
        Err(error @ Error::File { .. }) => (error.code(), error.to_string()),
        other => panic!("{other:?}"),
    };
    let missing = folder.path().join("missing");
    let (code, message) = failure(&missing);
    assert_eq!(code, "FILE");
    assert!(message.starts_with(&format!("cannot open {}: ", missing.display())), "{message}");
    // Whether opening or reading a folder fails depends on the system.
    assert!(failure(folder.path()).1.contains(&folder.path().display().to_string()));
    assert!(failure(Path::new("")).1.starts_with("cannot open"));
    assert!(failure(Path::new("a\0b")).1.starts_with("cannot open"));
    // Pipes and devices are refused too, because merely opening one may wait.
    #[cfg(unix)]
    assert!(
        failure(Path::new("/dev/null")).1.starts_with("cannot open /dev/null: it is a device, and not a regular file")
    );
}

#[test]
fn an_empty_file_is_mapped() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let file = MappedFile::open(&file(&folder, &[])).unwrap();
    assert!(Storage::of_file(&file, 0, 0).is_some_and(|storage| storage.is_empty()));
    assert!(Storage::of_file(&file, 0, 1).is_none());
    assert!(Storage::of_file(&file, 1, 0).is_none());
}

#[test]
fn parts_of_a_file_stay_inside_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..100).collect();
    let path = file(&folder, &content);
    let file = MappedFile::open(&path).unwrap();
    assert_eq!(file.path(), path);
    for (offset, len) in [(0, 100), (0, 0), (100, 0), (99, 1), (37, 40)] {
        let part = Storage::of_file(&file, offset, len).unwrap();
        assert_eq!(bytes(&part), &content[offset..offset + len]);
    }
    for (offset, len) in [
        (0, 101),
        (1, 100),
        (100, 1),
        (101, 0),
        (usize::MAX, 0),
        (usize::MAX, 1),
        (1, usize::MAX),
        (50, usize::MAX - 49),
    ] {
        assert!(Storage::of_file(&file, offset, len).is_none(), "{offset} {len}");
    }
}

#[test]
fn writes_to_a_mapping_stay_in_the_process() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &[1; 10_000]);
    let mapped = MappedFile::open(&path).unwrap();
    let (part, same) = (Storage::of_file(&mapped, 10, 5000), Storage::of_file(&mapped, 0, 5000));
    let (part, same) = (part.unwrap(), same.unwrap());
    write(&part, 0, 42);
    write(&part, 4999, 43);
    assert!(part.is_mapped());
    assert_eq!((bytes(&part)[0], bytes(&part)[4999], bytes(&same)[10]), (42, 43, 42), "seen through every part");
    drop((part, same, mapped));
    assert_eq!(std::fs::read(&path).unwrap(), [1; 10_000]);
}

#[test]
fn a_file_is_mapped_once_until_its_last_part_is_dropped() {
    let _alone = alone();
    let before = usage();
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &[9; 5000]);
    let mapped = MappedFile::open(&path).unwrap();
    let held = Usage { mapped: before.mapped + 5000, ..before };
    assert_eq!(usage(), held);
    let parts = [Storage::of_file(&mapped, 0, 100).unwrap(), Storage::of_file(&mapped, 50, 4950).unwrap()];
    drop(mapped);
    assert_eq!(usage(), held);
    // A file that was deleted or replaced stays readable.
    std::fs::remove_file(&path).unwrap();
    let [first, second] = parts;
    drop(first);
    assert_eq!(usage(), held);
    assert!(std::thread::spawn(move || bytes(&second).iter().all(|&byte| byte == 9)).join().unwrap());
    assert_eq!(usage(), before);
}

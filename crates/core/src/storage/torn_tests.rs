//! Tests of mapped files that are cut short while they are held: code that reads them goes on with zeros, and the
//! call fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::tests::{alone, bytes};
use super::{MappedFile, Part, Storage, intact, is_mapped, touch, watched};
use crate::{Error, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const LEN: usize = 1 << 20;

struct Torn {
    _folder: tempfile::TempDir,
    path: PathBuf,
    storage: Arc<Storage>,
}

/// A mapping of a file of sevens, which `cut` can cut short.
fn mapped() -> Torn {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, vec![7; LEN]).unwrap();
    let storage = Arc::new(Storage::of_file(&MappedFile::open(&path).unwrap(), 0, LEN).unwrap());
    Torn { _folder: folder, path, storage }
}

fn cut(path: &Path, len: u64) {
    File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

/// The sum of all bytes, in a watched call.
fn sum(storage: &Storage) -> Result<usize> {
    watched(|| {
        touch(storage.as_ptr(), storage.len())?;
        Ok(bytes(storage).iter().map(|&byte| usize::from(byte)).sum())
    })
}

fn refused(path: &Path, answer: Result<usize>) {
    match answer {
        Err(Error::File { path: named, action: "read", source }) => {
            assert_eq!(named, path);
            assert!(source.to_string().contains("cut short"), "{source}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_that_reads_lost_pages_fails_and_so_do_later_ones() {
    let _alone = alone();
    let (torn, other) = (mapped(), mapped());
    assert_eq!((sum(&torn.storage).unwrap(), sum(&other.storage).unwrap()), (7 * LEN, 7 * LEN));
    cut(&torn.path, 5000);
    // Nobody has touched the lost pages yet.
    assert_eq!(watched(|| intact().map(|()| 5)).unwrap(), 5);
    refused(&torn.path, sum(&torn.storage));
    refused(&torn.path, sum(&torn.storage));
    // Bytes that the file still has are unchanged, and lost ones are zero, also before the first one that was
    // touched.
    assert_eq!(bytes(&torn.storage)[4999], 7);
    assert!(bytes(&torn.storage)[8192..].iter().all(|&byte| byte == 0));
    assert_eq!(sum(&other.storage).unwrap(), 7 * LEN, "another file is another matter");
    let (path, storage) = (torn.path.clone(), Arc::clone(&torn.storage));
    std::thread::spawn(move || refused(&path, sum(&storage))).join().unwrap();
    drop(torn);
    assert_eq!(sum(&mapped().storage).unwrap(), 7 * LEN, "a mapping in its place is whole");
}

#[test]
fn pages_are_lost_from_the_last_to_the_first() {
    let _alone = alone();
    let torn = mapped();
    cut(&torn.path, 0);
    for at in (0..LEN).rev().step_by(1000) {
        assert_eq!(bytes(&torn.storage)[at], 0);
    }
    refused(&torn.path, sum(&torn.storage));
}

#[test]
fn several_threads_touch_lost_pages_at_once() {
    let _alone = alone();
    for _ in 0..20 {
        let torn = mapped();
        cut(&torn.path, 4096);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| refused(&torn.path, sum(&torn.storage)));
            }
        });
    }
}

#[test]
fn parts_held_for_other_threads_are_watched_too() {
    let _alone = alone();
    let torn = mapped();
    let part = Part::new(&torn.storage, LEN - 100, 100).unwrap();
    let read = || watched(|| -> Result<usize> { Ok(part.elements::<u8>().unwrap().iter().map(|&b| b as usize).sum()) });
    assert_eq!(read().unwrap(), 700);
    cut(&torn.path, 0);
    refused(&torn.path, read());
}

#[test]
fn the_error_of_a_torn_file_replaces_the_calls_own() {
    let _alone = alone();
    let torn = mapped();
    cut(&torn.path, 0);
    let answer = watched(|| -> Result<usize> {
        touch(torn.storage.as_ptr(), LEN)?;
        Err(Error::Shape(format!("a file of {}", bytes(&torn.storage)[LEN - 1])))
    });
    refused(&torn.path, answer);
}

#[test]
fn mapped_bytes_are_recognised() {
    let _alone = alone();
    let torn = mapped();
    assert!(is_mapped(bytes(&torn.storage)) && is_mapped(&bytes(&torn.storage)[LEN - 1..]));
    assert!(!is_mapped(&[1, 2, 3]));
    assert!(is_mapped(bytes(&mapped().storage)));
    // Entries are reused, many times.
    for _ in 0..100 {
        let many: Vec<_> = (0..10).map(|_| mapped()).collect();
        assert!(many.iter().all(|one| is_mapped(bytes(&one.storage))));
    }
}

static THEIRS: AtomicUsize = AtomicUsize::new(0);

/// Another program's handler: it counts, and puts zeros in the place of one page.
unsafe extern "C" fn theirs(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    THEIRS.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the system gives this information.
    let (address, sent) = unsafe { ((*info).si_addr() as usize, (*info).si_code <= 0) };
    if sent {
        return;
    }
    let (access, kind) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED);
    // SAFETY: this replaces a page of the mapping of the test below.
    unsafe { libc::mmap((address / PAGE * PAGE) as *mut _, PAGE, access, kind, -1, 0) };
}

/// The size of a page, or of several pages, on every system.
const PAGE: usize = 16 << 10;

/// Runs in a process of its own, where nothing was mapped before: see the next test.
#[test]
#[ignore = "run by the next one"]
fn with_another_handler() {
    // SAFETY: the handler has this form.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = theirs as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
    let torn = mapped();
    let other = torn.path.with_file_name("other");
    std::fs::write(&other, vec![7; LEN]).unwrap();
    // SAFETY: nobody writes the file.
    let map = unsafe { memmap2::MmapOptions::new().map(&File::open(&other).unwrap()).unwrap() };
    cut(&other, 0);
    cut(&torn.path, 0);
    assert_eq!(map[PAGE], 0);
    assert_eq!(THEIRS.load(Ordering::SeqCst), 1);
    refused(&torn.path, sum(&torn.storage));
    assert_eq!(THEIRS.load(Ordering::SeqCst), 1, "ours");
    // SAFETY: the signal is handled.
    unsafe { libc::raise(libc::SIGBUS) };
    assert_eq!(THEIRS.load(Ordering::SeqCst), 2, "sent by somebody");
}

#[test]
fn the_previous_handler_still_gets_its_signals() -> io::Result<()> {
    let name = "storage::torn_tests::with_another_handler";
    let run = std::process::Command::new(std::env::current_exe()?).args(["--exact", name, "--ignored"]).output()?;
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && output.contains("1 passed"), "{output}{}", String::from_utf8_lossy(&run.stderr));
    Ok(())
}

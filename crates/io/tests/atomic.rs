//! Files appear whole or not at all.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{bytes, folder, names};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use tokenbed_core::{DType, Error};
use tokenbed_io::atomic;
use tokenbed_io::safetensors::{self, Loaded, ToSave, load, open, save};

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    atomic::write(path, |file| file.write_all(content))
}

#[test]
fn a_file_is_written_and_replaced() {
    let (folder, path) = folder();
    for content in [&b"first"[..], &[7; 3_000_000], b""] {
        write(&path, content).expect("a good call");
        assert_eq!(std::fs::read(&path).expect("the file is there"), content);
        assert_eq!(names(folder.path()), ["file.safetensors"]);
    }
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let (folder, path) = folder();
    let fail = || {
        let failed = atomic::write(&path, |file| {
            // This is more than is buffered, so part of it is in the temporary file by now.
            file.write_all(&[1; 3_000_000])?;
            Err(io::Error::other("the disk is full"))
        });
        let error = failed.expect_err("the writer failed");
        assert_eq!(error.code(), "FILE");
        assert_eq!(error.to_string(), format!("cannot write {}: the disk is full", path.display()));
    };
    fail();
    assert!(names(folder.path()).is_empty());
    std::fs::write(&path, b"old").expect("a file can be written");
    fail();
    assert_eq!(std::fs::read(&path).expect("the file is there"), b"old");
    assert_eq!(names(folder.path()), ["file.safetensors"]);
}

#[test]
fn a_panic_while_writing_leaves_the_old_file() {
    let (folder, path) = folder();
    std::fs::write(&path, b"old").expect("a file can be written");
    let panicked = std::panic::catch_unwind(|| {
        atomic::write(&path, |file| {
            file.write_all(b"half")?;
            panic!("a bug")
        })
    });
    assert!(panicked.is_err());
    assert_eq!(std::fs::read(&path).expect("the file is there"), b"old");
    assert_eq!(names(folder.path()), ["file.safetensors"]);
}

#[test]
fn places_that_cannot_be_written_are_errors() {
    let (folder, path) = folder();
    let a_folder = folder.path().join("folder");
    std::fs::create_dir(&a_folder).expect("a folder can be made");
    std::fs::write(a_folder.join("inside"), b"").expect("a file can be written");
    for path in [&a_folder, &path.join("missing/file"), Path::new("")] {
        assert!(matches!(write(path, b"new"), Err(Error::File { action: "write", .. })), "{path:?}");
    }
    assert_eq!(names(folder.path()), ["folder"]);
    assert_eq!(names(&a_folder), ["inside"]);
}

/// The permissions are those that the process's umask leaves, as for any other new file.
#[cfg(unix)]
#[test]
fn permissions_are_those_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    let mode = |path: &Path| std::fs::metadata(path).expect("the file is there").permissions().mode();
    let other = folder.path().join("other");
    std::fs::write(&other, b"").expect("a file can be written");
    write(&path, b"new").expect("a good call");
    assert_eq!(mode(&path), mode(&other));
}

#[cfg(unix)]
#[test]
fn a_link_is_replaced_and_its_target_stays() {
    let (folder, path) = folder();
    let target = folder.path().join("target");
    std::fs::write(&target, b"target").expect("a file can be written");
    std::os::unix::fs::symlink(&target, &path).expect("a link can be made");
    write(&path, b"new").expect("a good call");
    assert_eq!(std::fs::read(&target).expect("the file is there"), b"target");
    assert_eq!(std::fs::read(&path).expect("the file is there"), b"new");
}

/// A rename would replace it by a file.
#[cfg(unix)]
#[test]
fn only_files_are_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let (folder, path) = folder();
    let _socket = std::os::unix::net::UnixListener::bind(&path).expect("a socket can be made");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link can be made");
    for path in [&path, &link] {
        let error = write(path, b"new").expect_err("a socket");
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
    assert!(std::fs::metadata(&link).expect("it is there").file_type().is_socket());
    assert_eq!(names(folder.path()), ["file.safetensors", "link"]);
}

fn one_tensor(bytes: &[u8]) -> Vec<ToSave<'_>> {
    vec![ToSave { name: "t".into(), dtype: DType::UInt8, shape: vec![bytes.len()], bytes }]
}

fn mapped(path: &Path) -> Vec<Loaded> {
    open(path, Some(true)).and_then(safetensors::Opened::tensors).expect("a good file")
}

/// Windows does not replace a mapped file.
#[cfg(unix)]
#[test]
fn a_replaced_file_stays_readable_where_it_is_mapped() {
    let (_folder, path) = folder();
    let (old, new) = (vec![1u8; 1_000_000], vec![2u8; 1_000_000]);
    save(&path, one_tensor(&old), HashMap::new()).expect("a good call");
    let first = mapped(&path);
    save(&path, one_tensor(&new), HashMap::new()).expect("a good call");
    let second = mapped(&path);
    assert!(bytes(&first[0]) == old && bytes(&second[0]) == new);
}

/// Except on Windows, a file may be overwritten with tensors that are mapped from it.
#[test]
fn a_file_is_saved_over_itself() {
    let (_folder, path) = folder();
    let content: Vec<u8> = (0..100_000).map(|i| i as u8).collect();
    save(&path, one_tensor(&content), HashMap::new()).expect("a good call");
    for _ in 0..3 {
        let loaded = if cfg!(unix) { mapped(&path) } else { load(&path).expect("a good file") };
        save(&path, one_tensor(bytes(&loaded[0])), HashMap::new()).expect("a good call");
    }
    assert_eq!(bytes(&load(&path).expect("a good file")[0]), content);
}

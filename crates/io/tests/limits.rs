//! Writers refuse what readers would, before they touch a file: the existing file stays, and nothing is left behind.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{folder, held, names};
use proptest::prelude::*;
use std::collections::HashMap;
use std::path::Path;
use tokenbed_core::{DType, Error, Result};
use tokenbed_io::safetensors::{self, ToSave};
use tokenbed_io::text::{InvalidUtf8, MAX_RATIO};
use tokenbed_io::writer::{Column, RowWriter};
use tokenbed_io::{npy, word2vec};
use tokenbed_testkit::property;

/// Length of the longest header of a safetensors file.
const HEADER: usize = 100_000_000;

fn one(name: &str) -> ToSave<'static> {
    ToSave { name: name.into(), dtype: DType::UInt8, shape: vec![1], bytes: &[7] }
}

/// Overwrites a valid file. Either this succeeds and the file can be read, or nothing changes.
#[track_caller]
fn tried(path: &Path, write: &dyn Fn(&Path) -> Result<()>, read: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
    let before = std::fs::read(path).expect("the file in place");
    let around = names(path.parent().expect("a folder"));
    let written = write(path);
    match &written {
        Ok(()) => read(path).expect("what was written"),
        Err(error) => {
            assert!(matches!(error.code(), "USAGE" | "SHAPE" | "DTYPE"), "{error}");
            assert!(error.to_string().len() < 1000 + 64 * 22, "a message to be read");
            assert!(std::fs::read(path).expect("the file in place") == before, "{error}");
        }
    }
    assert_eq!(names(path.parent().expect("a folder")), around);
    written
}

fn start(ending: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let (folder, path) = folder();
    let path = path.with_extension(ending);
    std::fs::write(&path, b"what was there").expect("a file can be written");
    (folder, path)
}

#[test]
fn safetensors_headers_that_are_too_long_are_refused() {
    let (_folder, path) = start("safetensors");
    let read = |path: &Path| safetensors::load(path).map(drop);
    // These are sizes around the limit; the header is padded to a multiple of eight.
    let long = |len: usize| HashMap::from([("note".to_string(), "a".repeat(len))]);
    let whole = |len: usize| move |path: &Path| safetensors::save(path, vec![one("x")], long(len));
    let rows = |len: usize| {
        move |path: &Path| {
            let column = Column { name: "x".into(), dtype: DType::UInt8, shape: vec![1] };
            let mut writer = RowWriter::create(path, vec![column], long(len))?;
            writer.append(0, 1, &[7])?;
            writer.close()
        }
    };
    let fits = |write: &dyn Fn(&Path) -> Result<()>| tried(&path, write, &read).is_ok();
    let header = || {
        let file = std::fs::read(&path).expect("the file is there");
        u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize
    };
    assert!(fits(&whole(1000)));
    let own = header() - 1000;
    assert!(fits(&whole(HEADER - own)) && header() <= HEADER);
    assert!(!fits(&whole(HEADER - own + 8)) && !fits(&whole(HEADER)));
    assert!(fits(&rows(1000)));
    let own = header() - 1000;
    assert!(fits(&rows(HEADER - own)) && !fits(&rows(HEADER - own + 8)));
    // These are metadata that become longer as JSON, a long name, a long key, and many names.
    let quotes = HashMap::from([("note".to_string(), "\"".repeat(HEADER / 2))]);
    assert!(!fits(&|path| safetensors::save(path, vec![one("x")], quotes.clone())));
    let name = "n".repeat(HEADER);
    assert!(!fits(&|path| safetensors::save(path, vec![one(&name)], HashMap::new())));
    assert!(!fits(&|path| safetensors::save(path, vec![], HashMap::from([(name.clone(), String::new())]))));
    let many = |count: usize| (0..count).map(|at| one(&format!("{at}{}", "n".repeat(1000)))).collect::<Vec<_>>();
    assert!(!fits(&|path| safetensors::save(path, many(100_000), HashMap::new())));
    assert!(fits(&|path| safetensors::save(path, many(90_000), HashMap::new())));
    let columns = |count: usize| {
        let name = |at: usize| format!("{at}{}", "n".repeat(1_000_000));
        (0..count).map(|at| Column { name: name(at), dtype: DType::UInt8, shape: vec![] }).collect::<Vec<_>>()
    };
    assert!(!fits(&|path| RowWriter::create(path, columns(100), HashMap::new())?.close()));
    assert!(fits(&|path| RowWriter::create(path, columns(98), HashMap::new())?.close()));
}

/// Shapes, of which readers accept some and refuse others.
fn any_shape() -> impl Strategy<Value = Vec<usize>> {
    let size =
        prop_oneof![4 => Just(1usize), 2 => 0..4usize, 1 => Just(1 << 31), 1 => Just(1 << 62), 1 => Just(usize::MAX)];
    prop_oneof![
        prop::collection::vec(size.clone(), 0..5),
        prop::collection::vec(0..2usize, 60..70),
        prop::collection::vec(1..2usize, 990..1010)
    ]
    .prop_map(|shape| if elements(&shape).is_some() { shape } else { [&shape[..], &[0]].concat() })
}

/// Number of elements of a shape, if a test can hold them.
fn elements(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |all, &size| all.checked_mul(size)).filter(|&all| all < 1 << 16)
}

proptest! {
    #![proptest_config(property::cases(120))]

    #[test]
    fn shapes_that_readers_refuse_are_refused(shape in any_shape(), wide in any::<bool>()) {
        let dtype = if wide { DType::Int64 } else { DType::UInt8 };
        let bytes = vec![1; elements(&shape).expect("a small array") * dtype.size()];
        let (_folder, path) = start("safetensors");
        let tensor = || vec![ToSave { name: "x".into(), dtype, shape: shape.clone(), bytes: &bytes }];
        let _ = tried(&path, &|path| safetensors::save(path, tensor(), HashMap::new()), &|path| {
            let loaded = safetensors::load(path)?.pop().expect("a tensor");
            assert_eq!((&loaded.shape, held(&loaded.storage)), (&shape, &bytes[..]));
            Ok(())
        });
        let (_folder, path) = start("npy");
        let _ = tried(&path, &|path| npy::save(path, dtype, &shape, &bytes), &|path| {
            let array = npy::load(path, None)?;
            assert_eq!((&array.shape, held(&array.storage)), (&shape, &bytes[..]));
            assert!(shape.len() <= 64, "NumPy reads no more");
            Ok(())
        });
        for ending in ["safetensors", "npy"] {
            let (_folder, path) = start(ending);
            let Some((&rows, row)) = shape.split_first() else { continue };
            let row_bytes = elements(row).map(|count| count * dtype.size());
            let write = |path: &Path| {
                let columns = vec![Column { name: "x".into(), dtype, shape: row.to_vec() }];
                let mut writer = RowWriter::create(path, columns, HashMap::new())?;
                // There may be more empty rows than any memory could hold.
                writer.append(0, rows, &bytes[..row_bytes.unwrap_or(0) * rows.min(bytes.len())])?;
                writer.close()
            };
            let _ = tried(&path, &write, &|path| match ending {
                "npy" => npy::load(path, None).map(drop),
                _ => safetensors::load(path).map(drop),
            });
        }
    }

    #[test]
    fn words_that_readers_refuse_are_refused(len in prop_oneof![0..10usize, 65_530..65_545usize, Just(1 << 20)], char in "[a \n\\\\é鯨]", escape in any::<bool>(), binary in any::<bool>()) {
        let (_folder, path) = start("vec");
        let words = vec!["first".to_string(), char.repeat(len), "last".to_string()];
        let how = word2vec::Written { binary, escape, header: true };
        let _ = tried(&path, &|path| word2vec::save(path, &words, &[0.1, 0.2, 0.3], 1, how), &|path| {
            let options = word2vec::Options { binary: None, limit: None, invalid: InvalidUtf8::Refuse, ratio: MAX_RATIO, escape, threads: 1 };
            assert!(word2vec::load(path, options)?.words.iter().eq(&words));
            Ok(())
        });
    }
}

#[test]
fn more_rows_than_readers_hold_are_refused() {
    let (_folder, path) = start("npy");
    let column = Column { name: "x".into(), dtype: DType::Float64, shape: vec![1 << 40, 0] };
    let mut writer = RowWriter::create(&path, vec![column], HashMap::new()).expect("a good call");
    writer.append(0, 1 << 17, &[]).expect("rows of nothing");
    assert!(matches!(writer.append(0, 1 << 22, &[]), Err(Error::Shape(_))));
    writer.close().expect("it goes on");
    assert_eq!(npy::load(&path, None).expect("a good file").shape, [1 << 17, 1 << 40, 0]);
}

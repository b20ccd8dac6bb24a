//! Rows written in any pieces are read back; rows that do not fit are an error, and the writer continues.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{bytes, folder, held, names};
use proptest::prelude::*;
use std::collections::HashMap;
use tokenbed_core::{DType, Error};
use tokenbed_io::writer::{Column, RowWriter};
use tokenbed_io::{npy, safetensors};
use tokenbed_testkit::property;

fn column(name: &str, dtype: DType, shape: &[usize]) -> Column {
    Column { name: name.into(), dtype, shape: shape.into() }
}

#[test]
fn rows_that_do_not_fit_are_errors_and_the_writer_continues() {
    let (folder, path) = folder();
    let mut writer =
        RowWriter::create(&path, vec![column("a", DType::Int32, &[2])], HashMap::new()).expect("a good call");
    for (rows, len) in [(1, 7), (1, 9), (2, 8), (0, 8), (usize::MAX, 8), (1 << 61, 0)] {
        assert!(matches!(writer.append(0, rows, &vec![0; len]), Err(Error::Shape(_))), "{rows} {len}");
    }
    assert!(matches!(writer.append(1, 1, &[0; 8]), Err(Error::Usage(_))));
    writer.append(0, 1, &[5; 8]).expect("a good call");
    assert!(!path.exists());
    writer.close().expect("a good call");
    assert!(matches!(writer.append(0, 1, &[0; 8]), Err(Error::Usage(_))));
    assert_eq!(bytes(&safetensors::load(&path).expect("a good file")[0]), [5; 8]);
    assert_eq!(names(folder.path()), ["file.safetensors"]);
}

/// Rows without elements take no bytes, so there may be as many as a number can count, but no more.
#[test]
fn more_rows_than_can_be_counted_are_an_error() {
    let (_folder, path) = folder();
    let mut writer =
        RowWriter::create(&path, vec![column("a", DType::Int8, &[0])], HashMap::new()).expect("a good call");
    writer.append(0, usize::MAX, &[]).expect("a good call");
    assert!(matches!(writer.append(0, 1, &[]), Err(Error::Shape(_))));
    writer.close().expect("a good call");
    assert_eq!(safetensors::load(&path).expect("a good file")[0].shape, [usize::MAX, 0]);
}

#[test]
fn a_refused_file_leaves_nothing() {
    let (folder, path) = folder();
    let npy = path.with_extension("npy");
    let one = || vec![column("a", DType::Int8, &[])];
    let two = |name| vec![column("a", DType::Int8, &[]), column(name, DType::Int8, &[])];
    let metadata = HashMap::from([("a".to_string(), "b".to_string())]);
    for (path, columns, metadata) in [
        (&path, vec![], HashMap::new()),
        (&path, two("a"), HashMap::new()),
        (&path, two("__metadata__"), HashMap::new()),
        (&npy, two("b"), HashMap::new()),
        (&npy, one(), metadata),
        (&path.with_extension("bin"), one(), HashMap::new()),
        (&path.with_extension(""), one(), HashMap::new()),
    ] {
        assert!(matches!(RowWriter::create(path, columns, metadata), Err(Error::Usage(_))));
    }
    let huge = vec![column("a", DType::Float64, &[1 << 61])];
    for path in [&path, &npy] {
        assert!(matches!(RowWriter::create(path, huge.clone(), HashMap::new()), Err(Error::Shape(_))));
    }
    let bf16 = vec![column("a", DType::BFloat16, &[])];
    assert!(matches!(RowWriter::create(&npy, bf16, HashMap::new()), Err(Error::DType(_))));
    let missing = folder.path().join("missing/x.npy");
    assert!(matches!(RowWriter::create(&missing, one(), HashMap::new()), Err(Error::File { .. })));
    assert!(names(folder.path()).is_empty());
    // The ending may be in capitals.
    let mut loud = RowWriter::create(&path.with_extension("NPY"), one(), HashMap::new()).expect("a good call");
    loud.close().expect("a good call");
}

proptest! {
    #![proptest_config(property::cases(60))]

    #[test]
    fn any_columns_in_any_pieces_are_read_back(
        columns in prop::collection::vec((0..9usize, prop::collection::vec(0..4usize, 0..3)), 1..6),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 0..400usize), 0..20),
        dropped: bool,
    ) {
        let (folder, path) = folder();
        let columns: Vec<_> = columns.iter().enumerate().map(|(i, (dtype, shape))| column(&format!("c{i}"), DType::ALL[*dtype], shape)).collect();
        let row = |column: &Column| column.shape.iter().product::<usize>() * column.dtype.size();
        let mut written = vec![(0, Vec::new()); columns.len()];
        let mut writer = RowWriter::create(&path, columns.clone(), HashMap::new()).expect("a good call");
        for (at, rows) in pieces {
            let at = at.index(columns.len());
            let content: Vec<u8> = (0..rows * row(&columns[at])).map(|i| (i + at + written[at].0) as u8).collect();
            writer.append(at, rows, &content).expect("a good call");
            written[at].0 += rows;
            written[at].1.extend(content);
        }
        if dropped {
            drop(writer);
            prop_assert!(names(folder.path()).is_empty());
            return Ok(());
        }
        writer.close().expect("a good call");
        prop_assert_eq!(names(folder.path()), ["file.safetensors"]);
        let loaded = safetensors::open(&path, Some(true)).expect("a good file").tensors().expect("a good file");
        prop_assert_eq!(loaded.len(), columns.len());
        for (column, (rows, content)) in columns.iter().zip(&written) {
            let found = loaded.iter().find(|one| one.name == column.name).expect("every one is there");
            let shape: Vec<_> = std::iter::once(*rows).chain(column.shape.iter().copied()).collect();
            prop_assert_eq!((found.dtype, &found.shape, bytes(found)), (column.dtype, &shape, &content[..]));
            prop_assert!(found.storage.is_mapped() || content.is_empty(), "aligned, so that nothing is copied");
        }
    }

    #[test]
    fn an_npy_file_written_by_rows_equals_one_saved_at_once(shape in prop::collection::vec(0..4usize, 0..4), pieces in prop::collection::vec(0..300usize, 0..5)) {
        let (_folder, path) = folder();
        let (streamed, saved) = (path.with_extension("npy"), path.with_extension("at_once"));
        let column = column("x", DType::Float16, &shape);
        let row = shape.iter().product::<usize>() * 2;
        let mut writer = RowWriter::create(&streamed, vec![column], HashMap::new()).expect("a good call");
        for &rows in &pieces {
            writer.append(0, rows, &vec![rows as u8; rows * row]).expect("a good call");
        }
        writer.close().expect("a good call");
        let content: Vec<u8> = pieces.iter().flat_map(|&rows| vec![rows as u8; rows * row]).collect();
        let whole: Vec<_> = std::iter::once(pieces.iter().sum()).chain(shape).collect();
        npy::save(&saved, DType::Float16, &whole, &content).expect("a good call");
        prop_assert_eq!(std::fs::read(&streamed).expect("it is there"), std::fs::read(&saved).expect("it is there"));
        let loaded = npy::load(&streamed, None).expect("a good file");
        prop_assert_eq!(held(&loaded.storage), &content[..]);
    }
}

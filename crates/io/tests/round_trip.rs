//! Saved tensors are loaded again, and the same arguments give the same bytes.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{bytes, folder, load_bytes, names, raw};
use std::collections::HashMap;
use tokenbed_core::{DType, Error};
use tokenbed_io::safetensors::{Opened, ToSave, load, open, save};
use tokenbed_testkit::random::Random;

/// Elements for a shape; booleans are 0 and 1.
fn content(dtype: DType, shape: &[usize]) -> Vec<u8> {
    let mut random = Random::new(shape.len() as u64);
    let len = shape.iter().product::<usize>() * dtype.size();
    (0..len).map(|_| random.bits() as u8 & if dtype == DType::Bool { 1 } else { 255 }).collect()
}

fn to_save<'a>(name: &str, dtype: DType, shape: &[usize], bytes: &'a [u8]) -> ToSave<'a> {
    ToSave { name: name.into(), dtype, shape: shape.into(), bytes }
}

const SHAPES: [&[usize]; 7] = [&[], &[1], &[7], &[3, 5], &[2, 0, 4], &[0], &[1, 1, 2, 3, 1]];

#[test]
fn every_type_and_shape_survives_a_round_trip() {
    let (folder, path) = folder();
    let all: Vec<_> = DType::ALL
        .into_iter()
        .flat_map(|dtype| {
            SHAPES.map(|shape| (format!("{}.{shape:?}", dtype.name()), dtype, shape, content(dtype, shape)))
        })
        .collect();
    let tensors = all.iter().map(|(name, dtype, shape, bytes)| to_save(name, *dtype, shape, bytes)).collect();
    save(&path, tensors, HashMap::new()).expect("a good call");
    assert_eq!(names(folder.path()), ["file.safetensors"]);
    let loaded = load(&path).expect("a good file");
    assert_eq!(loaded.len(), all.len());
    for (name, dtype, shape, content) in &all {
        let tensor = loaded.iter().find(|tensor| tensor.name == *name).expect("every one is there");
        assert_eq!((tensor.dtype, &tensor.shape[..], bytes(tensor)), (*dtype, *shape, &content[..]), "{name}");
        assert_eq!(tensor.storage.as_ptr() as usize % dtype.size(), 0, "{name}");
    }
    // Wide types come first, then the name decides, also for empty tensors, which lie where the next one does.
    let order: Vec<_> = loaded.iter().map(|tensor| (std::cmp::Reverse(tensor.dtype.size()), &tensor.name)).collect();
    let is_sorted_by_size = order.windows(2).all(|pair| pair[0].0 <= pair[1].0);
    assert!(is_sorted_by_size, "{order:?}");
    // The format's own reader agrees.
    let file = std::fs::read(&path).expect("the file is there");
    let theirs = safetensors::SafeTensors::deserialize(&file).expect("a good file");
    for (name, _, shape, content) in &all {
        let tensor = theirs.tensor(name).expect("every one is there");
        assert_eq!((tensor.shape(), tensor.data()), (*shape, &content[..]));
    }
}

#[test]
fn mapped_and_read_files_give_the_same_tensors() {
    let (_folder, path) = folder();
    for len in [0, 10, (1 << 20) - 200, 1 << 20] {
        let content: Vec<u8> = (0..len).map(|i| i as u8).collect();
        save(&path, vec![to_save("t", DType::UInt8, &[len], &content)], HashMap::new()).expect("a good call");
        for map in [None, Some(false), Some(true)] {
            let loaded = open(&path, map).and_then(Opened::tensors).expect("a good file");
            assert!(bytes(&loaded[0]) == content, "{len} {map:?}");
            // This file has a megabyte, including its header.
            assert_eq!(loaded[0].storage.is_mapped(), map.unwrap_or(len == 1 << 20), "{len} {map:?}");
        }
    }
}

#[test]
fn too_many_dimensions_are_refused() {
    let (_folder, path) = folder();
    let mut shape = vec![1; 1000];
    save(&path, vec![to_save("t", DType::UInt8, &shape, &[7])], HashMap::new()).expect("a good call");
    assert_eq!(load(&path).expect("a good file")[0].shape, shape);
    shape.push(1);
    let refused = save(&path, vec![to_save("t", DType::UInt8, &shape, &[7])], HashMap::new());
    assert!(matches!(refused, Err(Error::Shape(message)) if message.contains("1001 dimensions")));
    let header = format!("{{\"t\":{{\"dtype\":\"U8\",\"shape\":{shape:?},\"data_offsets\":[0,1]}}}}");
    let refused = load_bytes(&raw(header.as_bytes(), &[7]));
    assert!(matches!(refused, Err(Error::Format { message, .. }) if message.contains("1001 dimensions")));
}

#[test]
fn names_of_every_kind_survive_a_round_trip() {
    let names = [
        "",
        " ",
        "a.b/c\\d",
        "\"quoted\"",
        "new\nline",
        "héllo",
        "日本語",
        "🦀",
        "\u{0}",
        "__metadata",
        "name\u{202e}",
    ];
    let (_folder, path) = folder();
    let tensors = names.iter().map(|name| to_save(name, DType::UInt8, &[1], &[7])).collect();
    save(&path, tensors, HashMap::new()).expect("a good call");
    let mut loaded: Vec<_> = load(&path).expect("a good file").into_iter().map(|tensor| tensor.name).collect();
    let mut wanted = names.map(String::from).to_vec();
    loaded.sort();
    wanted.sort();
    assert_eq!(loaded, wanted);
}

#[test]
fn a_file_may_have_no_tensors() {
    let (_folder, path) = folder();
    save(&path, vec![], HashMap::new()).expect("a good call");
    assert!(load(&path).expect("a good file").is_empty());
    save(&path, vec![], HashMap::from([("format".into(), "pt".into())])).expect("a good call");
    assert!(load(&path).expect("a good file").is_empty());
}

fn metadata(reversed: bool) -> HashMap<String, String> {
    let mut pairs: Vec<_> = (0..50).map(|i| (format!("key {i}"), format!("välue {i}"))).collect();
    pairs.push(("format".into(), "pt".into()));
    if reversed {
        pairs.reverse();
    }
    pairs.into_iter().collect()
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let (_folder, path) = folder();
    let shapes: Vec<_> = (0..30).map(|i| (format!("t{i}"), DType::ALL[i % 9], vec![i % 4, 2])).collect();
    let contents: Vec<_> = shapes.iter().map(|(_, dtype, shape)| content(*dtype, shape)).collect();
    let file = |order: &dyn Fn(usize) -> usize, reversed: bool| {
        let tensor = |i: usize| to_save(&shapes[i].0, shapes[i].1, &shapes[i].2, &contents[i]);
        save(&path, (0..30).map(|i| tensor(order(i))).collect(), metadata(reversed)).expect("a good call");
        std::fs::read(&path).expect("the file is there")
    };
    let first = file(&|i| i, false);
    for step in [7, 11, 13, 29] {
        assert_eq!(file(&|i| (i * step + 5) % 30, step % 4 == 1), first, "{step}");
    }
    let order = |file: &[u8]| load_bytes(file).expect("a good file").into_iter().map(|t| t.name).collect::<Vec<_>>();
    let loaded = order(&first);
    assert!((0..10).all(|_| order(&first) == loaded), "and are loaded in one order");
}

#[test]
fn metadata_is_kept() {
    let (_folder, path) = folder();
    save(&path, vec![to_save("a", DType::Int8, &[2], &[1, 2])], metadata(false)).expect("a good call");
    let file = std::fs::read(&path).expect("the file is there");
    let (_, header) = safetensors::SafeTensors::read_metadata(&file).expect("a good file");
    assert_eq!(header.metadata().as_ref(), Some(&metadata(true)));
    assert_eq!(load(&path).expect("a good file").len(), 1, "and is no tensor");
}

#[test]
fn data_starts_at_a_multiple_of_eight() {
    let (_folder, path) = folder();
    for len in 1..20 {
        save(&path, vec![to_save(&"n".repeat(len), DType::Float64, &[1], &[9; 8])], HashMap::new())
            .expect("a good call");
        let file = std::fs::read(&path).expect("the file is there");
        assert_eq!((file.len() % 8, &file[file.len() - 8..]), (0, &[9; 8][..]));
    }
}

/// Headers of every length. If the data is not aligned to its elements, a copy is made.
#[test]
fn misaligned_data_is_copied() {
    for dtype in DType::ALL {
        let data: Vec<u8> = (1..=2 * dtype.size() as u8).collect();
        let data = if dtype == DType::Bool { vec![1, 0] } else { data };
        for padding in 0..9 {
            let header = format!(
                r#"{{"t":{{"dtype":"{}","shape":[2],"data_offsets":[0,{}]}}}}{}"#,
                in_files(dtype),
                data.len(),
                " ".repeat(padding)
            );
            let loaded = load_bytes(&raw(header.as_bytes(), &data)).expect("a good file");
            assert_eq!(bytes(&loaded[0]), data, "{dtype:?} {padding}");
            assert_eq!(loaded[0].storage.as_ptr() as usize % dtype.size(), 0, "{dtype:?} {padding}");
        }
    }
}

fn in_files(dtype: DType) -> &'static str {
    match dtype {
        DType::Float32 => "F32",
        DType::Float64 => "F64",
        DType::Float16 => "F16",
        DType::BFloat16 => "BF16",
        DType::Int8 => "I8",
        DType::UInt8 => "U8",
        DType::Int32 => "I32",
        DType::Int64 => "I64",
        DType::Bool => "BOOL",
    }
}

#[test]
fn refused_saves_write_nothing() {
    let (folder, path) = folder();
    let refused = |tensors: Vec<ToSave<'_>>| {
        let error = save(&path, tensors, HashMap::new()).expect_err("a bad call passed");
        assert!(names(folder.path()).is_empty());
        (error.code(), error.to_string())
    };
    let byte = |name: &str| to_save(name, DType::UInt8, &[1], &[7]);
    let (code, message) = refused(vec![byte("a"), byte("b"), byte("a")]);
    assert_eq!((code, &message[..]), ("USAGE", "two tensors have the name \"a\""));
    let (code, message) = refused(vec![byte("__metadata__")]);
    assert_eq!(code, "USAGE");
    assert!(message.contains("__metadata__"), "{message}");
    assert_eq!(refused(vec![to_save("a", DType::Float32, &[2], &[0; 7])]).0, "SHAPE");
    assert_eq!(refused(vec![to_save("a", DType::Float32, &[2], &[0; 12])]).0, "SHAPE");
    assert_eq!(refused(vec![to_save("a", DType::Float32, &[usize::MAX, 2], &[])]).0, "SHAPE");
    assert_eq!(refused(vec![to_save("a", DType::Float64, &[1 << 61], &[])]).0, "SHAPE");
}

#[test]
fn a_missing_file_is_an_error() {
    let (_folder, path) = folder();
    assert!(matches!(load(&path), Err(Error::File { action: "open", .. })));
    let nowhere = path.join("below");
    assert!(matches!(save(&nowhere, vec![], HashMap::new()), Err(Error::File { action: "write", .. })));
}

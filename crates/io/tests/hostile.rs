//! Malformed files: each gives an error that says so, never a panic or a tensor with wrong bytes.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{bytes, folder, load_bytes, raw};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::LazyLock;
use tokenbed_core::{DType, Error};
use tokenbed_io::safetensors::{ToSave, save};
use tokenbed_testkit::property;

/// The byte offset and message of the format error.
#[track_caller]
fn format_error(content: &[u8]) -> (u64, String) {
    match load_bytes(content) {
        Err(error @ Error::Format { .. }) => {
            assert_eq!(error.code(), "FORMAT");
            let Error::Format { offset, message, .. } = error else { unreachable!("just matched") };
            (offset, message)
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn header_error(header: &str, data: usize) -> String {
    let (offset, message) = format_error(&raw(header.as_bytes(), &vec![0; data]));
    assert!(offset as usize <= 8 + header.len() + data, "{offset} is not in the file");
    message
}

/// A small valid file of three tensors.
fn good() -> Vec<u8> {
    static FILE: LazyLock<Vec<u8>> = LazyLock::new(save_good);
    FILE.clone()
}

fn save_good() -> Vec<u8> {
    let (_folder, path) = folder();
    let tensor =
        |name: &str, dtype, shape: &[usize], bytes| ToSave { name: name.into(), dtype, shape: shape.into(), bytes };
    let tensors = vec![
        tensor("wte", DType::Float32, &[2, 2], &[1; 16]),
        tensor("scale", DType::Float16, &[], &[2; 2]),
        tensor("none", DType::Int64, &[0, 3], &[]),
    ];
    save(&path, tensors, HashMap::from([("format".into(), "pt".into())])).expect("a good call");
    std::fs::read(&path).expect("the file is there")
}

#[test]
fn a_file_cut_short_at_any_byte_is_an_error() {
    let file = good();
    assert_eq!(load_bytes(&file).expect("a good file").len(), 3);
    for len in 0..file.len() {
        let (offset, message) = format_error(&file[..len]);
        assert!(offset as usize <= len, "{len}: {message}");
    }
    for more in [1, 8, 1000] {
        let longer = [&file[..], &vec![0; more]].concat();
        assert!(format_error(&longer).1.contains("bytes"), "bytes that belong to nothing");
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let file = good();
    let of = |length: u64| [&length.to_le_bytes(), &file[8..]].concat();
    let header = u64::from_le_bytes(file[..8].try_into().expect("eight bytes"));
    for length in [0, 1, header - 1, header + 1, header + 18, header + 19, file.len() as u64, 99_999_999, 100_000_000] {
        format_error(&of(length));
    }
    for length in [100_000_001, 1 << 32, 1 << 62, u64::MAX - 8, u64::MAX - 7, u64::MAX] {
        assert_eq!(format_error(&of(length)).0, 0);
    }
}

#[test]
fn headers_that_are_not_json_are_errors() {
    for header in [
        "",
        " ",
        "{",
        "}",
        "[]",
        "null",
        "0",
        "\"text\"",
        "{}}",
        "{\"a\"}",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"a\":null}",
        "{'a':{}}",
        r#"{"a":{"dtype":"F32","shape":[1]}}"#,
        r#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#,
        r#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#,
        r#"{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"__metadata__":{"a":1}}"#,
        r#"{"__metadata__":[]}"#,
    ] {
        header_error(header, 4);
    }
    // This would overflow any stack.
    header_error(&"[".repeat(100_000), 0);
    header_error(&"{\"a\":".repeat(100_000), 0);
    header_error(&format!("{{\"__metadata__\":{}", "[".repeat(100_000)), 0);
}

#[test]
fn a_header_that_is_not_text_is_an_error() {
    for bad in [&b"\xff"[..], b"{\"\xc3\x28\":1}", b"{\"\xed\xa0\x80\":1}", b"\x00\x01\x02"] {
        format_error(&raw(bad, &[]));
    }
    let (offset, message) = format_error(&raw(b"{\"ab\xff\":1}", &[]));
    assert_eq!(offset, 8 + 4, "{message}");
}

/// A header of two f32 tensors with these offsets.
fn two(a: (usize, usize), b: (usize, usize)) -> String {
    format!(
        r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[{},{}]}},"b":{{"dtype":"F32","shape":[2],"data_offsets":[{},{}]}}}}"#,
        a.0, a.1, b.0, b.1
    )
}

#[test]
fn offsets_that_do_not_match_are_errors() {
    assert_eq!(load_bytes(&raw(two((0, 8), (8, 16)).as_bytes(), &[0; 16])).expect("a good file").len(), 2);
    assert_eq!(load_bytes(&raw(two((8, 16), (0, 8)).as_bytes(), &[0; 16])).expect("a good file")[0].name, "b");
    let most = usize::MAX;
    for (a, b) in [
        ((0, 8), (0, 8)),
        ((0, 8), (4, 12)),
        ((0, 8), (9, 17)),
        ((0, 8), (12, 20)),
        ((4, 12), (12, 20)),
        ((0, 8), (16, 8)),
        ((8, 0), (8, 16)),
        ((0, 8), (8, 17)),
        ((0, 8), (8, 15)),
        ((0, 8), (8, most)),
        ((0, most), (most, 7)),
        ((most - 7, most), (0, 8)),
        ((most, most), (most, most)),
    ] {
        header_error(&two(a, b), 16);
    }
    assert!(header_error(&two((0, 8), (4, 12)), 16).contains("\"b\""), "the error names the tensor");
    // These offsets are consistent, but do not match the file.
    for data in [0, 8, 15, 17, 24] {
        assert!(header_error(&two((0, 8), (8, 16)), data).contains("16 bytes"));
    }
}

#[test]
fn shapes_that_overflow_are_errors() {
    for shape in [
        "18446744073709551615",
        "4294967296,4294967296",
        "18446744073709551615,18446744073709551615",
        "4611686018427387904",
        "2305843009213693952,2",
    ] {
        for end in [0, 4, usize::MAX, usize::MAX - 3] {
            header_error(&format!(r#"{{"a":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,{end}]}}}}"#), 4);
        }
    }
    // The sum with the header's length would wrap around.
    let header = |n: usize| format!(r#"{{"a":{{"dtype":"U8","shape":[{n}],"data_offsets":[0,{n}]}}}}"#);
    for data in [0, 4] {
        let len = header(usize::MAX).len() + 8;
        for n in [usize::MAX, usize::MAX - len + 1, usize::MAX - len + 1 + data, isize::MAX as usize] {
            header_error(&header(n), data);
        }
    }
    let two = |n: usize| {
        format!(
            r#"{{"a":{{"dtype":"U8","shape":[{n}],"data_offsets":[0,{n}]}},"b":{{"dtype":"U8","shape":[4],"data_offsets":[{n},{}]}}}}"#,
            n.wrapping_add(4)
        )
    };
    header_error(&two(usize::MAX - 3), 4);
    header_error(&two(usize::MAX - 4), 4);
}

#[test]
fn unsupported_types_are_errors() {
    for (dtype, size) in [("F8_E4M3", 1), ("F8_E5M2", 1), ("U16", 2), ("I16", 2), ("U32", 4), ("U64", 8), ("C64", 8)] {
        let header = format!(r#"{{"model.odd":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{size}]}}}}"#);
        let error = load_bytes(&raw(header.as_bytes(), &vec![0; size])).expect_err("a type that tensors do not have");
        assert_eq!(error.code(), "DTYPE");
        assert!(error.to_string().contains("tensor \"model.odd\"") && error.to_string().contains(dtype), "{error}");
        assert!(error.to_string().contains("float32"), "says what is known: {error}");
    }
    let message = header_error(r#"{"a":{"dtype":"F9","shape":[1],"data_offsets":[0,1]}}"#, 1);
    assert!(message.contains("F9"), "{message}");
}

#[test]
fn a_name_that_comes_twice_is_an_error() {
    let entry = |dtype: &str, start: usize| {
        format!(r#""a":{{"dtype":"{dtype}","shape":[1],"data_offsets":[{start},{}]}}"#, start + 4)
    };
    for (first, second) in
        [(entry("F32", 0), entry("F32", 0)), (entry("F32", 0), entry("I32", 0)), (entry("F32", 0), entry("F32", 4))]
    {
        for data in [4, 8] {
            let message = header_error(&format!("{{{first},{second}}}"), data);
            assert!(message.starts_with("two tensors have the name \"a\""), "{message}");
        }
    }
    header_error(r#"{"__metadata__":{},"__metadata__":{}}"#, 0);
}

#[test]
fn odd_but_valid_files_load() {
    for (header, tensors) in [
        ("{}", 0),
        ("  {}  \n", 0),
        (r#"{"__metadata__":{}}"#, 0),
        (r#"{"__metadata__":{"a":"b"}}"#, 0),
        (r#"{"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}"#, 1),
        (r#"{"a":{"shape":[0],"data_offsets":[0,0],"dtype":"F32"}}"#, 1),
    ] {
        let loaded = load_bytes(&raw(header.as_bytes(), &[])).expect(header);
        assert_eq!(loaded.len(), tensors, "{header}");
    }
}

proptest! {
    #![proptest_config(property::cases(400))]

    #[test]
    fn flipped_bytes_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let mut file = good();
        for (at, byte) in flips {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Ok(loaded) = load_bytes(&file) {
            // Whatever it is now, its bytes are in the file.
            for tensor in loaded {
                let size = tensor.shape.iter().product::<usize>() * tensor.dtype.size();
                prop_assert_eq!(bytes(&tensor).len(), size);
            }
        }
    }

    #[test]
    fn any_bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(load_bytes(&content));
        drop(load_bytes(&raw(&content, &[0; 16])));
    }

    #[test]
    fn any_numbers_never_panic(shape in prop::collection::vec(prop_oneof![0..5usize, any::<usize>()], 0..3), start in prop_oneof![0..20usize, any::<usize>()], end in prop_oneof![0..20usize, any::<usize>()]) {
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}}}"#);
        let good = start == 0 && end == 16 && shape.iter().product::<usize>() == 4;
        prop_assert_eq!(load_bytes(&raw(header.as_bytes(), &[0; 16])).is_ok(), good);
    }
}

//! npy files survive a round trip, and malformed ones give an error, never a panic or wrong bytes.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{folder, held};
use proptest::prelude::*;
use tokenbed_core::{DType, Error};
use tokenbed_io::npy::{Array, load, save};
use tokenbed_testkit::property;

fn load_bytes(content: &[u8]) -> Result<Array, Error> {
    let (_folder, path) = folder();
    std::fs::write(&path, content).expect("a file can be written");
    load(&path, None)
}

/// A file with this header and data.
fn raw(header: &[u8], data: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x02\x00", &(header.len() as u32).to_le_bytes()[..], header, data].concat()
}

fn head(descr: &str, fortran: bool, shape: &[usize]) -> String {
    let fortran = if fortran { "True" } else { "False" };
    let sizes: Vec<_> = shape.iter().map(|n| format!("{n},")).collect();
    format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({}), }}", sizes.concat())
}

/// Checks that a loaded array has all of its bytes, and that an error lies within the file.
fn check(loaded: Result<Array, Error>, len: usize) -> Result<(), TestCaseError> {
    match loaded {
        Ok(array) => {
            let elements = if array.shape.contains(&0) { 0 } else { array.shape.iter().product::<usize>() };
            prop_assert_eq!(held(&array.storage).len(), elements * array.dtype.size());
            prop_assert_eq!(array.storage.as_ptr() as usize % array.dtype.size(), 0);
        }
        Err(Error::Format { offset, message, .. }) => prop_assert!(offset as usize <= len, "{offset}: {message}"),
        Err(Error::DType(_)) => {}
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
    }
    Ok(())
}

#[test]
fn bfloat16_and_wrong_lengths_are_refused() {
    let (folder, path) = folder();
    assert!(matches!(save(&path, DType::BFloat16, &[1], &[0; 2]), Err(Error::DType(_))));
    assert!(matches!(save(&path, DType::Float32, &[2], &[0; 7]), Err(Error::Shape(_))));
    assert!(matches!(save(&path, DType::Float32, &[usize::MAX, 2], &[]), Err(Error::Shape(_))));
    assert!(common::names(folder.path()).is_empty());
}

#[test]
fn shapes_that_numpy_does_not_read_are_refused() {
    let (folder, path) = folder();
    for shape in [vec![1; 64], vec![0; 64], vec![0, 1 << 40], vec![usize::MAX >> 3, 0]] {
        let bytes = vec![7; shape.iter().product()];
        save(&path, DType::Int8, &shape, &bytes).expect("a good call");
        let file = std::fs::read(&path).expect("the file is there");
        assert_eq!((file[6], (file.len() - bytes.len()) % 64), (1, 0));
        let array = load(&path, None).expect("a good file");
        assert_eq!((array.shape, held(&array.storage)), (shape, &bytes[..]));
        for wrong in [vec![1; 65], vec![0; 65], vec![1; 30_000], vec![0, 1 << 62, 2], vec![1 << 40, 1 << 40, 0]] {
            let bytes = vec![7; usize::from(wrong[0] == 1)];
            assert!(matches!(save(&path, DType::Int8, &wrong, &bytes), Err(Error::Shape(_))), "{}", wrong.len());
        }
        assert!(std::fs::read(&path).expect("the file is there") == file);
        assert_eq!(common::names(folder.path()).len(), 1);
    }
}

#[test]
fn flipped_bits_of_a_header_never_panic() {
    let good = raw(head("<f4", false, &[2, 3]).as_bytes(), &[1; 24]);
    assert!(load_bytes(&good).is_ok());
    for at in 0..good.len() - 24 {
        for byte in
            [0, b' ', b'\'', b'"', b'\\', b'(', b')', b'{', b'}', b',', b':', b'-', b'9', b'L', 0x7f, 0x80, 0xff]
        {
            let mut file = good.clone();
            file[at] = byte;
            check(load_bytes(&file), file.len()).expect("an error or a whole array");
        }
    }
}

fn any_type() -> impl Strategy<Value = DType> {
    prop::sample::select(DType::ALL.into_iter().filter(|&dtype| dtype != DType::BFloat16).collect::<Vec<_>>())
}

/// The index in Fortran order of the element at this index in row-major order.
fn in_fortran(shape: &[usize], mut flat: usize) -> usize {
    let mut index = vec![0; shape.len()];
    for dim in (0..shape.len()).rev() {
        index[dim] = flat % shape[dim];
        flat /= shape[dim];
    }
    // In Fortran order the first index runs fastest.
    index.iter().zip(shape).rev().fold(0, |at, (&i, &n)| at * n + i)
}

proptest! {
    #![proptest_config(property::cases(300))]

    #[test]
    fn arrays_survive_a_round_trip(dtype in any_type(), shape in prop::collection::vec(0..5usize, 0..6), seed in any::<u8>()) {
        let len = shape.iter().product::<usize>() * dtype.size();
        let content: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(seed)).collect();
        let (_folder, path) = folder();
        save(&path, dtype, &shape, &content).expect("a good call");
        for map in [false, true] {
            let array = load(&path, Some(map)).expect("a good file");
            prop_assert_eq!(array.storage.is_mapped(), map);
            prop_assert_eq!((array.dtype, &array.shape, held(&array.storage)), (dtype, &shape, &content[..]));
        }
    }

    #[test]
    fn any_order_of_bytes_and_dimensions_is_read(shape in prop::collection::vec(0..4usize, 0..5), fortran: bool, big: bool, kind in 0..5usize) {
        let (name, size, dtype) = [("i2", 2, DType::Int32), ("u2", 2, DType::Int32), ("u4", 4, DType::Int64), ("i8", 8, DType::Int64), ("i1", 1, DType::Int8)][kind];
        let elements = shape.iter().product::<usize>();
        // These are in row-major order; some have the highest bit set.
        let values: Vec<i64> = (0..elements as i64).map(|i| (i * 0x0123_4567_89ab_cdef) >> (64 - size * 8)).map(|v| match name {
            "u2" => v & 0xffff,
            "u4" => v & 0xffff_ffff,
            _ => v,
        }).collect();
        let mut data = vec![0; elements * size];
        for (flat, value) in values.iter().enumerate() {
            let at = if fortran { in_fortran(&shape, flat) } else { flat } * size;
            data[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
            if big {
                data[at..at + size].reverse();
            }
        }
        let descr = format!("{}{name}", if big { '>' } else { '<' });
        let array = load_bytes(&raw(head(&descr, fortran, &shape).as_bytes(), &data)).expect("a good file");
        let expected: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()[..dtype.size()].to_vec()).collect();
        prop_assert_eq!((array.dtype, &array.shape, held(&array.storage)), (dtype, &shape, &expected[..]));
    }

    #[test]
    fn any_bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        check(load_bytes(&content), content.len())?;
        let file = raw(&content, &[0; 16]);
        check(load_bytes(&file), file.len())?;
    }

    #[test]
    fn any_pieces_of_headers_never_panic(pieces in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "(", ")", "[", "]", ",", ":", "'", "\"", "\\", " ", "\n", "'descr'", "'fortran_order'", "'shape'", "'<f4'", "'|O'",
        "True", "False", "None", "0", "4", "-1", "3L", "99999999999999999999999999999999999999999", "ü", "('a', '<f4')",
    ]), 0..30)) {
        let file = raw(pieces.concat().as_bytes(), &[0; 16]);
        check(load_bytes(&file), file.len())?;
    }

    #[test]
    fn any_shape_never_panics(shape in prop::collection::vec(prop_oneof![0..5usize, any::<usize>()], 0..4), descr in prop::sample::select(vec!["<f4", ">i2", "|b1", "<u4"]), fortran: bool) {
        let file = raw(head(descr, fortran, &shape).as_bytes(), &[0; 16]);
        check(load_bytes(&file), file.len())?;
    }
}

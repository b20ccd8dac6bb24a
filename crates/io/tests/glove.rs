//! The text of GloVe, compressed or not, at any number of threads, and malformed.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{folder, held};
use std::io::Write;
use std::path::Path;
use tokenbed_core::{Error, Result};
use tokenbed_io::text::{InvalidUtf8, MAX_RATIO};
use tokenbed_io::word2vec::glove::{self, Options};

const AS_IT_IS: Options = Options { limit: None, invalid: InvalidUtf8::Refuse, ratio: MAX_RATIO, threads: 2 };

/// Words, and the numbers of each.
type Found = Vec<(String, Vec<f32>)>;

fn load(path: &Path, options: Options) -> Result<Found> {
    let loaded = glove::load(path, options)?;
    let bytes = held(&loaded.storage);
    assert_eq!(bytes.len(), loaded.words.len() * loaded.dim * 4);
    let numbers: Vec<f32> =
        bytes.chunks_exact(4).map(|x| f32::from_le_bytes(x.try_into().expect("four bytes"))).collect();
    Ok(loaded.words.iter().map(str::to_owned).zip(numbers.chunks(loaded.dim).map(<[f32]>::to_vec)).collect())
}

fn load_bytes(content: &[u8], options: Options) -> Result<Found> {
    let (_folder, path) = folder();
    std::fs::write(&path, content).expect("a file can be written");
    load(&path, options)
}

#[track_caller]
fn good(content: &[u8]) -> Found {
    load_bytes(content, AS_IT_IS).expect("a good file")
}

#[track_caller]
fn wrong(content: &[u8]) -> (u64, String) {
    match load_bytes(content, AS_IT_IS) {
        Err(Error::Format { offset, message, .. }) => (offset, message),
        other => panic!("{other:?}"),
    }
}

fn row(word: &str, numbers: &[f32]) -> (String, Vec<f32>) {
    (word.to_owned(), numbers.to_vec())
}

#[test]
fn the_last_fields_are_the_numbers_and_all_before_them_the_word() {
    let text = "the 1 2\n. . . 3 4\nat name@domain.com 5 6\r\n95 7 8\n\u{a0} 11 -1e-2\n\u{2028}\t12 nan";
    let found = good(text.as_bytes());
    assert_eq!(
        found[..4],
        [
            row("the", &[1.0, 2.0]),
            row(". . .", &[3.0, 4.0]),
            row("at name@domain.com", &[5.0, 6.0]),
            row("95", &[7.0, 8.0])
        ]
    );
    assert_eq!(found[4], row("\u{a0}", &[11.0, -0.01]));
    assert!(found[5].0 == "\u{2028}" && found[5].1[1].is_nan());
}

#[test]
fn a_mark_in_front_is_skipped_and_of_a_word_that_comes_twice_the_first_is_kept() {
    let found = good(b"\xef\xbb\xbfa 1 2\nb 3 4\na 5 6\nc 7 8\n\n \n");
    assert_eq!(found, [row("a", &[1.0, 2.0]), row("b", &[3.0, 4.0]), row("c", &[7.0, 8.0])]);
    for (limit, count) in [(0, 0), (1, 1), (3, 2), (4, 3), (9, 3)] {
        let options = Options { limit: Some(limit), ..AS_IT_IS };
        let found = load_bytes(b"a 1\nb 3\na 5\nc 7\n", options).expect("a good file");
        assert_eq!(found.len(), count, "{limit}");
    }
    // What follows the limit is not looked at.
    let options = Options { limit: Some(2), ..AS_IT_IS };
    assert_eq!(load_bytes(b"a 1 2\nb 3 4\nc 5\n\xff 6 x\n", options).expect("two good lines").len(), 2);
}

#[test]
fn numbers_are_those_of_numpy() {
    let found = good(b"a 1.00000005960464477540 0.1 1e39 -0\n");
    let bits: Vec<u32> = found[0].1.iter().map(|x| x.to_bits()).collect();
    assert_eq!(bits, [1.0f32, 0.1, f32::INFINITY, -0.0].map(f32::to_bits));
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let (_folder, path) = folder();
    let mut file = Vec::new();
    for line in 0..60_000 {
        let word = if line % 7 == 0 { format!("w {line} x") } else { format!("w{}", line % 50_000) };
        write!(file, "{word}").expect("memory");
        for column in 0..9 {
            write!(file, " {:.5}", f64::from(line * 7 + column) / 997.0 - 100.0).expect("memory");
        }
        file.push(b'\n');
    }
    let packed = path.with_extension("gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&file).expect("memory");
    std::fs::write(&packed, encoder.finish().expect("memory")).expect("a file can be written");
    std::fs::write(&path, &file).expect("a file can be written");
    let alone = load(&path, Options { threads: 1, ..AS_IT_IS }).expect("a good file");
    assert!(alone.len() > 50_000);
    for (line, (word, numbers)) in alone.iter().enumerate().take(1000) {
        assert!(word.contains(&line.to_string()));
        let wanted = (0..9).map(|column| format!("{:.5}", (line as f64 * 7.0 + f64::from(column)) / 997.0 - 100.0));
        assert_eq!(*numbers, wanted.map(|text| text.parse::<f64>().expect("a number") as f32).collect::<Vec<_>>());
    }
    for threads in [2, 3, 16] {
        assert!(load(&path, Options { threads, ..AS_IT_IS }).expect("a good file") == alone);
    }
    assert!(load(&packed, AS_IT_IS).expect("a good file") == alone);
    // The first of several mistakes is named, wherever shares begin.
    for at in [3_000_000, 2_000_000, 1_000_000, 400_000] {
        let start = memchr(&file, at);
        file[start..start + 3].copy_from_slice(b"x\x01 ");
        let end = memchr(&file, start);
        file[end - 3..end - 1].copy_from_slice(b" ,");
        let (offset, message) = wrong(&file);
        assert!(offset == start as u64 && message.contains("has 0 numbers"), "{offset}, {start}: {message}");
    }
    std::fs::write(&packed, &std::fs::read(&packed).expect("it is there")[..100_000]).expect("a file can be written");
    let error = load(&packed, AS_IT_IS).expect_err("cut short").to_string();
    assert!(error.contains("gzip data is damaged or ends too soon"), "{error}");
}

/// The beginning of the line after a place.
fn memchr(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().position(|&byte| byte == b'\n').expect("more lines") + 1
}

#[test]
fn other_files_and_malformed_lines_are_errors_with_a_place() {
    let at = |content: &[u8], offset: u64, part: &str| {
        let (found, message) = wrong(content);
        assert!(found == offset && message.contains(part), "{found}: {message}");
    };
    at(b"", 0, "every line must be a word and its numbers");
    at(b"\n\n", 0, "every line must be a word and its numbers");
    at(b"a\nb\n", 0, "every line must be a word and its numbers");
    at(b"2 3\na 1 2 3\nb 4 5 6\n", 0, "loadWord2Vec reads it");
    at(b"\x93NUMPY\x01\x00v\x00{'descr'", 0, "loadNpy reads it");
    at(b"a 1 2\nb 3\nc 4 5\n", 6, "\"b\" has 1 numbers where the lines of this file have 2");
    at(b"a 1\nb 3 4\nc 4 5\n", 0, "\"a\" has 1 numbers where the lines of this file have 2");
    at(b"a 1 2\nb 3 4 5\nc 4 5\n", 6, "\"b\" has 3 numbers");
    at(b"a 1 2\nb 3 4\nc 5 0x10\n", 12, "number 1 of \"c\" is \"0x10\", which is not a number");
    at(b"a 1 2\nb 3 4\nc 5,5 6\n", 12, "decimal comma");
    at(b"a 1 2\nb 3 4\n 5 6\n", 12, "word 2 is missing");
    at(b"a 1 2\n\nb 3 4\n", 6, "\"\" has 0 numbers");
    at(b"a 1 2\nb 3 4\nc\xff 5 6\n", 12, "UTF-8");
    at(&[b"a 1\nb ", &vec![b'x'; 1 << 20][..], b" 1\n"].concat(), 4, "without an end");
    at(&vec![b'x'; 5 << 20], 0, "every line must be");
    let replaced = load_bytes(b"a 1\nb\xff 2\n", Options { invalid: InvalidUtf8::Replace, ..AS_IT_IS });
    assert_eq!(replaced.expect("replaced")[1].0, "b\u{fffd}");
    assert_eq!(load(Path::new("/nowhere/at/all"), AS_IT_IS).expect_err("no such file").code(), "FILE");
}

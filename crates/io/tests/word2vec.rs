//! word2vec files: those that gensim writes, round trips, and malformed files.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
mod common;

use common::{folder, held, names};
use proptest::prelude::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use tokenbed_core::{Error, Result};
use tokenbed_io::text::{InvalidUtf8, MAX_RATIO};
use tokenbed_io::word2vec;
use tokenbed_io::word2vec::{Options, Written};
use tokenbed_testkit::property;

const AS_IT_IS: Options =
    Options { binary: None, limit: None, invalid: InvalidUtf8::Refuse, ratio: MAX_RATIO, escape: false, threads: 2 };

/// The words of a file, their number of numbers, and the numbers as bytes.
#[derive(Debug)]
struct Loaded {
    words: Vec<String>,
    dim: usize,
    bytes: Vec<u8>,
}

fn load(path: &Path, options: Options) -> Result<Loaded> {
    let word2vec::Loaded { words, dim, storage } = word2vec::load(path, options)?;
    let words: Vec<_> = words.iter().map(str::to_owned).collect();
    let bytes = held(&storage)[..words.len() * dim * 4].to_vec();
    Ok(Loaded { words, dim, bytes })
}

/// Saves without escapes.
fn save(path: &Path, words: &[String], table: &[f32], dim: usize, binary: bool) -> Result<()> {
    word2vec::save(path, words, table, dim, Written { binary, escape: false, header: true })
}

fn numbers(loaded: &Loaded) -> Vec<f32> {
    loaded.bytes.chunks_exact(4).map(|x| f32::from_le_bytes(x.try_into().expect("four bytes"))).collect()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden/vectors").join(name)
}

fn load_bytes(content: &[u8], options: Options) -> Result<Loaded> {
    let (_folder, path) = folder();
    std::fs::write(&path, content).expect("a file can be written");
    load(&path, options)
}

#[track_caller]
fn format_error(content: &[u8]) -> (u64, String) {
    match load_bytes(content, AS_IT_IS) {
        Err(Error::Format { offset, message, .. }) => (offset, message),
        other => panic!("{other:?}"),
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn text_and_binary_files_of_gensim_are_read_and_written_alike() {
    let (text, binary) = (load(&golden("gensim.txt"), AS_IT_IS), load(&golden("gensim.bin"), AS_IT_IS));
    let (text, binary) = (text.expect("a good file"), binary.expect("a good file"));
    assert_eq!((text.dim, text.words.len()), (37, 60));
    assert_eq!(text.words, binary.words);
    assert_eq!(&text.words[4..7], ["naïve", "鯨", "😀"]);
    assert_eq!(bits(&numbers(&text)), bits(&numbers(&binary)));
    let some = Options { limit: Some(3), ..AS_IT_IS };
    for name in ["gensim.txt", "gensim.bin"] {
        let few = load(&golden(name), some).expect("a good file");
        assert_eq!(few.words, text.words[..3]);
        assert_eq!(numbers(&few), numbers(&text)[..3 * 37]);
    }
    // Our binary files have gensim's bytes. Our text has the same numbers, but gensim writes 1e-05 for 0.00001.
    let (_folder, path) = folder();
    save(&path, &text.words, &numbers(&text), 37, true).expect("a good call");
    assert!(std::fs::read(&path).expect("it is there") == std::fs::read(golden("gensim.bin")).expect("it is there"));
    save(&path, &text.words, &numbers(&text), 37, false).expect("a good call");
    let again = load(&path, AS_IT_IS).expect("a good file");
    assert_eq!((again.words.clone(), bits(&numbers(&again))), (text.words.clone(), bits(&numbers(&text))));
}

#[test]
fn words_may_contain_spaces_in_text() {
    // gensim writes such words but does not read them.
    let loaded = load(&golden("spaces.txt"), AS_IT_IS).expect("a good file");
    let expected = ["New York", "at name@domain.com", ". . .", " the", "the", "a  b", "Windows 95 SE"];
    assert_eq!(loaded.words, expected);
    let rows = (0..7).flat_map(|row| [row as f32, row as f32 + 0.5, -(row as f32)]);
    assert_eq!(numbers(&loaded), rows.collect::<Vec<_>>());
    for limit in 0..7 {
        let few = load(&golden("spaces.txt"), Options { limit: Some(limit), ..AS_IT_IS }).expect("a good file");
        assert_eq!(few.words, expected[..limit]);
    }
}

/// `count` lines of a word and `dim` numbers each, under a first line that promises them.
fn text_of(count: usize, dim: usize, word: impl Fn(usize) -> String, number: impl Fn(usize) -> String) -> String {
    let mut text = format!("{count} {dim}\n");
    for row in 0..count {
        let numbers: Vec<_> = (0..dim).map(|column| number(row * dim + column)).collect();
        text += &format!("{} {}\n", word(row), numbers.join(" "));
    }
    text
}

/// A kind of words or numbers: its name, and a function from an index.
type Kind = (&'static str, fn(usize) -> String);

#[test]
fn no_text_is_taken_for_binary() {
    let words: [Kind; 7] = [
        ("plain", |row| format!("w{row}")),
        ("with spaces", |row| if row == 0 { "at name@domain.com".into() } else { format!("w{row}") }),
        ("all with spaces", |row| format!("to be {row}x")),
        ("dots", |row| if row % 3 == 0 { format!("{row}a . . .") } else { format!("w{row}") }),
        ("Cyrillic", |row| format!("слово{row}")),
        ("control characters", |row| format!("w{row}\u{1}\u{2}\u{0}")),
        ("long", |row| "long".repeat(30) + &row.to_string()),
    ];
    let shapes: [Kind; 5] = [
        ("five digits", |at| format!("{}.14286", at % 8)),
        ("one digit", |at| (at % 10).to_string()),
        ("exponents", |at| format!("-{at}e-3")),
        ("three bytes", |at| format!("0.{}", at % 10)),
        ("many digits", |at| format!("{:.17}", 1.0 / (at + 1) as f64)),
    ];
    for (kind, word) in words {
        for (shape, number) in shapes {
            for (count, dim) in [(50, 8), (1, 1), (3, 1), (7, 2), (20, 3), (5, 300), (2000, 4), (300, 100)] {
                let text = text_of(count, dim, word, number);
                let value = |at: usize| number(at).parse::<f64>().expect("a number") as f32;
                for limit in [None, Some(1), Some(10)] {
                    let loaded = load_bytes(text.as_bytes(), Options { limit, ..AS_IT_IS });
                    let loaded = loaded.unwrap_or_else(|error| panic!("{kind}, {shape}, {count} x {dim}: {error}"));
                    let rows = count.min(limit.unwrap_or(count));
                    assert_eq!(loaded.words, (0..rows).map(word).collect::<Vec<_>>(), "{kind}, {shape}, {dim}");
                    assert_eq!(numbers(&loaded), (0..rows * dim).map(value).collect::<Vec<_>>(), "{kind}, {shape}");
                }
            }
        }
    }
}

#[test]
fn text_is_read_as_the_same_numbers_by_those_who_round_twice() {
    // The shortest text of this number, 7.038531e-26, is nearest to a float64 that is rounded to its neighbour.
    let table = [f32::from_bits(0x15ae_43fd), f32::MIN_POSITIVE, f32::MAX, 1e-45];
    let (_folder, path) = folder();
    save(&path, &words(&["a"]), &table, 4, false).expect("a good call");
    assert_eq!(bits(&numbers(&load(&path, AS_IT_IS).expect("a good file"))), bits(&table));
}

/// Malformed texts give an error about the text, with the line, and never words and numbers.
#[test]
fn no_malformed_text_is_taken_for_binary() {
    let plain = |row: usize| format!("w{row}");
    let accented = |row: usize| format!("w{row}\u{e9}\u{df}");
    let comma = |at: usize| format!("{},{}", at % 10, at % 7);
    for dim in [1, 2, 3, 8, 50, 300] {
        for count in [1, 2, 10, 500] {
            for (why, text) in [
                ("a decimal comma", text_of(count, dim, plain, comma)),
                ("a decimal comma", text_of(count, dim, accented, comma)),
                ("a decimal comma", text_of(count, dim, plain, |at| format!("0,{at}14286"))),
                (
                    "which is not a number",
                    text_of(count, dim, plain, |at| format!("0.5{}", if at % dim + 1 < dim { "," } else { ";" })),
                ),
                ("which is not a number", text_of(count, dim, plain, |at| format!("[{at}]"))),
                ("which is not a number", text_of(count, dim, plain, |at| format!("1.#IND{at}"))),
                ("which is not a number", text_of(count, dim, plain, |_| "\u{2212}0.5".into())),
            ] {
                for limit in [None, Some(1), Some(10)] {
                    let options = Options { limit, ..AS_IT_IS };
                    let error = load_bytes(text.as_bytes(), options).expect_err("no such numbers").to_string();
                    assert!(error.contains(why), "{count} x {dim}: {error}");
                }
                // Latin-1 with one byte a character is not UTF-8.
                let latin: Vec<u8> = text.chars().map(|char| u8::try_from(char).unwrap_or(b'?')).collect();
                let options = Options { limit: Some(1), invalid: InvalidUtf8::Replace, ..AS_IT_IS };
                assert!(load_bytes(&latin, options).expect_err("no such numbers").to_string().contains(why));
            }
        }
    }
    // The first line promises another number of numbers.
    for (promised, dim) in [(7, 8), (9, 8), (1, 8), (299, 300), (301, 300), (1, 2), (2, 1)] {
        for count in [1, 2, 10, 500] {
            let text = text_of(count, dim, plain, |at| format!("{at}.14286"));
            let text = text.replacen(&format!("{count} {dim}\n"), &format!("{count} {promised}\n"), 1);
            let options = Options { limit: Some(10), ..AS_IT_IS };
            let error = load_bytes(text.as_bytes(), options).expect_err("another size").to_string();
            assert!(error.contains(&format!("has {dim} numbers")) || error.contains("promises"), "{promised}: {error}");
        }
    }
}

#[test]
fn errors_about_text_name_the_word_and_the_line() {
    let message = |content: &str| format_error(content.as_bytes()).1;
    assert_eq!(
        message("2 2\nNew York 0,5 1,5\nw 2,5 3,5\n"),
        "number 0 of \"New York\" is \"0,5\", which has a decimal comma: write numbers with a point"
    );
    assert_eq!(
        message("2 2\na 1 2\nWindows 95 3 4\n"),
        "\"Windows\" has 3 numbers where the first line promises 2 (if the word has spaces, its last part may \
         not be a number)"
    );
    assert_eq!(message("1 2\na 1.5\n"), "\"a\" has 1 numbers where the first line promises 2");
    // A token that begins with a space may be a number. A token that is a space looks like a missing word.
    let loaded = load_bytes(b"2 2\n 95 1 2\n95 3 4\n", AS_IT_IS).expect("a good file");
    assert_eq!((loaded.words.clone(), numbers(&loaded)), (words(&[" 95", "95"]), vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!(message("2 2\n  1 2\n95 3 4\n"), "word 0 is missing");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let loaded = load_bytes(b"\xef\xbb\xbf1 2\na 1 2\n", AS_IT_IS).expect("a good file");
    assert_eq!((loaded.words.clone(), numbers(&loaded)), (words(&["a"]), vec![1.0, 2.0]));
}

#[test]
fn binary_files_are_recognised_as_binary() {
    let mut random = tokenbed_testkit::random::Random::new(3);
    for dim in [1, 2, 3, 8, 100, 300] {
        for count in [2, 3, 50, 1000] {
            for breaks in [false, true] {
                let table: Vec<f32> = (0..count * dim).map(|_| (random.below(2001) as f32 - 1000.3) / 997.0).collect();
                let list: Vec<_> = (0..count).map(|row| format!("слово{row}")).collect();
                let mut file = format!("{count} {dim}\n").into_bytes();
                for (word, vector) in list.iter().zip(table.chunks(dim)) {
                    file.extend(word.bytes().chain([b' ']));
                    file.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
                    file.extend(breaks.then_some(b'\n'));
                }
                for limit in [None, Some(1), Some(10)] {
                    let loaded = load_bytes(&file, Options { limit, ..AS_IT_IS }).expect("a good file");
                    let rows = count.min(limit.unwrap_or(count));
                    assert_eq!(loaded.words, list[..rows], "{count} x {dim}");
                    assert_eq!(bits(&numbers(&loaded)), bits(&table[..rows * dim]), "{count} x {dim}");
                }
            }
        }
    }
}

#[test]
fn a_binary_word_with_a_space_is_an_error_and_never_half_a_word() {
    let mut file = b"9 3\n".to_vec();
    for row in 0..9 {
        file.extend(format!("New York{row} ").into_bytes());
        file.extend([0.5f32, -1.25, row as f32].iter().flat_map(|x| x.to_le_bytes()));
    }
    for limit in [None, Some(1), Some(3)] {
        assert_eq!(
            load_bytes(&file, Options { limit, ..AS_IT_IS }).expect_err("two words").code(),
            "FORMAT",
            "{limit:?}"
        );
    }
}

#[test]
fn odd_but_valid_files_load() {
    let good = |content: &[u8]| load_bytes(content, AS_IT_IS).expect("a good file");
    // The original program writes a space after every number in text. Others: Windows line ends; tabs; no line end at
    // the end.
    let text = good(b"3 2\na 1 -2.5 \r\n\xc3\xa9  3e-1\t+4 \nc .5 5.\r");
    assert_eq!(text.words, ["a", "é", "c"]);
    assert_eq!(numbers(&text), [1.0, -2.5, 0.3, 4.0, 0.5, 5.0]);
    let odd = numbers(&good(b"1 4\na NaN inf -Infinity -0\n"));
    assert!(
        odd[0].is_nan() && odd[1..3] == [f32::INFINITY, f32::NEG_INFINITY] && odd[3].to_bits() == (-0.0f32).to_bits()
    );
    // The original program writes a line break after every vector in binary files.
    let row = |word: &str, x: f32| [word.as_bytes(), b" ", &x.to_le_bytes(), &(-x).to_le_bytes(), b"\n"].concat();
    let binary = good(&[b"2 2\n", &row("a", 1.5)[..], &row("b", 2.5)].concat());
    assert_eq!(binary.words, ["a", "b"]);
    assert_eq!(numbers(&binary), [1.5, -1.5, 2.5, -2.5]);
    // Of a word that comes twice, the first is kept.
    let twice = good(b"3 1\na 1\na 2\nb 3\n");
    assert_eq!((twice.words.clone(), numbers(&twice)), (words(&["a", "b"]), vec![1.0, 3.0]));
    let twice = good(&[b"3 2\n", &row("a", 1.5)[..], &row("a", 3.5), &row("b", 2.5)].concat());
    assert_eq!((twice.words.clone(), numbers(&twice)), (words(&["a", "b"]), vec![1.5, -1.5, 2.5, -2.5]));
    let none = good(b"0 7\n");
    assert_eq!((none.words.len(), none.dim), (0, 7));
    let replaced = load_bytes(b"1 1\na\xff 1\n", Options { invalid: InvalidUtf8::Replace, ..AS_IT_IS });
    assert_eq!(replaced.expect("a good file").words, ["a\u{fffd}"]);
}

#[test]
fn compressed_files_are_read() {
    let (_folder, path) = folder();
    let path = path.with_extension("txt.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&std::fs::read(golden("gensim.bin")).expect("it is there")).expect("memory");
    let packed = packed.finish().expect("memory");
    std::fs::write(&path, &packed).expect("a file can be written");
    assert_eq!(load(&path, AS_IT_IS).expect("a good file").words.len(), 60);
    for len in [0, 1, 20, packed.len() / 2, packed.len() - 9] {
        std::fs::write(&path, &packed[..len]).expect("a file can be written");
        let error = load(&path, AS_IT_IS).expect_err("cut short");
        assert_eq!(error.code(), "FORMAT", "{len}: {error}");
    }
    let mut lies = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    lies.write_all(b"99999999 300\na 1").expect("memory");
    std::fs::write(&path, lies.finish().expect("memory")).expect("a file can be written");
    assert!(load(&path, AS_IT_IS).expect_err("no such file").to_string().contains("promises"));
}

#[test]
fn files_cut_short_at_any_byte_are_errors() {
    for name in ["gensim.txt", "gensim.bin"] {
        let whole = std::fs::read(golden(name)).expect("it is there");
        let small = load_bytes(&whole, Options { limit: Some(2), ..AS_IT_IS }).expect("a good file");
        let (_folder, path) = folder();
        save(&path, &small.words, &numbers(&small), 37, name.ends_with("bin")).expect("a good call");
        let file = std::fs::read(&path).expect("it is there");
        // The last number may have lost digits, which cannot be seen in text.
        let least = if name.ends_with("bin") { 0 } else { 12 };
        for len in 0..file.len() - least {
            let (offset, message) = format_error(&file[..len]);
            assert!(offset <= len as u64, "{len}: {message}");
        }
    }
}

#[test]
fn headers_with_wrong_counts_are_errors() {
    for header in [
        "",
        "\n",
        "a b\n",
        "1\n",
        "1 2 3\n",
        "-1 2\n",
        "1 0\n",
        "1.0 2\n",
        "99999999999999999999 2\n",
        "the 0.1 0.2\n",
        "1 99999999\n",
    ] {
        let (offset, message) = format_error(format!("{header}a 1 2\n").as_bytes());
        assert!(offset == 0 && message.contains("400000 300"), "{header:?}: {message}");
    }
    assert_eq!(format_error(&[b'1'; 100]).0, 0);
    for rows in [2, 1 << 20, usize::MAX / 8, usize::MAX] {
        let (offset, message) = format_error(format!("{rows} 2\na 1 2\n").as_bytes());
        assert!(message.contains("promises"), "{rows}: {message}");
        assert!(offset > 3, "{rows}: {offset}");
    }
    assert!(format_error(b"1 2\na 1 2\nb 3 4\n").1.contains("more words"));
    assert!(load_bytes(b"1 2\na 1 2\nb 3 4\n", Options { limit: Some(1), ..AS_IT_IS }).is_err());
    assert!(load_bytes(b"2 2\na 1 2\nb 3 4\n", Options { limit: Some(1), ..AS_IT_IS }).is_ok());
}

#[test]
fn malformed_rows_are_errors() {
    let at = |content: &[u8], offset: u64, part: &str| {
        let (found, message) = format_error(content);
        assert!(found == offset && message.contains(part), "{found}: {message}");
    };
    at(b"2 2\na 1 2\nb 3 x\n", 10, "number 1 of \"b\" is \"x\"");
    at(b"2 2\na 1 2\nb 333\n", 10, "\"b\" has 1 numbers");
    at(b"2 2\na 1 2\nb 3 4 5\n", 10, "\"b\" has 3 numbers");
    at(b"2 2\na 1 2\n 3 4\n", 10, "word 1 is missing");
    at(b"2 2\na 1 2\n\xff 3 4\n", 10, "UTF-8");
    at(b"2 2\na 1 2\n\n\n\n\n\n", 10, "\"\" has 0 numbers");
    let long = [b"1 1\n", &vec![b'a'; 1 << 20][..], b" 1\n"].concat();
    assert!(format_error(&long).1.contains("without an end"));
    let error = load(Path::new("/nowhere/at/all"), AS_IT_IS).expect_err("no such file");
    assert_eq!(error.code(), "FILE");
}

#[test]
fn words_and_vectors_that_cannot_be_written_are_refused() {
    let (folder, path) = folder();
    let usage = |list: &[&str], part: &str| {
        let error = save(&path, &words(list), &vec![0.0; list.len() * 2], 2, false).expect_err("no such word");
        assert!(error.code() == "USAGE" && error.to_string().contains(part), "{error}");
    };
    usage(&["a", "b c"], "word 1, \"b c\", has white space");
    usage(&["a\n"], "white space");
    usage(&["a\tb"], "white space");
    usage(&["a\u{b}b"], "white space");
    usage(&["", "b"], "word 0, \"\", is empty");
    assert_eq!(save(&path, &words(&["a"]), &[0.0; 3], 2, true).expect_err("another size").code(), "SHAPE");
    let packed = path.with_extension("txt.gz");
    assert!(save(&packed, &words(&["a"]), &[0.0; 2], 2, true).expect_err("not compressed").to_string().contains(".gz"));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn words_that_are_too_long_for_readers_are_refused() {
    let (folder, path) = folder();
    for binary in [false, true] {
        let longest = words(&["a", &"é".repeat(1 << 15)]);
        save(&path, &longest, &[0.5, 1.5], 1, binary).expect("a good call");
        let before = std::fs::read(&path).expect("it is there");
        assert_eq!(load(&path, AS_IT_IS).expect("a good file").words, longest);
        for long in ["x".repeat((1 << 16) + 1), "é".repeat(40_000), "x".repeat(1 << 24)] {
            let error = save(&path, &words(&["a", &long]), &[0.5, 1.5], 1, binary).expect_err("too long").to_string();
            assert!(error.contains("word 1") && error.contains("at most 65536") && error.len() < 300, "{error}");
        }
        // Each of these becomes four bytes.
        let spaces = words(&["a", &" ".repeat(1 << 14)]);
        let escape = Written { binary, escape: true, header: true };
        word2vec::save(&path, &spaces, &[0.5, 1.5], 1, escape).expect("a good call");
        assert_eq!(load(&path, Options { escape: true, ..AS_IT_IS }).expect("a good file").words, spaces);
        let spaces = words(&["a", &" ".repeat((1 << 14) + 1)]);
        assert_eq!(word2vec::save(&path, &spaces, &[0.5, 1.5], 1, escape).expect_err("too long").code(), "USAGE");
        save(&path, &longest, &[0.5, 1.5], 1, binary).expect("a good call");
        assert!(std::fs::read(&path).expect("it is there") == before);
    }
    let wide = vec![0.5; (1 << 20) + 1];
    assert!(
        save(&path, &words(&["a"]), &wide, wide.len(), true).expect_err("too wide").to_string().contains("1048576")
    );
    save(&path, &words(&["a"]), &wide[1..], wide.len() - 1, true).expect("a good call");
    assert_eq!(load(&path, AS_IT_IS).expect("a good file").dim, 1 << 20);
    assert_eq!(names(folder.path()).len(), 1);
}

#[test]
fn escaped_words_are_read_back() {
    let list = words(&["a b", "a\\x20b", "\n", "\\n", " ", "\t\r\n\u{b}\u{c}", "plain", "\u{a0}"]);
    let table: Vec<f32> = (0..list.len() * 2).map(|at| at as f32 + 0.3).collect();
    let (_folder, path) = folder();
    for binary in [false, true] {
        word2vec::save(&path, &list, &table, 2, Written { binary, escape: true, header: true }).expect("a good call");
        let loaded = load(&path, Options { escape: true, ..AS_IT_IS }).expect("a good file");
        assert_eq!((&loaded.words, numbers(&loaded)), (&list, table.clone()));
        let loaded = load(&path, AS_IT_IS).expect("a good file");
        let plain = ["a\\x20b", "a\\x5cx20b", "\\x0a", "\\n", "\\x20", "\\x09\\x0d\\x0a\\x0b\\x0c", "plain", "\u{a0}"];
        assert_eq!((loaded.words.clone(), numbers(&loaded)), (words(&plain), table.clone()));
    }
    // These are two spellings of one word; the first counts.
    let twice = load_bytes(b"2 1\na\\x20b 1\na b 2\n", Options { escape: true, ..AS_IT_IS }).expect("a good file");
    assert_eq!((twice.words.clone(), numbers(&twice)), (words(&["a b"]), vec![1.0]));
}

fn any_word() -> impl Strategy<Value = String> {
    "[^ \t\n\r\u{b}\u{c}]{1,8}"
}

proptest! {
    #![proptest_config(property::cases(200))]

    #[test]
    fn words_and_vectors_survive_a_round_trip(list in prop::collection::hash_set(any_word(), 0..8), dim in 1..6usize, seed in any::<u64>(), binary in any::<bool>()) {
        let list: Vec<_> = list.into_iter().collect();
        let table = tokenbed_testkit::random::Random::new(seed).awkward(list.len() * dim);
        let (_folder, path) = folder();
        save(&path, &list, &table, dim, binary).expect("a good call");
        let loaded = load(&path, AS_IT_IS).expect("a good file");
        prop_assert_eq!(&loaded.words, &list);
        let same = numbers(&loaded).iter().zip(&table).all(|(a, b)| a.to_bits() == b.to_bits() || !binary && a.is_nan() && b.is_nan());
        prop_assert!(same);
    }

    #[test]
    fn flipped_bytes_never_panic(binary in any::<bool>(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let (_folder, path) = folder();
        save(&path, &words(&["a", "bc", "d"]), &[1.5, 2.5, -3.0, 0.25, 5.0, 6.0], 2, binary).expect("a good call");
        let mut file = std::fs::read(&path).expect("it is there");
        for (at, byte) in flips {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Ok(loaded) = load_bytes(&file, AS_IT_IS) {
            prop_assert_eq!(loaded.bytes.len(), loaded.words.len() * loaded.dim * 4);
        }
    }

    #[test]
    fn text_is_never_taken_for_binary(rows in 1..5usize, dim in 1..5usize, lines in "([ -~é鯨\t]{0,6}[ \n]([0-9],?){0,4}){0,30}") {
        let content = format!("{rows} {dim}\n{lines}");
        let (found, said) = (load_bytes(content.as_bytes(), AS_IT_IS), load_bytes(content.as_bytes(), Options { binary: Some(false), ..AS_IT_IS }));
        match (found, said) {
            (Ok(found), Ok(said)) => prop_assert_eq!((&found.words, bits(&numbers(&found))), (&said.words, bits(&numbers(&said)))),
            (Err(Error::Format { message: found, .. }), Err(Error::Format { message: said, .. })) => prop_assert_eq!(found, said),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn any_bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..100), binary in any::<Option<bool>>()) {
        drop(load_bytes(&content, Options { binary, ..AS_IT_IS }));
        drop(load_bytes(&[b"3 2\n", &content[..]].concat(), Options { binary, ..AS_IT_IS }));
    }
}

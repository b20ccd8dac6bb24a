//! Every reader names files of other kinds for what they are, and no valid file is taken for one.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use tokenbed_core::Error;
use tokenbed_io::recognise::{LOOK, Wanted, recognise};
use tokenbed_io::text::{InvalidUtf8, MAX_RATIO, TextFile};
use tokenbed_io::word2vec::{self, glove};
use tokenbed_io::{npy, safetensors};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden").join(name)
}

/// The byte offset and message of a reader's error.
fn said(path: &Path, wanted: Wanted) -> (u64, String) {
    let (invalid, ratio, threads) = (InvalidUtf8::Refuse, MAX_RATIO, 1);
    let options = word2vec::Options { binary: None, limit: None, invalid, ratio, escape: false, threads };
    let lines = glove::Options { limit: None, invalid, ratio, threads };
    let found = match wanted {
        Wanted::Safetensors => safetensors::load(path).map(drop),
        Wanted::Npy => npy::load(path, None).map(drop),
        Wanted::Words => word2vec::load(path, options).map(drop),
        Wanted::Lines => glove::load(path, lines).map(drop),
        _ => TextFile::open(path, InvalidUtf8::Refuse, MAX_RATIO)
            .and_then(|mut file| file.read(&mut String::new()))
            .map(drop),
    };
    match found {
        Err(Error::Format { path: named, offset, message }) if named == path => (offset, message),
        other => panic!("{}, {wanted:?}: {other:?}", path.display()),
    }
}

const READERS: [Wanted; 5] = [Wanted::Safetensors, Wanted::Npy, Wanted::Words, Wanted::Lines, Wanted::Text];

/// The files of testdata/golden/other-files, and what each is called in messages.
const KINDS: [(&str, &str); 14] = [
    ("pickle-2.bin", "a pickle of Python"),
    ("pickle-4.bin", "a pickle of Python"),
    ("pickle-5.bin", "a pickle of Python"),
    ("gensim.kv", "what gensim's own save writes (a pickle)"),
    ("arrays.npz", "an .npz file (a zip of .npy files)"),
    ("torch.pt", "a file of PyTorch (a zip with a pickle in it)"),
    ("gzip.bin", "gzip"),
    ("xz.bin", "xz"),
    ("bzip2.bin", "bzip2"),
    ("utf-16.txt", "UTF-16 text"),
    ("utf-32.txt", "UTF-32 text"),
    ("array.npy", "an .npy file of NumPy"),
    ("table.safetensors", "a safetensors file"),
    ("model.gguf", "a GGUF file, as of llama.cpp"),
];

#[test]
fn every_reader_names_files_of_other_kinds() {
    for (name, what) in KINDS {
        let path = golden("other-files").join(name);
        for wanted in READERS {
            let is_meant =
                matches!((name, wanted), ("array.npy", Wanted::Npy) | ("table.safetensors", Wanted::Safetensors));
            // Their first bytes are text.
            let is_text = wanted == Wanted::Text && matches!(name, "table.safetensors" | "model.gguf");
            if is_meant || is_text {
                continue;
            }
            let (offset, message) = said(&path, wanted);
            let expected = if wanted == Wanted::Text {
                format!("it looks like {what}: ")
            } else {
                format!("it is {what}, and not a")
            };
            assert!(message.contains(&expected), "{name}, {wanted:?}: {message}");
            assert!(wanted == Wanted::Text || offset == 0, "{name}, {wanted:?}: {offset}");
        }
    }
}

#[test]
fn the_advice_depends_on_the_reader() {
    let advice = |name: &str, wanted: Wanted| {
        let start = std::fs::read(golden("other-files").join(name)).expect("it is there");
        recognise(&start, wanted).unwrap_or_else(|| panic!("{name}")).advice
    };
    assert_eq!(advice("gzip.bin", Wanted::Words), "let its name end in .gz");
    assert_eq!(advice("gzip.bin", Wanted::Safetensors), "unpack it first (gunzip)");
    assert!(advice("gensim.kv", Wanted::Words).contains("save_word2vec_format"));
    assert!(advice("tokenizer.model", Wanted::Tokenizer).starts_with("take the tokenizer.json"));
    assert!(advice("o200k.tiktoken", Wanted::Tokenizer).contains("Tokenizer.load"));
    assert!(advice("files.tar", Wanted::Npy).contains("tar -xf"));
    assert!(advice("utf-16-be.txt", Wanted::Words).contains("UTF-16BE"));
    assert!(advice("utf-16-le.txt", Wanted::Own).contains("UTF-16LE"));
    assert!(advice("utf-8-sig.txt", Wanted::Own).contains("without one"));
    assert!(advice("words.txt", Wanted::Npy).contains("loadWord2Vec"));
    assert!(advice("pickle-0.bin", Wanted::Safetensors).contains("never run"));
}

#[test]
fn pages_of_servers_and_pointers_of_git_are_recognised() {
    let what = |start: &str, wanted: Wanted| recognise(start.as_bytes(), wanted).map(|found| found.to_string());
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab\nsize 548105171\n";
    let html = "\n<!DOCTYPE html>\n<html lang=en><head><title> Sign in </title></head></html>";
    let index = r#"{"metadata": {"total_size": 9}, "weight_map": {"wte": "model-00001-of-00002.safetensors"}}"#;
    for wanted in [Wanted::Safetensors, Wanted::Npy, Wanted::Words, Wanted::Tokenizer, Wanted::Own] {
        assert!(what(pointer, wanted).expect("known").contains("git lfs pull"));
        assert!(what(html, wanted).expect("known").starts_with("a page of HTML, \"Sign in\": a server sent it"));
    }
    for wanted in [Wanted::Safetensors, Wanted::Words, Wanted::Tokenizer] {
        assert!(what(index, wanted).expect("known").starts_with("the index of a model in several files (shards): "));
    }
    let denied = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>";
    assert!(what(denied, Wanted::Npy).expect("known").starts_with("a document of XML (AccessDenied)"));
    assert!(
        what(r#"{"error":"Repository not found"}"#, Wanted::Words).expect("known").contains("Repository not found")
    );
    assert!(what(r#"{"model_type": "bert"}"#, Wanted::Tokenizer).expect("known").starts_with("the config.json"));
    assert!(what(r#"{"tokenizer_class": "X"}"#, Wanted::Tokenizer).expect("known").starts_with("a tokenizer_config"));
    for start in ["(dp0\nVa\np1\nI1\ns.", "(lp1\nI1\na.", "ccopy_reg\n_reconstructor\n(c"] {
        assert!(what(start, Wanted::Words).expect("known").starts_with("a pickle of Python: "));
    }
    // These are left to the reader's own message; the last one is plain text.
    for (start, wanted) in [
        (r#"{"version": "1.0", "added_tokens": [], "model": {"weird": true}}"#, Wanted::Tokenizer),
        (r#"{"!": 0, "a": 1}"#, Wanted::Tokenizer),
        (r#"{"format": "tokenbed-model"}"#, Wanted::Own),
        ("the 0.1 0.2\nof 0.3 0.4\n", Wanted::Words),
        ("Call me Ishmael. Some years ago", Wanted::Safetensors),
        ("{\"text\": \"a line of JSON\"}\n", Wanted::Text),
        ("<p>a part of a page", Wanted::Text),
        ("", Wanted::Npy),
        ("\u{feff}2 1\na 1\n", Wanted::Words),
    ] {
        assert_eq!(what(start, wanted), None, "{start:?}");
    }
}

#[test]
fn no_valid_file_is_taken_for_another() {
    for (name, wanted) in [
        ("vectors/gensim.txt", Wanted::Words),
        ("vectors/gensim.bin", Wanted::Words),
        ("other-files/array.npy", Wanted::Npy),
        ("other-files/table.safetensors", Wanted::Safetensors),
        ("hf/llama.json", Wanted::Tokenizer),
        ("hf/unigram.json", Wanted::Tokenizer),
    ] {
        let start = std::fs::read(golden(name)).expect("it is there");
        assert_eq!(recognise(&start, wanted), None, "{name}");
    }
    // Headers of every length; the first bytes of a file are that number.
    for length in (0..70_000u64).chain([0x0004_9502_8064, 99_999_999]) {
        let start =
            [&length.to_le_bytes()[..], b"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"].concat();
        assert_eq!(recognise(&start, Wanted::Safetensors), None, "{length}");
    }
}

#[test]
fn any_bytes_are_read_within_bounds() {
    let mut random = tokenbed_testkit::random::Random::new(5);
    let starts: [&[u8]; 12] = [
        b"",
        b"\x80\x02",
        b"PK\x03\x04",
        b"\x0a",
        b"\x0a\x7f\x0a\x7f",
        b"<!doctype html",
        b"{",
        b"\xff\xfe",
        b"\x1f\x8b",
        b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff",
        b"\xef\xbb\xbf",
        b"<title>",
    ];
    for start in starts {
        for len in 0..300 {
            let rest: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
            let bytes = [start, &rest].concat();
            for wanted in
                [Wanted::Safetensors, Wanted::Npy, Wanted::Words, Wanted::Text, Wanted::Tokenizer, Wanted::Own]
            {
                // Bytes after those that are looked at change nothing.
                let long = [&bytes[..], &vec![b' '; LOOK]].concat();
                let longer = [&long[..], b"<html>"].concat();
                drop(recognise(&bytes, wanted));
                assert_eq!(recognise(&long[..LOOK], wanted), recognise(&longer, wanted));
            }
        }
    }
}

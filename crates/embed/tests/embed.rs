//! The vectors of texts: the same bits on every instruction set, in any batch and on any number of threads; the rules
//! of each library; parts that do not fit.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;
use tokenbed_core::Error;
use tokenbed_embed::{Element, EmbedError, Embedder, Form, Parts, Rows, Semantics};
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::rows::format::{RowFormat, RowTable};
use tokenbed_text::{TextError, Tokenizer};

const DIM: usize = 24;

fn tokenizer(model: &str) -> Tokenizer {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../testdata/golden/embed/{model}/tokenizer.json"));
    Tokenizer::from_json(model, &std::fs::read(path).unwrap()).unwrap()
}

/// Numbers that look random, of which many are not exact in sums.
fn numbers(count: usize) -> Vec<f32> {
    (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

fn texts() -> Vec<String> {
    let words = ["the", "whale", "[UNK]", "ꙮ", "captain", "Zürich", "was", "", "longer", "東京"];
    (0..3000).map(|i| (0..i % 37).map(|j| words[(i * 7 + j * j) % 10]).collect::<Vec<_>>().join(" ")).collect()
}

fn parts(semantics: Semantics, rows: usize) -> Parts {
    Parts { semantics, max_length: None, weights: None, mapping: None, rows }
}

struct Table(Vec<f32>);

impl Table {
    fn rows(&self) -> Rows<'_> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.0);
        Rows::Table(RowTable::new(RowFormat::Float32, bytes, self.0.len() / DIM, DIM).unwrap())
    }
}

const PLAIN: Form = Form { dim: DIM, normalize: false, element: Element::Float32 };

fn run(embedder: &Embedder, rows: Rows<'_>, texts: &[&str], form: Form, kernels: Kernels, threads: usize) -> Vec<u8> {
    let mut out = vec![0xa5; texts.len() * form.bytes().unwrap()];
    embedder.embed(kernels, rows, texts, form, (threads, None), &mut out).unwrap();
    out
}

#[test]
fn the_bits_do_not_depend_on_how_they_are_computed() {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tokenizer = tokenizer("m2v-f32");
    let size = tokenizer.vocab_size();
    let table = Table(numbers(size * DIM));
    let signed: Vec<i8> = (0..size * DIM).map(|i| (i * 37) as i8).collect();
    let weighted = Parts { weights: Some(numbers(size)), ..parts(Semantics::Model2Vec, size) };
    for parts in [parts(Semantics::SentenceTransformers, size), weighted] {
        let embedder = Embedder::new(tokenizer.clone(), parts).unwrap();
        for rows in [table.rows(), Rows::Signed { rows: &signed, dim: DIM }] {
            for element in [Element::Float32, Element::Float16, Element::Int8, Element::Binary] {
                let form = Form { dim: 16, normalize: true, element };
                let expected = run(&embedder, rows, &texts, form, dispatch::scalar(), 1);
                for kernels in dispatch::available() {
                    assert_eq!(run(&embedder, rows, &texts, form, kernels, 3), expected, "{element:?} {kernels:?}");
                }
                let bytes = form.bytes().unwrap();
                for i in [0, 1, 5, 36, 100, 2999] {
                    let one = run(&embedder, rows, &texts[i..=i], form, dispatch::active(), 1);
                    assert_eq!(one, expected[i * bytes..(i + 1) * bytes]);
                }
            }
        }
    }
}

#[test]
fn a_vector_is_the_mean_of_its_rows() {
    let tokenizer = tokenizer("m2v-words");
    let size = tokenizer.vocab_size();
    let table = Table((0..size * DIM).map(|i| (i / DIM) as f32).collect());
    let id = |word: &str| tokenizer.id_of(word.as_bytes()).unwrap() as f32;
    let first = |semantics, max_length, text: &str| {
        let embedder = Embedder::new(tokenizer.clone(), Parts { max_length, ..parts(semantics, size) }).unwrap();
        let out = run(&embedder, table.rows(), &[text], PLAIN, dispatch::active(), 1);
        bytemuck::pod_read_unaligned::<f32>(&out[..4])
    };
    let (the, whale, unknown) = (id("the"), id("whale"), id("[UNK]"));
    assert_eq!(first(Semantics::Mean, None, "the whale"), (the + whale) / 2.0);
    assert_eq!(first(Semantics::SentenceTransformers, None, "the ꙮ"), (the + unknown) / 2.0);
    assert_eq!(first(Semantics::Model2Vec, None, "the ꙮ whale"), (the + whale) / 2.0);
    // Cut first, or unknown tokens left out first.
    let (is, of) = (id("is"), id("of"));
    assert_eq!(first(Semantics::Model2Vec, Some(2), "is ꙮ of"), is);
    assert_eq!(first(Semantics::Model2Vec09, Some(2), "is ꙮ of"), (is + of) / 2.0);
    // Two tokens of the median length are eight characters.
    assert_eq!(first(Semantics::Model2Vec09, Some(2), "the ꙮ whale"), the);
    for semantics in [Semantics::Model2Vec, Semantics::Model2Vec09] {
        assert_eq!(first(semantics, None, "ꙮ ꙮ"), 0.0);
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let tokenizer = tokenizer("m2v-words");
    let size = tokenizer.vocab_size();
    let new = |parts| Embedder::new(tokenizer.clone(), parts).map(|_| ());
    assert!(matches!(new(parts(Semantics::Mean, size - 1)), Err(Error::Shape(_))));
    assert!(matches!(new(parts(Semantics::Mean, 0)), Err(Error::Shape(_))));
    assert!(new(parts(Semantics::WordLlama, size - 1)).is_ok());
    let short = Parts { weights: Some(vec![1.0]), ..parts(Semantics::Mean, size) };
    assert!(matches!(new(short), Err(Error::Shape(_))));
    let far = Parts { mapping: Some(vec![9; size]), ..parts(Semantics::Mean, 9) };
    assert!(matches!(new(far), Err(Error::TokenIndex { flat: 0, value: 9, rows: 9, .. })));

    let embedder = Embedder::new(tokenizer.clone(), parts(Semantics::Mean, size)).unwrap();
    let table = Table(numbers(size * DIM));
    let embed = |form, bytes: usize, go_on: bool| {
        let mut out = vec![0; bytes];
        let go_on = || go_on;
        embedder.embed(dispatch::active(), table.rows(), &["the"], form, (1, Some(&go_on)), &mut out)
    };
    assert!(matches!(embed(PLAIN, 4, true), Err(EmbedError::Core(Error::Shape(_)))));
    assert!(matches!(embed(PLAIN, DIM * 4, false), Err(EmbedError::Text(TextError::Stopped))));
    let wide = Form { dim: DIM + 8, ..PLAIN };
    assert!(matches!(embed(wide, (DIM + 8) * 4, true), Err(EmbedError::Core(Error::Shape(_)))));
    let bits = Form { dim: 9, element: Element::Binary, ..PLAIN };
    assert!(matches!(embed(bits, 1, true), Err(EmbedError::Core(Error::Shape(_)))));
    assert!(embed(PLAIN, DIM * 4, true).is_ok());
}

//! Measures how fast text becomes ids: the best of several runs over a file.
//!
//!     cargo run --release -p tokenbed-text --example encode_speed -- vocab/o200k_base.br <file> [runs]
//!
//! The vocabulary file, compressed or not, is named after the encoding.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use tokenbed_text::{Encoding, SpecialPolicy, Tokenizer};

/// The shortest time, because other work on the machine only adds to it.
fn best(runs: usize, mut work: impl FnMut()) -> Duration {
    let time = || {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    std::iter::repeat_with(time).take(runs).min().unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [vocabulary, file, rest @ ..] = arguments.as_slice() else {
        return Err("give a vocabulary and a text file".into());
    };
    let runs = rest.first().map_or(Ok(15), |runs| runs.parse())?;
    let mut ranks = std::fs::read(vocabulary)?;
    if vocabulary.ends_with(".br") {
        let packed = std::mem::take(&mut ranks);
        std::io::Read::read_to_end(&mut brotli_decompressor::Decompressor::new(&packed[..], 4096), &mut ranks)?;
    }
    let text = std::fs::read_to_string(file)?;
    let name = Path::new(vocabulary).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let encoding = Encoding::named(name)?;

    let load = best(runs, || drop(black_box(Tokenizer::new(encoding.clone(), &ranks))));
    let tokenizer = Tokenizer::new(encoding, &ranks)?;
    let policy = SpecialPolicy::default();
    let mut ids = Vec::new();
    tokenizer.encode(&text, &policy, &mut ids)?;
    let count = ids.len();
    let encode = best(runs, || {
        ids.clear();
        black_box(tokenizer.encode(&text, &policy, &mut ids)).ok();
    });
    let decode = best(runs, || drop(black_box(tokenizer.decode(&ids))));
    let speed = |time: Duration| text.len() as f64 / time.as_secs_f64() / 1e6;
    println!("{file}: {} bytes, {count} ids", text.len());
    println!(
        "load {:.2} ms, encode {:.1} MB/s, decode {:.1} MB/s",
        load.as_secs_f64() * 1e3,
        speed(encode),
        speed(decode)
    );
    Ok(())
}

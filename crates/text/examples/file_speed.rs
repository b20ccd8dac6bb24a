//! Measures how fast text becomes ids by a `tokenizer.json`: the best of several runs over a file, in processor time.
//!
//!     cargo run -p tokenbed-text --example file_speed -- <tokenizer.json> <text> [runs] [characters]
//!
//! The texts are the file's paragraphs, or pieces of so many characters.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;

use tokenbed_text::{SpecialPolicy, Tokenizer};

/// Processor time of this thread in seconds.
fn busy() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split_whitespace().next().and_then(|time| time.parse().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}

/// The shortest time in seconds, because other work on the machine only adds to it.
fn best(runs: usize, mut work: impl FnMut()) -> f64 {
    let time = || {
        let start = busy();
        work();
        busy() - start
    };
    std::iter::repeat_with(time).take(runs).fold(f64::MAX, f64::min)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [tokenizer, file, rest @ ..] = arguments.as_slice() else {
        return Err("give a tokenizer.json and a text file".into());
    };
    let runs = rest.first().map_or(Ok(15), |runs| runs.parse())?;
    let json = std::fs::read(tokenizer)?;
    let text = std::fs::read_to_string(file)?;
    let load = best(runs.min(3), || drop(black_box(Tokenizer::from_json(tokenizer, &json))));
    let tokenizer = Tokenizer::from_json(tokenizer, &json)?;
    let policy = SpecialPolicy::PLAIN;
    let length = rest.get(1).map(|length| length.parse::<usize>()).transpose()?;
    let characters: Vec<char> = text.chars().collect();
    let texts: Vec<String> = match length {
        Some(length) => characters.chunks(length.max(1)).map(|text| text.iter().collect()).collect(),
        None => text.split("\n\n").filter(|text| !text.is_empty()).map(str::to_owned).collect(),
    };
    let mut ids = Vec::new();
    let time = best(runs, || {
        ids.clear();
        for text in &texts {
            black_box(tokenizer.encode(text, &policy, &mut ids)).ok();
        }
    });
    let bytes: usize = texts.iter().map(String::len).sum();
    println!(
        "{}: {:?} {:?}: load {:.0} ms, {} texts, {} ids, {:.1} MB/s, {:.0} ns a text",
        file,
        tokenizer.engine(),
        tokenizer.engine_reason(),
        load * 1e3,
        texts.len(),
        ids.len(),
        bytes as f64 / time / 1e6,
        time * 1e9 / texts.len() as f64
    );
    Ok(())
}

//! Compares the two engines for a tokenizer's file on texts, one a line of JSON strings.
//!
//!     cargo run --release -p tokenbed-text --example file_engines -- tokenizer.json corpus.jsonl
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    reason = "example"
)]
use tokenbed_text::{Origin, SpecialPolicy, SpecialSet, Tokenizer};

/// Processor time of this thread in seconds.
fn worked() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

struct Instant(f64);
impl Instant {
    fn now() -> Self {
        Self(worked())
    }
    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64((worked() - self.0).max(1e-9))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (path, corpus) = (args.next().ok_or("a file")?, args.next().ok_or("a corpus")?);
    let strip = args.next().is_some_and(|it| it == "strip");
    let mut json = std::fs::read(&path)?;
    if strip {
        let mut file: serde_json::Value = serde_json::from_slice(&json)?;
        file["added_tokens"] = serde_json::json!([]);
        json = serde_json::to_vec_pretty(&file)?;
    }
    let origin = || Origin { name: path.clone(), path: path.clone(), ..Origin::default() };
    let mut best = f64::MAX;
    let mut native = None;
    for _ in 0..3 {
        drop(native.take());
        let begin = Instant::now();
        native = Some(Tokenizer::from_file(origin(), &json)?);
        best = best.min(begin.elapsed().as_secs_f64());
    }
    let native = native.ok_or("none")?;
    println!(
        "{path}: {:.1} MB, {:?}, {:?}, load {:.0} ms",
        json.len() as f64 / 1e6,
        native.engine(),
        native.engine_reason(),
        best * 1e3
    );
    let library = Tokenizer::by_library(origin(), &json)?;
    let policy = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };
    for line in std::fs::read_to_string(corpus)?.lines() {
        let block: serde_json::Value = serde_json::from_str(line)?;
        let part = block["part"].as_str().unwrap_or_default().to_owned();
        let texts: Vec<String> =
            block["texts"].as_array().ok_or("texts")?.iter().filter_map(|t| t.as_str().map(str::to_owned)).collect();
        let bytes: usize = texts.iter().map(String::len).sum();
        let mut ids = Vec::new();
        let mut best = f64::MAX;
        for _ in 0..3 {
            let begin = Instant::now();
            for text in &texts {
                ids.clear();
                native.encode(text, &policy, &mut ids).ok();
            }
            best = best.min(begin.elapsed().as_secs_f64());
        }
        let mut expected = Vec::new();
        let begin = Instant::now();
        let mut wrong = 0;
        let (mut spent, mut done) = (0.0, 0);
        for text in &texts {
            ids.clear();
            expected.clear();
            let begin = Instant::now();
            let a = library.encode(text, &policy, &mut expected);
            spent += begin.elapsed().as_secs_f64();
            let b = native.encode(text, &policy, &mut ids);
            if ids != expected || a.is_err() != b.is_err() {
                wrong += 1;
                if wrong < 3 {
                    let at = ids.iter().zip(&expected).take_while(|(a, b)| a == b).count();
                    println!(
                        "   differs at id {at}: {:?} {:?} | {:?} {:?} {a:?} {b:?} {:?}",
                        &ids[at..ids.len().min(at + 5)],
                        &expected[at..expected.len().min(at + 5)],
                        native.decode(&ids[at.saturating_sub(2)..ids.len().min(at + 5)]),
                        native.decode(&expected[at.saturating_sub(2)..expected.len().min(at + 5)]),
                        text.chars().take(60).collect::<String>()
                    );
                }
            }
            done += text.len();
            if begin.elapsed().as_secs_f64() > 2.0 {
                break;
            }
        }
        println!(
            "   {part}: {} texts, {bytes} bytes: native {:.1} MB/s, library {:.2} MB/s, wrong {wrong}",
            texts.len(),
            bytes as f64 / 1e6 / best,
            done as f64 / 1e6 / spent
        );
    }
    Ok(())
}

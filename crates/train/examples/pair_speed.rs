//! Measures skip-gram and CBOW over a text in words per second: `pair_speed TEXT [EPOCHS] [cbow]`.

#![allow(clippy::print_stdout, reason = "its purpose")]

use std::time::{Duration, Instant};
use tokenbed_train::Trainer;
use tokenbed_train::objective::RunOptions;
use tokenbed_train::pairs::{CbowOptions, Method, PairOptions, Pairs};
use tokenbed_train::words::WordCounter;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let text = std::fs::read_to_string(args.next().ok_or("which text?")?)?;
    let epochs = args.next().map_or(Ok(1), |said| said.parse())?;
    let cbow = args.next().is_some();
    let mut counter = WordCounter::default();
    counter.push(&text);
    let counted = counter.finish(5)?;
    println!("{} words of {}", counted.corpus.ids().len(), counted.words.len());
    for threads in (std::env::var("THREADS").unwrap_or_else(|_| "1".into())).split(',').map(|n| n.parse().unwrap_or(1))
    {
        tokenbed_threads::set_num_threads(threads)?;
        let options = PairOptions {
            run: RunOptions { vocab_size: 0, dim: 100, epochs, min_count: 5, seed: 1 },
            method: if cbow { Method::Cbow(CbowOptions { cbow_mean: true }) } else { Method::SkipGram },
            window: 5,
            shrink_windows: true,
            sample: 1e-3,
            negative: 5,
            ns_exponent: 0.75,
            alpha: 0.025,
            min_alpha: 1e-4,
        };
        let mut trainer = Trainer::new(Box::new(Pairs::new(options, counted.corpus.clone())?));
        let start = Instant::now();
        let report = trainer.run(Duration::from_secs(600), u64::MAX, &|| true)?;
        let speed = report.tokens as f64 / start.elapsed().as_secs_f64();
        let tables = trainer.tables()?;
        let sum: u64 = tables.iter().flat_map(|t| &t.values).map(|x| u64::from(x.to_bits())).sum();
        println!(
            "{threads} threads: {speed:.0} words/s, loss {:.4}, {} steps, bits {sum:x}",
            report.loss, report.progress.step
        );
    }
    Ok(())
}

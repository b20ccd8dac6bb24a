//! Small runs of every objective.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, reason = "each test uses some of it")]

use std::path::Path;
use std::time::Duration;
use tokenbed_core::Result;
use tokenbed_nn::optim::AdamWNumbers;
use tokenbed_train::classify::{Classify, ClassifyOptions};
use tokenbed_train::draws::Draws;
use tokenbed_train::examples::Examples;
use tokenbed_train::next_token::{NextToken, NextTokenOptions, SampleOptions, Softmax};
use tokenbed_train::objective::RunOptions;
use tokenbed_train::pairs::{CbowOptions, Method, PairOptions, Pairs};
use tokenbed_train::{Array, Corpus, Report, Trainer, checkpoint};

/// A text of `len` ids below `vocabulary` in sentences. Some ids are far more frequent than others.
pub fn corpus(len: usize, vocabulary: u32) -> Corpus {
    let ids = (0..len as u64).map(|i| {
        let mut draws = Draws::at(5, 0, i);
        draws.below(vocabulary).min(draws.below(vocabulary))
    });
    let ends: Vec<usize> = (0..len).step_by(37).collect();
    Corpus::new(ids.collect(), &ends, vocabulary as usize, 1).unwrap()
}

pub fn run(dim: usize, epochs: u64) -> RunOptions {
    RunOptions { vocab_size: 0, dim, epochs, min_count: 1, seed: 3 }
}

pub fn pairs(cbow: bool) -> PairOptions {
    PairOptions {
        run: run(20, 2),
        method: if cbow { Method::Cbow(CbowOptions { cbow_mean: true }) } else { Method::SkipGram },
        window: 3,
        shrink_windows: true,
        sample: 1e-2,
        negative: 4,
        ns_exponent: 0.75,
        alpha: 0.025,
        min_alpha: 1e-4,
    }
}

pub fn next_token(tied: bool, softmax: Softmax) -> NextTokenOptions {
    NextTokenOptions {
        run: run(12, 2),
        adamw: AdamWNumbers { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 },
        final_lr: 1e-3,
        context_length: 5,
        stride: 4,
        batch_size: 40,
        init_std: 0.1,
        tied,
        softmax,
    }
}

pub fn examples(vocabulary: u32) -> Examples {
    let mut examples = Examples::default();
    for i in 0..300 {
        let mut draws = Draws::at(6, 0, i);
        let class = draws.below(3);
        let len = 1 + draws.below(9);
        let ids: Vec<u32> = (0..len).map(|_| draws.below(vocabulary / 3) * 3 + class).collect();
        examples.push(ids.into_iter(), [class].into_iter());
    }
    examples
}

/// Makes the same trainer each time.
pub type Make = Box<dyn Fn() -> Trainer>;

/// A trainer of every objective, by name.
pub fn all() -> Vec<(&'static str, Make)> {
    let text = || corpus(3000, 300);
    let next = move |tied, softmax| Trainer::new(Box::new(NextToken::new(next_token(tied, softmax), text()).unwrap()));
    let sampled = Softmax::Sampled(SampleOptions { samples: 50, ns_exponent: 0.75 });
    let classify = ClassifyOptions { run: run(20, 5), lr: 0.5 };
    vec![
        ("skip-gram", Box::new(move || Trainer::new(Box::new(Pairs::new(pairs(false), text()).unwrap())))),
        ("cbow", Box::new(move || Trainer::new(Box::new(Pairs::new(pairs(true), text()).unwrap())))),
        ("classify", Box::new(move || Trainer::new(Box::new(Classify::new(classify, examples(90), 90, 3).unwrap())))),
        ("next-token", Box::new(move || next(false, Softmax::Full))),
        ("next-token tied", Box::new(move || next(true, Softmax::Full))),
        ("next-token sampled", Box::new(move || next(false, sampled))),
        ("next-token sampled tied", Box::new(move || next(true, sampled))),
    ]
}

/// Trains for this many steps.
pub fn train(trainer: &mut Trainer, steps: u64) -> Report {
    trainer.run(Duration::from_secs(600), steps, &|| true).unwrap()
}

/// All bits of all tables.
pub fn bits(tables: &[Array]) -> Vec<u32> {
    tables.iter().flat_map(|table| &table.values).map(|x| x.to_bits()).collect()
}

pub fn config(path: &Path) -> Result<String> {
    checkpoint::open(path)?.config()
}

pub fn restore(trainer: &mut Trainer, path: &Path) -> Result<()> {
    checkpoint::restore(trainer, &checkpoint::open(path)?)
}

//! What is learned equals what is known: a gradient in f64, planted neighbours, separable classes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{all, corpus, examples, next_token, pairs, train};
use tokenbed_train::draws::Draws;
use tokenbed_train::next_token::{NextToken, SampleOptions, Softmax};
use tokenbed_train::pairs::{CbowOptions, Method, PairOptions, Pairs};
use tokenbed_train::unigram::Unigram;
use tokenbed_train::{Array, Corpus, Trainer};

/// One step of AdamW on the next token in f64, as PyTorch defines both.
struct Naive {
    tables: Vec<Vec<Vec<f64>>>,
    m: Vec<Vec<Vec<f64>>>,
    v: Vec<Vec<Vec<f64>>>,
    t: i32,
}

impl Naive {
    fn step(&mut self, positions: &[(usize, usize, usize)], lr: f64, decay: f64) -> f64 {
        self.t += 1;
        let head = self.tables.len() - 1 - usize::from(self.tables.len() == 2);
        let head = if self.tables.len() == 2 { 0 } else { head };
        let mut g: Vec<Vec<Vec<f64>>> =
            self.tables.iter().map(|t| t.iter().map(|row| vec![0.0; row.len()]).collect()).collect();
        let share = 1.0 / positions.len() as f64;
        let mut loss = 0.0;
        for &(id, place, next) in positions {
            let h: Vec<f64> = self.tables[0][id].iter().zip(&self.tables[1][place]).map(|(a, b)| a + b).collect();
            let logits: Vec<f64> =
                self.tables[head].iter().map(|row| row.iter().zip(&h).map(|(a, b)| a * b).sum()).collect();
            let top = logits.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = logits.iter().map(|x| (x - top).exp()).sum();
            loss += sum.ln() + top - logits[next];
            for (j, x) in logits.iter().enumerate() {
                let by = ((x - top).exp() / sum - f64::from(u8::from(j == next))) * share;
                for (d, h) in h.iter().enumerate() {
                    let weight = self.tables[head][j][d];
                    g[head][j][d] += by * h;
                    g[0][id][d] += by * weight;
                    g[1][place][d] += by * weight;
                }
            }
        }
        let (bc1, bc2) = (1.0 - 0.9f64.powi(self.t), 1.0 - 0.999f64.powi(self.t));
        for (i, table) in self.tables.iter_mut().enumerate() {
            for (r, row) in table.iter_mut().enumerate() {
                for (d, x) in row.iter_mut().enumerate() {
                    let (g, m, v) = (g[i][r][d], &mut self.m[i][r][d], &mut self.v[i][r][d]);
                    *m = 0.9 * *m + 0.1 * g;
                    *v = 0.999 * *v + 0.001 * g * g;
                    *x = *x * (1.0 - lr * decay) - lr / bc1 * *m / (v.sqrt() / bc2.sqrt() + 1e-8);
                }
            }
        }
        loss
    }
}

fn rows(array: &Array) -> Vec<Vec<f64>> {
    array.values.chunks(array.shape[1]).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
}

#[test]
fn the_full_softmax_and_adamw_agree_with_f64() {
    for tied in [false, true] {
        let mut options = next_token(tied, Softmax::Full);
        // One batch holds all windows, so the batches are known without the order of an epoch.
        options.batch_size = 1000;
        options.final_lr = options.adamw.lr;
        options.run.epochs = 3;
        let text = corpus(400, 300);
        let windows = (400 - 5usize).div_ceil(4);
        let mut trainer = Trainer::new(Box::new(NextToken::new(options, text.clone()).unwrap()));
        let start: Vec<_> = trainer.tables().unwrap().iter().map(rows).collect();
        let zeros: Vec<Vec<Vec<f64>>> =
            start.iter().map(|t| t.iter().map(|row| vec![0.0; row.len()]).collect()).collect();
        let mut naive = Naive { tables: start, m: zeros.clone(), v: zeros, t: 0 };
        let positions: Vec<(usize, usize, usize)> = (0..windows)
            .flat_map(|w| (0..5).map(move |p| (w * 4 + p, p)))
            .map(|(at, place)| (text.ids()[at] as usize, place, text.ids()[at + 1] as usize))
            .collect();
        for _ in 0..3 {
            let report = train(&mut trainer, 1);
            let loss = naive.step(&positions, 1e-2, 0.01) / positions.len() as f64;
            assert!((report.loss - loss).abs() < 1e-5, "{} is not {loss}", report.loss);
        }
        // Adam divides gradients by their size, so rounding matters if one is near zero. Hence a small share may
        // differ.
        let (mut far, mut all) = (0, 0);
        for (ours, theirs) in trainer.tables().unwrap().iter().zip(&naive.tables) {
            for (a, b) in rows(ours).iter().flatten().zip(theirs.iter().flatten()) {
                all += 1;
                far += usize::from((a - b).abs() > 2e-5);
            }
        }
        assert!(far * 500 < all, "tied {tied}: {far} of {all} are off");
    }
}

#[test]
fn the_sampled_softmax_learns_what_the_full_one_does() {
    let learned = |softmax| {
        let mut options = next_token(false, softmax);
        (options.run.epochs, options.stride) = (60, 7);
        // Every id is followed by the next one.
        let ids: Vec<u32> = (0..3000).map(|i| i % 60).collect();
        let mut trainer =
            Trainer::new(Box::new(NextToken::new(options, Corpus::new(ids, &[], 60, 1).unwrap()).unwrap()));
        train(&mut trainer, u64::MAX);
        let tables: Vec<_> = trainer.tables().unwrap().iter().map(rows).collect();
        let best = |id: usize| {
            let h: Vec<f64> = tables[0][id].iter().zip(&tables[1][0]).map(|(a, b)| a + b).collect();
            let score = |row: &Vec<f64>| row.iter().zip(&h).map(|(a, b)| a * b).sum::<f64>();
            (0..60).max_by(|&a, &b| score(&tables[2][a]).total_cmp(&score(&tables[2][b]))).unwrap()
        };
        (0..60).filter(|&id| best(id) == (id + 1) % 60).count()
    };
    assert_eq!(learned(Softmax::Full), 60);
    assert_eq!(learned(Softmax::Sampled(SampleOptions { samples: 16, ns_exponent: 0.75 })), 60);
}

#[test]
fn a_vocabulary_of_a_few_words_does_not_diverge() {
    for words in [2, 5, 50] {
        let ids: Vec<u32> = (0..60_000u64).map(|i| Draws::at(1, 0, i).below(words)).collect();
        for cbow in [false, true] {
            let mut options = pairs(cbow);
            (options.sample, options.window, options.alpha, options.run.epochs) = (0.0, 5, 0.05, 4);
            let corpus = Corpus::new(ids.clone(), &[], words as usize, 1).unwrap();
            let mut trainer = Trainer::new(Box::new(Pairs::new(options, corpus).unwrap()));
            train(&mut trainer, u64::MAX);
            let largest =
                trainer.tables().unwrap().iter().flat_map(|t| t.values.clone()).fold(0.0, |a: f32, x| a.max(x.abs()));
            assert!(largest < 10.0, "{words} words, cbow {cbow}: {largest}");
        }
    }
}

/// Sentences about one of 20 topics, each of which has 5 names and 10 words that occur with it.
fn planted() -> Corpus {
    let (mut ids, mut ends) = (Vec::new(), Vec::new());
    for i in 0..12_000 {
        let mut draws = Draws::at(9, 0, i);
        let thing = draws.below(20);
        for _ in 0..3 {
            ids.push(100 + thing * 10 + draws.below(10));
        }
        ids.push(thing * 5 + draws.below(5));
        for _ in 0..3 {
            ids.push(100 + thing * 10 + draws.below(10));
        }
        ends.push(ids.len());
    }
    Corpus::new(ids, &ends, 300, 1).unwrap()
}

#[test]
fn names_of_the_same_topic_are_neighbours() {
    for cbow in [false, true] {
        let mut options = pairs(cbow);
        (options.sample, options.run.epochs, options.window) = (0.0, 5, 5);
        (options.alpha, options.run.dim) = (0.05, 32);
        let mut trainer = Trainer::new(Box::new(Pairs::new(options, planted()).unwrap()));
        train(&mut trainer, u64::MAX);
        let rows = rows(&trainer.tables().unwrap()[0]);
        let unit: Vec<Vec<f64>> = rows
            .iter()
            .map(|row| {
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                row.iter().map(|x| x / norm).collect()
            })
            .collect();
        let mut right = 0;
        for name in 0..100 {
            let score = |other: usize| unit[name].iter().zip(&unit[other]).map(|(a, b)| a * b).sum::<f64>();
            let mut others: Vec<usize> = (0..100).filter(|&other| other != name).collect();
            others.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
            right += others[..4].iter().filter(|&&other| other / 5 == name / 5).count();
        }
        assert!(right >= 392, "cbow {cbow}: {right} of 400 nearest names are of the same thing");
    }
}

#[test]
fn separable_classes_are_told_apart() {
    let (_, make) = all().into_iter().find(|(name, _)| *name == "classify").unwrap();
    let mut trainer = make();
    let first = train(&mut trainer, 1).loss;
    let mut last = first;
    while !trainer.progress().is_done() {
        last = train(&mut trainer, 1).loss;
    }
    assert!((first - 3f64.ln()).abs() < 0.1 && last < 0.8 * first, "{first} to {last}");
    let tables: Vec<_> = trainer.tables().unwrap().iter().map(rows).collect();
    let examples = examples(90);
    let mut from = 0;
    let mut right = 0;
    for (&end, &class) in examples.ends.iter().zip(&examples.classes) {
        let score = |class: usize| -> f64 {
            let ids = &examples.ids[from..end];
            ids.iter()
                .map(|&id| tables[0][id as usize].iter().zip(&tables[1][class]).map(|(a, b)| a * b).sum::<f64>())
                .sum()
        };
        right += u32::from((0..3).max_by(|&a, &b| score(a).total_cmp(&score(b))) == Some(class as usize));
        from = end;
    }
    assert!(right >= 295, "{right} of 300");
}

/// One step of word2vec over the centers `range` in f64: every change is computed from the tables before the step.
fn pairs_step(
    [input, output]: &mut [Vec<Vec<f64>>; 2],
    text: &[u32],
    range: std::ops::Range<usize>,
    options: &PairOptions,
    unigram: &Unigram,
    alpha: f64,
) {
    let before = [input.clone(), output.clone()];
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (is_cbow, takes_mean) = match options.method {
        Method::SkipGram => (false, true),
        Method::Cbow(CbowOptions { cbow_mean }) => (true, cbow_mean),
    };
    for center in range {
        let mut draws = Draws::at(options.run.seed, 0, center as u64);
        draws.bits();
        let reach = options.window - draws.below(options.window as u32) as usize;
        let window = center.saturating_sub(reach)..text.len().min(center + reach + 1);
        let neighbours: Vec<usize> = window.filter(|&i| i != center).map(|i| text[i] as usize).collect();
        let negatives: Vec<u32> = (0..options.negative).map(|_| unigram.id(draws.bits())).collect();
        let others = negatives.into_iter().filter(|&id| id != text[center]);
        let targets: Vec<(usize, f64)> =
            [(text[center] as usize, 1.0)].into_iter().chain(others.map(|id| (id as usize, 0.0))).collect();
        let groups: Vec<Vec<usize>> =
            if is_cbow { vec![neighbours] } else { neighbours.into_iter().map(|one| vec![one]).collect() };
        for group in groups {
            let share = 1.0 / group.len() as f64;
            let weight = if takes_mean { share } else { 1.0 };
            let hidden: Vec<f64> = (0..options.run.dim)
                .map(|x| group.iter().map(|&row| before[0][row][x]).sum::<f64>() * weight)
                .collect();
            for &(target, label) in &targets {
                let score: f64 = hidden.iter().zip(&before[1][target]).map(|(a, b)| a * b).sum();
                let by = (label - sigmoid(score)) * alpha;
                for x in 0..options.run.dim {
                    output[target][x] += by * hidden[x];
                    let change = by * before[1][target][x] * if takes_mean { 1.0 } else { share };
                    group.iter().for_each(|&row| input[row][x] += change);
                }
            }
        }
    }
}

#[test]
fn a_step_of_pairs_agrees_with_f64() {
    let text: Vec<u32> = corpus(3000, 200).ids().to_vec();
    for (cbow, cbow_mean) in [(false, true), (true, true), (true, false)] {
        let method = if cbow { Method::Cbow(CbowOptions { cbow_mean }) } else { Method::SkipGram };
        let options = PairOptions { sample: 0.0, alpha: 0.1, method, ..pairs(cbow) };
        let corpus = Corpus::new(text.clone(), &[text.len()], 200, 1).unwrap();
        let unigram = Unigram::new(corpus.counts(), options.ns_exponent).unwrap();
        let mut trainer = Trainer::new(Box::new(Pairs::new(options, corpus).unwrap()));
        // Trains until scores differ from 0.
        train(&mut trainer, 20);
        for _ in 0..3 {
            let before = trainer.progress();
            let mut expected = [0, 1].map(|i| rows(&trainer.tables().unwrap()[i]));
            let after = train(&mut trainer, 1).progress;
            let centers = before.tokens as usize..after.tokens as usize;
            let start = expected.clone();
            pairs_step(&mut expected, &text, centers, &options, &unigram, before.lr);
            for (i, table) in trainer.tables().unwrap().iter().enumerate() {
                let (mut moved, mut off) = (0.0f64, 0.0f64);
                for ((start, expected), found) in start[i].iter().zip(&expected[i]).zip(rows(table)) {
                    for x in 0..options.run.dim {
                        moved = moved.max((expected[x] - start[x]).abs());
                        off = off.max((expected[x] - found[x]).abs());
                    }
                }
                // The logistic function comes from a table of 1024 entries, hence the tolerance.
                assert!(moved > 1e-3 && off < 0.01 * moved, "cbow {cbow}, table {i}: off by {off} of {moved}");
            }
        }
    }
}

#[test]
fn the_rate_of_pairs_falls_by_sentences() {
    // One long sentence, then nine short ones: the rate falls as much over the first as over each other, as in gensim.
    let ids: Vec<u32> = (0..590).map(|i| i % 40).collect();
    let ends: Vec<usize> = (0..10).map(|i| 500 + 10 * i).collect();
    let corpus = Corpus::new(ids, &ends, 40, 1).unwrap();
    let options = PairOptions { sample: 0.0, ..pairs(false) };
    let at = |sentences: f64| options.alpha - (options.alpha - options.min_alpha) * sentences / 20.0;
    let mut trainer = Trainer::new(Box::new(Pairs::new(options, corpus).unwrap()));
    let mut seen = 0;
    loop {
        let progress = train(&mut trainer, 1).progress;
        let epoch = if progress.tokens < 590 { 0.0 } else { 10.0 };
        let place = (progress.tokens % 590) as f64;
        let sentences = epoch + if place <= 500.0 { place / 500.0 } else { 1.0 + (place - 500.0) / 10.0 };
        let expected = if progress.is_done() { options.min_alpha } else { at(sentences) };
        assert!(
            (progress.lr - expected).abs() < 1e-12,
            "{} at {} tokens, not {expected}",
            progress.lr,
            progress.tokens
        );
        seen += 1;
        if progress.is_done() {
            break;
        }
    }
    assert!(seen > 20);
}

//! A classifier of bags: the mean of the vectors of an example's ids, and a softmax over classes. It is fastText's
//! supervised mode without n-grams (Joulin et al. 2016).
//!
//! Examples are learned in sequence, on one thread: with few classes each example changes every class, so batches would
//! be a different method.

use crate::corpus::{Evaluation, HeldOut, fingerprint};
use crate::draws::Draws;
use crate::examples::{Examples, part};
use crate::model::{Array, MOST_STEPS, Model, Progress, Step};
use crate::objective::RunOptions;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ops::products::row_dots::Picked;
use tokenbed_kernels::ops::products::row_mix::Coefficients;
use tokenbed_memory::{Gather, Slice, zeroed};
use tokenbed_nn::options::NOT_NEGATIVE;
use tokenbed_rng::{Generator, randperm};

tokenbed_nn::options! {
    /// A class for each text, from the mean of its tokens' vectors: fastText's supervised mode without n-grams. Special
    /// tokens of a tokenizer are plain text here.
    pub struct ClassifyOptions {
        .. run: RunOptions,
        /// The first learning rate; the last is 0.
        pub lr: f64 [NOT_NEGATIVE] = 0.1,
    }
}

/// A table of ids and a table of classes.
#[derive(Debug)]
pub struct Classify {
    kernels: Kernels,
    options: ClassifyOptions,
    examples: Examples,
    sizes: [usize; 2],
    stride: usize,
    /// Both tables, rows padded to whole blocks of 16.
    input: Vec<f32>,
    output: Vec<f32>,
    /// The numbers of all classes, as the kernels need them.
    all: Vec<u32>,
    order: Vec<u32>,
    epoch: u64,
    next: usize,
    /// Ids learned from in this epoch.
    tokens: u64,
    steps: u64,
}

/// The number of examples in a step.
const EXAMPLES: usize = 64;

impl Classify {
    /// Makes tables for ids below `vocabulary` and classes below `classes`. The ids' table is drawn uniformly within
    /// `1 / dim`; the classes' table is zero.
    ///
    /// # Errors
    /// [`Error::Usage`] for invalid options or sizes, or without examples; [`Error::TokenIndex`] for an id or a class
    /// out of range.
    pub fn new(options: ClassifyOptions, examples: Examples, vocabulary: usize, classes: usize) -> Result<Self> {
        if options.run.dim == 0 || options.run.epochs == 0 {
            return Err(Error::Usage("dim and epochs must be at least 1".into()));
        }
        if examples.ends.is_empty() {
            return Err(Error::Usage("the corpus is empty: it has no examples to learn from".into()));
        }
        if classes < 2 {
            return Err(Error::Usage(format!("a classifier needs at least two classes, not {classes}")));
        }
        for (ids, rows) in [(&examples.ids, vocabulary), (&examples.classes, classes)] {
            let bad = |&id: &u32| id as usize >= rows;
            if let Some(flat) = ids.iter().position(bad) {
                let count = ids.iter().copied().filter(|id| bad(id)).count();
                return Err(Error::TokenIndex { flat, value: ids[flat].into(), rows, count });
            }
        }
        let stride = options.run.dim.next_multiple_of(16);
        let mut input = zeroed(vocabulary * stride);
        let mut generator = Generator::new(options.run.seed);
        let reach = 1.0 / options.run.dim as f64;
        for row in input.chunks_exact_mut(stride) {
            tokenbed_rng::uniform(&mut generator, &mut row[..options.run.dim], -reach, reach)
                .map_err(|error| Error::Usage(error.to_string()))?;
        }
        let mut new = Self {
            kernels: dispatch::active(),
            options,
            sizes: [vocabulary, classes],
            stride,
            input,
            output: zeroed(classes * stride),
            all: (0..classes as u32).into_list(),
            order: Vec::new(),
            epoch: 0,
            next: 0,
            tokens: 0,
            steps: 0,
            examples,
        };
        new.shuffle()?;
        Ok(new)
    }

    /// Shuffles the examples into the order of this epoch.
    fn shuffle(&mut self) -> Result<()> {
        let seed = Draws::at(self.options.run.seed, self.epoch, u64::MAX).bits();
        let order = randperm(&mut Generator::new(seed), self.examples.ends.len());
        self.order = order.map_err(|error| Error::Usage(error.to_string()))?;
        Ok(())
    }

    fn total(&self) -> u64 {
        self.options.run.epochs * self.examples.ids.len() as u64
    }

    fn done(&self) -> u64 {
        self.epoch * self.examples.ids.len() as u64 + self.tokens
    }

    fn lr(&self) -> f64 {
        self.options.lr * (1.0 - self.done() as f64 / self.total() as f64)
    }

    /// Learns from an example and returns its loss. `scratch` has room for scores, and for two rows.
    fn learn(&mut self, example: usize, scores: &mut [f32], [hidden, change]: [&mut [f32]; 2]) -> f64 {
        let (kernels, stride, lr) = (self.kernels, self.stride, self.lr() as f32);
        let ids = part(&self.examples.ids, &self.examples.ends, example);
        let classes = part(&self.examples.classes, &self.examples.class_ends, example);
        let mut draws = Draws::at(self.options.run.seed, self.epoch, example as u64);
        // As in fastText, an example with several classes learns one of them at a time.
        let class = classes[draws.below(classes.len() as u32) as usize] as usize;
        let share = [1.0 / ids.len() as f32];
        let same = Coefficients { values: &share, across: 0, down: 0 };
        kernels.row_mix(same, Picked { table: &self.input, rows: ids }, stride, hidden);
        let alone = Picked { table: hidden, rows: &[0] };
        let outputs = Picked { table: &self.output, rows: &self.all };
        let classes = self.all.len();
        kernels.row_dots(alone, outputs, stride, &mut scores[..classes]);
        let score = scores[class];
        scores[classes..].fill(f32::NEG_INFINITY);
        let width = scores.len();
        let mut most_and_sum = [0.0; 2];
        kernels.exp_rows(scores, width, &mut most_and_sum);
        let [most, sum] = most_and_sum;
        let loss = f64::from(sum).ln() + f64::from(most) - f64::from(score);
        for (i, score) in scores[..classes].iter_mut().enumerate() {
            *score = lr * (if i == class { 1.0 } else { 0.0 } - *score / sum);
        }
        let by = Coefficients { values: scores, across: 1, down: 1 };
        kernels.row_mix(by, outputs, stride, change);
        for (row, by) in self.output.chunks_exact_mut(stride).zip(&*scores) {
            row.iter_mut().zip(&*hidden).for_each(|(x, h)| *x += by * h);
        }
        for &id in ids {
            let row = &mut self.input[id as usize * stride..][..stride];
            row.iter_mut().zip(&*change).for_each(|(x, c)| *x += share[0] * c);
        }
        self.tokens += ids.len() as u64;
        loss
    }

    /// The softmax' logarithm at each class for a text, before its largest and its sum are taken off: the scores, and
    /// what to take off.
    fn scores(&self, ids: &[u32], scores: &mut [f32], hidden: &mut [f32]) -> f64 {
        let (kernels, stride) = (self.kernels, self.stride);
        let share = [1.0 / ids.len() as f32];
        let same = Coefficients { values: &share, across: 0, down: 0 };
        kernels.row_mix(same, Picked { table: &self.input, rows: ids }, stride, hidden);
        let outputs = Picked { table: &self.output, rows: &self.all };
        kernels.row_dots(Picked { table: hidden, rows: &[0] }, outputs, stride, &mut scores[..self.all.len()]);
        scores[self.all.len()..].fill(f32::NEG_INFINITY);
        let mut exponentials = scores.to_list();
        let (width, mut most_and_sum) = (scores.len(), [0.0; 2]);
        kernels.exp_rows(&mut exponentials, width, &mut most_and_sum);
        let [most, sum] = most_and_sum;
        f64::from(sum).ln() + f64::from(most)
    }

    fn dense(&self, padded: &[f32]) -> Vec<f32> {
        padded.chunks_exact(self.stride).flat_map(|row| &row[..self.options.run.dim]).copied().into_list()
    }
}

impl Model for Classify {
    fn step(&mut self) -> Result<Step> {
        let mut scores = zeroed(self.all.len().next_multiple_of(16));
        let (mut hidden, mut change) = (zeroed(self.stride), zeroed(self.stride));
        let (before, mut loss) = (self.done(), 0.0);
        let examples = self.order[self.next..].iter().take(EXAMPLES).copied().into_list();
        for &example in &examples {
            loss += self.learn(example as usize, &mut scores, [&mut hidden, &mut change]);
        }
        let tokens = self.done() - before;
        self.next += examples.len();
        self.steps += 1;
        if self.next == self.order.len() {
            (self.epoch, self.next, self.tokens) = (self.epoch + 1, 0, 0);
            self.shuffle()?;
        }
        Ok(Step { tokens, loss, losses: examples.len() as u64 })
    }

    /// The mean loss over the classes of each text, and how many have a class of theirs as the most probable.
    fn evaluate(&mut self, held: &HeldOut, go_on: &dyn Fn() -> bool) -> Result<Evaluation> {
        let HeldOut::Examples(examples) = held else {
            return Err(Error::Usage("a classifier is evaluated over texts with their classes".into()));
        };
        let [vocabulary, classes] = self.sizes;
        let bad = |ids: &[u32], rows: usize| ids.iter().any(|&id| id as usize >= rows);
        if bad(&examples.ids, vocabulary) || bad(&examples.classes, classes) {
            return Err(Error::Shape("the held-out texts have tokens or classes that the tables lack".into()));
        }
        let mut scores = zeroed(self.all.len().next_multiple_of(16));
        let mut hidden = zeroed(self.stride);
        let mut found = Evaluation::default();
        for example in 0..examples.ends.len() {
            if example.is_multiple_of(EXAMPLES) && !go_on() {
                break;
            }
            let off = self.scores(part(&examples.ids, &examples.ends, example), &mut scores, &mut hidden);
            let its = part(&examples.classes, &examples.class_ends, example);
            let sum: f64 = its.iter().map(|&class| off - f64::from(scores[class as usize])).sum();
            let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            found.loss += sum / its.len() as f64;
            found.losses += 1;
            found.right += u64::from(its.iter().any(|&class| scores[class as usize] == best));
        }
        Ok(found)
    }

    fn progress(&self) -> Progress {
        Progress { step: self.steps, epoch: self.epoch, tokens: self.done(), total: self.total(), lr: self.lr() }
    }

    fn tables(&mut self) -> Vec<Array> {
        let ([vocabulary, classes], dim) = (self.sizes, self.options.run.dim);
        let input = Array { name: "input", shape: [vocabulary, dim], values: self.dense(&self.input) };
        Vec::from([input, Array { name: "output", shape: [classes, dim], values: self.dense(&self.output) }])
    }

    fn counters(&self) -> Vec<u64> {
        Vec::from([self.epoch, self.next as u64, self.tokens, self.steps])
    }

    fn has_place(&self, counters: &[u64]) -> bool {
        let &[epoch, next, tokens, steps] = counters else { return false };
        let ids = self.examples.ids.len() as u64;
        epoch <= self.options.run.epochs && next < self.order.len() as u64 && tokens <= ids && steps < MOST_STEPS
    }

    fn restore(&mut self, arrays: &[&[f32]], counters: &[u64]) {
        let ([input, output], [epoch, next, tokens, steps]) = (arrays, counters) else { return };
        for (to, from) in [(&mut self.input, input), (&mut self.output, output)] {
            let rows = to.chunks_exact_mut(self.stride).zip(from.chunks_exact(self.options.run.dim));
            rows.for_each(|(row, values)| row[..values.len()].copy_from_slice(values));
        }
        (self.epoch, self.next, self.tokens, self.steps) = (*epoch, *next as usize, *tokens, *steps);
        // This cannot fail: the same number of examples was shuffled before.
        let _ = self.shuffle();
    }

    fn fingerprint(&self) -> u64 {
        let Examples { ids, ends, classes, class_ends } = &self.examples;
        let numbers = ids.iter().chain(classes).map(|&id| u64::from(id));
        fingerprint(numbers.chain(ends.iter().chain(class_ends).map(|&end| end as u64)))
    }
}

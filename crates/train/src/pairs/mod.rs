//! Skip-gram and CBOW with negative sampling (Mikolov et al. 2013), with gensim's names and defaults.
//!
//! A batch of centers is computed with the tables as they are, on all threads. Then the changes are added, each row's
//! in the order of the text, so the bits are those of one thread. Batches are short enough that even the most frequent
//! row changes only a few times per batch. The negative samples of a center are drawn once and shared by its window (Ji
//! et al. 2016), so that the products are of several rows by several rows.

mod batch;
mod rows;

use crate::corpus::{Corpus, Evaluation, HeldOut, LONGEST, fingerprint};
use crate::draws::Draws;
use crate::model::{Array, MOST_STEPS, Model, Progress, Step};
use crate::objective::RunOptions;
use crate::sigmoid::Sigmoid;
use crate::unigram::Unigram;
use batch::{Batch, Center, Reader};
use rows::Rows;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ops::products::row_dots::Picked;
use tokenbed_kernels::ops::products::row_mix::Coefficients;
use tokenbed_memory::{Gather, List, filled, zeroed};
use tokenbed_nn::options::{ANY_NUMBER, FLAG, Field, NOT_NEGATIVE, Options, Values, size};
use tokenbed_rng::Generator;
use tokenbed_threads::parallel_rows;

tokenbed_nn::options! {
    /// Vectors from neighbours, by negative sampling: gensim's names and defaults.
    pub struct PairOptions {
        .. run: RunOptions,
        .. method: Method,
        /// The most tokens that count as neighbours, on each side.
        pub window: usize [size(1, LONGEST as u64)] = 5.0,
        /// Whether each center has a window of its own, from 1 to `window`.
        pub shrink_windows: bool [FLAG] = true,
        /// Tokens that make up more of the corpus than this are left out at times; 0 for never.
        pub sample: f64 [NOT_NEGATIVE] = 0.001,
        /// Tokens that are no neighbours, for each center. They are shared by its window.
        pub negative: usize [size(1, 1 << 16)] = 5.0,
        /// Samples are drawn by frequency to this power.
        pub ns_exponent: f64 [ANY_NUMBER] = 0.75,
        /// The first learning rate.
        pub alpha: f64 [NOT_NEGATIVE] = 0.025,
        /// The last learning rate. From the first to it the rate falls evenly from sentence to sentence, however long
        /// they are.
        pub min_alpha: f64 [NOT_NEGATIVE] = 0.0001,
    }
}

tokenbed_nn::options! {
    /// What CBOW has beside that.
    pub struct CbowOptions {
        /// Whether the mean of the neighbours is taken, not their sum.
        pub cbow_mean: bool [FLAG] = true,
    }
}

/// What predicts a center word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Each of its neighbours, separately.
    SkipGram,
    /// The sum or mean of its neighbours.
    Cbow(CbowOptions),
}

impl Method {
    fn is_cbow(self) -> bool {
        matches!(self, Method::Cbow(_))
    }

    fn takes_mean(self) -> bool {
        matches!(self, Method::Cbow(CbowOptions { cbow_mean: true }))
    }
}

impl Options for Method {
    const ABOUT: &'static str = CbowOptions::ABOUT;

    /// Methods share no options of their own.
    fn fields() -> Vec<Field> {
        Vec::new()
    }

    fn read(values: &dyn Values) -> Result<Self> {
        match values.word("objective").as_deref() {
            Some("cbow") => Ok(Method::Cbow(CbowOptions::read(values)?)),
            _ => Ok(Method::SkipGram),
        }
    }
}

/// Two tables: words as neighbours (the result), and words as centers.
#[derive(Debug)]
pub struct Pairs {
    options: PairOptions,
    corpus: Corpus,
    fingerprint: u64,
    unigram: Unigram,
    sigmoid: Sigmoid,
    rows: Rows,
    reader: Reader,
    batch: Batch,
    /// The maximal number of centers in a batch.
    longest: usize,
    works: Vec<Work>,
    /// How much of each change a row takes, by its place; without them all of it.
    factors: Option<Vec<f32>>,
    steps: u64,
}

/// Centers that one thread computes in sequence. Their changes are grouped by the part of the rows that they change, so
/// that the thread that changes a part reads nothing else.
const CENTERS: usize = 8;

/// The changes that some centers cause: the rows, and what is added to them.
#[derive(Debug, Default)]
struct Work {
    /// For each part of the rows, the changes to it in the order of the text.
    entries: Vec<Vec<Entry>>,
    /// The changes as rows, of which the first `taken` are in use.
    changes: Vec<f32>,
    taken: usize,
    loss: f64,
    losses: u64,
    scratch: Scratch,
}

/// A change to a row.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The place of the row.
    place: u32,
    /// The index of the change.
    change: u32,
}

/// Buffers for computing one center.
#[derive(Debug, Default)]
struct Scratch {
    /// The places of its neighbours' rows.
    inputs: Vec<u32>,
    /// The places of its own row and of those of the negative samples.
    outputs: Vec<u32>,
    scores: Vec<f32>,
    /// The sum of the neighbours, for CBOW.
    hidden: Vec<f32>,
}

/// What all centers of a batch share.
struct Shared<'a> {
    kernels: Kernels,
    options: &'a PairOptions,
    unigram: &'a Unigram,
    sigmoid: &'a Sigmoid,
    layout: rows::Layout,
    values: &'a [f32],
    words: &'a [u32],
    alpha: f32,
}

impl Pairs {
    /// Makes tables over a corpus. As in gensim, the neighbours' table is drawn uniformly within `1 / dim`, and the
    /// centers' table is zero.
    ///
    /// # Errors
    /// [`Error::Usage`] for invalid options; [`Error::Memory`] if memory runs out.
    pub fn new(options: PairOptions, corpus: Corpus) -> Result<Self> {
        let PairOptions { run: RunOptions { dim, epochs, seed, .. }, window, negative, .. } = options;
        if dim == 0 || window == 0 || negative == 0 || epochs == 0 {
            return Err(Error::Usage("dim, window, negative and epochs must be at least 1".into()));
        }
        let vocabulary = corpus.counts().len();
        let unigram = Unigram::new(corpus.totals(), options.ns_exponent)?;
        let reader = Reader::new(&corpus, &options);
        let longest = batch::longest(&corpus, &unigram, &options);
        let mut rows = Rows::new(vocabulary, dim)?;
        let mut generator = Generator::new(seed);
        let mut row = zeroed(dim);
        for word in 0..vocabulary {
            let reach = 1.0 / dim as f64;
            tokenbed_rng::uniform(&mut generator, &mut row, -reach, reach)
                .map_err(|error| Error::Usage(error.to_string()))?;
            rows.set(word, &row);
        }
        let (stride, most) = (rows.layout().stride, 2 * window + 1 + negative);
        let work = || Work {
            entries: filled(Vec::new(), rows.layout().parts()),
            changes: zeroed(CENTERS * most * stride),
            scratch: Scratch { hidden: zeroed(stride), ..Scratch::default() },
            ..Work::default()
        };
        let works = std::iter::repeat_with(work).take(longest.div_ceil(CENTERS)).into_list();
        let fingerprint = corpus.fingerprint();
        let sigmoid = Sigmoid::new();
        Ok(Self {
            options,
            corpus,
            fingerprint,
            unigram,
            sigmoid,
            rows,
            reader,
            batch: Batch::default(),
            longest,
            works,
            factors: None,
            steps: 0,
        })
    }

    fn total(&self) -> u64 {
        self.options.run.epochs * self.corpus.ids().len() as u64
    }

    /// The number of tokens of the text that were read.
    fn done(&self) -> u64 {
        self.reader.done(self.corpus.ids().len())
    }

    /// The learning rate. It falls from sentence to sentence, whatever their lengths, as in gensim.
    fn alpha(&self) -> f64 {
        let PairOptions { run: RunOptions { epochs, .. }, alpha, min_alpha, .. } = self.options;
        alpha
            - (alpha - min_alpha) * self.reader.sentences(&self.corpus)
                / (epochs * self.corpus.sentences() as u64) as f64
    }
}

impl Model for Pairs {
    fn step(&mut self) -> Result<Step> {
        let (before, alpha) = (self.done(), self.alpha() as f32);
        self.reader.fill(&self.corpus, &self.options, self.longest, &mut self.batch);
        let layout = self.rows.layout();
        let shared = Shared {
            kernels: dispatch::active(),
            options: &self.options,
            unigram: &self.unigram,
            sigmoid: &self.sigmoid,
            layout,
            values: self.rows.all(),
            words: &self.batch.words,
            alpha,
        };
        let centers = &self.batch.centers;
        let works = &mut self.works[..centers.len().div_ceil(CENTERS)];
        parallel_rows(works, 1, crate::table::WORTH, |range, works| {
            for (centers, work) in centers.chunks(CENTERS).skip(range.start).zip(works) {
                work.clear();
                centers.iter().for_each(|center| shared.center(*center, work));
            }
        });
        let works = &self.works[..centers.len().div_ceil(CENTERS)];
        let factors = self.factors.as_deref();
        self.rows.in_parts(|number, part| {
            for Work { entries, changes, .. } in works {
                for &Entry { place, change } in &entries[number] {
                    let change = &changes[change as usize * layout.stride..][..layout.stride];
                    match factors {
                        None => part.add(place, change),
                        Some(factors) => part.add_some(place, factors[place as usize], change),
                    }
                }
            }
        });
        self.steps += 1;
        let tokens = self.done() - before;
        let loss = works.iter().map(|work| work.loss).sum();
        Ok(Step { tokens, loss, losses: works.iter().map(|work| work.losses).sum() })
    }

    /// The loss of every word and its neighbours, with samples that are the same each time.
    fn evaluate(&mut self, held: &HeldOut, go_on: &dyn Fn() -> bool) -> Result<Evaluation> {
        let HeldOut::Text(text) = held else {
            return Err(Error::Usage("texts with classes can be held out of a classifier alone".into()));
        };
        if text.counts().len() > self.corpus.counts().len() {
            return Err(Error::Shape("the held-out text has more words than the tables".into()));
        }
        let mut options = self.options;
        (options.run.epochs, options.sample) = (1, 0.0);
        let (mut reader, mut batch) = (Reader::new(text, &options), Batch::default());
        let mut found = Evaluation::default();
        while go_on() {
            reader.fill(text, &options, self.longest, &mut batch);
            if batch.centers.is_empty() {
                break;
            }
            let shared = Shared {
                kernels: dispatch::active(),
                options: &options,
                unigram: &self.unigram,
                sigmoid: &self.sigmoid,
                layout: self.rows.layout(),
                values: self.rows.all(),
                words: &batch.words,
                alpha: 0.0,
            };
            let works = &mut self.works[..batch.centers.len().div_ceil(CENTERS)];
            parallel_rows(works, 1, crate::table::WORTH, |range, works| {
                for (centers, work) in batch.centers.chunks(CENTERS).skip(range.start).zip(works) {
                    work.clear();
                    centers.iter().for_each(|center| shared.center(*center, work));
                }
            });
            found.loss += works.iter().map(|work| work.loss).sum::<f64>();
            found.losses += works.iter().map(|work| work.losses).sum::<u64>();
        }
        Ok(found)
    }

    fn begin(&mut self, table: &str, rows: &[u32], values: &[f32]) -> Result<()> {
        let (vocabulary, dim) = (self.corpus.counts().len(), self.options.run.dim);
        let first = if table == "output" { vocabulary } else { 0 };
        let is_whole = rows.len().checked_mul(dim) == Some(values.len());
        if !is_whole || rows.iter().any(|&row| row as usize >= vocabulary) {
            return Err(Error::Shape(format!(
                "{} numbers are not rows of a table of {vocabulary} x {dim}",
                values.len()
            )));
        }
        let each = rows.iter().zip(values.chunks_exact(dim));
        each.for_each(|(&row, values)| self.rows.set(first + row as usize, values));
        Ok(())
    }

    fn lock(&mut self, factors: &[f32]) -> Result<()> {
        let vocabulary = self.corpus.counts().len();
        if factors.len() != vocabulary {
            return Err(Error::Shape(format!("there are {} factors for {vocabulary} rows", factors.len())));
        }
        let layout = self.rows.layout();
        let mut by_place = filled(1.0, self.rows.all().len() / layout.stride);
        (0..).zip(factors).for_each(|(row, &factor)| by_place[layout.place(row) as usize] = factor);
        self.factors = Some(by_place);
        // Another run that locks other rows cannot go on from its checkpoint.
        self.fingerprint =
            fingerprint([self.fingerprint].into_iter().chain(factors.iter().map(|x| u64::from(x.to_bits()))));
        Ok(())
    }

    fn progress(&self) -> Progress {
        let (step, tokens, total) = (self.steps, self.done(), self.total());
        Progress { step, epoch: tokens / self.corpus.ids().len() as u64, tokens, total, lr: self.alpha() }
    }

    fn tables(&mut self) -> Vec<Array> {
        let (vocabulary, dim) = (self.corpus.counts().len(), self.options.run.dim);
        let shape = [vocabulary, dim];
        let input = Array { name: "input", shape, values: self.rows.dense(0..vocabulary) };
        let output = Array { name: "output", shape, values: self.rows.dense(vocabulary..2 * vocabulary) };
        Vec::from([input, output])
    }

    fn counters(&self) -> Vec<u64> {
        self.reader.place().into_iter().chain([self.steps]).into_list()
    }

    fn has_place(&self, counters: &[u64]) -> bool {
        let &[epoch, sentence, _, steps] = counters else { return false };
        epoch <= self.options.run.epochs && sentence < self.corpus.sentences() as u64 && steps < MOST_STEPS
    }

    fn restore(&mut self, arrays: &[&[f32]], counters: &[u64]) {
        let [input, output] = arrays else { return };
        let [place @ .., steps] = counters else { return };
        let dim = self.options.run.dim;
        input
            .chunks_exact(dim)
            .chain(output.chunks_exact(dim))
            .enumerate()
            .for_each(|(row, values)| self.rows.set(row, values));
        self.reader.go_to(&self.corpus, &self.options, place);
        self.steps = *steps;
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl Work {
    fn clear(&mut self) {
        self.entries.iter_mut().for_each(Vec::clear);
        (self.taken, self.loss, self.losses) = (0, 0.0, 0);
    }
}

impl Shared<'_> {
    /// Computes one center.
    fn center(&self, center: Center, work: &mut Work) {
        let (options, layout) = (self.options, self.layout);
        let mut draws = Draws::at(options.run.seed, center.epoch, center.place);
        // The first bits decided whether the word is left out.
        let _ = draws.bits();
        let window = options.window as u32;
        let reach = if options.shrink_windows { window - draws.below(window) } else { window };
        let from = center.from.max(center.at.saturating_sub(reach));
        let to = center.to.min(center.at + reach + 1);
        let words = &self.words[from as usize..to as usize];
        if words.len() == 1 {
            return;
        }
        let Work { entries, changes, taken, scratch, .. } = work;
        let Scratch { inputs, outputs, .. } = &mut *scratch;
        // Adds the change with this number to the row's entries. Returns the place of the row.
        let mut changes_by = |row: u32, change: usize| {
            let place = layout.place(row);
            entries[layout.part(row)].put(Entry { place, change: (*taken + change) as u32 });
            place
        };
        let own = (center.at - from) as usize;
        let (word, neighbours) = (words[own], words[..own].iter().chain(&words[own + 1..]));
        inputs.clear();
        let is_cbow = options.method.is_cbow();
        inputs.put_all(neighbours.enumerate().map(|(i, &word)| changes_by(word, if is_cbow { 0 } else { i })));
        let input_changes = if is_cbow { 1 } else { inputs.len() };
        outputs.clear();
        let mut output = |word: u32| outputs.put(changes_by(layout.rows / 2 + word, input_changes + outputs.len()));
        output(word);
        for _ in 0..options.negative {
            let other = self.unigram.id(draws.bits());
            if other != word {
                output(other);
            }
        }
        let all = input_changes + outputs.len();
        let changes = &mut changes[*taken * layout.stride..][..all * layout.stride];
        let (loss, losses) = if is_cbow { self.bag(scratch, changes) } else { self.grid(scratch, changes) };
        *taken += all;
        work.loss += loss;
        work.losses += losses;
    }

    /// Pairs every neighbour with the center and with every negative sample. Writes the changes of the inputs, then of
    /// the outputs. Returns the sum of the losses and their number.
    fn grid(&self, scratch: &mut Scratch, changes: &mut [f32]) -> (f64, u64) {
        let Scratch { inputs, outputs, scores, .. } = scratch;
        let (kernels, values, stride) = (self.kernels, self.values, self.layout.stride);
        let (across, down) = (inputs.len(), outputs.len());
        scores.fill_to(across * down, 0.0);
        let picked = |rows| Picked { table: values, rows };
        kernels.row_dots(picked(inputs), picked(outputs), stride, scores);
        let loss = scores.chunks_exact_mut(down).map(|scores| self.gradients(scores)).sum();
        let (input_changes, output_changes) = changes.split_at_mut(across * stride);
        let by_input = Coefficients { values: scores, across: down, down: 1 };
        kernels.row_mix(by_input, picked(outputs), stride, input_changes);
        let by_output = Coefficients { values: scores, across: 1, down };
        kernels.row_mix(by_output, picked(inputs), stride, output_changes);
        (loss, across as u64)
    }

    /// Pairs the neighbours together with the center and with every negative sample. Writes the change of the inputs,
    /// then those of the outputs. Returns one loss, and the number 1.
    fn bag(&self, scratch: &mut Scratch, changes: &mut [f32]) -> (f64, u64) {
        let Scratch { inputs, outputs, scores, hidden } = scratch;
        let (kernels, values, stride) = (self.kernels, self.values, self.layout.stride);
        let share = 1.0 / inputs.len() as f32;
        let picked = |rows| Picked { table: values, rows };
        let same = |values| Coefficients { values, across: 0, down: 0 };
        let weight = [if self.options.method.takes_mean() { share } else { 1.0 }];
        kernels.row_mix(same(&weight), picked(inputs), stride, hidden);
        let alone = Picked { table: hidden, rows: &[0] };
        scores.fill_to(outputs.len(), 0.0);
        kernels.row_dots(alone, picked(outputs), stride, scores);
        let loss = self.gradients(scores);
        let (input_change, output_changes) = changes.split_at_mut(stride);
        let by = |values| Coefficients { values, across: 1, down: 1 };
        kernels.row_mix(by(scores), picked(outputs), stride, input_change);
        if !self.options.method.takes_mean() {
            // As in gensim, the error of a sum is divided among its terms.
            input_change.iter_mut().for_each(|x| *x *= share);
        }
        kernels.row_mix(by(scores), alone, stride, output_changes);
        (loss, 1)
    }

    /// Turns scores, the center's first, into coefficients. Returns the loss.
    fn gradients(&self, scores: &mut [f32]) -> f64 {
        let mut sum = 0.0;
        for (i, score) in scores.iter_mut().enumerate() {
            let (gradient, loss) = self.sigmoid.gradient(*score, i == 0);
            *score = gradient * self.alpha;
            sum += f64::from(loss);
        }
        sum
    }
}

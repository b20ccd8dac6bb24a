//! Predicts the next token of each position: token + position vectors, a linear head over the vocabulary, softmax,
//! AdamW.
//!
//! ```text
//! h = token[id] + position[place];  logits = h * head^T;  loss = mean over the batch of -log softmax(logits)[next]
//! ```
//!
//! The head may be the token table itself (`tied`). The softmax is over the whole vocabulary, or over the next token
//! and a sample of others ([`Softmax::Sampled`]). The gradient is that of PyTorch's `cross_entropy`, and the optimizer
//! is its `AdamW`.

mod full;
mod parameter;
mod sampled;
mod windows;

use crate::corpus::{Evaluation, HeldOut, Text};
use crate::model::{Array, MOST_STEPS, Model, Progress, Step};
use crate::objective::{MOST, RunOptions};
use crate::unigram::Unigram;
use parameter::{Parameter, Source};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::ops::learn::optim::Update;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_nn::optim::{AdamW, AdamWNumbers, Rule};
use tokenbed_nn::options::{ANY_NUMBER, FLAG, Kind, NOT_NEGATIVE, Options, Setting, Usual, Values, size};
use tokenbed_rng::Generator;
use windows::Windows;

/// The tokens over which the probabilities of a position sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Softmax {
    /// All tokens.
    Full,
    /// The next token and a number of others, drawn for each batch by frequency raised to a power. Logits are corrected
    /// by how often a token is drawn (Jean et al. 2015).
    Sampled(SampleOptions),
}

tokenbed_nn::options! {
    /// The sample of a softmax.
    pub struct SampleOptions {
        /// A softmax over so many other tokens and the next one, not over all.
        pub samples: usize [size(1, 1 << 20)] = Usual::Missing,
        /// Samples are drawn by frequency to this power.
        pub ns_exponent: f64 [ANY_NUMBER] = 0.75,
    }
}

/// The word by which users choose [`Softmax::Full`].
const FULL: &str = "full";

impl Setting for Softmax {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        if values.word(name).as_deref() == Some(FULL) {
            return Some(Softmax::Full);
        }
        SampleOptions::read(&*values.part(name)?).ok().map(Softmax::Sampled)
    }
}

tokenbed_nn::options! {
    /// The next token from token + position vectors and a linear head, by AdamW.
    pub struct NextTokenOptions {
        .. run: RunOptions,
        .. adamw: AdamWNumbers,
        /// The last learning rate. From the first to it the rate falls evenly.
        pub final_lr: f64 [NOT_NEGATIVE] = Usual::Like("lr"),
        /// Positions of a window.
        pub context_length: usize [size(1, MOST)] = 64.0,
        /// From the start of one window to that of the next.
        pub stride: usize [size(1, MOST)] = Usual::Like("context_length"),
        /// Windows of a batch.
        pub batch_size: usize [size(1, MOST)] = 16.0,
        /// Tables are drawn from the normal distribution of mean 0 and this standard deviation.
        pub init_std: f64 [NOT_NEGATIVE] = 0.02,
        /// Whether the head is the token table.
        pub tied: bool [FLAG] = false,
        /// The softmax over all tokens, or over the next one and a sample of others.
        pub softmax: Softmax [Kind::WordOr { word: FULL, options: SampleOptions::fields() }] = Usual::Word(FULL),
    }
}

/// The tables and their optimizer.
#[derive(Debug)]
pub struct NextToken {
    options: NextTokenOptions,
    corpus: Text,
    fingerprint: u64,
    unigram: Option<Unigram>,
    token: Parameter,
    position: Parameter,
    /// Absent if the head is tied.
    head: Option<Parameter>,
    windows: Windows,
    full: full::Buffers,
    sampled: sampled::Buffers,
    steps: u64,
}

/// The positions of a batch.
#[derive(Debug, Default)]
struct Batch {
    ids: Vec<u32>,
    places: Vec<u32>,
    targets: Vec<u32>,
    /// The vectors of the positions, (positions, dim), and the gradient of the loss with respect to them.
    hidden: Vec<f32>,
    gradient: Vec<f32>,
}

impl NextToken {
    /// Draws the tables from N(0, initStd) as PyTorch does: tokens, positions, and the head unless it is tied.
    ///
    /// # Errors
    /// [`Error::Usage`] for invalid options, and for a text that is shorter than a window; [`Error::Memory`] if memory
    /// runs out.
    pub fn new(options: NextTokenOptions, corpus: impl Into<Text>) -> Result<Self> {
        let corpus = corpus.into();
        let NextTokenOptions { run, context_length, stride, batch_size, init_std, .. } = options;
        let RunOptions { dim, epochs, seed, .. } = run;
        if [dim, context_length, stride, batch_size].contains(&0) || epochs == 0 {
            return Err(Error::Usage("dim, context, stride, batch size and epochs must be at least 1".into()));
        }
        let vocabulary = corpus.counts().len();
        let windows = Windows::new(corpus.len(), &options)?;
        let mut generator = Generator::new(seed);
        let mut drawn = |rows: usize| -> Result<Parameter> {
            let mut values = zeroed(rows * dim);
            tokenbed_rng::normal(&mut generator, &mut values, 0.0, init_std)
                .map_err(|error| Error::Usage(error.to_string()))?;
            let mut parameter = Parameter::zeroed(rows, dim)?;
            parameter.set(0, &values);
            Ok(parameter)
        };
        let (token, position) = (drawn(vocabulary)?, drawn(context_length)?);
        let head = if options.tied { None } else { Some(drawn(vocabulary)?) };
        let unigram = match options.softmax {
            Softmax::Full => None,
            Softmax::Sampled(SampleOptions { samples: 0, .. }) => {
                return Err(Error::Usage("samples must be at least 1".into()));
            }
            Softmax::Sampled(sample) => Some(Unigram::new(corpus.counts(), sample.ns_exponent)?),
        };
        Ok(Self {
            fingerprint: corpus.fingerprint()?,
            options,
            corpus,
            unigram,
            token,
            position,
            head,
            windows,
            full: full::Buffers::default(),
            sampled: sampled::Buffers::default(),
            steps: 0,
        })
    }

    fn lr(&self) -> f64 {
        let NextTokenOptions { adamw: AdamWNumbers { lr, .. }, final_lr, .. } = self.options;
        lr + (final_lr - lr) * self.windows.done() as f64 / self.windows.total() as f64
    }

    /// The rule of AdamW's next step.
    fn adam(&self) -> Update<f32> {
        AdamW::from(AdamWNumbers { lr: self.lr(), ..self.options.adamw }).update(self.steps + 1)
    }

    fn parameters(&mut self) -> Vec<(&'static str, &mut Parameter)> {
        let head = self.head.as_mut().map(|head| ("head", head));
        [("token", &mut self.token), ("position", &mut self.position)].into_iter().chain(head).into_list()
    }
}

impl Model for NextToken {
    fn step(&mut self) -> Result<Step> {
        let by = &self.adam();
        let dim = self.options.run.dim;
        let mut batch = Batch::default();
        self.windows.fill(&self.corpus, &mut batch)?;
        batch.embed(&mut self.token, &mut self.position, dim);
        batch.gradient = zeroed(batch.hidden.len());
        let tokens = batch.ids.len() as u64;
        let head = self.head.as_mut().unwrap_or(&mut self.token);
        let loss = match self.options.softmax {
            Softmax::Full => self.full.run(&mut batch, head, by, self.options.tied)?,
            Softmax::Sampled(SampleOptions { samples, .. }) => {
                let Some(unigram) = &self.unigram else { return Ok(Step::default()) };
                let draws = crate::draws::Draws::at(self.options.run.seed, self.steps, u64::MAX);
                self.sampled.run(&mut batch, head, by, self.options.tied, unigram, (samples, draws))?
            }
        };
        if !self.options.tied {
            self.token.step(by, &[Source::new(&batch.ids, &batch.gradient)]);
        }
        self.position.step(by, &[Source::new(&batch.places, &batch.gradient)]);
        self.steps += 1;
        self.windows.advance()?;
        Ok(Step { tokens, loss, losses: tokens })
    }

    /// The loss over windows end to end, by the softmax over all tokens.
    fn evaluate(&mut self, held: &HeldOut, go_on: &dyn Fn() -> bool) -> Result<Evaluation> {
        let HeldOut::Text(corpus) = held else {
            return Err(Error::Usage("texts with classes can be held out of a classifier alone".into()));
        };
        if corpus.counts().len() > self.corpus.counts().len() {
            return Err(Error::Shape("the held-out text has more tokens than the tables".into()));
        }
        let mut options = self.options;
        (options.stride, options.run.epochs) = (options.context_length, 1);
        let text = Text::Held(corpus.clone());
        let mut windows = Windows::new(text.len(), &options)?;
        let mut found = Evaluation::default();
        while windows.epoch() == 0 && go_on() {
            let mut batch = Batch::default();
            windows.fill(&text, &mut batch)?;
            batch.embed(&mut self.token, &mut self.position, options.run.dim);
            found.loss += self.full.loss(&batch, self.head.as_mut().unwrap_or(&mut self.token))?;
            found.losses += batch.ids.len() as u64;
            windows.advance()?;
        }
        Ok(found)
    }

    fn progress(&self) -> Progress {
        let windows = &self.windows;
        let context = self.options.context_length as u64;
        Progress {
            step: self.steps,
            epoch: windows.epoch(),
            tokens: windows.done() * context,
            total: windows.total() * context,
            lr: self.lr(),
        }
    }

    fn tables(&mut self) -> Vec<Array> {
        self.parameters().into_iter().map(|(name, parameter)| parameter.array(name, 0)).into_list()
    }

    fn moments(&mut self) -> Vec<Array> {
        let names = |name| match name {
            "token" => ["token.m", "token.v"],
            "position" => ["position.m", "position.v"],
            _ => ["head.m", "head.v"],
        };
        let both = |(name, parameter): (&'static str, &mut Parameter)| {
            let [m, v] = names(name);
            [parameter.array(m, 1), parameter.array(v, 2)]
        };
        self.parameters().into_iter().flat_map(both).into_list()
    }

    fn counters(&self) -> Vec<u64> {
        self.windows.place().into_iter().chain([self.steps]).into_list()
    }

    fn has_place(&self, counters: &[u64]) -> bool {
        matches!(counters, [place @ .., steps] if self.windows.has_place(place) && *steps < MOST_STEPS)
    }

    fn restore(&mut self, arrays: &[&[f32]], counters: &[u64]) {
        let [place @ .., steps] = counters else { return };
        let parameters = self.parameters();
        let count = parameters.len();
        for (i, (_, parameter)) in parameters.into_iter().enumerate() {
            for (kind, at) in [(0, i), (1, count + 2 * i), (2, count + 2 * i + 1)] {
                if let Some(values) = arrays.get(at) {
                    parameter.set(kind, values);
                }
            }
        }
        self.windows.go_to(place);
        self.steps = *steps;
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl Batch {
    /// Writes token[id] + position[place].
    fn embed(&mut self, token: &mut Parameter, position: &mut Parameter, dim: usize) {
        self.hidden = zeroed(self.ids.len() * dim);
        for (row, &id) in self.hidden.chunks_exact_mut(dim).zip(&self.ids) {
            row.copy_from_slice(token.row(id));
        }
        for (row, &place) in self.hidden.chunks_exact_mut(dim).zip(&self.places) {
            row.iter_mut().zip(position.row(place)).for_each(|(x, p)| *x += p);
        }
    }
}

/// The dot product of two rows. It uses eight sums, so that vector additions do not wait for each other.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut lanes = [0.0f32; LANES];
    let (a_whole, b_whole) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_whole.remainder().iter().zip(b_whole.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_whole.zip(b_whole) {
        lanes.iter_mut().zip(x.iter().zip(y)).for_each(|(lane, (x, y))| *lane += x * y);
    }
    lanes.iter().sum::<f32>() + rest
}

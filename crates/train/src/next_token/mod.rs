//! The next token of each position: token + position vectors, a linear head over the vocabulary, softmax, AdamW.
//!
//! ```text
//! h = token[id] + position[place];  logits = h * head^T;  loss = mean over the batch of -log softmax(logits)[next]
//! ```
//!
//! The head may be the token table itself (`tied`). The softmax is over the whole vocabulary, or over the next token and a
//! sample of others ([`Softmax::Sampled`]). The gradient is that of PyTorch's `cross_entropy`, the optimizer its `AdamW`.

mod full;
mod parameter;
mod sampled;
mod windows;

use crate::corpus::{Corpus, fingerprint};
use crate::model::{Array, MOST_STEPS, Model, Progress, Step};
use crate::unigram::Unigram;
use parameter::{Parameter, Source};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::ops::optim::Update;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_nn::optim::{AdamW, Rule};
use tokenbed_rng::Generator;
use windows::Windows;

/// Over what the probabilities of a position sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Softmax {
    /// All tokens.
    Full,
    /// The next token and so many others, drawn anew for each batch by frequency to a power; logits are corrected by how
    /// often a token is drawn (Jean et al. 2015).
    Sampled {
        /// How many.
        samples: usize,
        /// The power.
        exponent: f64,
    },
}

/// How the next token is learned.
#[derive(Clone, Copy, Debug)]
pub struct NextTokenOptions {
    /// Elements of a vector.
    pub dim: usize,
    /// Positions of a window.
    pub context: usize,
    /// How far apart windows begin.
    pub stride: usize,
    /// Windows of a batch.
    pub batch: usize,
    /// How often the text is gone through, each time in another order.
    pub epochs: u64,
    /// The first learning rate.
    pub lr: f64,
    /// The last; in between it falls evenly.
    pub final_lr: f64,
    /// AdamW's.
    pub betas: [f64; 2],
    /// AdamW's.
    pub eps: f64,
    /// AdamW's.
    pub weight_decay: f64,
    /// Of the normal distribution that tables are drawn from.
    pub init_std: f64,
    /// Whether the head is the token table.
    pub tied: bool,
    /// Over what.
    pub softmax: Softmax,
    /// Of all draws.
    pub seed: u64,
}

/// The tables and their optimizer.
#[derive(Debug)]
pub struct NextToken {
    options: NextTokenOptions,
    corpus: Corpus,
    fingerprint: u64,
    unigram: Option<Unigram>,
    token: Parameter,
    position: Parameter,
    /// Unless tied.
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
    /// Their vectors, (positions, dim), and the gradient of the loss by them.
    hidden: Vec<f32>,
    gradient: Vec<f32>,
}

impl NextToken {
    /// Tables drawn from N(0, initStd) as PyTorch draws them: tokens, positions, and the head where it is not tied.
    ///
    /// # Errors
    /// [`Error::Usage`] for options without sense, and for a text that is shorter than a window; [`Error::Memory`].
    pub fn new(options: NextTokenOptions, corpus: Corpus) -> Result<Self> {
        let NextTokenOptions { dim, context, stride, batch, seed, init_std, .. } = options;
        if [dim, context, stride, batch].contains(&0) || options.epochs == 0 {
            return Err(Error::Usage("dim, context, stride, batch size and epochs are at least 1".into()));
        }
        let vocabulary = corpus.counts().len();
        let windows = Windows::new(corpus.ids().len(), &options)?;
        let mut generator = Generator::new(seed);
        let mut drawn = |rows: usize| -> Result<Parameter> {
            let mut values = zeroed(rows * dim);
            tokenbed_rng::normal(&mut generator, &mut values, 0.0, init_std)
                .map_err(|error| Error::Usage(error.to_string()))?;
            let mut parameter = Parameter::zeroed(rows, dim)?;
            parameter.set(0, &values);
            Ok(parameter)
        };
        let (token, position) = (drawn(vocabulary)?, drawn(context)?);
        let head = if options.tied { None } else { Some(drawn(vocabulary)?) };
        let unigram = match options.softmax {
            Softmax::Full => None,
            Softmax::Sampled { samples: 0, .. } => return Err(Error::Usage("samples is at least 1".into())),
            Softmax::Sampled { exponent, .. } => Some(Unigram::new(corpus.counts(), exponent)?),
        };
        Ok(Self {
            fingerprint: fingerprint(corpus.ids().iter().map(|&id| u64::from(id)).chain([vocabulary as u64])),
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
        let NextTokenOptions { lr, final_lr, .. } = self.options;
        lr + (final_lr - lr) * self.windows.done() as f64 / self.windows.total() as f64
    }

    /// AdamW's next step.
    fn adam(&self) -> Update<f32> {
        let NextTokenOptions { betas: [beta1, beta2], eps, weight_decay, .. } = self.options;
        Rule::update(&AdamW { lr: self.lr(), betas: [beta1, beta2], eps, weight_decay }, self.steps + 1)
    }

    fn parameters(&mut self) -> Vec<(&'static str, &mut Parameter)> {
        let head = self.head.as_mut().map(|head| ("head", head));
        [("token", &mut self.token), ("position", &mut self.position)].into_iter().chain(head).into_list()
    }
}

impl Model for NextToken {
    fn step(&mut self) -> Result<Step> {
        let by = &self.adam();
        let dim = self.options.dim;
        let mut batch = Batch::default();
        self.windows.fill(self.corpus.ids(), &mut batch);
        batch.embed(&mut self.token, &mut self.position, dim);
        batch.gradient = zeroed(batch.hidden.len());
        let tokens = batch.ids.len() as u64;
        let head = self.head.as_mut().unwrap_or(&mut self.token);
        let loss = match self.options.softmax {
            Softmax::Full => self.full.run(&mut batch, head, by, self.options.tied)?,
            Softmax::Sampled { samples, .. } => {
                let Some(unigram) = &self.unigram else { return Ok(Step::default()) };
                let draws = crate::draws::Draws::at(self.options.seed, self.steps, u64::MAX);
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

    fn progress(&self) -> Progress {
        let windows = &self.windows;
        let context = self.options.context as u64;
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
    /// token[id] + position[place].
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

/// The product of two rows: eight sums, so that the compiler's vectors do not wait for each other.
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

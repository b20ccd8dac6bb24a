//! Muon.

use super::{Idle, Manner, Parameter, Whole, WholeRule, lerp};
use crate::options::{FLAG, Kind, NOT_NEGATIVE, Setting, Usual, Values, size};
use tokenbed_core::ops::matmul::{Matrices, Product, matmul};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::half::{bf16_to_f32, f32_to_bf16};
use tokenbed_kernels::real::Real;
use tokenbed_memory::zeroed;
use tokenbed_threads::parallel_rows;

crate::options! {
    /// Muon: a momentum whose singular values are all brought near 1, by five steps of Newton's and Schulz' iteration.
    /// Jordan 2024, "Muon: An optimizer for hidden layers in neural networks"; `torch.optim.Muon`.
    ///
    /// It is meant for the weights of hidden layers, such as those of a `Linear`, and takes matrices alone, of
    /// two dimensions. PyTorch says of it that other parameters, such as biases and embeddings, should be
    /// optimized by a standard method such as AdamW; a table is a matrix and is taken nevertheless. The iteration runs
    /// in bfloat16, with sums in float32, as PyTorch's does.
    pub struct Muon {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 1e-3,
        /// How much weights decay.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.1,
        /// What is kept of the momentum.
        pub momentum: f64 [NOT_NEGATIVE] = 0.95,
        /// Whether steps look ahead, as Nesterov's.
        pub nesterov: bool [FLAG] = true,
        /// The polynomial of the iteration: `a * x + b * x^3 + c * x^5` of each singular value.
        pub ns_coefficients: [f64; 3] [Kind::Triple] = [3.4445, -4.7750, 2.0315],
        /// The least norm that the momentum is divided by.
        pub eps: f64 [NOT_NEGATIVE] = 1e-7,
        /// Steps of the iteration.
        pub ns_steps: usize [size(0, 99)] = 5.0,
        /// How the rate follows the shape (A rows, B columns): `original` is times `sqrt(max(1, A / B))`;
        /// `match_rms_adamw` is times `0.2 * sqrt(max(A, B))`, which lets rates and decay of AdamW be reused;
        /// `spectral_unclamped` is times `sqrt(A / B)`.
        pub adjust_lr_fn: AdjustLr [Kind::Word(AdjustLr::WORDS)] = Usual::Word("original"),
    }
}

/// How the learning rate follows the shape of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdjustLr {
    /// Jordan's: taller matrices take larger steps.
    Original,
    /// Moonshot's: updates have the size of AdamW's.
    MatchRmsAdamw,
    /// By the ratio of the sides alone.
    SpectralUnclamped,
}

impl AdjustLr {
    /// What users write.
    const WORDS: &[&str] = &["original", "match_rms_adamw", "spectral_unclamped"];

    /// What the rate is multiplied by.
    fn ratio(self, rows: f64, columns: f64) -> f64 {
        match self {
            AdjustLr::Original => (rows / columns).max(1.0).sqrt(),
            AdjustLr::MatchRmsAdamw => 0.2 * rows.max(columns).sqrt(),
            AdjustLr::SpectralUnclamped => (rows / columns).sqrt(),
        }
    }
}

impl Setting for AdjustLr {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        // No word is PyTorch's None, which means the first.
        match values.word(name).as_deref() {
            None | Some("original") => Some(AdjustLr::Original),
            Some("match_rms_adamw") => Some(AdjustLr::MatchRmsAdamw),
            Some("spectral_unclamped") => Some(AdjustLr::SpectralUnclamped),
            Some(_) => None,
        }
    }
}

impl WholeRule for Muon {
    fn step<F: Real>(
        &self,
        kernels: Kernels,
        _: u64,
        parameter: Parameter<'_, F>,
        grad: &[F],
        shape: &[usize],
    ) -> Result<()> {
        let Parameter { param, first: kept, second, third } = parameter;
        let &[rows, columns] = shape else {
            return Err(Error::Shape(format!("a parameter of shape {shape:?} is no matrix")));
        };
        let found = [param.len(), kept.len(), grad.len(), second.len(), third.len()];
        let len = rows.checked_mul(columns);
        if found.map(Some) != [len, len, len, Some(0), Some(0)] {
            return Err(Error::Shape(format!("buffers of {found:?} elements do not match a matrix of {shape:?}")));
        }
        if param.is_empty() {
            return Ok(());
        }
        let (momentum, ahead) = (F::round(1.0 - self.momentum), F::round(self.momentum));
        parallel_rows(kept, 1, 2 * size_of::<F>(), |range, kept| {
            kept.iter_mut().zip(&grad[range]).for_each(|(kept, &g)| *kept = lerp(*kept, g, momentum));
        });
        let direction = |at: usize| if self.nesterov { lerp(grad[at], kept[at], ahead) } else { kept[at] };
        let (down, across) = (rows.min(columns), rows.max(columns));
        let turned = rows > columns;
        let mut x = zeroed::<f32>(param.len());
        parallel_rows(&mut x, across, 4 * across * size_of::<F>(), |range, x| {
            for (i, row) in range.zip(x.chunks_mut(across)) {
                for (j, x) in row.iter_mut().enumerate() {
                    let at = if turned { j * columns + i } else { i * columns + j };
                    *x = halved(direction(at).wide() as f32);
                }
            }
        });
        self.iterate(kernels, &mut x, down, across)?;
        let decay = F::round(1.0 - self.lr * self.weight_decay);
        let rate = F::round(-self.lr * self.adjust_lr_fn.ratio(rows as f64, columns as f64));
        parallel_rows(param, columns, 3 * columns * size_of::<F>(), |range, param| {
            for (i, row) in range.zip(param.chunks_mut(columns)) {
                for (j, p) in row.iter_mut().enumerate() {
                    let at = if turned { j * across + i } else { i * across + j };
                    *p = rate.fused(F::round(f64::from(x[at])), *p * decay);
                }
            }
        });
        Ok(())
    }

    fn manner(&self) -> Manner {
        Manner { state: &["momentumBuffer"], whole: Some(Whole::Matrix), idle: Idle::Moves, ..Manner::PLAIN }
    }
}

impl Muon {
    /// Brings the singular values of a matrix, whose numbers are bfloat16, near 1.
    fn iterate(&self, kernels: Kernels, x: &mut [f32], rows: usize, columns: usize) -> Result<()> {
        let [a, b, c] = self.ns_coefficients.map(|it| it as f32);
        let norm = halved(kernels.sum_squares(x).sqrt() as f32);
        // The comparison is the other way round, so that NaN stays.
        let norm = if f64::from(norm) < self.eps { halved(self.eps as f32) } else { norm };
        each(x, &[], |x, _| halved(x / norm));
        let (mut gram, mut square) = (zeroed::<f32>(rows * rows), zeroed::<f32>(rows * rows));
        let mut product = zeroed::<f32>(rows * columns);
        for _ in 0..self.ns_steps {
            let sizes = Product { rows, inner: columns, columns: rows };
            matmul(kernels, sizes, 1, whole(x, false), whole(x, true), &mut gram)?;
            each(&mut gram, &[], |x, _| halved(x));
            let sizes = Product { rows, inner: rows, columns: rows };
            matmul(kernels, sizes, 1, whole(&gram, false), whole(&gram, false), &mut square)?;
            each(&mut square, &gram, |square, gram| halved(c * square + b * gram));
            let sizes = Product { rows, inner: rows, columns };
            matmul(kernels, sizes, 1, whole(&square, false), whole(x, false), &mut product)?;
            each(x, &product, |x, product| halved(product + a * x));
        }
        Ok(())
    }
}

/// A matrix, or its transpose.
fn whole(elements: &[f32], transposed: bool) -> Matrices<'_, f32> {
    Matrices { elements, of: &[0], transposed }
}

/// Replaces every number by a function of it, and of the one at its place in `others`, or of 0 if there are none.
fn each(values: &mut [f32], others: &[f32], of: impl Fn(f32, f32) -> f32 + Sync) {
    parallel_rows(values, 1, 2 * size_of::<f32>(), |range, values| match others.get(range) {
        Some(others) => values.iter_mut().zip(others).for_each(|(x, &other)| *x = of(*x, other)),
        None => values.iter_mut().for_each(|x| *x = of(*x, 0.0)),
    });
}

/// The nearest bfloat16.
fn halved(x: f32) -> f32 {
    bf16_to_f32(f32_to_bf16(x))
}

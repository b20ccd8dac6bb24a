//! Adafactor.

use super::{Idle, Manner, Parameter, Whole, WholeRule, lerp};
use crate::options::{Epsilons, FLAG, Kind, NOT_NEGATIVE};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::real::Real;
use tokenbed_memory::{filled, zeroed};
use tokenbed_threads::parallel_rows;

crate::options! {
    /// Adafactor: of the squares of a matrix' gradients it keeps one number for each row and one for each column, where
    /// Adam keeps two for each element. Shazeer, Stern 2018; `torch.optim.Adafactor`, with PyTorch's use of `lr` and
    /// `eps`. Steps are relative to the size of the parameter.
    ///
    /// Of a parameter of more than two dimensions, the last two are rows and columns; of one with fewer, every element
    /// has its own number (`variance`). Every row of a table moves at every step. Gradients in rows, which PyTorch's
    /// refuses, are written out first, which takes the memory of another table for the length of a step.
    pub struct Adafactor {
        /// The largest relative step; weights decay by it, too.
        pub lr: f64 [NOT_NEGATIVE] = 0.01,
        /// The mean of squares keeps `1 - step ** beta2Decay` of what it was.
        pub beta2_decay: f64 [Kind::Number { least: f64::NEG_INFINITY, most: 0.0 }] = -0.8,
        /// The least root of a mean of squares (null: the distance from 1 to the next number of the parameter's type),
        /// and the least size that a parameter counts as.
        pub eps: Epsilons [Kind::Epsilons] = Epsilons(None, 1e-3),
        /// The largest root mean square of an update, before the step's size: one that is larger is scaled down.
        pub d: f64 [Kind::Number { least: 1.0, most: f64::INFINITY }] = 1.0,
        /// How much weights decay.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.0,
        /// Whether steps climb instead of descend: the gradient is negated first.
        pub maximize: bool [FLAG] = false,
    }
}

/// The rows of a matrix whose columns are summed together; sums of more rows are added in order.
const BLOCK: usize = 256;

/// The elements of a vector that are stepped together.
const PART: usize = 16 << 10;

/// The numbers of one step that elements need.
#[derive(Clone, Copy)]
struct Step<F> {
    /// What of the new squares goes into the means.
    share: F,
    /// The least mean of rows that columns are divided by.
    floor: f64,
    /// The least mean of squares.
    least: F,
}

impl<F: Real> Step<F> {
    /// `grad / sqrt(mean)`, where the mean is not below the least.
    fn update(&self, mean: F, grad: F) -> F {
        grad / (if mean < self.least { self.least } else { mean }).sqrt()
    }
}

/// The last two dimensions of a parameter.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    columns: usize,
}

impl WholeRule for Adafactor {
    fn step<F: Real>(
        &self,
        kernels: Kernels,
        step: u64,
        parameter: Parameter<'_, F>,
        grad: &[F],
        shape: &[usize],
    ) -> Result<()> {
        let sizes = check(&parameter, grad, shape)?;
        let Parameter { param, first, second, third } = parameter;
        let len = param.len() as f64;
        if param.is_empty() {
            return Ok(());
        }
        let size = |squares: f64| (squares / len).sqrt();
        let share = libm::pow(step as f64, self.beta2_decay);
        let Epsilons(floor, least_size) = self.eps;
        let floor = floor.unwrap_or(libm::exp2(f64::from(1 - F::DIGITS)));
        let now = Step { share: F::round(share), floor, least: F::round(floor * floor) };
        let relative = self.lr.min(1.0 / (step as f64).sqrt());
        let alpha = size(squares(kernels, param)).max(least_size) * relative;
        if self.weight_decay != 0.0 {
            let kept = F::round(1.0 - self.lr * self.weight_decay);
            parallel_rows(param, 1, size_of::<F>(), |_, part| part.iter_mut().for_each(|p| *p = *p * kept));
        }
        // The update is computed twice, once for its size: it is never kept.
        let signed = |alpha: f64| F::round(if self.maximize { alpha } else { -alpha });
        let clipped = |squares: f64| signed(alpha / (size(squares) / self.d).max(1.0));
        match sizes {
            None => {
                vector_means(now, third, grad);
                let by = clipped(vector_squares(kernels, now, third, grad));
                parallel_rows(param, 1, 4 * size_of::<F>(), |range, part| {
                    let (means, grad) = (&third[range.clone()], &grad[range]);
                    let of = part.iter_mut().zip(means.iter().zip(grad));
                    of.for_each(|(p, (&mean, &g))| *p = by.fused(now.update(mean, g), *p));
                });
            }
            Some(sizes) => {
                row_means(kernels, now, first, (grad, sizes.columns));
                column_means(now, second, grad, sizes);
                let scaled = scaled_rows(now, first, sizes.rows);
                let by = clipped(matrix_squares(kernels, now, (&scaled, second), grad, sizes));
                parallel_rows(param, sizes.columns, 4 * sizes.columns * size_of::<F>(), |range, part| {
                    for (row, param) in range.zip(part.chunks_mut(sizes.columns)) {
                        let (mean, columns, grad) = row_of((&scaled, second), grad, sizes, row);
                        let of = param.iter_mut().zip(columns.iter().zip(grad));
                        of.for_each(|(p, (&column, &g))| *p = by.fused(now.update(mean * column, g), *p));
                    }
                });
            }
        }
        Ok(())
    }

    fn manner(&self) -> Manner {
        Manner {
            state: &["rowVar", "colVar", "variance"],
            whole: Some(Whole::Factored),
            maximize: self.maximize,
            idle: Idle::Moves,
            ..Manner::PLAIN
        }
    }
}

/// Checks all sizes, and returns those of the matrices, or None for a vector.
fn check<F>(parameter: &Parameter<'_, F>, grad: &[F], shape: &[usize]) -> Result<Option<Sizes>> {
    let product = |sizes: &[usize]| sizes.iter().try_fold(1usize, |all, &size| all.checked_mul(size));
    let (sizes, wanted) = match *shape {
        [ref before @ .., rows, columns] => {
            let state = |size| product(before).and_then(|matrices| matrices.checked_mul(size));
            (Some(Sizes { rows, columns }), [product(shape), state(rows), state(columns), Some(0)])
        }
        _ => (None, [product(shape), Some(0), Some(0), product(shape)]),
    };
    let Parameter { param, first, second, third } = parameter;
    let found = [param.len(), first.len(), second.len(), third.len()];
    if found.map(Some) != wanted || grad.len() != param.len() {
        return Err(Error::Shape(format!(
            "buffers of {found:?} elements and a gradient of {} do not match a parameter of {shape:?}",
            grad.len()
        )));
    }
    Ok(sizes)
}

/// The sum of squares, in parts of one size that are added in order.
fn squares<F: Real>(kernels: Kernels, values: &[F]) -> f64 {
    let mut sums = zeroed(values.len().div_ceil(PART));
    parallel_rows(&mut sums, 1, PART * size_of::<F>(), |range, sums| {
        let parts = values.chunks(PART).skip(range.start);
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum = kernels.sum_squares(part));
    });
    sums.iter().sum()
}

/// Moves the mean of each row's squares.
fn row_means<F: Real>(kernels: Kernels, now: Step<F>, means: &mut [F], (grad, columns): (&[F], usize)) {
    parallel_rows(means, 1, columns * size_of::<F>(), |range, means| {
        for (mean, row) in means.iter_mut().zip(grad.chunks(columns).skip(range.start)) {
            *mean = lerp(*mean, F::round(kernels.sum_squares(row) / columns as f64), now.share);
        }
    });
}

/// Moves the mean of each column's squares.
fn column_means<F: Real>(now: Step<F>, means: &mut [F], grad: &[F], Sizes { rows, columns }: Sizes) {
    let blocks = rows.div_ceil(BLOCK);
    let matrices = means.len() / columns;
    let mut sums: Vec<f64> = zeroed(matrices * blocks * columns);
    parallel_rows(&mut sums, columns, BLOCK * columns * size_of::<F>(), |range, sums| {
        for (at, sums) in range.zip(sums.chunks_mut(columns)) {
            let (matrix, block) = (at / blocks, at % blocks);
            let from = block * BLOCK;
            let part = &grad[(matrix * rows + from) * columns..][..BLOCK.min(rows - from) * columns];
            for row in part.chunks(columns) {
                sums.iter_mut().zip(row).for_each(|(sum, g)| *sum += g.wide() * g.wide());
            }
        }
    });
    for (means, sums) in means.chunks_mut(columns).zip(sums.chunks(blocks * columns)) {
        for (column, mean) in means.iter_mut().enumerate() {
            let sum: f64 = sums.iter().skip(column).step_by(columns).sum();
            *mean = lerp(*mean, F::round(sum / rows as f64), now.share);
        }
    }
}

/// The rows' means, each over the mean of all rows of its matrix.
fn scaled_rows<F: Real>(now: Step<F>, means: &[F], rows: usize) -> Vec<F> {
    let mut scaled = filled(F::ZERO, means.len());
    for (scaled, means) in scaled.chunks_mut(rows).zip(means.chunks(rows)) {
        let sum: f64 = means.iter().map(|mean| mean.wide()).sum();
        let mean = sum / rows as f64;
        let by = F::round(if mean < now.floor { now.floor } else { mean });
        scaled.iter_mut().zip(means).for_each(|(to, &mean)| *to = mean / by);
    }
    scaled
}

/// The mean of a row, the means of its matrix' columns, and its gradient.
fn row_of<'a, F: Real>(
    (scaled, columns): (&[F], &'a [F]),
    grad: &'a [F],
    sizes: Sizes,
    row: usize,
) -> (F, &'a [F], &'a [F]) {
    let of_matrix = &columns[row / sizes.rows * sizes.columns..][..sizes.columns];
    (scaled[row], of_matrix, &grad[row * sizes.columns..][..sizes.columns])
}

/// The sum of squares of the update of a matrix.
fn matrix_squares<F: Real>(kernels: Kernels, now: Step<F>, means: (&[F], &[F]), grad: &[F], sizes: Sizes) -> f64 {
    let mut sums = zeroed(means.0.len());
    parallel_rows(&mut sums, 1, 2 * sizes.columns * size_of::<F>(), |range, sums| {
        let mut update = filled(F::ZERO, sizes.columns);
        for (row, sum) in range.zip(sums) {
            let (mean, columns, grad) = row_of(means, grad, sizes, row);
            let of = update.iter_mut().zip(columns.iter().zip(grad));
            of.for_each(|(to, (&column, &g))| *to = now.update(mean * column, g));
            *sum = kernels.sum_squares(&update);
        }
    });
    sums.iter().sum()
}

/// Moves the mean of each element's squares.
fn vector_means<F: Real>(now: Step<F>, means: &mut [F], grad: &[F]) {
    parallel_rows(means, 1, 2 * size_of::<F>(), |range, means| {
        means.iter_mut().zip(&grad[range]).for_each(|(mean, &g)| *mean = lerp(*mean, g * g, now.share));
    });
}

/// The sum of squares of the update of a vector.
fn vector_squares<F: Real>(kernels: Kernels, now: Step<F>, means: &[F], grad: &[F]) -> f64 {
    let mut sums = zeroed(means.len().div_ceil(PART));
    parallel_rows(&mut sums, 1, 2 * PART * size_of::<F>(), |range, sums| {
        let mut update = filled(F::ZERO, PART.min(means.len()));
        for (part, sum) in range.zip(sums) {
            let from = part * PART;
            let (means, grad) = (means[from..].iter(), grad[from..].iter());
            let mut len = 0;
            for ((to, &mean), &g) in update.iter_mut().zip(means).zip(grad) {
                *to = now.update(mean, g);
                len += 1;
            }
            *sum = kernels.sum_squares(&update[..len]);
        }
    });
    sums.iter().sum()
}

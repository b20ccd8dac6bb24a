//! Layer normalization of a row, as the last step of an op that writes rows. Ba, Kiros, Hinton 2016.
//!
//! ```text
//! lanes of 32: element d belongs to lane d mod 32; a lane sums its elements in their order; lanes are then halved:
//!     for half in 16, 8, 4, 2, 1: lane[i] += lane[i + half] for i in 0..half
//! share = 1 / dim
//! high = f32(sum(x[d]) * share)
//! low  = f32(sum(x[d] - high) * share)                             what rounding left of the mean
//! rstd = f32(1 / sqrt(sum((x[d] - high)^2) * share - low^2 + eps)) the squares by fused multiply-add
//! y[d] = fma(((x[d] - high) - low) * rstd, weight[d], bias[d])
//! ```
//!
//! The lanes are as written, and what follows the sums is in f64, so the bits are the same on every instruction set.
//! The mean is corrected (Chan, Golub, LeVeque 1983), so that a row far from zero only loses what its own elements had
//! lost.
//!
//! A row is computed three times, from rows that the first pass brings into the cache. This needs no memory, and each
//! element is written once.

use crate::lanes::math::MathLanes;
use crate::rows::total::halved;
use crate::rows::write::RowSource;

/// The parameters of a normalization, and the number that keeps it from dividing by zero.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// A factor for each column.
    pub weight: &'a [f32],
    /// A term for each column.
    pub bias: &'a [f32],
    /// Added to the variance.
    pub eps: f64,
}

/// The raw form for kernels: `weight` and `bias` each point at a row of as many elements as `share` divides one by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawNorm {
    pub(crate) weight: *const f32,
    pub(crate) bias: *const f32,
    pub(crate) share: f64,
    pub(crate) eps: f64,
}

/// The number of separate sums: two of the widest vectors, so that one sum does not wait for the other.
pub(crate) const LANES: usize = 32;
/// The maximal number of vectors that hold them.
pub(crate) const VECTORS: usize = LANES / 4;

/// The moments by which a row is normalized.
#[derive(Clone, Copy)]
pub(crate) struct Moments {
    pub(crate) high: f32,
    pub(crate) low: f32,
    pub(crate) rstd: f32,
}

impl Moments {
    /// The moments from the sums of deviations from `high` and of their squares.
    #[inline(always)]
    pub(crate) fn new(norm: RawNorm, high: f32, deviations: f32, squares: f32) -> Self {
        let low = norm.mean(deviations);
        let variance = f64::from(squares) * norm.share - f64::from(low) * f64::from(low);
        // NaN stays NaN, which `max` would replace by the other operand.
        let variance = if variance < 0.0 { 0.0 } else { variance };
        Self { high, low, rstd: (1.0 / (variance + norm.eps).sqrt()) as f32 }
    }
}

impl RawNorm {
    #[inline(always)]
    pub(crate) fn mean(self, sum: f32) -> f32 {
        (f64::from(sum) * self.share) as f32
    }
}

/// The reference: normalizes the row of `dim` elements at `row`, in place.
///
/// # Safety
/// `row` may be read and written, and is neither the weight nor the bias.
pub(crate) unsafe fn reference(norm: RawNorm, row: *mut f32, dim: usize) {
    // SAFETY: as the caller promises; the contract of `RawNorm`.
    let (row, weight, bias) = unsafe {
        let parameters = (std::slice::from_raw_parts(norm.weight, dim), std::slice::from_raw_parts(norm.bias, dim));
        (std::slice::from_raw_parts_mut(row, dim), parameters.0, parameters.1)
    };
    let (mut sums, mut deviations, mut squares) = ([0.0; LANES], [0.0; LANES], [0.0f32; LANES]);
    for (d, x) in row.iter().enumerate() {
        sums[d % LANES] += x;
    }
    let high = norm.mean(halved(sums));
    for (d, x) in row.iter().enumerate() {
        let deviation = x - high;
        deviations[d % LANES] += deviation;
        squares[d % LANES] = deviation.mul_add(deviation, squares[d % LANES]);
    }
    let Moments { high, low, rstd } = Moments::new(norm, high, halved(deviations), halved(squares));
    for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
        *x = (((*x - high) - low) * rstd).mul_add(*weight, *bias);
    }
}

/// The normalized row of a source with `dim` elements, at least one.
///
/// # Safety
/// The source has `dim` elements, and the machine has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn normalized<L: MathLanes, S: RowSource<L>>(
    norm: RawNorm,
    source: S,
    dim: usize,
) -> Normalized<L, S> {
    // SAFETY: as the caller promises.
    unsafe {
        let Moments { high, low, rstd } = moments::<L, S>(norm, source, dim);
        let lanes = (L::splat(high), L::splat(low), L::splat(rstd));
        Normalized { source, norm, lanes, moments: (high, low, rstd) }
    }
}

#[inline(always)]
pub(crate) unsafe fn moments<L: MathLanes, S: RowSource<L>>(norm: RawNorm, source: S, dim: usize) -> Moments {
    // SAFETY: as the caller promises; every index stays below `dim`, or below `LANES` in what is behind the last whole
    // lanes.
    unsafe {
        let whole = dim - dim % LANES;
        let mut rest = [0.0; LANES];

        let mut sums = [L::splat(0.0); VECTORS];
        let mut at = 0;
        while at < whole {
            let mut v = 0;
            while v * L::WIDTH < LANES {
                sums[v] = sums[v].add(source.vector(at + v * L::WIDTH));
                v += 1;
            }
            at += LANES;
        }
        if whole < dim {
            for at in whole..dim {
                rest[at - whole] = source.element(at);
            }
            // A sum that began with 0 is never -0, so further zeros leave it unchanged.
            let mut v = 0;
            while v * L::WIDTH < LANES {
                sums[v] = sums[v].add(L::load(rest.as_ptr().add(v * L::WIDTH)));
                v += 1;
            }
        }
        let high = norm.mean(sum(sums));

        let (mut deviations, mut squares) = ([L::splat(0.0); VECTORS], [L::splat(0.0); VECTORS]);
        let mean = L::splat(high);
        let mut at = 0;
        while at < whole {
            let mut v = 0;
            while v * L::WIDTH < LANES {
                let deviation = source.vector(at + v * L::WIDTH).sub(mean);
                deviations[v] = deviations[v].add(deviation);
                squares[v] = deviation.mul_add(deviation, squares[v]);
                v += 1;
            }
            at += LANES;
        }
        if whole < dim {
            for x in &mut rest[..dim - whole] {
                *x -= high;
            }
            let mut v = 0;
            while v * L::WIDTH < LANES {
                let deviation = L::load(rest.as_ptr().add(v * L::WIDTH));
                deviations[v] = deviations[v].add(deviation);
                squares[v] = deviation.mul_add(deviation, squares[v]);
                v += 1;
            }
        }
        Moments::new(norm, high, sum(deviations), sum(squares))
    }
}

/// The sum of the lanes that vectors hold, by halving as in [`halved`].
///
/// # Safety
/// The machine has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn sum<L: MathLanes>(mut vectors: [L; VECTORS]) -> f32 {
    let mut half = LANES / L::WIDTH / 2;
    while half > 0 {
        let mut v = 0;
        while v < half {
            // SAFETY: as the caller promises.
            vectors[v] = unsafe { vectors[v].add(vectors[v + half]) };
            v += 1;
        }
        half /= 2;
    }
    // SAFETY: as the caller promises.
    unsafe { vectors[0].sum() }
}

/// A source whose elements are normalized.
#[derive(Clone, Copy)]
pub(crate) struct Normalized<L, S> {
    source: S,
    norm: RawNorm,
    /// The moments: high, low, rstd.
    lanes: (L, L, L),
    moments: (f32, f32, f32),
}

impl<L: MathLanes, S: RowSource<L>> RowSource<L> for Normalized<L, S> {
    #[inline(always)]
    unsafe fn vector(self, at: usize) -> L {
        let (high, low, rstd) = self.lanes;
        // SAFETY: as the caller promises; the contract of `RawNorm`.
        unsafe {
            let unit = self.source.vector(at).sub(high).sub(low).mul(rstd);
            unit.mul_add(L::load(self.norm.weight.add(at)), L::load(self.norm.bias.add(at)))
        }
    }

    #[inline(always)]
    unsafe fn element(self, at: usize) -> f32 {
        let (high, low, rstd) = self.moments;
        // SAFETY: as the caller promises; the contract of `RawNorm`.
        unsafe {
            let unit = ((self.source.element(at) - high) - low) * rstd;
            unit.mul_add(*self.norm.weight.add(at), *self.norm.bias.add(at))
        }
    }

    #[inline(always)]
    unsafe fn prefetch(self, at: usize) {
        // SAFETY: as the caller promises.
        unsafe { self.source.prefetch(at) }
    }
}

//! embed: the input layer of a transformer in one pass: rows of a table, scaled, plus rows of other tables, normalized.
//!
//! ```text
//! for i in 0..ids.len:
//!     for d in 0..dim:
//!         x[d] = table[ids[i] * dim + d] * scale
//!         for a in added:
//!             x[d] = x[d] + a.table[a.row(i) * dim + d]
//!     out[i * dim ..] = x, or its layer normalization (ops/layer_norm.rs)
//! ```
//!
//! Each element takes one rounded product and one rounded sum per table, in this order. These are the bits of models
//! that scale their tokens before they add anything (Gemma, BART), and of BERT's (token + segment) + position. A scale
//! of 1 does nothing. The bits are the same on every instruction set.

use super::layer_norm::{self, Norm, Normalized, RawNorm, normalized};
use crate::dispatch::{Kernels, arms};
use crate::ids::CheckedIds;
use crate::lanes::math::MathLanes;
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, id_list, numbers};
use crate::rows::added::Along;
use crate::rows::added::{Added, RawAdded};
use crate::rows::store::Store;
use crate::rows::write::{RowSource, Rows, Target, write_rows};
use std::ops::Range;

/// The computation for a batch of ids.
#[derive(Clone, Copy, Debug)]
pub struct Embed<'a> {
    /// The large table, rows x dim.
    pub table: &'a [f32],
    /// The number of elements in a row of every table.
    pub dim: usize,
    /// The ids.
    pub ids: CheckedIds<'a>,
    /// The factor of the table's rows, applied before anything is added.
    pub scale: f32,
    /// The tables that are added, in this order; None is only followed by None.
    pub added: [Option<Added<'a>>; 2],
    /// The normalization of the sum.
    pub norm: Option<Norm<'a>>,
}

impl Embed<'_> {
    /// The same for a range of the ids.
    ///
    /// # Panics
    /// If the range is outside the ids.
    pub fn part(&self, range: Range<usize>) -> Self {
        let added = self.added.map(|added| added.map(|added| added.part(range.clone())));
        Self { ids: self.ids.part(range), added, ..*self }
    }
}

/// The raw arguments of the op. Their contract, which [`Kernels::embed_with`] checks: that of gather; the first `count`
/// of `added` keep theirs for `len` ids; the norm's rows exist, or there is no norm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEmbed {
    pub(crate) table: *const f32,
    pub(crate) dim: usize,
    pub(crate) ids: *const u32,
    pub(crate) len: usize,
    pub(crate) scale: f32,
    pub(crate) added: [RawAdded; 2],
    pub(crate) count: usize,
    pub(crate) norm: Option<RawNorm>,
    pub(crate) out: *mut f32,
    pub(crate) store: Store,
}

arms!(EMBED: fn(op: RawEmbed), body<L>, reference);

impl Kernels {
    /// Writes the result (ids x dim) to `out`, with the way of storing that suits its size.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn embed(self, op: &Embed<'_>, out: &mut [f32]) {
        self.embed_with(Store::for_bytes(size_of_val(out)), op, out);
    }

    /// [`Kernels::embed`] with an explicit way of storing, for parts of a result, tests and measurements.
    pub fn embed_with(self, store: Store, op: &Embed<'_>, out: &mut [f32]) {
        let Embed { table, dim, ids, scale, added: [first, second], norm } = *op;
        let len = ids.ids().len();
        assert!(ids.rows().checked_mul(dim).is_some_and(|need| need <= table.len()), "embed: table too small");
        assert!(len.checked_mul(dim) == Some(out.len()), "embed: out of another size");
        assert!(first.is_some() || second.is_none(), "embed: added behind nothing");
        let raw = |added: Option<Added<'_>>| added.map_or(RawAdded::NONE, |added| added.raw(len, dim));
        let norm = norm.map(|Norm { weight, bias, eps }| {
            assert!(weight.len() == dim && bias.len() == dim, "embed: norm of another size");
            RawNorm { weight: weight.as_ptr(), bias: bias.as_ptr(), share: 1.0 / dim as f64, eps }
        });
        let op = RawEmbed {
            table: table.as_ptr(),
            dim,
            ids: ids.ids().as_ptr(),
            len,
            scale,
            added: [raw(first), raw(second)],
            count: usize::from(first.is_some()) + usize::from(second.is_some()),
            norm,
            out: out.as_mut_ptr(),
            store,
        };
        // SAFETY: the sizes were just checked, CheckedIds are below their rows, a `&mut` overlaps nothing, and `self`
        // proves that the instruction set runs here.
        unsafe { EMBED.on(self)(op) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawEmbed) {
    let mut added = op.added;
    for i in 0..op.len {
        // SAFETY: the contract of `RawEmbed`.
        unsafe {
            let (row, out) = (op.table.add(*op.ids.add(i) as usize * op.dim), op.out.add(i * op.dim));
            for d in 0..op.dim {
                *out.add(d) = if op.scale == 1.0 { *row.add(d) } else { *row.add(d) * op.scale };
            }
            for added in &mut added[..op.count] {
                let more = added.row(i, op.dim);
                for d in 0..op.dim {
                    *out.add(d) += *more.add(d);
                }
            }
            if let Some(norm) = op.norm {
                layer_norm::reference(norm, out, op.dim);
            }
        }
    }
}

/// # Safety
/// The contract of [`RawEmbed`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes>(op: RawEmbed) {
    // SAFETY: as the caller promises.
    unsafe {
        match (op.scale != 1.0, op.count) {
            (false, 0) => write::<L, false, 0>(op),
            (false, 1) => write::<L, false, 1>(op),
            (false, _) => write::<L, false, 2>(op),
            (true, 0) => write::<L, true, 0>(op),
            (true, 1) => write::<L, true, 1>(op),
            (true, _) => write::<L, true, 2>(op),
        }
    }
}

#[inline(always)]
unsafe fn write<L: MathLanes, const SCALED: bool, const ADDED: usize>(op: RawEmbed) {
    let target = Target { out: op.out, len: op.len, dim: op.dim, store: op.store };
    // SAFETY: as the caller promises.
    unsafe {
        let inputs = Inputs::<L, SCALED, ADDED> { scale: L::splat(op.scale), op };
        match op.norm {
            // An empty row has no mean.
            Some(norm) if op.dim > 0 => write_rows::<L, _>(target, NormalizedInputs { inputs, norm }),
            _ => write_rows::<L, _>(target, inputs),
        }
    }
}

/// The rows of the result before they are normalized.
struct Inputs<L, const SCALED: bool, const ADDED: usize> {
    op: RawEmbed,
    scale: L,
}

impl<L: MathLanes, const SCALED: bool, const ADDED: usize> Rows<L> for Inputs<L, SCALED, ADDED> {
    type Source = Terms<L, SCALED, ADDED>;

    #[inline(always)]
    unsafe fn row(&mut self, i: usize, later: usize) -> Self::Source {
        let op = &mut self.op;
        // SAFETY: the contract of `RawEmbed`.
        unsafe {
            let mut added = [std::ptr::null(); 2];
            let mut a = 0;
            while a < ADDED {
                added[a] = op.added[a].row(i, op.dim);
                a += 1;
            }
            Terms {
                row: op.table.add(*op.ids.add(i) as usize * op.dim),
                later: op.table.add(*op.ids.add(later) as usize * op.dim),
                scale: (self.scale, op.scale),
                added,
            }
        }
    }
}

/// A row of the table, its scale, the rows that are added to it, and the row of the table to prefetch.
#[derive(Clone, Copy)]
pub(crate) struct Terms<L, const SCALED: bool, const ADDED: usize> {
    row: *const f32,
    later: *const f32,
    /// The scale in every lane, and as a single number.
    scale: (L, f32),
    added: [*const f32; 2],
}

impl<L: MathLanes, const SCALED: bool, const ADDED: usize> RowSource<L> for Terms<L, SCALED, ADDED> {
    #[inline(always)]
    unsafe fn vector(self, at: usize) -> L {
        // SAFETY: as the caller promises.
        unsafe {
            let mut x = L::load(self.row.add(at));
            if SCALED {
                x = x.mul(self.scale.0);
            }
            let mut a = 0;
            while a < ADDED {
                x = x.add(L::load(self.added[a].add(at)));
                a += 1;
            }
            x
        }
    }

    #[inline(always)]
    unsafe fn element(self, at: usize) -> f32 {
        // SAFETY: as the caller promises.
        unsafe {
            let mut x = *self.row.add(at);
            if SCALED {
                x *= self.scale.1;
            }
            let mut a = 0;
            while a < ADDED {
                x += *self.added[a].add(at);
                a += 1;
            }
            x
        }
    }

    #[inline(always)]
    unsafe fn prefetch(self, at: usize) {
        // SAFETY: as the caller promises; a prefetch never faults.
        unsafe { L::prefetch(self.later.add(at)) }
    }
}

/// The rows of the result, normalized.
struct NormalizedInputs<L, const SCALED: bool, const ADDED: usize> {
    inputs: Inputs<L, SCALED, ADDED>,
    norm: RawNorm,
}

impl<L: MathLanes, const SCALED: bool, const ADDED: usize> Rows<L> for NormalizedInputs<L, SCALED, ADDED> {
    type Source = Normalized<L, Terms<L, SCALED, ADDED>>;

    #[inline(always)]
    unsafe fn row(&mut self, i: usize, later: usize) -> Self::Source {
        // SAFETY: as the caller promises.
        unsafe {
            let source = self.inputs.row(i, later);
            normalized(self.norm, source, self.inputs.op.dim)
        }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "embed", line: "embed", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let ids = id_list();
    let [table, positions, segments] = [29, 31, 37].map(|seed| numbers(ROWS * dim, seed));
    let [weight, bias] = [41, 43].map(|seed| numbers(dim, seed));
    let Some(checked) = CheckedIds::new(kernels, &ids, ROWS) else { return };
    let cycle = Added { table: &positions, along: Along::Cycle { offset: 2, length: 16, first: 5 } };
    let each = Added { table: &segments, along: Along::Each(checked) };
    let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
    for (scale, added, norm) in [
        (1.0, [Some(cycle), None], None),
        (1.5, [Some(cycle), Some(each)], None),
        (1.0, [Some(cycle), Some(each)], Some(norm)),
    ] {
        let mut out = Framed::room(ids.len() * dim);
        kernels.embed(&Embed { table: &table, dim, ids: checked, scale, added, norm }, &mut out);
        results.take(&out);
    }
}

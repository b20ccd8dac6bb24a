//! signed_bag: sums of rows of plain signed bytes, which have neither scale nor bias.
//!
//! ```text
//! for b in bags:
//!     acc = 0.0
//!     for i in begin(b)..end(b), in order:  acc = acc + weight(i) * f32(table[ids[i]][d])
//!     out[b * dim + d] = acc
//! ```
//!
//! Without weights all are 1, and sums of up to 2^17 rows are exact. Columns from `dim` on are not read.

use crate::dispatch::{Kernels, arms};
use crate::ids::CheckedIds;
use crate::probe::{DIMS, OFFSETS, Probe, ROWS, Results, id_list, numbers, words};

/// Bags of rows of signed bytes.
#[derive(Debug)]
pub struct SignedBag<'a> {
    /// The rows, end to end, of `stride` bytes each.
    pub table: &'a [i8],
    /// The number of bytes from one row to the next.
    pub stride: usize,
    /// The number of columns that are summed.
    pub dim: usize,
    /// The ids of the rows.
    pub ids: CheckedIds<'a>,
    /// Bag b is `offsets[b] .. offsets[b + 1]`.
    pub offsets: &'a [usize],
    /// A factor for each id.
    pub weights: Option<&'a [f32]>,
    /// The sums, (bags, dim).
    pub out: &'a mut [f32],
}

arms!(SIGNED_BAG: fn(op: SignedBag<'_>), body, body);

impl Kernels {
    /// Sums rows of signed bytes.
    ///
    /// # Panics
    /// If slices have other sizes, or bags are not inside the ids, which is a bug in the caller.
    pub fn signed_bag(self, op: SignedBag<'_>) {
        let bags = op.offsets.len().saturating_sub(1);
        assert!(
            op.dim <= op.stride && bags.checked_mul(op.dim) == Some(op.out.len()),
            "signed_bag: out of another size"
        );
        let rows = op.ids.rows().checked_mul(op.stride);
        assert!(rows.is_some_and(|bytes| bytes <= op.table.len()), "signed_bag: table too small");
        assert!(op.weights.is_none_or(|weights| weights.len() == op.ids.ids().len()), "signed_bag: weights");
        // SAFETY: the body is safe; `self` proves that its instruction set runs here.
        unsafe { SIGNED_BAG.on(self)(op) }
    }
}

/// The reference, and the body for every instruction set.
#[inline(always)]
fn body(op: SignedBag<'_>) {
    let SignedBag { table, stride, dim, ids, offsets, weights, out } = op;
    out.fill(0.0);
    if dim == 0 {
        return;
    }
    for (bag, out) in offsets.windows(2).zip(out.chunks_exact_mut(dim)) {
        for i in bag[0]..bag[1] {
            let start = ids.ids()[i] as usize * stride;
            let weight = weights.map_or(1.0, |weights| weights[i]);
            for (sum, &stored) in out.iter_mut().zip(&table[start..start + dim]) {
                *sum += weight * f32::from(stored);
            }
        }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "signed_bag", line: "bag", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let (ids, factors) = (id_list(), numbers(64, 31));
    let table: Vec<i8> = words(ROWS * (dim + 1), 29).into_iter().map(|word| (word >> 7) as i8).collect();
    let Some(ids) = CheckedIds::new(kernels, &ids, ROWS) else { return };
    for weights in [None, Some(factors.as_slice())] {
        for stride in [dim, dim + 1] {
            let mut out = vec![f32::NAN; (OFFSETS.len() - 1) * dim];
            let table = &table[..ROWS * stride];
            kernels.signed_bag(SignedBag { table, stride, dim, ids, offsets: &OFFSETS, weights, out: &mut out });
            results.put(&out);
        }
    }
}

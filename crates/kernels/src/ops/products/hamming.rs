//! hamming: the number of bits in which every row differs from one.
//!
//! ```text
//! for r in 0..len: distances[r] = sum over the bytes of popcount(rows[r][b] xor query[b])
//! ```
//!
//! Plain Rust: compilers make vectors of it, or use an instruction that counts bits. Rows of usual lengths have their
//! number of words as a constant.

use crate::dispatch::{Kernels, arms};
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, words};

/// The raw arguments of the op. Their contract, which [`Kernels::hamming`] checks: `rows` points at `len * bytes`
/// bytes, `query` at `bytes`, `distances` at `len` elements, which overlap nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawHamming {
    rows: *const u8,
    len: usize,
    bytes: usize,
    query: *const u8,
    distances: *mut u32,
}

arms!(HAMMING: fn(op: RawHamming), body, reference);

impl Kernels {
    /// For each row of `rows`, with as many bytes as `query`: the number of bits in which it differs from `query`.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn hamming(self, rows: &[u8], query: &[u8], distances: &mut [u32]) {
        let (len, bytes) = (distances.len(), query.len());
        assert!(len.checked_mul(bytes) == Some(rows.len()), "hamming: rows of another length");
        let op =
            RawHamming { rows: rows.as_ptr(), len, bytes, query: query.as_ptr(), distances: distances.as_mut_ptr() };
        // SAFETY: the sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { HAMMING.on(self)(op) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawHamming) {
    for r in 0..op.len {
        // SAFETY: the contract of `RawHamming`.
        let differ = |b: usize| unsafe { (*op.rows.add(r * op.bytes + b) ^ *op.query.add(b)).count_ones() };
        // SAFETY: the contract of `RawHamming`.
        unsafe { *op.distances.add(r) = (0..op.bytes).map(differ).sum() };
    }
}

/// # Safety
/// The contract of [`RawHamming`].
#[inline(always)]
unsafe fn body(op: RawHamming) {
    // SAFETY: as the caller promises.
    unsafe {
        match (op.bytes / 8, op.bytes % 8) {
            (1, 0) => rows::<1>(op),
            (2, 0) => rows::<2>(op),
            (3, 0) => rows::<3>(op),
            (4, 0) => rows::<4>(op),
            (6, 0) => rows::<6>(op),
            (8, 0) => rows::<8>(op),
            (12, 0) => rows::<12>(op),
            (16, 0) => rows::<16>(op),
            _ => any(op),
        }
    }
}

/// Rows of a constant number of words.
///
/// # Safety
/// The contract of [`RawHamming`], with rows of `W` words.
#[inline(always)]
unsafe fn rows<const W: usize>(op: RawHamming) {
    // SAFETY: as the caller promises.
    unsafe {
        let query = op.query.cast::<[u64; W]>().read_unaligned();
        let mut r = 0;
        while r < op.len {
            let row = op.rows.add(r * 8 * W).cast::<[u64; W]>().read_unaligned();
            let mut differ = 0;
            let mut w = 0;
            while w < W {
                differ += (row[w] ^ query[w]).count_ones();
                w += 1;
            }
            *op.distances.add(r) = differ;
            r += 1;
        }
    }
}

/// Rows of any length: whole words, and then bytes.
///
/// # Safety
/// The contract of [`RawHamming`].
#[inline(always)]
unsafe fn any(op: RawHamming) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut r = 0;
        while r < op.len {
            let row = op.rows.add(r * op.bytes);
            let (mut differ, mut at) = (0, 0);
            while at + 8 <= op.bytes {
                let both = [row.add(at), op.query.add(at)].map(|word| word.cast::<u64>().read_unaligned());
                differ += (both[0] ^ both[1]).count_ones();
                at += 8;
            }
            while at < op.bytes {
                differ += (*row.add(at) ^ *op.query.add(at)).count_ones();
                at += 1;
            }
            *op.distances.add(r) = differ;
            r += 1;
        }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "hamming", line: "scores", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    for bytes in [dim, dim.div_ceil(8) * 8] {
        let all: Vec<u8> = words((ROWS + 1) * bytes, 127).into_iter().map(|word| (word >> 9) as u8).collect();
        let (query, rows) = all.split_at(bytes);
        let mut distances = Framed::room(ROWS);
        kernels.hamming(rows, query, &mut distances);
        results.take(&distances);
    }
}

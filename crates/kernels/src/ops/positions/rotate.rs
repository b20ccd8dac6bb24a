//! rotate: pairs of elements, turned by an angle of their position (rotary position embedding, Su et al. 2021).
//!
//! ```text
//! for i in 0..len:                                          tokens
//!     c, s = the two halves of the angles' row for i        cosines and sines, half = dim / 2 of each
//!     for h in 0..heads:                                    x and out: head h of token i, head_dim elements
//!         for p in 0..half:
//!             a, b = p, half + p                            pairs that lie half apart (GPT-NeoX, Llama)
//!             a, b = 2 p, 2 p + 1                           pairs of neighbours (GPT-J, RoFormer)
//!             out[a] = round(x[a] * c[p] - x[b] * s[p])     inverse: the sign of s changed
//!             out[b] = round(x[b] * c[p] + x[a] * s[p])
//!         out[dim ..] = x[dim ..]
//! ```
//!
//! Two products and a sum, each rounded to f32, as PyTorch computes `x * cos + rotate_half(x) * sin`; 16-bit elements
//! are widened exactly and rounded once at the end. `out` may be `x` itself. The bits are the same on every instruction
//! set.

use crate::dispatch::{Kernels, arms};
use crate::half;
use crate::lanes::narrow::NarrowLanes;
use crate::probe::{Framed, Probe, ROWS, Results, numbers};
use crate::rows::added::Along;
use crate::rows::added::{Added, RawAdded};
use crate::rows::format::OutFormat;
use std::ops::Range;

/// The elements of a head that form a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// Elements that are half of the rotated elements apart.
    Half,
    /// Neighbouring elements.
    Interleaved,
}

impl Pairs {
    /// All pairings.
    pub const ALL: [Pairs; 2] = [Pairs::Half, Pairs::Interleaved];
}

/// The rotation of a batch of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Rotate<'a> {
    /// Rows of `dim` elements, cosines and then sines, and which of them belongs to each token.
    pub angles: Added<'a>,
    /// The number of heads per token.
    pub heads: usize,
    /// The number of elements in a head.
    pub head_dim: usize,
    /// The number of elements that are rotated, beginning with the first; even.
    pub dim: usize,
    /// The elements that form a pair.
    pub pairs: Pairs,
    /// Whether to rotate backwards, which is the transposed rotation.
    pub inverse: bool,
    /// The elements of `x` and `out`.
    pub format: OutFormat,
}

impl Rotate<'_> {
    /// The same for a range of the tokens.
    ///
    /// # Panics
    /// If the range is outside the tokens.
    pub fn part(&self, range: Range<usize>) -> Self {
        Self { angles: self.angles.part(range), ..*self }
    }

    /// The bytes of a token; None if that overflows.
    pub fn token_bytes(&self) -> Option<usize> {
        self.heads.checked_mul(self.head_dim)?.checked_mul(self.format.size())
    }
}

/// The raw arguments of the op. Their contract, which [`Kernels::rotate`] checks: `x` and `out` point at
/// `len * heads * head_dim` elements each, either the same or not overlapping; `angles` fulfil theirs for `len` tokens
/// and rows of `dim`, which is even and at most `head_dim`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRotate {
    x: *const u8,
    out: *mut u8,
    angles: RawAdded,
    len: usize,
    heads: usize,
    head_dim: usize,
    dim: usize,
    pairs: Pairs,
    /// The factor of the sines: 1, or -1 for the inverse.
    sign: f32,
    format: OutFormat,
}

arms!(ROTATE: fn(op: RawRotate), body<L>, reference);

impl Kernels {
    /// `out` = `x` (tokens x heads x head_dim), rotated.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn rotate(self, op: &Rotate<'_>, x: &[u8], out: &mut [u8]) {
        assert!(x.len() == out.len(), "rotate: out of another size");
        let raw = raw(op, x.as_ptr(), out.as_mut_ptr(), out.len());
        // SAFETY: `raw` checked the sizes, a `&mut` overlaps nothing, and `self` proves that its instruction
        // set runs here.
        unsafe { ROTATE.on(self)(raw) }
    }

    /// [`Kernels::rotate`] in place.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn rotate_in_place(self, op: &Rotate<'_>, x: &mut [u8]) {
        let out = x.as_mut_ptr();
        let raw = raw(op, out, out, x.len());
        // SAFETY: as for `rotate`; both pointers are the same, as the contract allows.
        unsafe { ROTATE.on(self)(raw) }
    }
}

fn raw(op: &Rotate<'_>, x: *const u8, out: *mut u8, bytes: usize) -> RawRotate {
    let Rotate { angles, heads, head_dim, dim, pairs, inverse, format } = *op;
    assert!(dim.is_multiple_of(2) && dim <= head_dim, "rotate: pairs that a head does not have");
    let token = op.token_bytes().unwrap_or(0);
    assert!(token > 0 && bytes.is_multiple_of(token) || bytes == 0, "rotate: not whole tokens");
    let len = bytes.checked_div(token).unwrap_or(0);
    let sign = if inverse { -1.0 } else { 1.0 };
    RawRotate { x, out, angles: angles.raw(len, dim), len, heads, head_dim, dim, pairs, sign, format }
}

/// How elements of one type are read and written, singly or as a vector.
trait Element {
    const SIZE: usize;
    unsafe fn get(from: *const u8) -> f32;
    unsafe fn put(to: *mut u8, value: f32);
    unsafe fn load<L: NarrowLanes>(from: *const u8) -> L;
    unsafe fn store<L: NarrowLanes>(values: L, to: *mut u8);
}

macro_rules! element {
    ($name:ident, $bits:ty, $get:expr, $put:expr, $load:expr, $store:expr) => {
        struct $name;

        // All pointers are valid for what is read or written, at any alignment; vectors need a machine with `L`'s
        // instruction set.
        impl Element for $name {
            const SIZE: usize = size_of::<$bits>();

            #[inline(always)]
            unsafe fn get(from: *const u8) -> f32 {
                // SAFETY: as the caller promises.
                unsafe { $get(from.cast::<$bits>().read_unaligned()) }
            }

            #[inline(always)]
            unsafe fn put(to: *mut u8, value: f32) {
                // SAFETY: as the caller promises.
                unsafe { to.cast::<$bits>().write_unaligned($put(value)) }
            }

            #[inline(always)]
            unsafe fn load<L: NarrowLanes>(from: *const u8) -> L {
                // SAFETY: as the caller promises.
                unsafe { $load(from.cast()) }
            }

            #[inline(always)]
            unsafe fn store<L: NarrowLanes>(values: L, to: *mut u8) {
                // SAFETY: as the caller promises.
                unsafe { $store(values, to.cast()) }
            }
        }
    };
}

element!(Single, f32, std::convert::identity, std::convert::identity, L::load, L::store);
element!(Half, u16, half::f16_to_f32, half::f32_to_f16, L::load_f16, L::store_f16);
element!(Brain, u16, half::bf16_to_f32, half::f32_to_bf16, L::load_bf16, L::store_bf16);

/// The indices of the two elements of a pair.
#[inline(always)]
fn places(pairs: Pairs, half: usize, p: usize) -> (usize, usize) {
    match pairs {
        Pairs::Half => (p, half + p),
        Pairs::Interleaved => (2 * p, 2 * p + 1),
    }
}

/// Rotates a head, one pair at a time.
///
/// # Safety
/// The contract of [`RawRotate`]: `angles` points at a row, `x` and `out` at a head.
#[inline(always)]
unsafe fn pairs<E: Element>(op: &RawRotate, angles: *const f32, x: *const u8, out: *mut u8) {
    let half = op.dim / 2;
    for p in 0..half {
        let (a, b) = places(op.pairs, half, p);
        // SAFETY: as the caller promises; both places are below `dim`.
        unsafe {
            let (c, s) = (*angles.add(p), *angles.add(half + p) * op.sign);
            let (first, second) = (E::get(x.add(a * E::SIZE)), E::get(x.add(b * E::SIZE)));
            E::put(out.add(a * E::SIZE), first * c - second * s);
            E::put(out.add(b * E::SIZE), second * c + first * s);
        }
    }
}

/// Calls `$head` with `op`, the row of angles, and `x` and `out` of each head, and copies the elements that are not
/// rotated.
macro_rules! each_head {
    ($op:ident, $size:expr, $head:expr) => {{
        let mut op = $op;
        let bytes = op.head_dim * $size;
        for i in 0..op.len {
            // SAFETY: the contract of `RawRotate`.
            unsafe {
                let angles = op.angles.row(i, op.dim);
                for h in 0..op.heads {
                    let at = (i * op.heads + h) * bytes;
                    let (x, out) = (op.x.add(at), op.out.add(at));
                    $head(&op, angles, x, out);
                    if op.dim < op.head_dim && !std::ptr::eq(x, out) {
                        let rotated = op.dim * $size;
                        std::ptr::copy_nonoverlapping(x.add(rotated), out.add(rotated), bytes - rotated);
                    }
                }
            }
        }
    }};
}

/// The reference, which defines the result.
unsafe fn reference(op: RawRotate) {
    unsafe fn heads<E: Element>(op: RawRotate) {
        each_head!(op, E::SIZE, pairs::<E>)
    }
    // SAFETY: as the caller promises.
    unsafe {
        match op.format {
            OutFormat::Float32 => heads::<Single>(op),
            OutFormat::Float16 => heads::<Half>(op),
            OutFormat::BFloat16 => heads::<Brain>(op),
        }
    }
}

/// # Safety
/// The contract of [`RawRotate`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: NarrowLanes>(op: RawRotate) {
    // SAFETY: as the caller promises; a machine that has an instruction set has those before it.
    unsafe {
        match (op.format, op.dim / 2 >= L::WIDTH) {
            (OutFormat::Float32, true) => heads::<L, Single>(op),
            (OutFormat::Float16, true) => heads::<L, Half>(op),
            (OutFormat::BFloat16, true) => heads::<L, Brain>(op),
            (OutFormat::Float32, false) => heads::<L::Shorter, Single>(op),
            (OutFormat::Float16, false) => heads::<L::Shorter, Half>(op),
            (OutFormat::BFloat16, false) => heads::<L::Shorter, Brain>(op),
        }
    }
}

#[inline(always)]
unsafe fn heads<L: NarrowLanes, E: Element>(op: RawRotate) {
    match op.pairs {
        _ if op.dim / 2 < L::WIDTH => each_head!(op, E::SIZE, pairs::<E>),
        Pairs::Half => each_head!(op, E::SIZE, head::<L, E, HalfApart>),
        Pairs::Interleaved => each_head!(op, E::SIZE, head::<L, E, Neighbours>),
    }
}

/// How `WIDTH` pairs are read as vectors and rotated.
trait Turn {
    /// The offsets, in elements, of the two vectors of the pairs beginning at `p`.
    fn vectors<L: NarrowLanes>(half: usize, p: usize) -> (usize, usize);
    /// The two vectors, rotated.
    unsafe fn turned<L: NarrowLanes>(x: (L, L), c: L, s: L) -> (L, L);
}

struct HalfApart;
struct Neighbours;

impl Turn for HalfApart {
    #[inline(always)]
    fn vectors<L: NarrowLanes>(half: usize, p: usize) -> (usize, usize) {
        (p, half + p)
    }

    #[inline(always)]
    unsafe fn turned<L: NarrowLanes>((a, b): (L, L), c: L, s: L) -> (L, L) {
        // SAFETY: as the caller promises.
        unsafe { (a.mul(c).sub(b.mul(s)), b.mul(c).add(a.mul(s))) }
    }
}

impl Turn for Neighbours {
    #[inline(always)]
    fn vectors<L: NarrowLanes>(_: usize, p: usize) -> (usize, usize) {
        (2 * p, 2 * p + L::WIDTH)
    }

    #[inline(always)]
    unsafe fn turned<L: NarrowLanes>((first, second): (L, L), c: L, s: L) -> (L, L) {
        // For each pair (a, b): (a, b) * (c, c) + (b, a) * (-s, s).
        // SAFETY: as the caller promises.
        unsafe {
            let [c0, c1] = L::interleave(c, c);
            let [s0, s1] = L::interleave(s.mul(L::splat(-1.0)), s);
            (first.mul(c0).add(first.swap_pairs().mul(s0)), second.mul(c1).add(second.swap_pairs().mul(s1)))
        }
    }
}

/// Rotates a head of at least `WIDTH` pairs.
///
/// # Safety
/// As for [`pairs`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn head<L: NarrowLanes, E: Element, T: Turn>(op: &RawRotate, angles: *const f32, x: *const u8, out: *mut u8) {
    let half = op.dim / 2;
    // SAFETY: as the caller promises; all pairs are below `half`.
    unsafe {
        let sign = L::splat(op.sign);
        // The last step overlaps the one before it. It reads before that one writes, because `out` may be `x`.
        let last = half - L::WIDTH;
        let overlapping = step::<L, E, T>(half, angles, x, sign, last);
        let mut p = 0;
        while p + L::WIDTH <= half {
            put::<L, E, T>(half, out, p, step::<L, E, T>(half, angles, x, sign, p));
            p += L::WIDTH;
        }
        if p < half {
            put::<L, E, T>(half, out, last, overlapping);
        }
    }
}

/// Rotates the pairs `p .. p + WIDTH` of a head.
#[inline(always)]
unsafe fn step<L: NarrowLanes, E: Element, T: Turn>(
    half: usize,
    angles: *const f32,
    x: *const u8,
    sign: L,
    p: usize,
) -> (L, L) {
    let (a, b) = T::vectors::<L>(half, p);
    // SAFETY: as the caller promises.
    unsafe {
        let (c, s) = (L::load(angles.add(p)), L::load(angles.add(half + p)).mul(sign));
        T::turned::<L>((E::load(x.add(a * E::SIZE)), E::load(x.add(b * E::SIZE))), c, s)
    }
}

#[inline(always)]
unsafe fn put<L: NarrowLanes, E: Element, T: Turn>(half: usize, out: *mut u8, p: usize, (first, second): (L, L)) {
    let (a, b) = T::vectors::<L>(half, p);
    // SAFETY: as the caller promises.
    unsafe {
        E::store(first, out.add(a * E::SIZE));
        E::store(second, out.add(b * E::SIZE));
    }
}

/// The sizes are lengths of heads.
pub(crate) const PROBE: Probe = Probe { name: "rotate", line: "rotate", sizes: &[2, 16, 64, 85], run: probe };

fn probe(kernels: Kernels, head_dim: usize, results: &mut Results) {
    // A short head and one of whole vectors are rotated completely, others in an even part.
    let dim = match head_dim {
        16 => 14,
        85 => 66,
        all => all,
    };
    let angles = numbers(ROWS * dim, 89);
    let x: Vec<u8> = numbers(ROWS * 3 * head_dim, 97).iter().flat_map(|x| x.to_le_bytes()).collect();
    let along = Along::Cycle { offset: 0, length: ROWS, first: 0 };
    for (pairs, inverse) in Pairs::ALL.into_iter().flat_map(|pairs| [(pairs, false), (pairs, true)]) {
        let angles = Added { table: &angles, along };
        let of = Rotate { angles, heads: 3, head_dim, dim, pairs, inverse, format: OutFormat::Float32 };
        let mut out = Framed::room(x.len());
        kernels.rotate(&of, &x, &mut out);
        results.take(&out);
    }
}

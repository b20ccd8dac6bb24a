//! The Mersenne Twister: 624 words of state, and the step that replaces them all.
//!
//! ```text
//! for i in 0..624:
//!     mixed = (words[i] & 0x80000000) | (words[(i + 1) mod 624] & 0x7fffffff)
//!     words[i] = words[(i + 397) mod 624] ^ (mixed >> 1) ^ (0x9908b0df if mixed is odd else 0)
//! ```
//!
//! This is `at::mt19937_engine::next_state` of PyTorch; the algorithm is by Matsumoto and Nishimura. It uses only
//! integers, so the words are the same on every instruction set.

use crate::dispatch::{Kernels, arms};
use crate::lanes::math::MathLanes;
use crate::probe::{Probe, Results, words};

/// The number of words in a state.
pub const MT_WORDS: usize = 624;
/// The distance to the word that is mixed in.
const AHEAD: usize = 397;
/// The width of the widest vector, in words, which is how far reads may go past the end.
const MARGIN: usize = 16;

/// The words of an engine, followed by a margin in which the twist repeats the first words, so that no vector wraps
/// around.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct MtState {
    words: [u32; MT_WORDS],
    margin: [u32; MARGIN],
}

impl MtState {
    /// A state with these words.
    pub fn new(words: [u32; MT_WORDS]) -> Self {
        Self { words, margin: [0; MARGIN] }
    }

    /// The untempered words.
    pub fn words(&self) -> &[u32; MT_WORDS] {
        &self.words
    }
}

arms!(MT19937_TWIST: fn(state: &mut MtState), body<L>, reference);

impl Kernels {
    /// Replaces the words by the next 624.
    pub fn mt19937_twist(self, state: &mut MtState) {
        // SAFETY: `self` proves that the instruction set runs here.
        unsafe { MT19937_TWIST.on(self)(state) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(state: &mut MtState) {
    let words = &mut state.words;
    for i in 0..MT_WORDS {
        let mixed = (words[i] & 0x8000_0000) | (words[(i + 1) % MT_WORDS] & 0x7fff_ffff);
        let odd = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
        words[i] = words[(i + AHEAD) % MT_WORDS] ^ (mixed >> 1) ^ odd;
    }
}

/// The first index, a multiple of every width, whose partner `AHEAD` later lies wholly past the end.
const WRAPS_FROM: usize = (MT_WORDS - AHEAD).next_multiple_of(MARGIN);

/// # Safety
/// On a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes>(state: &mut MtState) {
    const { assert!(MARGIN.is_multiple_of(L::WIDTH) && WRAPS_FROM - 1 + AHEAD < MT_WORDS + MARGIN) };
    // One pointer serves words and margin: they are adjacent in a `repr(C)` struct of u32.
    let at: *mut u32 = std::ptr::from_mut(state).cast();
    // SAFETY: reads end at word `WRAPS_FROM - 1 + AHEAD` in the first two loops and at word `MT_WORDS` in the last, all
    // inside words and margin. Writes end at `MT_WORDS - 1`; those of the copy end with the margin.
    unsafe {
        let mut i = 0;
        while i < MARGIN {
            step::<L>(at.add(i), at.add(i + AHEAD));
            i += L::WIDTH;
        }
        // The first new words are repeated in the margin, for the vectors below that reach past the end.
        std::ptr::copy_nonoverlapping(at, at.add(MT_WORDS), MARGIN);
        while i < WRAPS_FROM {
            step::<L>(at.add(i), at.add(i + AHEAD));
            i += L::WIDTH;
        }
        while i < MT_WORDS {
            step::<L>(at.add(i), at.add(i + AHEAD - MT_WORDS));
            i += L::WIDTH;
        }
    }
}

/// One vector of the twist, in place: after a word is replaced, no later vector reads its old value.
#[inline(always)]
unsafe fn step<L: MathLanes>(at: *mut u32, ahead: *const u32) {
    // SAFETY: the caller promises that `WIDTH + 1` words may be read at `at`, `WIDTH` at `ahead`; `WIDTH` are written.
    unsafe {
        let this = L::load_ints(at);
        let next = L::load_ints(at.add(1));
        // The upper bit of one and the lower bits of the other: ((this ^ next) & upper) ^ next.
        let mixed = L::xor(L::and(L::xor(this, next), L::splat_int(0x8000_0000)), next);
        // All bits are ones in lanes whose last bit is set.
        let odd = L::shift_right_signed::<31>(L::shift_left::<31>(next));
        let odd = L::and(odd, L::splat_int(0x9908_b0df));
        let word = L::xor(L::xor(L::load_ints(ahead), L::shift_right::<1>(mixed)), odd);
        L::store_ints(word, at);
    }
}

pub(crate) const PROBE: Probe = Probe { name: "mt19937", line: "uniform", sizes: &[MT_WORDS], run: probe };

fn probe(kernels: Kernels, _: usize, results: &mut Results) {
    results.put(&twisted(kernels));
}

/// Words that are not the start of any seed, for probes.
pub(super) fn twisted(kernels: Kernels) -> [u32; MT_WORDS] {
    let mut start = [0; MT_WORDS];
    start.copy_from_slice(&words(MT_WORDS, 47));
    let mut state = MtState::new(start);
    for _ in 0..3 {
        kernels.mt19937_twist(&mut state);
    }
    *state.words()
}

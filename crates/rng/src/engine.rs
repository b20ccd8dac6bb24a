//! The Mersenne Twister, as a position in a stream of words that is produced 624 at a time.

use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ops::draw::draw_uniform::temper;
use tokenbed_kernels::ops::draw::mt19937::{MT_WORDS, MtState};

/// `at::mt19937_engine`: 624 words and the position among them.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// What the engine twists with, unless a call says so.
    kernels: Kernels,
    words: MtState,
    /// Draws until the next twist, counting the one that twists: 1 to 624. [`Engine::available`] is one less.
    left: u32,
    /// Index of the next word, 0 to 624. `left` determines it once a first word was drawn. It is kept all the same,
    /// because a freshly seeded state has (1, 0) and an exhausted one (1, 624).
    next: u32,
}

impl Engine {
    /// `init_with_uint32`: the engine takes the lower 32 bits of the seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut words = [0; MT_WORDS];
        let mut last = seed as u32; // PyTorch takes the lower 32 bits.
        words[0] = last;
        for (i, word) in words.iter_mut().enumerate().skip(1) {
            last = (last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
            *word = last;
        }
        Self::from_parts(words, 1, 0)
    }

    /// An engine at a given position. `left` is 1, or `left + next` is 625.
    pub(crate) fn from_parts(words: [u32; MT_WORDS], left: u32, next: u32) -> Self {
        debug_assert!((1..=624).contains(&left) && next <= 624 && (left == 1 || left + next == 625));
        Self { kernels: dispatch::active(), words: MtState::new(words), left, next }
    }

    pub(crate) fn parts(&self) -> (&[u32; MT_WORDS], u32, u32) {
        (self.words.words(), self.left, self.next)
    }

    /// The instruction set in use when the engine was made.
    pub(crate) fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// Number of words that are left before the next twist.
    fn available(&self) -> usize {
        self.left as usize - 1
    }

    fn twist(&mut self, kernels: Kernels) {
        kernels.mt19937_twist(&mut self.words);
        self.left = MT_WORDS as u32 + 1;
        self.next = 0;
    }

    /// Marks `count` of the available words as used.
    fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.available());
        self.left -= count as u32;
        self.next += count as u32;
    }

    /// The next draw.
    pub(crate) fn random(&mut self) -> u32 {
        if self.available() == 0 {
            self.twist(self.kernels);
        }
        let word = self.words.words()[self.next as usize];
        self.advance(1);
        temper(word)
    }

    /// Skips `count` draws.
    pub(crate) fn skip(&mut self, kernels: Kernels, mut count: usize) {
        while count > self.available() {
            count -= self.available();
            self.twist(kernels);
        }
        self.advance(count);
    }

    /// The next draws as words that are not tempered yet: at most `most` of them, and at least one unless `most` is
    /// 0.
    pub(crate) fn take(&mut self, kernels: Kernels, most: usize) -> &[u32] {
        if self.available() == 0 && most > 0 {
            self.twist(kernels);
        }
        let count = most.min(self.available());
        let start = self.next as usize;
        self.advance(count);
        &self.words.words()[start..start + count]
    }
}

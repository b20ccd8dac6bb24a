//! Random bits as PyTorch's `Tensor.bernoulli_(p)` draws them (`bernoulli_scalar_kernel`, in a build where MKL does
//! not draw).
//!
//! ```text
//! for every element: u = (random64() & (2^53 - 1)) * 2^-53;  the bit is set if u < p
//! ```
//!
//! The comparison is done on integers: `u < p` holds if the integer is below `p * 2^53`, rounded up.

use crate::generator::Generator;
use tokenbed_kernels::ops::draw::draw_uniform::temper;

/// Number of the engine's words for an element.
const WORDS: usize = 2;
/// Number of random bits in a uniform f64.
const BITS: u32 = 53;

/// Sets bit `i mod 8` of `bits[i / 8]` with probability `p` in [0, 1] for each element `i < elements`, and clears all
/// other bits.
///
/// # Panics
/// If `bits` is too short. That is a bug of the calling code, not of its user.
pub fn bernoulli(generator: &mut Generator, p: f64, elements: usize, bits: &mut [u8]) {
    assert!(elements.div_ceil(8) <= bits.len(), "bernoulli: too few bits");
    bits.fill(0);
    // This is exact: scaling by a power of two changes only the exponent.
    let below = (p * (1u64 << BITS) as f64).ceil() as u64;
    let yes =
        |high: u32, low: u32| (u64::from(temper(high)) << 32 | u64::from(temper(low))) & ((1 << BITS) - 1) < below;
    let kernels = generator.engine.kernels();
    let mut odd = None;
    let mut element = 0;
    while element < elements {
        // Words come as the twist produces them, and an element's pair of words may lie on both sides of a twist.
        let wanted = (elements - element) * WORDS - usize::from(odd.is_some());
        let mut words = generator.engine.take(kernels, wanted);
        if let (Some(high), Some((&low, rest))) = (odd, words.split_first()) {
            bits[element / 8] |= u8::from(yes(high, low)) << (element % 8);
            (words, element) = (rest, element + 1);
        }
        let pairs = words.chunks_exact(WORDS);
        odd = pairs.remainder().first().copied();
        for pair in pairs {
            bits[element / 8] |= u8::from(yes(pair[0], pair[1])) << (element % 8);
            element += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_equal_pytorchs() {
        // torch.manual_seed(0); torch.empty(12).bernoulli_(0.7); torch.rand(1), with PyTorch 2.15.0
        let mut generator = Generator::new(0);
        let mut bits = [0xff; 2];
        bernoulli(&mut generator, 0.7, 12, &mut bits);
        assert_eq!(bits, [0b1101_0100, 0b0000_1111]);
        let mut after = [0.0];
        crate::uniform(&mut generator, &mut after, 0.0, 1.0).unwrap();
        assert_eq!(format!("{:.4}", after[0]), "0.4194");
    }

    #[test]
    fn pairs_continue_across_the_twist() {
        for (before, elements) in [(0, 1), (1, 311), (1, 312), (2, 1000), (623, 3), (1, 0)] {
            for p in [0.0, 0.3, 1.0] {
                let (mut ours, mut naive) = (Generator::new(9), Generator::new(9));
                for _ in 0..before {
                    ours.random();
                    naive.random();
                }
                let mut bits = vec![0; usize::div_ceil(elements, 8)];
                bernoulli(&mut ours, p, elements, &mut bits);
                for i in 0..elements {
                    let u = (naive.random64() & ((1 << 53) - 1)) as f64 * 2f64.powi(-53);
                    assert_eq!(bits[i / 8] >> (i % 8) & 1 == 1, u < p, "{before} {elements} {p} {i}");
                }
                assert_eq!(ours.random(), naive.random());
            }
        }
    }
}

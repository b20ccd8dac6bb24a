//! Yes or no, as `Tensor.bernoulli_(p)` of PyTorch draws it: `bernoulli_scalar_kernel`, where MKL draws nothing itself.
//!
//! ```text
//! for every element: u = (random64() & (2^53 - 1)) * 2^-53;  yes where u < p
//! ```
//!
//! The comparison is done on integers: `u < p` where the integer is below `p * 2^53`, rounded up.

use crate::generator::Generator;
use tokenbed_kernels::ops::draw::draw_uniform::temper;

/// Words of the engine for an element.
const WORDS: usize = 2;
/// Bits of a uniform value in f64.
const BITS: u32 = 53;

/// Sets bit `i mod 8` of `bits[i / 8]` for each of `elements` with the probability `p` in [0, 1], and clears the others.
///
/// # Panics
/// If there are too few bits: the caller's bug, not its user's.
pub fn bernoulli(generator: &mut Generator, p: f64, elements: usize, bits: &mut [u8]) {
    assert!(elements.div_ceil(8) <= bits.len(), "bernoulli: too few bits");
    bits.fill(0);
    // Exact: scaling by a power of two only moves the point.
    let below = (p * (1u64 << BITS) as f64).ceil() as u64;
    let yes =
        |high: u32, low: u32| (u64::from(temper(high)) << 32 | u64::from(temper(low))) & ((1 << BITS) - 1) < below;
    let kernels = generator.engine.kernels();
    let mut odd = None;
    let mut element = 0;
    while element < elements {
        // Words come as the twist makes them; a pair may lie on both sides of it.
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
    fn draws_are_those_of_pytorch() {
        // torch.manual_seed(0); torch.empty(12).bernoulli_(0.7); torch.rand(1), of 2.15.0
        let mut generator = Generator::new(0);
        let mut bits = [0xff; 2];
        bernoulli(&mut generator, 0.7, 12, &mut bits);
        assert_eq!(bits, [0b1101_0100, 0b0000_1111]);
        let mut after = [0.0];
        crate::uniform(&mut generator, &mut after, 0.0, 1.0).unwrap();
        assert_eq!(format!("{:.4}", after[0]), "0.4194");
    }

    #[test]
    fn pairs_go_on_across_the_twist() {
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

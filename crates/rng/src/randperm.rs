//! Permutations as `torch.randperm` draws them.

use crate::error::DrawError;
use crate::generator::Generator;
use tokenbed_memory::{List, with_room};

/// Length from which on PyTorch draws 64 bits for a sample, and shuffles inside out.
pub const LARGE_PERMUTATION: usize = (u32::MAX / 20) as usize;

/// A permutation of `0 .. len` (`torch.randperm(len)`).
pub fn randperm(generator: &mut Generator, len: usize) -> Result<Vec<u32>, DrawError> {
    check(len)?;
    let mut order = with_room(len);
    if len < LARGE_PERMUTATION {
        order.put_all(0..len as u32);
        shuffle(generator, &mut order);
    } else {
        inside_out(generator, &mut order, len);
    }
    Ok(order)
}

/// Draws what [`randperm`] draws, without computing the permutation.
pub fn skip_randperm(generator: &mut Generator, len: usize) -> Result<(), DrawError> {
    check(len)?;
    let draws = if len < LARGE_PERMUTATION { len.saturating_sub(1) } else { 2 * len };
    generator.engine.skip(generator.engine.kernels(), draws);
    Ok(())
}

fn check(len: usize) -> Result<(), DrawError> {
    // A u32 can number 2^32 samples.
    if u32::try_from(len.saturating_sub(1)).is_err() { Err(DrawError::PermutationTooLong { len }) } else { Ok(()) }
}

/// Swaps each sample with itself or a later one.
fn shuffle(generator: &mut Generator, order: &mut [u32]) {
    for i in 0..order.len().saturating_sub(1) {
        let remaining = (order.len() - i) as u32; // below LARGE_PERMUTATION
        order.swap(i, i + (generator.random() % remaining) as usize);
    }
}

/// Puts each new sample in the place of an earlier one (or its own), and moves that one to the end.
fn inside_out(generator: &mut Generator, order: &mut Vec<u32>, len: usize) {
    for i in 0..len {
        let other = (generator.random64() % (i as u64 + 1)) as usize; // at most i
        order.put(i as u32);
        order.swap(i, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with PyTorch's loop, statement by statement: `r[i] = i; r[i] = r[z]; r[z] = i`.
    #[test]
    fn inside_out_is_pytorchs_loop() {
        let (mut ours, mut theirs) = (Generator::new(7), Generator::new(7));
        let mut order = Vec::new();
        inside_out(&mut ours, &mut order, 1000);
        let mut expected = vec![0_u32; 1000];
        for i in 0..1000 {
            let z = (theirs.random64() % (i as u64 + 1)) as usize;
            expected[i] = i as u32;
            expected[i] = expected[z];
            expected[z] = i as u32;
        }
        assert_eq!(order, expected);
    }
}

//! Draws ids by their frequency, raised to a power. It uses Walker's alias method, which reads one entry per draw.

use crate::draws::scaled;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, List, with_room, zeroed};

/// Ids with the probabilities `count^exponent / sum`.
#[derive(Debug)]
pub struct Unigram {
    /// For each id that may be drawn: the threshold among 2^32 below which it is drawn, and what is drawn otherwise.
    entries: Vec<(u32, u32)>,
    /// The ids that the entries stand for.
    ids: Vec<u32>,
    /// The probability of each id; 0 for those never drawn.
    probabilities: Vec<f32>,
}

impl Unigram {
    /// Draws over ids `0 .. counts.len()`. An id with a count of 0 is never drawn.
    ///
    /// # Errors
    /// [`Error::Usage`] if all counts are 0.
    pub fn new(counts: &[u64], exponent: f64) -> Result<Self> {
        let ids: Vec<u32> = (0..).zip(counts).filter(|(_, count)| **count > 0).map(|(id, _)| id).into_list();
        let weights: Vec<f64> = ids.iter().map(|&id| libm::pow(counts[id as usize] as f64, exponent)).into_list();
        let sum: f64 = weights.iter().sum();
        if ids.is_empty() || !sum.is_finite() || sum <= 0.0 {
            return Err(Error::Usage(format!(
                "ids cannot be drawn from counts of {} ids with the total weight {sum}",
                ids.len()
            )));
        }
        let mut probabilities = zeroed(counts.len());
        let mut shares: Vec<f64> = with_room(ids.len());
        for (&id, weight) in ids.iter().zip(&weights) {
            probabilities[id as usize] = (weight / sum) as f32;
            shares.put(weight / sum * ids.len() as f64);
        }
        Ok(Self { entries: aliases(shares), ids, probabilities })
    }

    /// The id that 64 random bits select.
    #[inline]
    pub fn id(&self, bits: u64) -> u32 {
        let place = scaled((bits >> 32) as u32, self.entries.len() as u32);
        let (itself, other) = self.entries[place as usize];
        self.ids[if bits as u32 <= itself { place } else { other } as usize]
    }

    /// The probability of an id.
    pub fn probability(&self, id: u32) -> f32 {
        self.probabilities[id as usize]
    }
}

/// The entries for shares whose mean is 1: each share below 1 is filled up from one above 1.
fn aliases(mut shares: Vec<f64>) -> Vec<(u32, u32)> {
    let mut entries: Vec<(u32, u32)> = (0..shares.len() as u32).map(|i| (u32::MAX, i)).into_list();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..shares.len()).partition(|&i| shares[i] < 1.0);
    while let (Some(&over), Some(short)) = (large.last(), small.pop()) {
        entries[short] = ((shares[short] * f64::from(u32::MAX)) as u32, over as u32);
        shares[over] -= 1.0 - shares[short];
        if shares[over] < 1.0 {
            large.pop();
            small.put(over);
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Draws;

    #[test]
    fn draws_follow_the_counts() {
        let counts = [0, 1000, 10, 0, 100, 1, 5000];
        let unigram = Unigram::new(&counts, 0.75).unwrap();
        let mut drawn = [0u32; 7];
        let n = 400_000;
        for place in 0..n {
            drawn[unigram.id(Draws::at(3, 0, place).bits()) as usize] += 1;
        }
        let sum: f64 = counts.iter().map(|&c| (c as f64).powf(0.75)).sum();
        for (id, (&count, drawn)) in counts.iter().zip(drawn).enumerate() {
            let expected = if count == 0 { 0.0 } else { (count as f64).powf(0.75) / sum };
            assert!((f64::from(drawn) / n as f64 - expected).abs() < 3e-3, "{id}: {drawn} of {n}, not {expected}");
            assert!((f64::from(unigram.probability(id as u32)) - expected).abs() < 1e-6);
        }
        assert!(Unigram::new(&[0, 0], 0.75).is_err() && Unigram::new(&[], 0.75).is_err());
    }
}

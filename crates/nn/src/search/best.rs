//! The best scores so far, with the rows that have them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tokenbed_memory::Heap;

/// The sign of a float.
const SIGN: u32 = 1 << 31;

/// A score and a row as one number, which is larger for a better pair: a higher score or, at equal scores, a lower row.
/// The score is not NaN.
fn key(score: f32, row: u32) -> u64 {
    // This makes 0 of -0, which is equal to it.
    let bits = (score + 0.0).to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    u64::from(ordered) << 32 | u64::from(!row)
}

/// The score of a key.
pub(crate) fn score_of(key: u64) -> f32 {
    let ordered = (key >> 32) as u32;
    f32::from_bits(if ordered & SIGN == 0 { !ordered } else { ordered ^ SIGN })
}

/// The row of a key.
pub(crate) fn row_of(key: u64) -> u32 {
    !(key as u32)
}

/// The best `k` pairs of those that were offered, as keys.
#[derive(Debug)]
pub(crate) struct Best {
    k: usize,
    /// The worst of them is on top.
    heap: BinaryHeap<Reverse<u64>>,
    /// What a score must reach to enter.
    least: f32,
}

impl Best {
    /// None yet, of `k` that will be kept; `k` is not 0.
    pub(crate) fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::new(), least: f32::NEG_INFINITY }
    }

    /// What a score must reach to enter.
    pub(crate) fn least(&self) -> f32 {
        self.least
    }

    /// Keeps a pair if it is among the best. The score is not NaN.
    pub(crate) fn offer(&mut self, score: f32, row: u32) {
        let key = key(score, row);
        if self.heap.len() < self.k {
            self.heap.put(Reverse(key));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && key > worst.0
        {
            *worst = Reverse(key);
        }
        if let Some(worst) = self.heap.peek().filter(|_| self.heap.len() == self.k) {
            self.least = score_of(worst.0);
        }
    }

    /// The keys, in any order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = u64> {
        self.heap.iter().map(|key| key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_by_score_and_then_by_row() {
        let inf = f32::INFINITY;
        let pairs = [(-inf, 0), (-1.5, 7), (-1.5, 3), (-0.0, 9), (0.0, 8), (0.0, 2), (1e-40, 5), (1.0, 1), (inf, 0)];
        for pair in pairs.windows(2) {
            assert!(key(pair[0].0, pair[0].1) < key(pair[1].0, pair[1].1), "{pair:?}");
        }
        for (score, row) in pairs {
            let key = key(score, row);
            assert!(score_of(key) == score && row_of(key) == row);
        }
    }

    #[test]
    fn keeps_the_best() {
        let mut best = Best::new(3);
        for (row, score) in [0.5, 0.1, 0.9, 0.5, 0.5, 0.9].into_iter().enumerate() {
            best.offer(score, row as u32);
        }
        let mut keys: Vec<u64> = best.keys().collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(keys.iter().map(|&key| row_of(key)).collect::<Vec<_>>(), [2, 5, 0]);
        assert!(best.least() == 0.5);
    }
}

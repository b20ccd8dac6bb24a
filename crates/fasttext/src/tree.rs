//! The tree of hierarchical softmax: a Huffman tree over the counts of what is told apart.

use super::Open;
use tokenbed_memory::{List, with_room};

/// More than any count: that of a node that is not there yet.
const ABSENT: i64 = 1_000_000_000_000_000;

/// The inner nodes. A child below the number of leaves is a leaf, another one the inner node of that number less.
#[derive(Debug)]
pub(super) struct Tree {
    pub nodes: Vec<[u32; 2]>,
}

impl Tree {
    /// Builds the tree as fastText does. The counts should not rise: from equal ones the order decides.
    ///
    /// # Errors
    /// The number of the leaf whose count cannot be: it is negative, or more than there is text in the world.
    pub(super) fn build(open: Open<'_>, leaves: usize, first: usize) -> Result<Self, usize> {
        let mut counts: Vec<i64> = with_room(2 * leaves);
        for leaf in 0..leaves {
            let count = open.dictionary.count(open.bytes, first + leaf);
            if !(0..ABSENT).contains(&count) {
                return Err(leaf);
            }
            counts.put(count);
        }
        let mut nodes: Vec<[u32; 2]> = with_room(leaves.saturating_sub(1));
        // The leaf with the least count that is left, and one; the inner node that was made first and is left.
        let (mut leaf, mut node) = (leaves, leaves);
        for _ in 1..leaves {
            let mut take = || {
                let inner = counts.get(node).copied().unwrap_or(ABSENT);
                if leaf > 0 && counts[leaf - 1] < inner {
                    leaf -= 1;
                    return leaf;
                }
                node += 1;
                node - 1
            };
            let children = [take(), take()];
            // Below the largest count there is always a leaf or an inner node to take. Sums that would pass it stay
            // there.
            let sum = children.iter().fold(0, |sum: i64, &child| sum.saturating_add(counts[child])).min(ABSENT - 1);
            counts.put(sum);
            nodes.put(children.map(|child| child as u32));
        }
        Ok(Self { nodes })
    }
}

//! From the mean of a line's rows to the probabilities of classes, in the types in which fastText computes them.

use super::Open;
use super::tree::Tree;
use tokenbed_io::fasttext::{Loss, Matrix};
use tokenbed_memory::List;

/// Rows whose products are computed side by side.
const TOGETHER: usize = 8;
/// Beyond this, a sigmoid is 0 or 1; below, it is looked up in a table of so many steps.
const MAX_SIGMOID: f32 = 8.0;
const SIGMOID_STEPS: usize = 512;

/// fastText's logarithm, which is finite at 0.
fn log(x: f64) -> f32 {
    libm::log(x + 1e-5) as f32
}

fn exp(x: f32) -> f32 {
    libm::exp(f64::from(x)) as f32
}

/// fastText's sigmoid: a step of its table.
fn sigmoid(x: f32) -> f32 {
    if x < -MAX_SIGMOID {
        return 0.0;
    }
    if x > MAX_SIGMOID {
        return 1.0;
    }
    // A NaN becomes step 0; the caller refuses it before.
    let step = ((x + MAX_SIGMOID) * SIGMOID_STEPS as f32 / MAX_SIGMOID / 2.0) as usize;
    let at = (step * 2) as f32 * MAX_SIGMOID / SIGMOID_STEPS as f32 - MAX_SIGMOID;
    (1.0 / (1.0 + f64::from(exp(-at)))) as f32
}

/// What a class scores, its logarithm in fastText, and the class.
pub(super) type Scored = (f32, u32);

impl Open<'_> {
    /// Scores all classes that fastText would give, in any order, in `scores`. `None` if a product is NaN.
    pub(super) fn score(self, tree: Option<&Tree>, hidden: &[f32], scores: &mut Vec<Scored>) -> Option<()> {
        scores.clear();
        if let Some(tree) = tree {
            return self.descend(tree, hidden, scores);
        }
        products(self.file.output(), self.bytes, hidden, scores)?;
        if self.header.loss == Loss::Softmax {
            let max = scores.iter().fold(f32::NEG_INFINITY, |max, &(x, _)| max.max(x));
            let mut sum = 0.0f32;
            for (score, _) in scores.iter_mut() {
                *score = exp(*score - max);
                sum += *score;
            }
            scores.iter_mut().for_each(|(score, _)| *score /= sum);
        } else {
            scores.iter_mut().for_each(|(score, _)| *score = sigmoid(*score));
        }
        scores.iter_mut().for_each(|(score, _)| *score = log(f64::from(*score)));
        Some(())
    }

    /// Walks through the tree of hierarchical softmax, where it is likely at all.
    fn descend(self, tree: &Tree, hidden: &[f32], scores: &mut Vec<Scored>) -> Option<()> {
        let leaves = tree.nodes.len() + 1;
        let least = log(0.0);
        let mut waiting = Vec::new();
        waiting.put((2 * leaves - 2, 0.0f32));
        while let Some((node, score)) = waiting.pop() {
            if score < least {
                continue;
            }
            if node < leaves {
                scores.put((score, node as u32));
                continue;
            }
            let dot = self.file.output().dot_row(self.bytes, node - leaves, hidden);
            if dot.is_nan() {
                return None;
            }
            // The sum is one of f32 in fastText, and the quotient one of f64.
            let right = (1.0 / f64::from(1.0 + exp(-dot))) as f32;
            let [left_child, right_child] = tree.nodes[node - leaves];
            waiting.put((right_child as usize, score + log(f64::from(right))));
            waiting.put((left_child as usize, score + log(f64::from((1.0 - f64::from(right)) as f32))));
        }
        Some(())
    }
}

/// The products of all rows with a vector; `None` if one is NaN.
fn products(matrix: &Matrix, bytes: &[u8], vector: &[f32], scores: &mut Vec<Scored>) -> Option<()> {
    let whole = matrix.rows / TOGETHER * TOGETHER;
    scores.make_room(matrix.rows);
    for first in (0..whole).step_by(TOGETHER) {
        let rows: [usize; TOGETHER] = std::array::from_fn(|i| first + i);
        scores.put_all(matrix.dots(bytes, rows, vector).into_iter().zip(first as u32..));
    }
    scores.put_all((whole..matrix.rows).map(|row| (matrix.dot_row(bytes, row, vector), row as u32)));
    scores.iter().all(|(score, _)| !score.is_nan()).then_some(())
}

/// The probability that fastText gives for a score.
pub(super) fn probability((score, _): Scored) -> f32 {
    exp(score)
}

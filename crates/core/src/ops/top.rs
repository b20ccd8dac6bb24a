//! The largest and smallest elements along a dimension, with their places.

use super::{Around, Number};
use crate::{Error, Result};
use std::cmp::Ordering;
use tokenbed_memory::{Gather, filled};
use tokenbed_threads::parallel_rows;

/// Which elements are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// The largest, largest first. NaN counts as the largest number, as in PyTorch.
    Largest,
    /// The smallest, smallest first. NaN counts as the largest number.
    Smallest,
    /// The single smallest, where NaN counts as the smallest number: `torch.min` gives NaN if there is one.
    Minimum,
}

impl Extreme {
    /// All of them.
    pub const ALL: [Extreme; 3] = [Extreme::Largest, Extreme::Smallest, Extreme::Minimum];

    /// `Less` if `a` comes before `b`.
    #[inline(always)]
    fn order<T: Number>(self, a: T, b: T) -> Ordering {
        match a.partial_cmp(&b) {
            Some(order) if self == Extreme::Largest => order.reverse(),
            Some(order) => order,
            None => {
                #[allow(clippy::eq_op, reason = "finds NaN")]
                let (a, b) = (a != a, b != b);
                // NaN comes last among the smallest, and first otherwise.
                if self == Extreme::Smallest { a.cmp(&b) } else { b.cmp(&a) }
            }
        }
    }
}

/// Finds the `k` first of a dimension, in order: of `x` (outer, n, inner), `values` and `indices` are (outer, k,
/// inner). Of equal elements the one with the lowest index comes first. `torch.topk`, `torch.sort`, `torch.max` and
/// `torch.min`.
///
/// # Errors
/// [`Error::Shape`] for sizes that do not fit, for `k` above n, and if n does not fit in an int32.
pub fn top<T: Number>(
    extreme: Extreme,
    k: usize,
    around: Around,
    x: &[T],
    values: &mut [T],
    indices: &mut [i32],
) -> Result<()> {
    around.check(x.len(), values.len(), k)?;
    around.check(x.len(), indices.len(), k)?;
    let Around { n, inner, .. } = around;
    if k > n || i32::try_from(n).is_err() {
        return Err(Error::Shape(format!("{k} elements of a dimension of size {n}")));
    }
    if values.is_empty() {
        return Ok(());
    }
    let block = k * inner;
    let pairs = values.chunks_exact_mut(block).zip(indices.chunks_exact_mut(block));
    let mut work: Vec<(&mut [T], &mut [i32])> = pairs.into_list();
    let cost = n * inner * size_of::<T>() * if k == 1 { 2 } else { 16 };
    parallel_rows(&mut work, 1, cost, |blocks, work| {
        let mut order: Vec<u32> = filled(0, if k == 1 { 0 } else { n });
        for (o, (values, indices)) in blocks.zip(work) {
            let x = &x[o * n * inner..][..n * inner];
            for i in 0..inner {
                let at = |j: u32| x[j as usize * inner + i];
                let mut put = |place: usize, index: u32| {
                    values[place * inner + i] = at(index);
                    indices[place * inner + i] = index as i32;
                };
                if k == 1 {
                    let first = (1..n as u32)
                        .fold(0, |best, j| if extreme.order(at(j), at(best)) == Ordering::Less { j } else { best });
                    put(0, first);
                    continue;
                }
                order.iter_mut().zip(0..).for_each(|(to, j)| *to = j);
                let by = |a: &u32, b: &u32| extreme.order(at(*a), at(*b)).then(a.cmp(b));
                if k < n {
                    order.select_nth_unstable_by(k - 1, by);
                }
                order[..k].sort_unstable_by(by);
                order[..k].iter().enumerate().for_each(|(place, &index)| put(place, index));
            }
        }
    });
    Ok(())
}

//! Elements of a dimension by their indices, and the way back.

use super::{Around, Number};
use crate::{Error, Result};
use tokenbed_threads::parallel_rows;

/// Indices into the dimension n of a block (outer, n, inner). All are below n.
#[derive(Clone, Copy, Debug)]
pub struct Picks<'a> {
    /// The indices: (m), the same for every row and column, or (outer, m, inner), one for each result.
    pub indices: &'a [u32],
    /// How many are taken from the dimension.
    pub m: usize,
    /// Whether there is one for each result.
    pub each: bool,
}

impl Picks<'_> {
    fn check(&self, Around { outer, n, inner }: Around) -> Result<()> {
        let wanted =
            if self.each { outer.checked_mul(self.m).and_then(|m| m.checked_mul(inner)) } else { Some(self.m) };
        if wanted != Some(self.indices.len()) {
            return Err(Error::Shape(format!("{} indices do not fit {} of a dimension", self.indices.len(), self.m)));
        }
        match self.indices.iter().find(|&&index| index as usize >= n) {
            Some(index) => Err(Error::Shape(format!("the index {index} is out of range for a dimension of size {n}"))),
            None => Ok(()),
        }
    }

    /// The index for result `j` of the dimension, in block `o` and column `i`.
    #[inline(always)]
    fn at(&self, o: usize, j: usize, i: usize, inner: usize) -> usize {
        let place = if self.each { (o * self.m + j) * inner + i } else { j };
        self.indices[place] as usize
    }
}

/// `out` (outer, m, inner): `out[o, j, i] = x[o, index, i]`. `torch.index_select` and `torch.gather`.
///
/// # Errors
/// [`Error::Shape`] for sizes that do not fit and for an index out of range.
pub fn take<T: Copy + Send + Sync>(around: Around, picks: Picks<'_>, x: &[T], out: &mut [T]) -> Result<()> {
    around.check(x.len(), out.len(), picks.m)?;
    picks.check(around)?;
    if out.is_empty() {
        return Ok(());
    }
    let Around { n, inner, .. } = around;
    parallel_rows(out, inner, 2 * inner * size_of::<T>(), |rows, out| {
        for (row, out) in rows.zip(out.chunks_exact_mut(inner)) {
            let (o, j) = (row / picks.m, row % picks.m);
            if picks.each {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = x[(o * n + picks.at(o, j, i, inner)) * inner + i];
                }
            } else {
                out.copy_from_slice(&x[(o * n + picks.at(o, j, 0, inner)) * inner..][..inner]);
            }
        }
    });
    Ok(())
}

/// `out` (outer, n, inner) `+=` what [`take`] took from there: `out[o, index, i] += grad[o, j, i]`, in the order of j.
///
/// # Errors
/// [`Error::Shape`] for sizes that do not fit and for an index out of range.
pub fn put<T: Number>(around: Around, picks: Picks<'_>, grad: &[T], out: &mut [T]) -> Result<()> {
    around.check(out.len(), grad.len(), picks.m)?;
    picks.check(around)?;
    if grad.is_empty() {
        return Ok(());
    }
    let Around { n, inner, .. } = around;
    parallel_rows(out, n * inner, 3 * picks.m * inner * size_of::<T>(), |blocks, out| {
        for (o, out) in blocks.zip(out.chunks_exact_mut(n * inner)) {
            for j in 0..picks.m {
                let grad = &grad[(o * picks.m + j) * inner..][..inner];
                for (i, &grad) in grad.iter().enumerate() {
                    let to = &mut out[picks.at(o, j, i, inner) * inner + i];
                    *to = T::of(super::Arithmetic::Add, *to, grad);
                }
            }
        }
    });
    Ok(())
}

//! Cross-entropy of logits and target indices, and its gradient.

use super::along::bytes;
use crate::ids::{IdSlice, with_values};
use crate::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::elements::along::{Entropy, EntropyBack};
pub use tokenbed_kernels::ops::elements::along::{IGNORED, RowEntropy, Scale};
use tokenbed_kernels::real::Real;
use tokenbed_threads::parallel_rows;

/// Prepares targets for the kernels: `ignore` becomes [`IGNORED`], and all others must be below `classes`. Returns
/// the number of targets that are not ignored.
///
/// # Errors
/// [`Error::TokenIndex`] for a target that is out of range; [`Error::Shape`] if `out` has another size, or if there
/// are more classes than targets can name.
pub fn resolve_targets(targets: IdSlice<'_>, classes: usize, ignore: Option<i64>, out: &mut [u32]) -> Result<usize> {
    if targets.len() != out.len() {
        return Err(Error::Shape(format!("{} targets do not fill {} elements", targets.len(), out.len())));
    }
    if classes >= IGNORED as usize {
        return Err(Error::Shape(format!("there must be fewer than {IGNORED} classes, not {classes}")));
    }
    let ignore = ignore.map(i128::from);
    let (mut kept, mut first, mut bad) = (0, None, 0);
    with_values(targets, |at, value| {
        out[at] = IGNORED;
        if Some(value) == ignore {
            return;
        }
        match u32::try_from(value) {
            Ok(target) if (target as usize) < classes => (out[at], kept) = (target, kept + 1),
            _ => {
                first.get_or_insert((at, value));
                bad += 1;
            }
        }
    });
    match first {
        None => Ok(kept),
        Some((flat, value)) => Err(Error::TokenIndex { flat, value, rows: classes, count: bad }),
    }
}

/// Checks that `elements` are rows of `n` logits, that each row has a target, and that all targets are below `n`.
fn check(n: usize, elements: &[usize], targets: &[u32], rows: usize) -> Result<()> {
    let fits = rows == targets.len()
        && elements.iter().all(|&size| Some(size) == rows.checked_mul(n))
        && targets.iter().all(|&target| target == IGNORED || (target as usize) < n);
    if fits {
        return Ok(());
    }
    Err(Error::Shape(format!(
        "{rows} rows of {n} logits do not match buffers of {elements:?} elements and {} targets",
        targets.len()
    )))
}

/// The cross-entropy of each row of `n` logits.
///
/// # Errors
/// [`Error::Shape`] if the sizes of the buffers do not match or a target is out of range.
pub fn entropy<T: Real>(
    kernels: Kernels,
    n: usize,
    logits: &[T],
    targets: &[u32],
    out: &mut [RowEntropy],
) -> Result<()> {
    check(n, &[logits.len()], targets, out.len())?;
    if n == 0 {
        // With no classes, every row is ignored.
        out.fill(RowEntropy::default());
        return Ok(());
    }
    parallel_rows(out, 1, n * bytes::<T>() / 2, |rows, out| {
        let (logits, targets) = (&logits[rows.start * n..rows.end * n], &targets[rows]);
        kernels.entropy(Entropy { n, logits, targets, out });
    });
    Ok(())
}

/// The gradient of the logits. `scale` is the gradient of each row's entropy, or one number for all.
///
/// # Errors
/// [`Error::Shape`] if the sizes of the buffers do not match or a target is out of range.
pub fn entropy_back<T: Real>(
    kernels: Kernels,
    n: usize,
    logits: &[T],
    targets: &[u32],
    rows: &[RowEntropy],
    scale: Scale<'_, T>,
    out: &mut [T],
) -> Result<()> {
    check(n, &[logits.len(), out.len()], targets, rows.len())?;
    if let Scale::Each(scales) = scale
        && scales.len() != rows.len()
    {
        return Err(Error::Shape(format!("there are {} gradients for {} rows", scales.len(), rows.len())));
    }
    if out.is_empty() {
        return Ok(());
    }
    parallel_rows(out, n, n * bytes::<T>() / 2, |range, out| {
        let (logits, targets) = (&logits[range.start * n..range.end * n], &targets[range.clone()]);
        let scale = match scale {
            Scale::One(scale) => Scale::One(scale),
            Scale::Each(scales) => Scale::Each(&scales[range.clone()]),
        };
        let rows = &rows[range];
        kernels.entropy_back(EntropyBack { n, logits, targets, rows, scale, out });
    });
    Ok(())
}

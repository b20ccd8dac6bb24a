//! Stretches a table of positions to another number of rows.

use super::check_len;
use tokenbed_core::{Error, Result};
use tokenbed_threads::parallel_rows;

/// `out` (length x dim) = `table` (rows x dim), interpolated linearly between its rows, as
/// `torch.nn.functional.interpolate(mode='linear')` does. It is computed in f64 and rounded once.
///
/// ```text
/// aligned:   row i lies at i * (rows - 1) / (length - 1): the first and the last stay where they are
/// else:      at (i + 0.5) * rows / length - 0.5, at least 0: rows are cells, whose centres are mapped
/// ```
///
/// # Errors
/// [`Error::Shape`] for a table without rows, and for slices of other sizes.
pub fn interpolate(
    table: &[f32],
    rows: usize,
    dim: usize,
    aligned: bool,
    length: usize,
    out: &mut [f32],
) -> Result<()> {
    check_len("the table", table.len(), &[rows, dim])?;
    check_len("the result", out.len(), &[length, dim])?;
    if out.is_empty() {
        return Ok(());
    }
    if rows == 0 {
        return Err(Error::Shape("a table without rows cannot be interpolated".into()));
    }
    let step = match (aligned, length) {
        (true, 1) => 0.0,
        (true, _) => (rows - 1) as f64 / (length - 1) as f64,
        (false, _) => rows as f64 / length as f64,
    };
    parallel_rows(out, dim, 2 * size_of::<f32>() * dim, |range, out| {
        for (i, row) in range.zip(out.chunks_exact_mut(dim)) {
            let at = if aligned { i as f64 * step } else { ((i as f64 + 0.5) * step - 0.5).max(0.0) };
            let below = (at as usize).min(rows - 1);
            let above = (below + 1).min(rows - 1);
            let share = at - below as f64;
            let (first, second) = (&table[below * dim..][..dim], &table[above * dim..][..dim]);
            for ((out, &a), &b) in row.iter_mut().zip(first).zip(second) {
                *out = ((1.0 - share) * f64::from(a) + share * f64::from(b)) as f32;
            }
        }
    });
    Ok(())
}

//! Limits the norm of rows: `torch.embedding_renorm_`.

use tokenbed_core::ids::{BadIds, IdSlice, resolve};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::Slice;

/// Rescales, in place, each row that `ids` names and whose p-norm is above `max_norm`, to
/// `row * (max_norm / (norm + 1e-7))`. The norm is summed in f64 and rounded to f32, because PyTorch's norm is an f32.
///
/// # Errors
/// [`Error::TokenIndex`] for an id that `bad` does not mend, before any row is changed.
pub fn renormalize(
    kernels: Kernels,
    (table, rows, dim): (&mut [f32], usize, usize),
    (ids, bad): (IdSlice<'_>, BadIds),
    (max_norm, p): (f64, f64),
    scratch: &mut Vec<u32>,
) -> Result<()> {
    if rows.checked_mul(dim) != Some(table.len()) {
        return Err(Error::Shape(format!("{} elements are not a table of {rows} x {dim}", table.len())));
    }
    let mut touched = resolve(kernels, ids, rows, bad, scratch)?.ids().to_list();
    touched.sort_unstable();
    touched.dedup();
    for id in touched {
        let row = &mut table[id as usize * dim..(id as usize + 1) * dim];
        let norm = f64::from(norm(row, p) as f32);
        if norm > max_norm {
            let scale = (max_norm / (norm + 1e-7)) as f32;
            row.iter_mut().for_each(|x| *x *= scale);
        }
    }
    Ok(())
}

/// The p-norm: p = 0 counts the elements that are not 0, and an infinite p takes the largest (or smallest) magnitude.
fn norm(row: &[f32], p: f64) -> f64 {
    let magnitudes = row.iter().map(|&x| f64::from(x).abs());
    if p == 2.0 {
        magnitudes.map(|x| x * x).sum::<f64>().sqrt()
    } else if p == 1.0 {
        magnitudes.sum()
    } else if p == f64::INFINITY {
        extreme(magnitudes, 0.0, |x, most| x > most)
    } else if p == f64::NEG_INFINITY {
        extreme(magnitudes, f64::INFINITY, |x, least| x < least)
    } else if p == 0.0 {
        magnitudes.filter(|&x| x != 0.0).count() as f64
    } else {
        magnitudes.map(|x| x.powf(p)).sum::<f64>().powf(1.0 / p)
    }
}

/// The magnitude that `beats` all others; NaN if any is NaN, as in every other norm.
fn extreme(magnitudes: impl Iterator<Item = f64>, start: f64, beats: impl Fn(f64, f64) -> bool) -> f64 {
    magnitudes.fold(start, |best, x| if x.is_nan() || beats(x, best) { x } else { best })
}

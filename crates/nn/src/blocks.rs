//! Work in blocks of rows, between which it can be stopped. It serves lookups that run beside their caller.

use std::ops::Range;

/// Bytes of a result that are written before `go_on` is asked again: this takes some tenths of a millisecond.
const BLOCK_BYTES: usize = 1 << 20;

/// Calls `write` for the rows of `out`, of `row` elements each, block by block while `go_on` returns true. Returns
/// whether all were written.
pub(crate) fn in_blocks<T>(
    out: &mut [T],
    row: usize,
    go_on: &dyn Fn() -> bool,
    write: impl Fn(Range<usize>, &mut [T]),
) -> bool {
    let row = row.max(1);
    let rows = (BLOCK_BYTES / size_of::<T>() / row).max(1);
    out.chunks_mut(rows * row).enumerate().all(|(block, out)| {
        let goes = go_on();
        if goes {
            let from = block * rows;
            write(from..from + out.len() / row, out);
        }
        goes
    })
}

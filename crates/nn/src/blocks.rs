//! Work in blocks of rows, between which it can be stopped: for lookups that run beside their caller.

use std::ops::Range;

/// Bytes of a result that are written between two looks at whether to go on: some tenths of a millisecond.
const BLOCK_BYTES: usize = 1 << 20;

/// Calls `write` for the rows of `out`, of `row` elements each, block by block while `go_on` says so; whether all are
/// written.
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

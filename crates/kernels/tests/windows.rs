//! Windows of a line: every instruction set has the bits of a copy row by row.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::positions::windows::Windows;
use tokenbed_kernels::rows::store::Store;
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::{DIMS, Random};

#[test]
fn every_dim_part_and_store() {
    let mut random = Random::new(1);
    for dim in DIMS {
        for (groups, rows) in [(1, 1), (3, 5), (2, 40)] {
            let stride = rows + dim - 1;
            let lines = Placed::new(&random.awkward(groups * stride), dim % 7);
            let mut wanted = Vec::new();
            for group in lines.chunks_exact(stride) {
                (0..rows).for_each(|row| wanted.extend_from_slice(&group[rows - 1 - row..][..dim]));
            }
            for (first, len) in [(0, groups * rows), (rows / 2, rows), (groups * rows - 1, 1), (rows, 0)] {
                let op = Windows { lines: &lines, rows, dim, first };
                for (kernels, store) in
                    dispatch::available().flat_map(|k| [Store::Cached, Store::Streaming].map(|s| (k, s)))
                {
                    let mut out = Guarded::new(len * dim, first % 16, -7.5f32);
                    kernels.windows(store, &op, &mut out);
                    out.assert_guards();
                    let what = format!("{} {store:?} {op:?}", kernels.isa().name());
                    assert_same_bits(&out, &wanted[first * dim..(first + len) * dim], &what);
                }
            }
        }
    }
}

#[test]
fn rejects_lines_that_are_too_short() {
    let refuses = |lines: usize, rows: usize, dim: usize, first: usize, out: usize| {
        let lines = vec![0.0; lines];
        let op = Windows { lines: &lines, rows, dim, first };
        let run = || dispatch::active().windows(Store::Cached, &op, &mut vec![0.0; out]);
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    };
    refuses(5, 3, 4, 0, 12);
    refuses(6, 3, 4, 1, 12);
    refuses(6, 3, 4, 0, 11);
    refuses(6, 0, 4, 0, 4);
    dispatch::active().windows(Store::Cached, &Windows { lines: &[], rows: 0, dim: 0, first: 9 }, &mut []);
}

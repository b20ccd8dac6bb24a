//! The lookup, with each policy for bad ids.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdSlice};
use tokenbed_kernels::dispatch;
use tokenbed_kernels::rows::store::STREAM_FROM_BYTES;
use tokenbed_nn::embedding::{Table, forward};
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::naive;
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::{DIMS, Random};
use tokenbed_threads::set_num_threads;

const SENTRY: f32 = -12345.5;
const ROWS: usize = 6;

#[test]
fn looks_up_rows_of_every_dim() {
    let mut random = Random::new(11);
    let mut scratch = Vec::new();
    for dim in DIMS {
        let elements = random.awkward(ROWS * dim);
        let table = Table::new(&elements, ROWS, dim).expect("sizes fit");
        let ids = random.ids(9, ROWS);
        let wanted = naive::gather(&elements, dim, &ids);
        for kernels in dispatch::available() {
            let wide: Vec<i64> = ids.iter().map(|&id| id.into()).collect();
            for ids in [IdSlice::U32(&ids), IdSlice::I64(&wide)] {
                let mut out = Guarded::new(9 * dim, 1, SENTRY);
                forward(kernels, table, ids, BadIds::Throw, &mut scratch, &mut out).expect("good ids");
                out.assert_guards();
                assert_same_bits(&out, &wanted, &dim);
            }
        }
    }
}

/// The batch is large enough to be divided, and to be stored past the caches.
#[test]
fn gives_the_same_rows_on_any_number_of_threads() {
    let (rows, dim) = (97, 257);
    let mut random = Random::new(13);
    let elements = random.awkward(rows * dim);
    let table = Table::new(&elements, rows, dim).expect("sizes fit");
    for len in [5000, STREAM_FROM_BYTES / (4 * dim) + 1] {
        let ids = random.ids(len, rows);
        let wanted = naive::gather(&elements, dim, &ids);
        for threads in [1, 2, 3, 8] {
            set_num_threads(threads).expect("a number of threads");
            let mut out = Guarded::new(len * dim, 3, SENTRY);
            let ids = IdSlice::U32(&ids);
            forward(dispatch::active(), table, ids, BadIds::Throw, &mut Vec::new(), &mut out).expect("good ids");
            out.assert_guards();
            assert_same_bits(&out, &wanted, &threads);
        }
    }
}

#[test]
fn bad_ids_are_mended_or_thrown() {
    let dim = 5;
    let elements = Random::new(12).units(ROWS * dim);
    let table = Table::new(&elements, ROWS, dim).expect("sizes fit");
    let mut scratch = Vec::new();
    let ids = [2i32, -7, 5, 6, i32::MAX, 0];
    let cases = [
        (BadIds::Clamp, Some([2, 0, 5, 5, 5, 0])),
        (BadIds::Replace(3), Some([2, 3, 5, 3, 3, 0])),
        (BadIds::Throw, None),
        (BadIds::Replace(6), None),
    ];
    for kernels in dispatch::available() {
        for (bad, mended) in cases {
            let mut out = Guarded::new(6 * dim, 2, SENTRY);
            let result = forward(kernels, table, IdSlice::I32(&ids), bad, &mut scratch, &mut out);
            match (mended, result) {
                (Some(mended), Ok(())) => assert_same_bits(&out, &naive::gather(&elements, dim, &mended), &"mended"),
                (None, Err(Error::TokenIndex { flat: 1, value: -7, rows: ROWS, count: 3 })) => out.assert_untouched(),
                (_, other) => panic!("{bad:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_bad_id_at_the_end_leaves_all_untouched() {
    let elements = [1.0; ROWS * 3];
    let table = Table::new(&elements, ROWS, 3).expect("sizes fit");
    let mut ids = [1u16; 1000];
    ids[999] = ROWS as u16;
    let mut out = Guarded::new(3000, 0, SENTRY);
    let failed = forward(dispatch::active(), table, IdSlice::U16(&ids), BadIds::Throw, &mut Vec::new(), &mut out);
    assert!(matches!(failed, Err(Error::TokenIndex { flat: 999, value: 6, count: 1, .. })));
    out.assert_untouched();
}

#[test]
fn rejects_sizes_that_do_not_fit() {
    let elements = [1.0; 12];
    for (rows, dim) in [(3, 5), (0, 12), (12, 0), (usize::MAX, 2), (1 << 33, 1 << 33)] {
        assert!(matches!(Table::new(&elements, rows, dim), Err(Error::Shape(_))), "{rows} x {dim}");
    }
    let table = Table::new(&elements, 4, 3).expect("sizes fit");
    assert_eq!((table.rows(), table.dim(), table.elements()), (4, 3, &elements[..]));
    for len in [0, 5, 7] {
        let mut out = Guarded::new(len, 0, SENTRY);
        // The size is checked first, so the bad id is not reported.
        let failed =
            forward(dispatch::active(), table, IdSlice::I8(&[0, -1]), BadIds::Throw, &mut Vec::new(), &mut out);
        assert!(matches!(failed, Err(Error::Shape(_))));
        out.assert_untouched();
    }
}

#[test]
fn empty_tables_and_rows() {
    let mut scratch = Vec::new();
    let mut of = |rows, dim, ids: &[u8], bad| {
        let table = Table::new(&[], rows, dim).expect("sizes fit");
        forward(dispatch::active(), table, IdSlice::U8(ids), bad, &mut scratch, &mut []).map_err(|error| error.code())
    };
    assert_eq!(of(0, 5, &[], BadIds::Throw), Ok(()));
    assert_eq!(of(0, 0, &[], BadIds::Clamp), Ok(()));
    assert_eq!(of(3, 0, &[0, 2], BadIds::Throw), Ok(()));
    // Ids are checked even if rows have no columns, and an empty table has no row to replace a bad id.
    assert_eq!(of(3, 0, &[0, 3], BadIds::Throw), Err("TOKEN_INDEX"));
    assert_eq!(of(0, 0, &[0], BadIds::Clamp), Err("TOKEN_INDEX"));
    assert_eq!(of(0, 0, &[0], BadIds::Replace(0)), Err("TOKEN_INDEX"));
}

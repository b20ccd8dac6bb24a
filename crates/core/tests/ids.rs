//! Ids of every integer kind against a loop over i128.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use proptest::prelude::*;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdSlice, MAX_ROWS, resolve};
use tokenbed_kernels::dispatch;
use tokenbed_testkit::property;

/// The resulting ids, or the error's position, value and count.
type Outcome = Result<Vec<u32>, (usize, i128, usize)>;

fn naive(ids: &[i128], rows: usize, bad: BadIds) -> Outcome {
    let is_bad = |id: i128| id < 0 || id >= rows as i128;
    let mended: Option<Vec<u32>> = ids
        .iter()
        .map(|&id| match bad {
            _ if !is_bad(id) => Some(id as u32),
            BadIds::Clamp if rows > 0 => Some(id.clamp(0, rows as i128 - 1) as u32),
            BadIds::Replace(row) if (row as usize) < rows => Some(row),
            _ => None,
        })
        .collect();
    mended.ok_or_else(|| {
        let all: Vec<_> = ids.iter().copied().enumerate().filter(|&(_, id)| is_bad(id)).collect();
        (all[0].0, all[0].1, all.len())
    })
}

fn ours(ids: IdSlice<'_>, rows: usize, bad: BadIds, scratch: &mut Vec<u32>) -> Outcome {
    let outcomes: Vec<Outcome> = dispatch::available()
        .map(|kernels| match resolve(kernels, ids, rows, bad, scratch) {
            Ok(checked) => {
                assert!(checked.rows() <= rows);
                Ok(checked.ids().to_vec())
            }
            Err(Error::TokenIndex { flat, value, rows: of, count }) => {
                assert_eq!(of, rows);
                Err((flat, value, count))
            }
            Err(other) => panic!("{other:?}"),
        })
        .collect();
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "instruction sets disagree");
    outcomes.into_iter().next().expect("every machine has one")
}

const POLICIES: [BadIds; 6] = [
    BadIds::Throw,
    BadIds::Clamp,
    BadIds::Replace(0),
    BadIds::Replace(4),
    BadIds::Replace(5),
    BadIds::Replace(u32::MAX),
];

/// For each kind: good ids, and its smallest and largest id at each place, with every policy and tables of 0, 1, 5
/// and many rows.
macro_rules! kinds {
    ($($name:ident: $kind:ident($t:ty)),*) => {$(
        #[test]
        fn $name() {
            let mut scratch = vec![77; 100];
            for awkward in [<$t>::MIN, <$t>::MAX, <$t>::MAX - 1, <$t>::MIN + 1, 0, 4, 5] {
                for len in [0usize, 1, 2, 33] {
                    for at in [0, len / 2, len.saturating_sub(1)] {
                        let mut ids: Vec<$t> = (0..len).map(|i| (i % 5) as $t).collect();
                        ids.iter_mut().skip(at).step_by(7).for_each(|id| *id = awkward);
                        let wide: Vec<i128> = ids.iter().map(|&id| i128::from(id)).collect();
                        for (rows, bad) in [0, 1, 5, 1 << 20].into_iter().flat_map(|rows| POLICIES.map(|bad| (rows, bad))) {
                            let outcome = ours(IdSlice::$kind(&ids), rows, bad, &mut scratch);
                            assert_eq!(outcome, naive(&wide, rows, bad), "{ids:?} {rows} {bad:?}");
                        }
                    }
                }
            }
        }
    )*};
}
kinds!(
    int8: I8(i8), uint8: U8(u8), int16: I16(i16), uint16: U16(u16),
    int32: I32(i32), uint32: U32(u32), int64: I64(i64), uint64: U64(u64)
);

#[test]
fn the_error_names_the_first_bad_id() {
    let mut scratch = Vec::new();
    let ids = [0, 1, i64::MIN, 2, i64::MAX, 10, 9];
    let failed = resolve(dispatch::active(), IdSlice::I64(&ids), 10, BadIds::Throw, &mut scratch);
    let message = failed.expect_err("three are bad").to_string();
    assert_eq!(message, "id -9223372036854775808 at 2 is out of range for a table of 10 rows (3 in all)");
    let failed = resolve(dispatch::active(), IdSlice::U64(&[1, u64::MAX]), 10, BadIds::Throw, &mut scratch);
    let message = failed.expect_err("one is bad").to_string();
    assert_eq!(message, "id 18446744073709551615 at 1 is out of range for a table of 10 rows (1 in all)");
}

#[test]
fn good_ids_of_32_bits_are_not_copied() {
    let mut scratch = Vec::new();
    let ids = [1u32, 2];
    let checked = resolve(dispatch::active(), IdSlice::U32(&ids), 3, BadIds::Clamp, &mut scratch).expect("good");
    assert_eq!(checked.ids().as_ptr(), ids.as_ptr());
    let ids = [1i32, 2];
    let checked = resolve(dispatch::active(), IdSlice::I32(&ids), 3, BadIds::Clamp, &mut scratch).expect("good");
    assert_eq!(checked.ids().as_ptr().cast(), ids.as_ptr());
    assert_eq!(scratch.capacity(), 0);
}

#[test]
fn scratch_is_reused() {
    let mut scratch = Vec::with_capacity(64);
    let start = scratch.as_ptr();
    for len in [64usize, 3, 0, 40] {
        let ids = vec![2u8; len];
        let checked = resolve(dispatch::active(), IdSlice::U8(&ids), 3, BadIds::Throw, &mut scratch).expect("good");
        assert_eq!(checked.ids(), vec![2; len], "nothing of the call before is left");
        assert_eq!(checked.ids().as_ptr(), start);
    }
}

#[test]
fn ids_cannot_reach_all_rows_of_a_larger_table() {
    let mut scratch = Vec::new();
    let mut resolve = |ids: IdSlice<'_>, rows, bad| {
        let checked = resolve(dispatch::active(), ids, rows, bad, &mut scratch);
        checked.map(|checked| checked.ids().to_vec()).map_err(|error| error.code())
    };
    let last = u64::from(u32::MAX) - 1;
    assert_eq!(resolve(IdSlice::U64(&[last]), MAX_ROWS, BadIds::Throw), Ok(vec![last as u32]));
    assert_eq!(resolve(IdSlice::U64(&[last + 1]), MAX_ROWS, BadIds::Throw), Err("TOKEN_INDEX"));
    assert_eq!(resolve(IdSlice::U64(&[last + 1]), MAX_ROWS, BadIds::Clamp), Ok(vec![last as u32]));
    // It is not row 4, although the id is 2^32 + 4.
    assert_eq!(resolve(IdSlice::U64(&[(1 << 32) + 4]), (1 << 32) + 5, BadIds::Throw), Err("SHAPE"));
    assert_eq!(resolve(IdSlice::I64(&[-1]), (1 << 32) + 5, BadIds::Clamp), Err("SHAPE"));
    assert_eq!(resolve(IdSlice::I32(&[i32::MAX]), 1 << 40, BadIds::Throw), Ok(vec![i32::MAX as u32]));
}

#[test]
fn lengths_are_those_of_the_slices() {
    assert!(IdSlice::I8(&[]).is_empty() && IdSlice::U64(&[]).is_empty());
    assert_eq!((IdSlice::I16(&[1, 2]).len(), IdSlice::U16(&[1]).len()), (2, 1));
}

proptest! {
    #![proptest_config(property::cases(500))]

    #[test]
    fn any_ids(ids in prop::collection::vec(prop_oneof![any::<i64>(), -3..20i64], 0..50), rows in 0..16usize, bad in 0..6usize) {
        let mut scratch = Vec::new();
        let bad = POLICIES[bad];
        let wide: Vec<i128> = ids.iter().map(|&id| i128::from(id)).collect();
        prop_assert_eq!(ours(IdSlice::I64(&ids), rows, bad, &mut scratch), naive(&wide, rows, bad));
        let narrow: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let wide: Vec<i128> = narrow.iter().map(|&id| i128::from(id)).collect();
        prop_assert_eq!(ours(IdSlice::I32(&narrow), rows, bad, &mut scratch), naive(&wide, rows, bad));
    }
}

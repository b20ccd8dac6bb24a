//! The check of ids: every instruction set, with the bad id at every place.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_kernels::dispatch;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_testkit::place::Placed;

/// More than two vectors of any instruction set, unrolled four times, plus a remainder.
const LEN: usize = 67;

#[test]
fn a_bad_id_is_found_at_every_place() {
    for kernels in dispatch::available() {
        for at in 0..LEN {
            for offset in [0, 1, 7] {
                for (rows, bad) in [(10, 10u32), (10, u32::MAX), (1 << 20, 1 << 31), (u32::MAX as usize, u32::MAX)] {
                    let mut ids = [9u32; LEN];
                    assert!(CheckedIds::new(kernels, &Placed::new(&ids, offset), rows).is_some());
                    ids[at] = bad;
                    assert!(CheckedIds::new(kernels, &Placed::new(&ids, offset), rows).is_none(), "{at} {bad}");
                    // A good id, just below the limit.
                    ids[at] = (rows - 1) as u32;
                    assert!(CheckedIds::new(kernels, &Placed::new(&ids, offset), rows).is_some());
                }
                for (rows, bad) in
                    [(10, 10i32), (10, -1), (10, i32::MIN), (10, i32::MAX), (usize::MAX, -1), (usize::MAX, i32::MIN)]
                {
                    let mut ids = [9i32; LEN];
                    assert!(CheckedIds::from_signed(kernels, &Placed::new(&ids, offset), rows).is_some());
                    ids[at] = bad;
                    assert!(CheckedIds::from_signed(kernels, &Placed::new(&ids, offset), rows).is_none(), "{at} {bad}");
                }
            }
        }
    }
}

#[test]
fn lists_of_every_length_are_read_to_the_end() {
    for kernels in dispatch::available() {
        for len in 1..=LEN {
            let mut ids = vec![0u32; len];
            ids[len - 1] = 1;
            // Memory after the ids is not read: a placed list ends where its allocation does.
            assert!(CheckedIds::new(kernels, &Placed::new(&ids, len % 16), 1).is_none());
            assert!(CheckedIds::new(kernels, &Placed::new(&ids, len % 16), 2).is_some());
        }
    }
}

#[test]
fn checks_the_smallest_and_largest_ids() {
    for kernels in dispatch::available() {
        let new = |ids: &'static [u32], rows| CheckedIds::new(kernels, ids, rows).map(|ids| ids.rows());
        assert_eq!(new(&[0], 0), None);
        assert_eq!(new(&[], 0), Some(0));
        assert_eq!(new(&[0], 1), Some(1));
        assert_eq!(new(&[1 << 31, u32::MAX - 1], u32::MAX as usize), Some(u32::MAX as usize));
        assert_eq!(new(&[u32::MAX], (1 << 32) - 1), None);
        assert_eq!(new(&[u32::MAX], 1 << 32), Some(1 << 32));
        assert_eq!(new(&[1 << 31], 1 << 31), None);
        let signed = |ids: &'static [i32], rows| CheckedIds::from_signed(kernels, ids, rows).map(|ids| ids.rows());
        assert_eq!(signed(&[0], 0), None);
        assert_eq!(signed(&[], 0), Some(0));
        assert_eq!(signed(&[i32::MAX], i32::MAX as usize), None);
        assert_eq!(signed(&[i32::MAX], 1 << 31), Some(1 << 31));
        // Signed ids are at most i32::MAX.
        assert_eq!(signed(&[i32::MAX], usize::MAX), Some(1 << 31));
    }
}

#[test]
fn ids_are_returned_unchanged() {
    let ids = [3u32, 1, 2];
    let checked = CheckedIds::new(dispatch::active(), &ids, 4).expect("good ids");
    assert_eq!(checked.ids().as_ptr(), ids.as_ptr());
    assert_eq!(checked.ids(), ids);
    let signed = [3i32, 1, 2];
    let checked = CheckedIds::from_signed(dispatch::active(), &signed, 4).expect("good ids");
    assert_eq!(checked.ids().as_ptr().cast(), signed.as_ptr());
    assert_eq!(checked.ids(), ids);
    assert_eq!((checked.part(1..3).ids(), checked.part(1..3).rows()), (&ids[1..3], 4));
    assert!(checked.part(2..2).ids().is_empty());
}

//! Tests of results and their pool, and of parts that hold a storage.

use super::tests::{MIB, alone, bytes};
use super::{POOL_LIMIT, Part, Storage, usage};
use std::sync::Arc;

/// Empties the pool with a result as large as its limit.
fn empty_the_pool() {
    drop(Storage::result(POOL_LIMIT).unwrap());
    drop(Storage::result(POOL_LIMIT).unwrap());
}

#[test]
fn a_result_is_whole_and_writable() {
    let _alone = alone();
    for len in [0, 4, 100, 65_532, 65_536, 100_000, 5 * MIB, 6 * MIB + 12] {
        let mut storage = Storage::result(len).unwrap();
        let elements = storage.elements_mut::<f32>().unwrap();
        assert_eq!(elements.len(), len / 4);
        elements.fill(2.5);
        assert_eq!(storage.len(), len);
        assert!(bytes(&storage).chunks(4).all(|four| four == 2.5f32.to_ne_bytes()), "{len}");
    }
    assert!(Storage::result(6).unwrap().elements_mut::<f32>().is_none(), "not whole");
}

#[test]
fn memory_that_is_given_back_serves_the_next_result_of_its_size() {
    let _alone = alone();
    empty_the_pool();
    for (len, next) in [(100_000, 99_000), (5 * MIB, 5 * MIB), (5 * MIB - 9, 5 * MIB)] {
        let first = Storage::result(len).unwrap();
        let at = first.as_ptr();
        drop(first);
        let pooled = usage().pooled;
        let second = Storage::result(next).unwrap();
        assert_eq!(second.as_ptr(), at, "{len}");
        assert!(usage().pooled + len <= pooled);
        let third = Storage::result(next).unwrap();
        assert_ne!(third.as_ptr(), at);
    }
}

#[test]
fn the_pool_is_bounded_and_frees_the_longest_idle() {
    let _alone = alone();
    empty_the_pool();
    let many: Vec<_> = (0..12).map(|_| Storage::result(40 * MIB).unwrap()).collect();
    drop(many);
    let full = usage().pooled;
    assert!(full > POOL_LIMIT - 50 * MIB && full <= POOL_LIMIT + 2 * MIB, "{full}");
    // Keeping memory of another size frees the longest idle.
    let other = Storage::result(100 * MIB).unwrap();
    let at = other.as_ptr();
    drop(other);
    assert!(usage().pooled <= POOL_LIMIT + 2 * MIB);
    assert_eq!(Storage::result(100 * MIB).unwrap().as_ptr(), at, "the newest stayed");
    drop(Storage::result(POOL_LIMIT + 1).unwrap());
    assert!(usage().pooled <= POOL_LIMIT + 2 * MIB, "too large to keep");
}

#[test]
fn results_are_counted_apart() {
    let _alone = alone();
    empty_the_pool();
    let before = usage();
    let small = Storage::result(1000).unwrap();
    assert_eq!(usage().results, before.results + 1000);
    drop(small);
    assert_eq!(usage(), before);
    let large = Storage::result(8 * MIB).unwrap();
    let during = usage();
    assert_eq!((during.results, during.tables), (before.results + 8 * MIB, before.tables));
    drop(large);
    assert_eq!(usage().results, before.results);
}

#[test]
fn threads_take_and_give_back_at_once() {
    let _alone = alone();
    let before = usage();
    let threads: Vec<_> = (0..4u8)
        .map(|value| {
            std::thread::spawn(move || {
                for i in 0..300 {
                    let mut storage = Storage::result(64 * 1024 + i % 7 * 20_000).unwrap();
                    let elements = storage.elements_mut::<u8>().unwrap();
                    elements.fill(value);
                    assert!(elements.iter().all(|&byte| byte == value));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(usage().results, before.results);
}

#[test]
fn a_part_holds_its_storage() {
    let _alone = alone();
    let before = usage();
    let storage = Arc::new(Storage::copy_of(&[1, 0, 0, 0, 2, 0, 0, 0, 9]).unwrap());
    let part = Part::new(&storage, 0, 8).unwrap();
    drop(storage);
    assert_eq!(part.elements::<u32>().unwrap(), [1, 2]);
    assert!(usage().tables > before.tables);
    drop(part);
    assert_eq!(usage(), before);
}

#[test]
fn a_part_lies_within_its_storage_and_is_aligned() {
    let _alone = alone();
    let storage = Arc::new(Storage::zeroed(16).unwrap());
    assert!(Part::new(&storage, 16, 0).unwrap().elements::<f32>().unwrap().is_empty());
    assert!(Part::new(&storage, 4, 8).unwrap().elements::<f32>().is_some_and(|elements| elements.len() == 2));
    assert!(Part::new(&storage, 1, 8).unwrap().elements::<f32>().is_none(), "not aligned");
    assert!(Part::new(&storage, 0, 7).unwrap().elements::<f32>().is_none(), "not whole");
    for (offset, len) in [(0, 17), (17, 0), (16, 1), (usize::MAX, 1), (1, usize::MAX)] {
        assert!(Part::new(&storage, offset, len).is_none(), "{offset} {len}");
    }
}

//! Requests that cannot be met report their size, and those that can give the right values.

use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hint::black_box;
use tokenbed_memory::{
    Gather, Heap, List, Map, OutOfMemory, Set, Slice, Text, caught, filled, had, joined, lossy, lossy_owned, owned,
    with_room, zeroed,
};

/// More bytes than any address space has.
const MOST: usize = usize::MAX / 16;

#[test]
fn too_large_requests_report_their_bytes() {
    assert_eq!(caught(|| black_box(with_room::<u32>(MOST)).len()), Err(OutOfMemory { bytes: MOST * 4 }));
    assert_eq!(caught(|| black_box(zeroed::<f64>(MOST)).len()), Err(OutOfMemory { bytes: MOST * 8 }));
    assert_eq!(caught(|| black_box(filled(1u8, usize::MAX)).len()), Err(OutOfMemory { bytes: usize::MAX }));
    assert_eq!(caught(|| black_box(zeroed::<f64>(usize::MAX)).len()), Err(OutOfMemory { bytes: usize::MAX }));
    let endless = std::iter::repeat_n(1u64, MOST);
    assert_eq!(caught(|| black_box(endless.into_list()).len()), Err(OutOfMemory { bytes: MOST * 8 }));
    assert_eq!(caught(|| had(MOST)), Err(OutOfMemory { bytes: MOST }));
    assert_eq!(had(10), 10);
    let mut list = vec![1u8];
    assert_eq!(caught(|| list.make_room(isize::MAX as usize)), Err(OutOfMemory { bytes: isize::MAX as usize + 1 }));
    assert_eq!(list, [1]);
    let mut text = owned("a");
    assert!(caught(|| Text::make_room(&mut text, isize::MAX as usize)).is_err());
    assert_eq!(text, "a");
    let mut map = HashMap::from([(1u64, 2u64)]);
    assert!(caught(|| Map::make_room(&mut map, MOST)).is_err());
    assert_eq!(map[&1], 2);
}

#[test]
fn other_panics_pass_through() {
    let panic = std::panic::catch_unwind(|| caught(|| std::panic::resume_unwind(Box::new("another")))).err();
    assert_eq!(panic.and_then(|panic| panic.downcast_ref::<&str>().copied()), Some("another"));
}

#[test]
fn results_equal_those_of_the_standard_library() {
    assert_eq!(zeroed::<f32>(3), [0.0; 3]);
    assert_eq!(zeroed::<u64>(0), []);
    assert_eq!(filled(7, 2), [7, 7]);
    assert_eq!((0..10).into_list(), Vec::from_iter(0..10));
    assert_eq!((0..100).filter(|i| i % 3 == 0).into_list(), Vec::from_iter((0..100).step_by(3)));
    let parsed = |text: &str| text.split(' ').map(str::parse::<u8>).try_into_list();
    assert_eq!(parsed("1 2 3"), Ok(vec![1, 2, 3]));
    assert!(parsed("1 x 3").is_err());
    let mut list = [1, 2].to_list();
    list.put(3);
    list.put_slice(&[4, 5]);
    list.put_all([6, 7].into_iter().filter(|_| true));
    list.put_all([8]);
    assert_eq!(list, Vec::from_iter(1..9));
    list.put_within(1..3);
    assert_eq!(list[8..], [2, 3]);
    list.fill_to(2, 0);
    list.fill_to(3, 9);
    assert_eq!(list, [1, 2, 9]);
    let mut text = owned("a");
    text.put_str("bc");
    text.put_char('\u{1f600}');
    assert_eq!(text, "abc\u{1f600}");
    assert_eq!(joined(&["a", "", "bc"]), "abc");
    for bytes in [&b"abc"[..], b"a\xffb\xf0\x9f", b"", b"\xc3"] {
        assert_eq!(lossy(bytes), String::from_utf8_lossy(bytes));
        assert_eq!(lossy_owned(bytes.to_list()), String::from_utf8_lossy(bytes));
    }
    let mut heap = BinaryHeap::new();
    (0..100).for_each(|i| Heap::put(&mut heap, i * 37 % 100));
    assert_eq!(heap.into_sorted_vec(), Vec::from_iter(0..100));
    let mut map = HashMap::new();
    assert_eq!((map.put("a", 1), map.put("a", 2)), (None, Some(1)));
    let mut set = HashSet::new();
    assert_eq!((set.put("a"), set.put("a")), (true, false));
}

//! No thread is started before work is worth it. This test needs a process of its own.

use tokenbed_threads::ranges::PARALLEL_FROM_PARKED;
use tokenbed_threads::{parallel_ranges, set_num_threads, started};

#[test]
fn threads_start_with_the_first_large_region() {
    set_num_threads(3).unwrap();
    parallel_ranges(1, 1, |_| {});
    parallel_ranges(1000, PARALLEL_FROM_PARKED / 1001, |_| {});
    parallel_ranges(1, usize::MAX, |_| {});
    assert_eq!(started(), 0);
    set_num_threads(1).unwrap();
    parallel_ranges(1000, PARALLEL_FROM_PARKED, |_| {});
    assert_eq!(started(), 0);
    set_num_threads(3).unwrap();
    parallel_ranges(1000, PARALLEL_FROM_PARKED, |_| {});
    assert_eq!(started(), 2);
}

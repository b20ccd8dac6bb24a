//! Regions take every row once, on whichever thread; also when one panics or several begin at once.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};
use tokenbed_threads::ranges::PARALLEL_FROM_PARKED;
use tokenbed_threads::{parallel_ranges, parallel_rows, parallel_shares, set_num_threads, started};

/// Takes turns among the tests, since the setting and the helpers belong to the process.
fn alone(threads: usize) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    set_num_threads(threads).unwrap();
    turn
}

const SIZES: [usize; 12] = [0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 1000, 4099];

#[test]
fn every_item_is_taken_once() {
    for threads in [1, 2, 3, 8] {
        let _turn = alone(threads);
        for items in SIZES {
            for bytes in [0, 1, 1 << 10, 1 << 20, usize::MAX] {
                let taken: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                parallel_ranges(items, bytes, |range| {
                    range.for_each(|i| _ = taken[i].fetch_add(1, Ordering::Relaxed));
                });
                assert!(taken.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{threads} {items} {bytes}");
            }
        }
    }
}

#[test]
fn each_range_comes_with_its_rows() {
    for threads in [1, 2, 3, 8] {
        let _turn = alone(threads);
        for row in [1, 3, 16] {
            for rows in SIZES {
                let mut out = vec![usize::MAX; rows * row];
                parallel_rows(&mut out, row, 1 << 20, |range, part| {
                    assert_eq!(part.len(), range.len() * row);
                    part.iter_mut().enumerate().for_each(|(i, x)| *x = range.start * row + i);
                });
                assert!(out.iter().enumerate().all(|(i, &x)| i == x));
            }
        }
    }
}

#[test]
fn every_share_is_taken_once_by_as_many_threads_as_are_asked_for() {
    // The setting does not limit what the caller asks for.
    let _turn = alone(1);
    for threads in [0, 1, 2, 3, 8] {
        for shares in SIZES {
            let taken: Vec<AtomicUsize> = (0..shares).map(|_| AtomicUsize::new(0)).collect();
            parallel_shares(shares, threads, |share| _ = taken[share].fetch_add(1, Ordering::Relaxed));
            assert!(taken.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{threads} {shares}");
        }
        let (barrier, met) = (Barrier::new(threads.max(1)), Mutex::new(HashSet::new()));
        parallel_shares(threads.max(1), threads, |_| {
            barrier.wait();
            met.lock().unwrap().insert(thread::current().id());
        });
        assert_eq!(met.into_inner().unwrap().len(), threads.max(1));
    }
}

#[test]
fn little_work_stays_on_this_thread_in_one_piece() {
    let _turn = alone(4);
    // Helpers that still spin are used for less work, so this waits until they sleep.
    thread::sleep(Duration::from_millis(20));
    let here = thread::current().id();
    let calls = Mutex::new(Vec::new());
    parallel_ranges(1023, PARALLEL_FROM_PARKED / 1024, |range| {
        calls.lock().unwrap().push((thread::current().id(), range));
    });
    assert_eq!(*calls.lock().unwrap(), [(here, 0..1023)]);
}

#[test]
fn a_loop_of_middling_work_wakes_the_helpers() {
    let _turn = alone(2);
    thread::sleep(Duration::from_millis(20));
    let deadline = Instant::now() + Duration::from_secs(20);
    let here = thread::current().id();
    let helped = AtomicUsize::new(0);
    while helped.load(Ordering::Relaxed) == 0 && Instant::now() < deadline {
        parallel_ranges(64, PARALLEL_FROM_PARKED / 128, |_| {
            helped.fetch_add((thread::current().id() != here).into(), Ordering::Relaxed);
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(20) {}
        });
    }
    assert!(helped.into_inner() > 0);
}

/// Runs one range for each thread, each waiting until all have begun. That can only end if helpers take part.
fn meet(threads: usize) -> HashSet<ThreadId> {
    let (barrier, met) = (Barrier::new(threads), Mutex::new(HashSet::new()));
    parallel_ranges(threads, usize::MAX, |range| {
        assert_eq!(range.len(), 1);
        barrier.wait();
        met.lock().unwrap().insert(thread::current().id());
    });
    met.into_inner().unwrap()
}

#[test]
fn all_threads_work_at_once_and_are_kept() {
    let _turn = alone(5);
    let met = meet(5);
    assert_eq!(met.len(), 5);
    assert!(met.contains(&thread::current().id()));
    let before = started();
    for _ in 0..200 {
        assert_eq!(meet(5).len(), 5);
    }
    thread::sleep(Duration::from_millis(5));
    assert_eq!(meet(5).len(), 5, "after they slept");
    assert_eq!(started(), before);
    set_num_threads(2).unwrap();
    assert_eq!(meet(2).len(), 2, "with fewer than there are");
}

#[test]
fn panics_of_helpers_and_of_the_leader_reach_the_caller() {
    let _turn = alone(4);
    let leader = thread::current().id();
    for of_leader in [false, true] {
        let barrier = Barrier::new(4);
        let mut out = vec![0u8; 4];
        let panic = catch_unwind(AssertUnwindSafe(|| {
            parallel_rows(&mut out, 1, usize::MAX, |range, part| {
                barrier.wait();
                part[0] = 1;
                assert!((thread::current().id() == leader) != of_leader, "row {}", range.start);
            });
        }));
        let message = *panic.unwrap_err().downcast::<String>().unwrap();
        assert!(message.starts_with("row "), "{message}");
        assert_eq!(out, [1; 4], "nobody is left at work");
        assert_eq!(meet(4).len(), 4, "and all can work again");
    }
}

#[test]
fn a_region_within_a_region_works_alone() {
    let _turn = alone(3);
    let sum = AtomicUsize::new(0);
    parallel_ranges(3, usize::MAX, |outer| {
        let here = thread::current().id();
        parallel_ranges(5, usize::MAX, |inner| {
            assert_eq!(thread::current().id(), here);
            sum.fetch_add(outer.len() * inner.len(), Ordering::Relaxed);
        });
    });
    assert_eq!(sum.into_inner(), 15);
}

#[test]
fn regions_begun_at_once_all_end() {
    let _turn = alone(3);
    let deadline = Instant::now() + Duration::from_millis(300);
    thread::scope(|scope| {
        for seed in 0..4usize {
            scope.spawn(move || {
                let mut rounds = 0;
                while Instant::now() < deadline || rounds < 10 {
                    let mut out = vec![0; 1 + (rounds * 37 + seed) % 500];
                    parallel_rows(&mut out, 1, 1 << 16, |range, part| {
                        part.iter_mut().zip(range).for_each(|(x, i)| *x = i + seed);
                    });
                    assert!(out.iter().enumerate().all(|(i, &x)| x == i + seed));
                    rounds += 1;
                }
            });
        }
    });
}

//! Tests the pool with loom's threads and locks, which try the orders in which threads may run and the values that a
//! weakly ordered processor may read. A deadlock fails, and so does work that is still running after its region.

#![cfg(test)]

#[path = "../../src/pool.rs"]
#[allow(dead_code, reason = "what is shown of the pool is of no use here")]
mod pool;
mod sync;

mod tests {
    use crate::pool::Pool;
    use crate::sync::REGIONS;
    use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// A pool for one order of threads, which it outlives.
    fn pool() -> &'static Pool {
        Box::leak(Box::new(Pool::new()))
    }

    /// Items to take, which of them are done, and how many threads work. None of this orders memory, so
    /// the leader sees what helpers did only through the pool's ordering.
    struct Items {
        next: AtomicUsize,
        done: [AtomicUsize; 2],
        running: AtomicUsize,
    }

    impl Items {
        fn new() -> Self {
            Self { next: AtomicUsize::new(0), done: [0, 0].map(AtomicUsize::new), running: AtomicUsize::new(0) }
        }

        fn take(&self) {
            self.running.fetch_add(1, Relaxed);
            while let Some(done) = self.done.get(self.next.fetch_add(1, Relaxed)) {
                done.store(1, Relaxed);
            }
            self.running.fetch_sub(1, Relaxed);
        }

        fn check(&self) {
            assert_eq!(self.running.load(Relaxed), 0, "nobody is at it any more");
            assert!(self.done.iter().all(|done| done.load(Relaxed) == 1), "all is done, and seen to be");
        }
    }

    /// Runs all regions of a model one after the other; a helper may come at any time, or too late.
    fn regions(helpers: usize) {
        let pool = pool();
        for _ in 0..REGIONS {
            let items = Items::new();
            pool.run(helpers, &|| items.take());
            items.check();
        }
    }

    /// Tries all orders in which threads are preempted at most `stops` times. All orders would take days, and
    /// faults in such protocols need one or two.
    fn model(stops: usize, run: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(stops);
        model.check(run);
    }

    #[test]
    fn one_helper() {
        model(3, || regions(1));
    }

    #[test]
    fn two_helpers() {
        model(2, || regions(2));
    }

    #[test]
    fn a_region_within_a_region_works_alone() {
        model(2, || {
            let pool = pool();
            for _ in 0..REGIONS {
                let (outer, inner) = (Items::new(), Items::new());
                pool.run(1, &|| {
                    outer.take();
                    pool.run(1, &|| inner.take());
                });
                outer.check();
                inner.check();
            }
        });
    }
}

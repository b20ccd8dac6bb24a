//! What one does with the rows of a table as points: the nearest to a vector ([`top_k`]), groups of near copies
//! ([`dedupe`]) and clusters ([`cluster`]).
//!
//! All are exact. A score is summed in an order that the kernels fix (`scores`, `panel_scores`), so that it has the
//! same bits whatever else is searched with it, on any number of threads and with every instruction set.

mod best;
pub mod cluster;
pub mod dedupe;
mod near;
pub mod rows;
pub mod top_k;

/// Whether work may go on; it is asked from all threads, between blocks of rows.
pub type GoOn<'a> = &'a (dyn Fn() -> bool + Sync);

/// Whether a score is not below a bound. NaN is below nothing.
#[inline]
fn is_not_below(score: f32, bound: f32) -> bool {
    score.partial_cmp(&bound) != Some(std::cmp::Ordering::Less)
}

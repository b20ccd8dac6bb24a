//! Fills on several threads, with the bits of a fill on one.
//!
//! To fill a part, a thread needs only the engine's state at the beginning of the part. Reaching it costs the twists
//! before it, a small share of drawing. So the caller's thread walks ahead, starts a thread at each boundary with a
//! copy of the engine (2.5 KB), and fills the last part itself. Its engine ends where a fill on one thread would have
//! left it.

use crate::engine::Engine;
use crate::fill::{Fill, How};
use std::sync::{Mutex, PoisonError};
use std::thread;
use tokenbed_memory::Gather;

/// Number of values from which on a fill is divided among threads. Below it, starting a thread takes longer than it
/// saves.
pub const PARALLEL_FROM: usize = 1 << 18;

/// Cost of walking past a value, as a share of the cost of drawing it. Each part is shorter than the one before it by
/// this share, because its thread starts later by as much.
const WALK: f64 = 0.14;

/// A part of the output, and an engine whose next draw is its first value.
type Part<'a> = (Engine, &'a mut [f32]);

/// Fills `out`, which must be whole blocks of the fill, with the engine's next draws.
pub(crate) fn run<F: Fill>(how: How, engine: &mut Engine, out: &mut [f32], fill: F) {
    // A part below half the threshold is not worth a thread.
    let threads = if out.len() < PARALLEL_FROM { 1 } else { how.threads.clamp(1, out.len() / (PARALLEL_FROM / 2)) };
    if threads == 1 {
        return fill.fill(how.kernels, engine, out);
    }
    let blocks = out.len() / F::BLOCK;
    // The thread of a part takes it from its slot. If that thread could not be started or is late, the caller does.
    let parts: Vec<Mutex<Option<Part<'_>>>> = (1..threads).map(|_| Mutex::new(None)).into_list();
    let take = |slot: &Mutex<Option<Part<'_>>>| {
        let part = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut engine, values)) = part {
            fill.fill(how.kernels, &mut engine, values);
        }
    };
    thread::scope(|scope| {
        let mut rest = out;
        let mut begin = 0;
        for (index, slot) in parts.iter().enumerate() {
            let end = boundary(index + 1, threads, blocks) * F::BLOCK;
            let (values, behind) = rest.split_at_mut(end - begin);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((engine.clone(), values));
            // If no thread starts, the part stays in its slot.
            let _ = thread::Builder::new().spawn_scoped(scope, move || take(slot));
            engine.skip(how.kernels, end - begin);
            (rest, begin) = (behind, end);
        }
        fill.fill(how.kernels, engine, rest);
        parts.iter().for_each(take);
    });
}

/// The block at which part `part` of `threads` begins, chosen so that all parts end at the same time.
fn boundary(part: usize, threads: usize, blocks: usize) -> usize {
    let reached = |parts: usize| 1.0 - (1.0 - WALK).powf(parts as f64);
    (blocks as f64 * (reached(part) / reached(threads))) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_rise_to_the_end() {
        for threads in 2..=64 {
            let blocks = PARALLEL_FROM / 16;
            let all: Vec<_> = (0..=threads).map(|part| boundary(part, threads, blocks)).collect();
            assert_eq!((all[0], all[threads]), (0, blocks));
            assert!(all.is_sorted());
        }
    }
}

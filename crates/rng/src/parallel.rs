//! A fill on several threads, with the bits of one.
//!
//! The state of the engine where a part begins is all that filling it needs. Reaching it costs the twists before it
//! and no more, a small share of drawing: the caller's thread walks ahead, starts a thread at each boundary with a copy
//! of the engine (2.5 KB), and fills the last part itself. Its engine ends where a serial fill would have left it.

use crate::engine::Engine;
use crate::fill::{Fill, How};
use std::sync::{Mutex, PoisonError};
use std::thread;
use tokenbed_memory::Gather;

/// Values from which on a fill is spread over threads: below it, starting a thread takes longer than it saves.
pub const PARALLEL_FROM: usize = 1 << 18;

/// What walking over a value costs of drawing it. Each part is shorter than the one before it by this share, since its
/// thread starts later by as much.
const WALK: f64 = 0.14;

/// Values, and the engine that draws the first of them next.
type Part<'a> = (Engine, &'a mut [f32]);

/// Fills `out`, whole blocks of the fill, with what the engine draws next.
pub(crate) fn run<F: Fill>(how: How, engine: &mut Engine, out: &mut [f32], fill: F) {
    // A part below half the threshold is not worth its thread.
    let threads = if out.len() < PARALLEL_FROM { 1 } else { how.threads.clamp(1, out.len() / (PARALLEL_FROM / 2)) };
    if threads == 1 {
        return fill.fill(how.kernels, engine, out);
    }
    let blocks = out.len() / F::BLOCK;
    // Taken by the thread of a part, or by the caller if that thread could not be started or is late.
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
            // Without a thread the part stays in its slot.
            let _ = thread::Builder::new().spawn_scoped(scope, move || take(slot));
            engine.skip(how.kernels, end - begin);
            (rest, begin) = (behind, end);
        }
        fill.fill(how.kernels, engine, rest);
        parts.iter().for_each(take);
    });
}

/// Where part `part` of `threads` begins, in blocks, so that all end together.
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

//! States survive a round trip at every point of the stream, and bytes that are not a state are refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use tokenbed_rng::{Generator, STATE_BYTES, StateError, normal};

const LEFT_AT: usize = 8;
const SEEDED_AT: usize = 12;
const NEXT_AT: usize = 16;
const WORDS_AT: usize = 24;

fn state_with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut generator = Generator::new(3);
    generator.random();
    let mut state = generator.state();
    state[at..at + bytes.len()].copy_from_slice(bytes);
    state
}

fn refused(state: &[u8]) -> StateError {
    let mut generator = Generator::new(77);
    let before = generator.state();
    let error = generator.set_state(state).unwrap_err();
    assert_eq!(generator.state(), before, "a refused state changes nothing");
    error
}

#[test]
fn other_lengths_are_refused() {
    for len in [0, 1, STATE_BYTES - 1, STATE_BYTES + 1] {
        assert_eq!(refused(&vec![1; len]), StateError::Length { len });
    }
    assert_eq!(refused(&[]).to_string(), "a generator's state has 5056 bytes, not 0");
}

#[test]
fn impossible_positions_are_refused() {
    for left in [0, -1, 625, i32::MAX] {
        assert_eq!(refused(&state_with(LEFT_AT, &left.to_le_bytes())), StateError::Left { left });
    }
    for next in [625, 1 << 32, u64::MAX] {
        assert_eq!(refused(&state_with(NEXT_AT, &next.to_le_bytes())), StateError::Next { next });
    }
    let state = state_with(NEXT_AT, &620_u64.to_le_bytes());
    assert_eq!(refused(&state), StateError::Inconsistent { left: 624, next: 620 });
    assert_eq!(refused(&state_with(SEEDED_AT, &0_i32.to_le_bytes())), StateError::NotSeeded { flag: 0 });
    let value = 1 << 32;
    let state = state_with(WORDS_AT + 8 * 7, &u64::to_le_bytes(value));
    assert_eq!(refused(&state), StateError::Word { index: 7, value });
}

#[test]
fn an_unused_float_value_is_kept_and_reseeding_clears_it() {
    let mut state = Generator::new(3).state();
    state[5048..5052].copy_from_slice(&1.5_f32.to_le_bytes());
    state[5052] = 1;
    let mut generator = Generator::new(0);
    generator.set_state(&state).unwrap();
    assert_eq!(generator.state(), state);
    generator.manual_seed(3);
    assert_eq!(generator.state(), Generator::new(3).state());
}

proptest! {
    /// A loaded generator continues as the saved one, cached value included.
    #[test]
    fn states_survive_a_round_trip(seed: u64, draws in 0_usize..2000, normals in 0_usize..16) {
        let mut saved = Generator::new(seed);
        for _ in 0..draws {
            saved.random();
        }
        normal(&mut saved, &mut vec![0.0; normals], 0.0, 1.0).unwrap();
        let state = saved.state();
        prop_assert_eq!(state.len(), STATE_BYTES);
        let mut loaded = Generator::new(0);
        loaded.set_state(&state).unwrap();
        prop_assert_eq!(loaded.state(), state);
        prop_assert_eq!(loaded.initial_seed(), seed);
        let (mut ours, mut theirs) = ([0.0; 7], [0.0; 7]);
        normal(&mut loaded, &mut ours, 0.0, 1.0).unwrap();
        normal(&mut saved, &mut theirs, 0.0, 1.0).unwrap();
        prop_assert_eq!(ours, theirs);
        prop_assert_eq!(loaded.random64(), saved.random64());
        prop_assert_eq!(loaded.state(), saved.state());
    }

    /// No bytes make loading or drawing panic.
    #[test]
    fn any_bytes_load_or_are_refused(bytes in prop::collection::vec(any::<u8>(), STATE_BYTES), left in 0_i32..630, next in 0_u64..630) {
        let mut state = bytes;
        state[LEFT_AT..SEEDED_AT].copy_from_slice(&left.to_le_bytes());
        state[SEEDED_AT..NEXT_AT].copy_from_slice(&1_i32.to_le_bytes());
        state[NEXT_AT..WORDS_AT].copy_from_slice(&next.to_le_bytes());
        for word in state[WORDS_AT..WORDS_AT + 8 * 624].as_chunks_mut::<8>().0 {
            word[4..].fill(0);
        }
        let mut generator = Generator::new(0);
        if generator.set_state(&state).is_ok() {
            for _ in 0..1300 {
                generator.random();
            }
            normal(&mut generator, &mut [0.0; 40], 0.0, 1.0).unwrap();
        } else {
            prop_assert!(left == 0 || left > 624 || next > 624 || left != 1 && left as u64 + next != 625);
        }
    }
}

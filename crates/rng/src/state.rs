//! The bytes of a state in PyTorch's layout (`CPUGeneratorImplState`), little endian:
//!
//! ```text
//!    0  u64       seed
//!    8  i32       left        draws until the next twist
//!   12  i32       seeded      1
//!   16  u64       next        index of the next word
//!   24  u64[624]  words       32 bits of each are used
//! 5016  f64       -           0
//! 5024  f64       normal      the cached normal value
//! 5032  f64       -           0
//! 5040  i32       1 if there is a cached normal value; 4 bytes of padding
//! 5048  f32       a cached f32 normal value, unused on the CPU
//! 5052  u8        1 if there is one; 3 bytes of padding
//! ```

use crate::engine::Engine;
use crate::error::StateError;
use crate::generator::Generator;
use tokenbed_kernels::ops::draw::mt19937::MT_WORDS;
use tokenbed_memory::{List, with_room};

/// Number of bytes in a state.
pub const STATE_BYTES: usize = 5056;

const WORDS_AT: usize = 24;
const NORMAL_AT: usize = 5024;

pub(crate) fn write(generator: &Generator) -> Vec<u8> {
    let (words, left, next) = generator.engine.parts();
    let mut bytes = with_room(STATE_BYTES);
    bytes.put_all(generator.seed.to_le_bytes());
    bytes.put_all(left.to_le_bytes());
    bytes.put_all(1_i32.to_le_bytes());
    bytes.put_all(u64::from(next).to_le_bytes());
    for word in words {
        bytes.put_all(u64::from(*word).to_le_bytes());
    }
    bytes.put_all(0_f64.to_le_bytes());
    bytes.put_all(generator.next_normal.unwrap_or(0.0).to_le_bytes());
    bytes.put_all(0_f64.to_le_bytes());
    bytes.put_all(u64::from(generator.next_normal.is_some()).to_le_bytes());
    bytes.put_all(generator.next_float_normal.unwrap_or(0.0).to_le_bytes());
    bytes.put_all(u32::from(generator.next_float_normal.is_some()).to_le_bytes());
    bytes
}

pub(crate) fn read(bytes: &[u8]) -> Result<Generator, StateError> {
    let bytes: &[u8; STATE_BYTES] = bytes.try_into().map_err(|_| StateError::Length { len: bytes.len() })?;
    let seeded = i32::from_le_bytes(at(bytes, 12));
    if seeded != 1 {
        return Err(StateError::NotSeeded { flag: seeded });
    }
    let (left, next) = position(i32::from_le_bytes(at(bytes, 8)), u64::from_le_bytes(at(bytes, 16)))?;
    let mut words = [0; MT_WORDS];
    for (index, word) in words.iter_mut().enumerate() {
        let value = u64::from_le_bytes(at(bytes, WORDS_AT + 8 * index));
        *word = u32::try_from(value).map_err(|_| StateError::Word { index, value })?;
    }
    let has_normal = i32::from_le_bytes(at(bytes, NORMAL_AT + 16)) != 0;
    let has_float_normal = bytes[NORMAL_AT + 28] != 0;
    Ok(Generator {
        seed: u64::from_le_bytes(at(bytes, 0)),
        engine: Engine::from_parts(words, left, next),
        next_normal: has_normal.then(|| f64::from_le_bytes(at(bytes, NORMAL_AT))),
        next_float_normal: has_float_normal.then(|| f32::from_le_bytes(at(bytes, NORMAL_AT + 24))),
    })
}

/// Checks what `mt19937_engine::is_valid` checks, and that no draw would read past the words.
fn position(left: i32, next: u64) -> Result<(u32, u32), StateError> {
    const WORDS: u32 = MT_WORDS as u32;
    let left = u32::try_from(left).ok().filter(|left| (1..=WORDS).contains(left)).ok_or(StateError::Left { left })?;
    let next = u32::try_from(next).ok().filter(|next| *next <= WORDS).ok_or(StateError::Next { next })?;
    if left != 1 && left + next != WORDS + 1 {
        return Err(StateError::Inconsistent { left, next });
    }
    Ok((left, next))
}

/// The `N` bytes at an offset, which must lie inside.
fn at<const N: usize>(bytes: &[u8; STATE_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[offset + i])
}

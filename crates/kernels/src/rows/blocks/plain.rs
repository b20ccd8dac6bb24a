//! Blocks decoded by plain Rust, which defines the result.

use super::Block;
use crate::half::f16_to_f32;

/// Writes the elements of `count` blocks.
///
/// # Safety
/// `from` may be read for so many blocks of this kind, and `to` written for so many elements; they do not overlap.
#[inline(always)]
pub(crate) unsafe fn decode(kind: Block, from: *const u8, to: *mut f32, count: usize) {
    // SAFETY: as the caller promises: the constants are the sizes of the kind.
    unsafe {
        match kind {
            Block::Q4_0 => each::<18, 32>(from, to, count, q4_0),
            Block::Q4_1 => each::<20, 32>(from, to, count, q4_1),
            Block::Q5_0 => each::<22, 32>(from, to, count, q5_0),
            Block::Q5_1 => each::<24, 32>(from, to, count, q5_1),
            Block::Q8_0 => each::<34, 32>(from, to, count, q8_0),
            Block::Q2K => each::<84, 256>(from, to, count, q2_k),
            Block::Q3K => each::<110, 256>(from, to, count, q3_k),
            Block::Q4K => each::<144, 256>(from, to, count, q4_k),
            Block::Q5K => each::<176, 256>(from, to, count, q5_k),
            Block::Q6K => each::<210, 256>(from, to, count, q6_k),
        }
    }
}

/// Decodes one block after the other.
///
/// # Safety
/// As for [`decode`], of blocks of `BYTES` with `ELEMENTS`.
#[inline(always)]
unsafe fn each<const BYTES: usize, const ELEMENTS: usize>(
    from: *const u8,
    to: *mut f32,
    count: usize,
    one: impl Fn(&[u8; BYTES], &mut [f32; ELEMENTS]),
) {
    for n in 0..count {
        // SAFETY: as the caller promises; bytes and floats that are written at any alignment a float array has: `to`
        // is aligned, since it points at floats.
        unsafe { one(&*from.add(n * BYTES).cast(), &mut *to.add(n * ELEMENTS).cast()) }
    }
}

/// The half at a place.
#[inline(always)]
fn half(block: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[at], block[at + 1]]))
}

/// The u32 at a place.
#[inline(always)]
fn word(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

#[inline(always)]
fn q4_0(block: &[u8; 18], to: &mut [f32; 32]) {
    let d = half(block, 0);
    for i in 0..16 {
        let q = block[2 + i];
        to[i] = d * f32::from((q & 15) as i8 - 8);
        to[16 + i] = d * f32::from((q >> 4) as i8 - 8);
    }
}

#[inline(always)]
fn q4_1(block: &[u8; 20], to: &mut [f32; 32]) {
    let (d, m) = (half(block, 0), half(block, 2));
    for i in 0..16 {
        let q = block[4 + i];
        to[i] = d * f32::from(q & 15) + m;
        to[16 + i] = d * f32::from(q >> 4) + m;
    }
}

/// The elements of a block of 32 with five bits: `nibbles` holds the first four of each, `fifth` the last.
#[inline(always)]
fn five_bits(nibbles: &[u8], fifth: u32) -> [u8; 32] {
    let mut all = [0; 32];
    for i in 0..16 {
        all[i] = nibbles[i] & 15 | (fifth >> i & 1) as u8 * 16;
        all[16 + i] = nibbles[i] >> 4 | (fifth >> (16 + i) & 1) as u8 * 16;
    }
    all
}

#[inline(always)]
fn q5_0(block: &[u8; 22], to: &mut [f32; 32]) {
    let d = half(block, 0);
    let all = five_bits(&block[6..], word(block, 2));
    for i in 0..32 {
        to[i] = d * f32::from(all[i] as i8 - 16);
    }
}

#[inline(always)]
fn q5_1(block: &[u8; 24], to: &mut [f32; 32]) {
    let (d, m) = (half(block, 0), half(block, 2));
    let all = five_bits(&block[8..], word(block, 4));
    for i in 0..32 {
        to[i] = d * f32::from(all[i]) + m;
    }
}

#[inline(always)]
fn q8_0(block: &[u8; 34], to: &mut [f32; 32]) {
    let d = half(block, 0);
    for i in 0..32 {
        to[i] = d * f32::from(block[2 + i] as i8);
    }
}

#[inline(always)]
fn q2_k(block: &[u8; 84], to: &mut [f32; 256]) {
    let (d, m) = (half(block, 80), half(block, 82));
    for part in 0..16 {
        let (scale, min) = (d * f32::from(block[part] & 15), m * f32::from(block[part] >> 4));
        let (from, shift) = pairs(16, part);
        for i in 0..16 {
            to[16 * part + i] = scale * f32::from(block[from + i] >> shift & 3) - min;
        }
    }
}

/// Where a part of 16 elements finds its pairs of bits: its bytes, after those before `start`, and by how much to
/// shift them. 128 elements share 32 bytes.
#[inline(always)]
fn pairs(start: usize, part: usize) -> (usize, usize) {
    (start + part / 8 * 32 + part % 2 * 16, part % 8 / 2 * 2)
}

#[inline(always)]
fn q3_k(block: &[u8; 110], to: &mut [f32; 256]) {
    let d = half(block, 108);
    for part in 0..16 {
        let low = block[96 + part % 8] >> (part / 8 * 4) & 15;
        let high = block[104 + part % 4] >> (part / 4 * 2) & 3;
        let scale = d * f32::from((low | high << 4) as i8 - 32);
        let (from, shift) = pairs(32, part);
        for i in 0..16 {
            // The third bit is stored the other way round: where it is missing, 4 is taken off.
            let third = block[part % 2 * 16 + i] >> (part / 2) & 1;
            to[16 * part + i] = scale * f32::from((block[from + i] >> shift & 3) as i8 - 4 * (1 - third as i8));
        }
    }
}

/// The eight scales and the eight minima of [`Block::Q4K`] and [`Block::Q5K`], six bits each.
#[inline(always)]
pub(super) fn scales(twelve: [u32; 3]) -> ([u8; 8], [u8; 8]) {
    let [d, m, rest] = twelve;
    let both = |first: u32, rest: u32| {
        let low = u64::from(first & 0x3f3f_3f3f);
        let high = u64::from(rest & 0x0f0f_0f0f | first >> 2 & 0x3030_3030);
        (high << 32 | low).to_le_bytes()
    };
    (both(d, rest), both(m, rest >> 4))
}

#[inline(always)]
fn q4_k(block: &[u8; 144], to: &mut [f32; 256]) {
    let (d, m) = (half(block, 0), half(block, 2));
    let (scale, min) = scales([word(block, 4), word(block, 8), word(block, 12)]);
    for part in 0..8 {
        let (scale, min) = (d * f32::from(scale[part]), m * f32::from(min[part]));
        for i in 0..32 {
            let q = block[16 + part / 2 * 32 + i] >> (part % 2 * 4) & 15;
            to[32 * part + i] = scale * f32::from(q) - min;
        }
    }
}

#[inline(always)]
fn q5_k(block: &[u8; 176], to: &mut [f32; 256]) {
    let (d, m) = (half(block, 0), half(block, 2));
    let (scale, min) = scales([word(block, 4), word(block, 8), word(block, 12)]);
    for part in 0..8 {
        let (scale, min) = (d * f32::from(scale[part]), m * f32::from(min[part]));
        for i in 0..32 {
            let nibble = block[48 + part / 2 * 32 + i] >> (part % 2 * 4) & 15;
            let fifth = block[16 + i] >> part & 1;
            to[32 * part + i] = scale * f32::from(nibble | fifth << 4) - min;
        }
    }
}

#[inline(always)]
fn q6_k(block: &[u8; 210], to: &mut [f32; 256]) {
    let d = half(block, 208);
    for part in 0..16 {
        let scale = d * f32::from(block[192 + part] as i8);
        let (high, shift) = pairs(128, part);
        let (low, nibble) = (part / 8 * 64 + part % 4 * 16, part % 8 / 4 * 4);
        for i in 0..16 {
            let q = block[low + i] >> nibble & 15 | (block[high + i] >> shift & 3) << 4;
            to[16 * part + i] = scale * f32::from(q as i8 - 32);
        }
    }
}

//! The ops of random draws: every instruction set has the bits of the scalar definition.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::isa::Isa;
use tokenbed_kernels::ops::draw::draw_normal::NORMAL_BLOCK;
use tokenbed_kernels::ops::draw::draw_uniform::temper;
use tokenbed_kernels::ops::draw::mt19937::{MT_WORDS, MtState};

/// The value after the end of every output.
const SENTRY: f32 = -12345.5;

fn scalar() -> Kernels {
    dispatch::available().find(|kernels| kernels.isa() == Isa::Scalar).unwrap()
}

fn others() -> impl Iterator<Item = Kernels> {
    dispatch::available().filter(|kernels| kernels.isa() != Isa::Scalar)
}

/// Pseudo-random words (splitmix64).
fn words(seed: u64, len: usize) -> Vec<u32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as u32
    };
    (0..len).map(|_| next()).collect()
}

/// The word whose tempering gives `y`.
fn untemper(y: u32) -> u32 {
    let y = y ^ (y >> 18);
    let y = y ^ ((y << 15) & 0xefc6_0000);
    // Each step recovers seven more bits from below, or eleven from above.
    let lower = (0..4).fold(y, |x, _| y ^ ((x << 7) & 0x9d2c_5680));
    (0..2).fold(lower, |x, _| lower ^ (x >> 11))
}

/// Runs `fill` on both kernels, with outputs that start `offset` elements into their memory and end before sentries.
fn same(kernels: Kernels, len: usize, offset: usize, fill: impl Fn(Kernels, &mut [f32])) {
    let run = |kernels: Kernels| {
        let mut memory = vec![SENTRY; offset + len + 40];
        fill(kernels, &mut memory[offset..offset + len]);
        assert!(memory[..offset].iter().chain(&memory[offset + len..]).all(|value| *value == SENTRY));
        memory[offset..offset + len].iter().map(|value| value.to_bits()).collect::<Vec<_>>()
    };
    let (ours, defined) = (run(kernels), run(scalar()));
    if let Some(at) = (0..len).find(|at| ours[*at] != defined[*at]) {
        let isa = kernels.isa().name();
        panic!("{isa}: {:08x} instead of {:08x} at {at} of {len}, offset {offset}", ours[at], defined[at]);
    }
}

#[test]
fn untempering_undoes_tempering() {
    for word in words(1, 1000) {
        assert_eq!(untemper(temper(word)), word);
    }
}

/// The 10000th draw of the engine seeded with 5489, as the C++ standard requires of `std::mt19937`.
#[test]
fn the_scalar_twist_matches_the_standard() {
    let mut seeded = [5489_u32; MT_WORDS];
    for i in 1..MT_WORDS {
        seeded[i] = (seeded[i - 1] ^ (seeded[i - 1] >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
    }
    let mut state = MtState::new(seeded);
    for _ in 0..10_000_usize.div_ceil(MT_WORDS) {
        scalar().mt19937_twist(&mut state);
    }
    assert_eq!(temper(state.words()[9_999 % MT_WORDS]), 4_123_659_995);
}

#[test]
fn twists_have_the_same_bits() {
    let patterns = [[0; MT_WORDS], [u32::MAX; MT_WORDS], [0x8000_0000; MT_WORDS], [0x7fff_ffff; MT_WORDS]];
    let random = (0..20).map(|seed| words(seed, MT_WORDS).try_into().unwrap());
    // A single nonzero word shows what each lane reads and writes.
    let single = (0..MT_WORDS).map(|at| std::array::from_fn(|i| if i == at { 0xffff_ffff } else { 0 }));
    for start in patterns.into_iter().chain(random).chain(single) {
        for kernels in others() {
            let (mut ours, mut defined) = (MtState::new(start), MtState::new(start));
            for _ in 0..3 {
                kernels.mt19937_twist(&mut ours);
                scalar().mt19937_twist(&mut defined);
                assert_eq!(ours.words(), defined.words(), "{}", kernels.isa().name());
            }
        }
    }
}

#[test]
fn uniforms_have_the_same_bits() {
    let bounds = [(0.0, 1.0), (-0.5, 0.5), (1.0, 1.000_000_1), (-0.036, 0.036), (3.0, 3.0), (-1e30, 1e30)];
    for kernels in others() {
        for len in (0..70).chain([163, 623, 624]) {
            let words = words(len as u64, len + 3);
            for (low, high) in bounds {
                for offset in [0, 1, 3] {
                    let words = &words[offset..offset + len];
                    same(kernels, len, offset, |kernels, out| kernels.draw_uniform(words, low, high, out));
                }
            }
        }
    }
}

#[test]
fn normals_have_the_same_bits() {
    for kernels in others() {
        for blocks in (0..10).chain([39]) {
            let len = blocks * NORMAL_BLOCK;
            let words = words(len as u64, len + 3);
            for (mean, std) in [(0.0, 1.0), (0.25, 0.02), (-3.5, 0.0), (1e20, 1e-20)] {
                for offset in [0, 1, 3] {
                    let words = &words[offset..offset + len];
                    same(kernels, len, offset, |kernels, out| kernels.draw_normal(words, mean, std, out));
                }
            }
        }
    }
}

/// All possible uniform values, as a radius and as an angle.
#[test]
fn normals_of_every_uniform_have_the_same_bits() {
    const CHUNK: u32 = 1 << 16;
    for kernels in others() {
        for start in (0..1 << 24).step_by(CHUNK as usize) {
            // The radii ascend, and the angles descend.
            let words: Vec<u32> = (0..2 * CHUNK)
                .map(|i| {
                    let count = start + i / 16 * 8 + i % 8;
                    untemper(if i % 16 < 8 { count } else { 0x00ff_ffff - count })
                })
                .collect();
            same(kernels, words.len(), 0, |kernels, out| kernels.draw_normal(&words, 0.0, 1.0, out));
        }
    }
}

#[test]
#[should_panic(expected = "draw_normal: no whole blocks")]
fn panics_on_a_partial_block() {
    dispatch::active().draw_normal(&[0; 15], 0.0, 1.0, &mut [0.0; 15]);
}

#[test]
#[should_panic(expected = "draw_uniform: out of another size")]
fn panics_on_outputs_of_another_size() {
    dispatch::active().draw_uniform(&[0; 15], 0.0, 1.0, &mut [0.0; 16]);
}

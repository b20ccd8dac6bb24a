//! Conversions between all element types, against conversions written for one element.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use half::{bf16, f16};
use tokenbed_core::ops::convert::{convert, elements, elements_mut};
use tokenbed_core::{DType, Error};
use tokenbed_testkit::random::{AWKWARD, Random};

/// An element of any type, as its widest form.
#[derive(Clone, Copy, Debug)]
enum Value {
    Int(i128),
    Float(f64),
}

fn decode(dtype: DType, bytes: &[u8]) -> Value {
    fn whole<const N: usize>(bytes: &[u8]) -> [u8; N] {
        bytes.try_into().expect("one element")
    }
    match dtype {
        DType::Float32 => Value::Float(f32::from_ne_bytes(whole(bytes)).into()),
        DType::Float64 => Value::Float(f64::from_ne_bytes(whole(bytes))),
        DType::Float16 => Value::Float(f16::from_bits(u16::from_ne_bytes(whole(bytes))).into()),
        DType::BFloat16 => Value::Float(bf16::from_bits(u16::from_ne_bytes(whole(bytes))).into()),
        DType::Int8 => Value::Int(i8::from_ne_bytes(whole(bytes)).into()),
        DType::UInt8 => Value::Int(bytes[0].into()),
        DType::Int32 => Value::Int(i32::from_ne_bytes(whole(bytes)).into()),
        DType::Int64 => Value::Int(i64::from_ne_bytes(whole(bytes)).into()),
        DType::Bool => Value::Int((bytes[0] != 0).into()),
    }
}

fn encode(dtype: DType, value: Value) -> Vec<u8> {
    // Truncates towards zero and saturates at 64 bits; NaN becomes 0.
    let int = match value {
        Value::Int(int) => int,
        Value::Float(float) if float.is_nan() => 0,
        Value::Float(float) => float.trunc().clamp(i64::MIN as f64, i64::MAX as f64) as i128,
    };
    let int = int.clamp(i64::MIN.into(), i64::MAX.into());
    let wrapped = |bits: u32| int.rem_euclid(1 << bits);
    let single = match value {
        Value::Int(int) => int as f32,
        Value::Float(float) => float as f32,
    };
    match dtype {
        DType::Float32 => single.to_ne_bytes().to_vec(),
        DType::Float64 => match value {
            Value::Int(int) => (int as f64).to_ne_bytes().to_vec(),
            Value::Float(float) => float.to_ne_bytes().to_vec(),
        },
        DType::Float16 => f16::from_f32(single).to_bits().to_ne_bytes().to_vec(),
        DType::BFloat16 => bf16::from_f32(single).to_bits().to_ne_bytes().to_vec(),
        DType::Int8 | DType::UInt8 => vec![wrapped(8) as u8],
        DType::Int32 => (wrapped(32) as u32).to_ne_bytes().to_vec(),
        DType::Int64 => (wrapped(64) as u64).to_ne_bytes().to_vec(),
        DType::Bool => {
            let truth = match value {
                Value::Int(int) => int != 0,
                Value::Float(float) => float != 0.0,
            };
            vec![truth.into()]
        }
    }
}

/// Elements of a type: random bits, random moderate numbers, and awkward values.
fn samples(dtype: DType) -> Vec<u8> {
    let mut random = Random::new(dtype as u64);
    let mut bytes: Vec<u8> = (0..2000 * dtype.size()).map(|_| random.bits() as u8).collect();
    let floats = AWKWARD.into_iter().map(f32::from_bits).map(f64::from);
    let limits = [
        127.0,
        128.0,
        255.9,
        256.0,
        2147483647.0,
        2147483648.0,
        9.2e18,
        9.3e18,
        1.9e19,
        65504.0,
        65519.9,
        65520.0,
        0.5,
        1e-50,
    ];
    let moderate = (0..2000).map(|_| (random.unit() * 40.0).exp2() * random.unit()).collect::<Vec<_>>();
    for value in floats.chain(limits).chain(moderate) {
        for signed in [value, -value] {
            bytes.extend(encode(dtype, Value::Float(signed)));
        }
    }
    for shift in 0..64 {
        for near in [-1, 0, 1] {
            let power = (1i128 << shift) + near;
            bytes.extend(encode(dtype, Value::Int(power)));
            bytes.extend(encode(dtype, Value::Int(-power)));
        }
    }
    bytes
}

/// The bytes, aligned for all element types.
fn aligned(bytes: &[u8]) -> Vec<u64> {
    let mut words = vec![0u64; bytes.len().div_ceil(8)];
    bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
    words
}

#[test]
fn every_type_converts_to_every_other() {
    for from in DType::ALL {
        let source = samples(from);
        let n = source.len() / from.size();
        let words = aligned(&source);
        for to in DType::ALL {
            let mut target = vec![u64::MAX; n.div_ceil(8) * to.size()];
            let target = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut target)[..n * to.size()];
            convert(from, &bytemuck::cast_slice(&words)[..source.len()], to, target).expect("sizes fit");
            for (i, (out, element)) in target.chunks_exact(to.size()).zip(source.chunks_exact(from.size())).enumerate()
            {
                let value = decode(from, element);
                let wanted = encode(to, value);
                let both_nan = |a: Value, b: Value| matches!((a, b), (Value::Float(a), Value::Float(b)) if a.is_nan() && b.is_nan());
                let same = out == wanted || both_nan(decode(to, out), decode(to, &wanted));
                assert!(same, "{} to {}: {value:?} at {i} gives {:?}", from.name(), to.name(), decode(to, out));
            }
        }
    }
}

fn one<A: bytemuck::Pod, B: bytemuck::Pod + Default>(from: DType, value: A, to: DType) -> B {
    let mut out = B::default();
    convert(from, bytemuck::bytes_of(&value), to, bytemuck::bytes_of_mut(&mut out)).expect("sizes fit");
    out
}

#[test]
fn casts_equal_pytorchs() {
    assert_eq!(one::<f32, i32>(DType::Float32, -1.9, DType::Int32), -1);
    assert_eq!(one::<f32, i8>(DType::Float32, 300.7, DType::Int8), 44);
    assert_eq!(one::<f32, u8>(DType::Float32, -1.0, DType::UInt8), 255);
    assert_eq!(one::<i64, i32>(DType::Int64, (1 << 32) + 5, DType::Int32), 5);
    assert_eq!(one::<i32, u8>(DType::Int32, -1, DType::UInt8), 255);
    assert_eq!(one::<f64, i64>(DType::Float64, f64::INFINITY, DType::Int64), i64::MAX);
    assert_eq!(one::<f64, i64>(DType::Float64, f64::NEG_INFINITY, DType::Int64), i64::MIN);
    assert_eq!(one::<f64, i64>(DType::Float64, f64::NAN, DType::Int64), 0);
    assert_eq!(one::<u8, u8>(DType::Bool, 7, DType::UInt8), 1);
    assert_eq!(one::<u8, u8>(DType::Bool, 7, DType::Bool), 1);
    for (float, truth) in [(0.0, 0), (-0.0, 0), (f32::NAN, 1), (f32::from_bits(1), 1), (0.3, 1)] {
        assert_eq!(one::<f32, u8>(DType::Float32, float, DType::Bool), truth);
    }
}

/// They are rounded once. Through f64, the half step that decides would be lost first.
#[test]
fn large_integers_round_once() {
    let just_above_half = (1i64 << 60) + (1 << 36) + 1;
    assert_eq!(one::<i64, f32>(DType::Int64, just_above_half, DType::Float32), 2f32.powi(60) + 2f32.powi(37));
    assert_eq!(one::<i64, f32>(DType::Int64, i64::MAX, DType::Float32), 2f32.powi(63));
}

/// The nearest number of a 16-bit type, the even one of two equally near, found by searching all its finite numbers in
/// order of magnitude. Numbers up to half a step beyond the last round to it.
fn nearest(magnitudes: &[f64], x: f64) -> u16 {
    let above = magnitudes.partition_point(|&magnitude| magnitude < x);
    let last = magnitudes.len() - 1;
    let (low, high) = match above {
        0 => return 0,
        above if above <= last => (magnitudes[above - 1], magnitudes[above]),
        _ => (magnitudes[last], 2.0 * magnitudes[last] - magnitudes[last - 1]),
    };
    let up = x - low > high - x || (x - low == high - x && above % 2 == 0);
    if up { above as u16 } else { above as u16 - 1 }
}

#[test]
fn sixteen_bits_round_to_nearest_even() {
    let halves: Vec<f64> = (0..0x7c00).map(|bits| f16::from_bits(bits).to_f64()).collect();
    let brains: Vec<f64> = (0..0x7f80).map(|bits| bf16::from_bits(bits).to_f64()).collect();
    let mut random = Random::new(6);
    let mut samples: Vec<f32> = (0..20_000).map(|_| f32::from_bits(random.bits() as u32 & 0x7fff_ffff)).collect();
    samples.extend((0..20_000).map(|_| ((random.unit() * 25.0).exp2()) as f32));
    for (k, numbers) in [&halves, &brains].into_iter().enumerate() {
        // The ties themselves, and the neighbouring f32 numbers.
        for pair in numbers.windows(2).skip(k * 7).step_by(13) {
            let tie = ((pair[0] + pair[1]) / 2.0) as f32;
            samples.extend([tie, tie.next_up(), tie.next_down()]);
        }
    }
    samples.retain(|x| x.is_finite());
    for x in samples {
        let half: u16 = one(DType::Float32, x, DType::Float16);
        let brain: u16 = one(DType::Float32, x, DType::BFloat16);
        assert_eq!(half, nearest(&halves, x.into()), "float16 of {x}");
        assert_eq!(brain, nearest(&brains, x.into()), "bfloat16 of {x}");
        assert_eq!(one::<f32, u16>(DType::Float32, -x, DType::Float16), half | 0x8000);
    }
}

#[test]
fn sixteen_bits_survive_a_round_trip() {
    for bits in 0..=u16::MAX {
        for dtype in [DType::Float16, DType::BFloat16] {
            let single: f32 = one(dtype, bits, DType::Float32);
            let back: u16 = one(DType::Float32, single, dtype);
            // A NaN becomes quiet.
            assert!(back == bits || single.is_nan() && f32::is_nan(one(dtype, back, DType::Float32)), "{bits:#06x}");
        }
    }
}

#[test]
fn buffers_of_other_sizes_are_errors() {
    let code = |result: Result<(), Error>| result.map_err(|error| error.code());
    let words = [0u64; 4];
    let bytes: &[u8] = bytemuck::cast_slice(&words);
    let mut out = [0u64; 4];
    let out: &mut [u8] = bytemuck::cast_slice_mut(&mut out);
    assert_eq!(code(convert(DType::Float32, &bytes[..8], DType::Float32, &mut out[..12])), Err("SHAPE"));
    assert_eq!(code(convert(DType::Float32, &bytes[..7], DType::Int8, &mut out[..1])), Err("SHAPE"));
    assert_eq!(code(convert(DType::Float32, &bytes[1..5], DType::Int8, &mut out[..1])), Err("SHAPE"));
    assert_eq!(code(convert(DType::Int8, &bytes[..1], DType::Int32, &mut out[2..6])), Err("SHAPE"));
    assert!(elements::<f64>(&bytes[4..20]).is_err());
    assert!(elements_mut::<u16>(&mut out[1..3]).is_err());
}

/// Empty buffers convert, whatever their address.
#[test]
fn empty_buffers_convert() {
    let bytes = [0u8; 8];
    for from in DType::ALL {
        for to in DType::ALL {
            assert!(convert(from, &[], to, &mut []).is_ok());
            for start in 0..8 {
                assert!(convert(from, &bytes[start..start], to, &mut []).is_ok());
            }
            let not_empty = convert(from, &[], to, &mut [0; 8]);
            assert!(matches!(not_empty, Err(Error::Shape(_))));
        }
    }
}

#[test]
fn names_and_sizes_are_stable() {
    let names = DType::ALL.map(|dtype| (dtype.name(), dtype.size()));
    let wanted = [
        ("float32", 4),
        ("float64", 8),
        ("float16", 2),
        ("bfloat16", 2),
        ("int8", 1),
        ("uint8", 1),
        ("int32", 4),
        ("int64", 8),
        ("bool", 1),
    ];
    assert_eq!(names, wanted);
}

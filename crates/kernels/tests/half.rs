//! The 16-bit floats agree with the `half` crate, those of 8 bits are the nearest, and quantized rows respect their
//! limits.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use half::{bf16, f16};
use tokenbed_kernels::half::{bf16_to_f32, f8_to_f32, f16_to_f32, f32_to_bf16, f32_to_f8, f32_to_f16};
use tokenbed_kernels::ops::lookup::quantize::{Unquantizable, quantize_row};
use tokenbed_kernels::rows::format::RowFormat;
use tokenbed_testkit::random::Random;

#[test]
fn every_half_converts_to_its_value() {
    for bits in 0..=u16::MAX {
        let (ours, theirs) = (f16_to_f32(bits), f16::from_bits(bits).to_f32_const());
        assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{bits:04x}");
        assert_eq!(bf16_to_f32(bits).to_bits(), u32::from(bits) << 16);
        if !ours.is_nan() {
            assert_eq!(f32_to_f16(ours), bits);
        }
    }
}

/// Every f32 in steps of a prime, and the neighbours of each half and of each midpoint between two.
#[test]
fn numbers_round_to_the_nearest() {
    let check = |bits: u32| {
        let x = f32::from_bits(bits);
        let (ours, theirs) = (f32_to_f16(x), f16::from_f32_const(x).to_bits());
        assert!(ours == theirs || x.is_nan() && f16_to_f32(ours).is_nan(), "{bits:08x}: {ours:04x} {theirs:04x}");
        let (ours, theirs) = (f32_to_bf16(x), bf16::from_f32(x).to_bits());
        assert!(ours == theirs, "{bits:08x}: {ours:04x} {theirs:04x}");
    };
    (0..u32::MAX).step_by(1009).for_each(check);
    for half in 0..=u16::MAX {
        for step in [0u32, 0x1000, 0x8000] {
            for near in -2i32..=2 {
                check(f16_to_f32(half).to_bits().wrapping_add(step).wrapping_add_signed(near));
                check((u32::from(half) << 16).wrapping_add(step).wrapping_add_signed(near));
            }
        }
    }
}

#[test]
fn reports_values_that_no_layout_holds() {
    let mut to = [0xa5u8; 12];
    for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = Unquantizable { column: 2, too_large: false };
        assert_eq!(quantize_row(RowFormat::Int8, &[1.0, 2.0, x, x], &mut to), Err(error));
        for (format, bytes) in [(RowFormat::Int4, 6), (RowFormat::Int2, 5), (RowFormat::Float8, 4)] {
            assert_eq!(quantize_row(format, &[1.0, 2.0, x, x], &mut to[..bytes]), Err(error));
        }
    }
    let error = Unquantizable { column: 1, too_large: true };
    assert_eq!(quantize_row(RowFormat::Int8, &[-3e38, 3.1e38, 0.0, 1.0], &mut to), Err(error));
    for (format, bytes) in [(RowFormat::Int4, 6), (RowFormat::Int2, 5)] {
        assert_eq!(quantize_row(format, &[0.0, -7e4, 0.0, 1.0], &mut to[..bytes]), Err(error));
        assert_eq!(quantize_row(format, &[0.0, 1e6, 0.0, 1.0], &mut to[..bytes]), Err(error));
    }
    assert_eq!(to, [0xa5; 12], "nothing is written then");
}

/// A float8 is the nearest of all, the even one of two; its own value gives it back, but for those beyond the largest.
#[test]
fn float8_is_the_nearest() {
    for bits in 0..=u8::MAX {
        let most = bits & 0x80 | 0x77;
        assert_eq!(f32_to_f8(f8_to_f32(bits)), if bits & 0x7f > 0x77 { most } else { bits });
    }
    let mut random = Random::new(48);
    let units = random.units(100_000);
    let numbers = (0..100_000).map(|_| f32::from_bits(random.bits() as u32)).filter(|x| x.is_finite());
    for x in numbers.chain(units) {
        let found = f32_to_f8(x);
        assert_eq!(found >> 7 == 1, x.is_sign_negative());
        let clamped = f64::from(x).clamp(-240.0, 240.0);
        let apart = |bits: u8| (f64::from(f8_to_f32(bits)) - clamped).abs();
        let nearest =
            (0..=0x77).map(|bits| bits | found & 0x80).min_by(|&a, &b| apart(a).total_cmp(&apart(b))).unwrap();
        let even = apart(nearest) == apart(nearest + 1) && nearest & 1 == 1;
        assert_eq!(found, nearest + u8::from(even), "{x}");
    }
}

#[test]
fn rows_of_one_value_round_trip() {
    for x in [0.0f32, 1.0, -0.625, 3.0] {
        let mut to = [0u8; 11];
        quantize_row(RowFormat::Int8, &[x; 3], &mut to).unwrap();
        assert_eq!((&to[..3], f32::from_le_bytes(to[7..].try_into().unwrap())), (&[0u8; 3][..], x));
        let mut to = [0xffu8; 6];
        quantize_row(RowFormat::Int4, &[x; 3], &mut to).unwrap();
        assert_eq!(&to[..2], [0, 0]);
        assert_eq!(f16_to_f32(u16::from_le_bytes([to[4], to[5]])), x);
    }
}

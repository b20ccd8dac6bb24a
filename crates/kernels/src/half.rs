//! Conversions of single floats of 16 and 8 bits, which the vector conversions must equal. They are written out here,
//! because a crate might convert by instruction, and these are the definition on every machine.

/// The value of an IEEE half with these bits. A signalling NaN becomes quiet, as with the instructions.
#[inline]
pub fn f16_to_f32(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let (sign, exponent, mantissa) = ((bits & 0x8000) << 16, (bits >> 10) & 31, bits & 0x3ff);
    match exponent {
        0 => {
            // A multiple of 2^-24, which is exact in f32.
            let magnitude = mantissa as f32 * f32::from_bits(0x3380_0000);
            f32::from_bits(magnitude.to_bits() | sign)
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | mantissa << 13 | if mantissa == 0 { 0 } else { 0x0040_0000 }),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | mantissa << 13),
    }
}

/// The nearest IEEE half; of two equally near ones, the even one. Values that are too large become infinite.
#[inline]
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, magnitude) = ((bits >> 16) & 0x8000, bits & 0x7fff_ffff);
    let rounded = match magnitude {
        0x7f80_0001.. => 0x7e00 | (magnitude >> 13) & 0x3ff,
        // Everything from halfway between the largest half and the next power of two.
        0x477f_f000.. => 0x7c00,
        0x3880_0000.. => (magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x3800_0000) >> 13,
        // A subnormal number, which is a multiple of 2^-24.
        _ => (f32::from_bits(magnitude) * f32::from_bits(0x4b80_0000)).round_ties_even() as u32,
    };
    (sign | rounded) as u16
}

/// The value of a bfloat16 with these bits.
#[inline]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The nearest bfloat16; of two equally near ones, the even one.
#[inline]
pub fn f32_to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// The largest float8.
pub const MOST_F8: f32 = 240.0;

/// The value of a float8 with these bits: a sign, 4 bits of exponent with a bias of 7, and 3 of mantissa.
#[inline]
pub fn f8_to_f32(bits: u8) -> f32 {
    let (sign, magnitude) = (u32::from(bits & 0x80) << 24, u32::from(bits & 0x7f));
    let magnitude = match magnitude {
        // A multiple of 2^-9.
        0..8 => (magnitude as f32 * f32::from_bits(0x3b00_0000)).to_bits(),
        _ => (magnitude << 20) + (120 << 23),
    };
    f32::from_bits(sign | magnitude)
}

/// The nearest float8; of two equally near ones, the even one. Larger values become the largest.
#[inline]
pub fn f32_to_f8(value: f32) -> u8 {
    let sign = (value.to_bits() >> 24) as u8 & 0x80;
    let magnitude = value.abs().min(MOST_F8);
    let bits = magnitude.to_bits();
    let rounded = if magnitude < f32::from_bits(121 << 23) {
        (magnitude * 512.0).round_ties_even() as u32
    } else {
        (bits + 0x7_ffff + ((bits >> 20) & 1) - (120 << 23)) >> 20
    };
    sign | rounded as u8
}

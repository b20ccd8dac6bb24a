//! Element types. The storage type is not the compute type: the 16-bit floats are ways to store f32, and small
//! integers are computed as i64.

use half::{bf16, f16};

/// The type of a tensor's elements, under the names users write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum DType {
    Float32,
    Float64,
    Float16,
    BFloat16,
    Int8,
    UInt8,
    Int32,
    Int64,
    Bool,
}

impl DType {
    /// All types.
    pub const ALL: [DType; 9] = [
        DType::Float32,
        DType::Float64,
        DType::Float16,
        DType::BFloat16,
        DType::Int8,
        DType::UInt8,
        DType::Int32,
        DType::Int64,
        DType::Bool,
    ];

    /// The name users write.
    pub fn name(self) -> &'static str {
        match self {
            DType::Float32 => "float32",
            DType::Float64 => "float64",
            DType::Float16 => "float16",
            DType::BFloat16 => "bfloat16",
            DType::Int8 => "int8",
            DType::UInt8 => "uint8",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::Bool => "bool",
        }
    }

    /// Size of an element in bytes.
    pub fn size(self) -> usize {
        match self {
            DType::Int8 | DType::UInt8 | DType::Bool => 1,
            DType::Float16 | DType::BFloat16 => 2,
            DType::Float32 | DType::Int32 => 4,
            DType::Float64 | DType::Int64 => 8,
        }
    }
}

/// A Rust type that stores elements of a [`DType`].
pub trait Element: bytemuck::Pod {
    /// The value as f64. This is exact except for i64 beyond 2^53.
    fn to_f64(self) -> f64;
    /// The value as i64. Floats are truncated towards zero and saturate; NaN becomes 0.
    fn to_i64(self) -> i64;
    /// Converts from f64. Floats round to nearest even, 16-bit ones through f32. Integers are truncated towards zero
    /// to an i64, which saturates (NaN becomes 0), and wrap from there as in [`Element::from_i64`].
    fn from_f64(value: f64) -> Self;
    /// Converts from i64, as PyTorch's casts do: integers wrap, floats round to nearest even.
    fn from_i64(value: i64) -> Self;
    /// Whether conversions from this type go through i64 rather than f64.
    const INTEGER: bool;
}

macro_rules! integer {
    ($($t:ty),*) => {$(
        impl Element for $t {
            const INTEGER: bool = true;
            #[inline(always)]
            fn to_f64(self) -> f64 { self as f64 }
            #[inline(always)]
            fn to_i64(self) -> i64 { self as i64 }
            #[inline(always)]
            fn from_f64(value: f64) -> Self { value as i64 as $t }
            #[inline(always)]
            fn from_i64(value: i64) -> Self { value as $t }
        }
    )*};
}
integer!(i8, u8, i32, i64);

macro_rules! float {
    ($($t:ty),*) => {$(
        impl Element for $t {
            const INTEGER: bool = false;
            #[inline(always)]
            fn to_f64(self) -> f64 { self as f64 }
            #[inline(always)]
            fn to_i64(self) -> i64 { self as i64 }
            #[inline(always)]
            fn from_f64(value: f64) -> Self { value as $t }
            #[inline(always)]
            fn from_i64(value: i64) -> Self { value as $t }
        }
    )*};
}
float!(f32, f64);

macro_rules! half {
    ($($t:ty),*) => {$(
        impl Element for $t {
            const INTEGER: bool = false;
            #[inline(always)]
            fn to_f64(self) -> f64 { self.to_f64() }
            #[inline(always)]
            fn to_i64(self) -> i64 { self.to_f64() as i64 }
            // Goes through f32, as PyTorch does. `half`'s own `from_f64` rounds once or twice, depending on whether
            // the machine has F16C.
            #[inline(always)]
            fn from_f64(value: f64) -> Self { <$t>::from_f32(value as f32) }
            #[inline(always)]
            fn from_i64(value: i64) -> Self { <$t>::from_f32(value as f32) }
        }
    )*};
}
half!(f16, bf16);

/// A boolean, stored as a byte that is 0 or 1.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Truth(u8);

impl Element for Truth {
    const INTEGER: bool = true;
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self.0 != 0))
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        i64::from(self.0 != 0)
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        Truth(u8::from(value != 0.0))
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        Truth(u8::from(value != 0))
    }
}

/// Runs `$body` with `$t` bound to the Rust type that stores `$dtype`. This is the only match on element types.
#[macro_export]
macro_rules! with_element {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::DType::Float32 => {
                type $t = f32;
                $body
            }
            $crate::DType::Float64 => {
                type $t = f64;
                $body
            }
            $crate::DType::Float16 => {
                type $t = half::f16;
                $body
            }
            $crate::DType::BFloat16 => {
                type $t = half::bf16;
                $body
            }
            $crate::DType::Int8 => {
                type $t = i8;
                $body
            }
            $crate::DType::UInt8 => {
                type $t = u8;
                $body
            }
            $crate::DType::Int32 => {
                type $t = i32;
                $body
            }
            $crate::DType::Int64 => {
                type $t = i64;
                $body
            }
            $crate::DType::Bool => {
                type $t = $crate::dtype::Truth;
                $body
            }
        }
    };
}

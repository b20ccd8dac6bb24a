//! How vectors are written.

use crate::semantics::Semantics;
use tokenbed_core::Error;
use tokenbed_kernels::half::f32_to_f16;

/// The element type of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// As computed.
    Float32,
    /// Rounded to the nearest half, of two equally near ones to the even one.
    Float16,
    /// 127 times the element, rounded to the nearest integer, half away from zero, and at most 127 in size.
    Int8,
    /// A bit for each element, set if it is above zero; the first element has the most significant bit of a byte.
    Binary,
}

impl Element {
    /// The bytes of a vector of `dim` elements; None if they are not whole bytes, or too many.
    pub fn bytes(self, dim: usize) -> Option<usize> {
        match self {
            Self::Float32 => dim.checked_mul(4),
            Self::Float16 => dim.checked_mul(2),
            Self::Int8 => Some(dim),
            Self::Binary => dim.is_multiple_of(8).then_some(dim / 8),
        }
    }
}

/// How a vector is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The number of elements: the first ones of the mean.
    pub dim: usize,
    /// Whether the vector is divided by its length, after it was cut.
    pub normalize: bool,
    /// The element type.
    pub element: Element,
}

/// The number of sums that run side by side. Their order is fixed, so the bits are those of any machine.
const LANES: usize = 16;

/// The length of a vector.
fn norm(vector: &[f32]) -> f32 {
    let mut lanes = [0.0f64; LANES];
    let (chunks, rest) = vector.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += f64::from(chunk[i]) * f64::from(chunk[i]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f64::from(x) * f64::from(x);
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0].sqrt() as f32
}

impl Form {
    /// The bytes of a vector.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are none for this number of elements.
    pub fn bytes(&self) -> Result<usize, Error> {
        let why =
            || format!("vectors of {} elements cannot be written: for bits, dim must be a multiple of 8", self.dim);
        self.element.bytes(self.dim).ok_or_else(|| Error::Shape(why()))
    }

    /// Writes the first elements of a vector that was made elsewhere; they are changed on the way. `out` has exactly
    /// their bytes.
    pub fn write_front(&self, vector: &mut [f32], out: &mut [u8]) {
        let dim = self.dim.min(vector.len());
        self.write(Semantics::Mean.least_norm(), &mut vector[..dim], out);
    }

    /// Writes a vector, whose elements are changed on the way. `out` has exactly its bytes.
    pub(crate) fn write(&self, least_norm: f32, vector: &mut [f32], out: &mut [u8]) {
        if self.normalize {
            let norm = norm(vector).max(least_norm);
            vector.iter_mut().for_each(|x| *x /= norm);
        }
        match self.element {
            Element::Float32 => {
                for (out, x) in out.as_chunks_mut::<4>().0.iter_mut().zip(vector) {
                    *out = x.to_ne_bytes();
                }
            }
            Element::Float16 => {
                for (out, x) in out.as_chunks_mut::<2>().0.iter_mut().zip(vector) {
                    *out = f32_to_f16(*x).to_ne_bytes();
                }
            }
            Element::Int8 => {
                for (out, x) in out.iter_mut().zip(vector) {
                    *out = ((*x * 127.0).round().clamp(-127.0, 127.0) as i8).cast_unsigned();
                }
            }
            Element::Binary => {
                for (out, bits) in out.iter_mut().zip(vector.chunks(8)) {
                    *out = bits.iter().fold(0, |byte, &x| byte << 1 | u8::from(x > 0.0));
                }
            }
        }
    }
}

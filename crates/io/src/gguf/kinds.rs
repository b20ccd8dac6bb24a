//! The types of elements, and how many bytes so many elements take.

use tokenbed_core::DType;
use tokenbed_memory::Gather;

/// What is done with elements of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// They are those of a tensor.
    Elements(DType),
    /// They are the blocks of a quantized table.
    Blocks,
    /// Their size is known, but not what they mean.
    Unread,
}

/// A type: its number, its name, the elements in a block, and its bytes.
struct Kind(u32, &'static str, usize, usize, Use);

const KINDS: [Kind; 34] = [
    Kind(0, "F32", 1, 4, Use::Elements(DType::Float32)),
    Kind(1, "F16", 1, 2, Use::Elements(DType::Float16)),
    Kind(2, "Q4_0", 32, 18, Use::Blocks),
    Kind(3, "Q4_1", 32, 20, Use::Blocks),
    Kind(6, "Q5_0", 32, 22, Use::Blocks),
    Kind(7, "Q5_1", 32, 24, Use::Blocks),
    Kind(8, "Q8_0", 32, 34, Use::Blocks),
    Kind(9, "Q8_1", 32, 36, Use::Unread),
    Kind(10, "Q2_K", 256, 84, Use::Blocks),
    Kind(11, "Q3_K", 256, 110, Use::Blocks),
    Kind(12, "Q4_K", 256, 144, Use::Blocks),
    Kind(13, "Q5_K", 256, 176, Use::Blocks),
    Kind(14, "Q6_K", 256, 210, Use::Blocks),
    Kind(15, "Q8_K", 256, 292, Use::Unread),
    Kind(16, "IQ2_XXS", 256, 66, Use::Unread),
    Kind(17, "IQ2_XS", 256, 74, Use::Unread),
    Kind(18, "IQ3_XXS", 256, 98, Use::Unread),
    Kind(19, "IQ1_S", 256, 50, Use::Unread),
    Kind(20, "IQ4_NL", 32, 18, Use::Unread),
    Kind(21, "IQ3_S", 256, 110, Use::Unread),
    Kind(22, "IQ2_S", 256, 82, Use::Unread),
    Kind(23, "IQ4_XS", 256, 136, Use::Unread),
    Kind(24, "I8", 1, 1, Use::Elements(DType::Int8)),
    Kind(25, "I16", 1, 2, Use::Unread),
    Kind(26, "I32", 1, 4, Use::Elements(DType::Int32)),
    Kind(27, "I64", 1, 8, Use::Elements(DType::Int64)),
    Kind(28, "F64", 1, 8, Use::Elements(DType::Float64)),
    Kind(29, "IQ1_M", 256, 56, Use::Unread),
    Kind(30, "BF16", 1, 2, Use::Elements(DType::BFloat16)),
    Kind(34, "TQ1_0", 256, 54, Use::Unread),
    Kind(35, "TQ2_0", 256, 66, Use::Unread),
    Kind(39, "MXFP4", 32, 17, Use::Unread),
    Kind(40, "NVFP4", 64, 36, Use::Unread),
    Kind(41, "Q1_0", 128, 18, Use::Unread),
];

fn of(number: u32) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.0 == number)
}

/// The name of a type.
pub(super) fn name(number: u32) -> String {
    of(number).map_or_else(|| format!("type {number}"), |kind| kind.1.into())
}

/// The elements in a block of a type, and its bytes, if the type is known.
pub(super) fn block(number: u32) -> Option<(usize, usize)> {
    of(number).map(|kind| (kind.2, kind.3))
}

/// The element type of a tensor here that holds the elements, or the bytes of the blocks.
pub(super) fn dtype(number: u32) -> Option<DType> {
    match of(number)?.4 {
        Use::Elements(dtype) => Some(dtype),
        Use::Blocks => Some(DType::UInt8),
        Use::Unread => None,
    }
}

/// The names of the types that can be read.
pub(super) fn readable() -> String {
    KINDS.iter().filter(|kind| kind.4 != Use::Unread).map(|kind| kind.1).into_list().join(", ")
}

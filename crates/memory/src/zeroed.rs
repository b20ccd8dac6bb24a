//! Zeros as the system gives them: untouched.

#![allow(unsafe_code, reason = "the standard library gives zeroed memory only to those who let it end the process")]

use crate::no_room_for;
use std::alloc::{Layout, alloc_zeroed};

/// Numbers of which a zero is all bits 0.
///
/// # Safety
/// All bits 0 must be a value of the type.
pub unsafe trait Zero: Copy {}

macro_rules! zero {
    ($($number:ty),*) => {$(
        // SAFETY: all bits 0 are the number 0.
        unsafe impl Zero for $number {}
    )*};
}
zero!(u8, u16, u32, u64, usize, i8, i16, i32, i64, f32, f64);

/// So many zeros.
pub fn zeroed<T: Zero>(count: usize) -> Vec<T> {
    let Ok(layout) = Layout::array::<T>(count) else { no_room_for::<T>(count) };
    if layout.size() == 0 {
        return Vec::new();
    }
    // SAFETY: the layout has a size.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        no_room_for::<T>(count);
    }
    // SAFETY: from the allocator that vectors use, with the layout of `count` elements of `T`, which are zeros.
    unsafe { Vec::from_raw_parts(start.cast(), count, count) }
}

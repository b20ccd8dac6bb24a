//! Zeroed memory as the system gives it, with pages that nothing has touched.

#![allow(unsafe_code, reason = "the standard library gives zeroed memory only to those who let it end the process")]

use crate::no_room_for;
use std::alloc::{Layout, alloc_zeroed};

/// Numbers whose zero has all bits 0.
///
/// # Safety
/// All bits 0 must be a valid value of the type.
pub unsafe trait Zero: Copy {}

macro_rules! zero {
    ($($number:ty),*) => {$(
        // SAFETY: all bits 0 are the number 0.
        unsafe impl Zero for $number {}
    )*};
}
zero!(u8, u16, u32, u64, usize, i8, i16, i32, i64, f32, f64);

/// A vector of `count` zeros.
pub fn zeroed<T: Zero>(count: usize) -> Vec<T> {
    let Ok(layout) = Layout::array::<T>(count) else { no_room_for::<T>(count) };
    if layout.size() == 0 {
        return Vec::new();
    }
    // SAFETY: the layout's size is not 0.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        no_room_for::<T>(count);
    }
    // SAFETY: the memory is from the allocator that vectors use, has the layout of `count` elements of `T`, and holds
    // zeros.
    unsafe { Vec::from_raw_parts(start.cast(), count, count) }
}

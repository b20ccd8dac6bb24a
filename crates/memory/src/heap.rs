//! Heaps whose growth can fail.

use crate::no_room_for;
use std::collections::BinaryHeap;

/// Methods that a heap has here beside those of the standard library.
pub trait Heap<T> {
    /// Like `push`.
    fn put(&mut self, value: T);
}

impl<T: Ord> Heap<T> for BinaryHeap<T> {
    #[inline]
    fn put(&mut self, value: T) {
        if self.len() == self.capacity() && self.try_reserve(1).is_err() {
            no_room_for::<T>(self.len().saturating_add(1));
        }
        self.push(value);
    }
}

//! Vectors.

use crate::no_room_for;
use std::ops::Range;

/// An empty vector with room for so many elements.
pub fn with_room<T>(count: usize) -> Vec<T> {
    let mut list = Vec::new();
    match list.try_reserve_exact(count) {
        Ok(()) => list,
        Err(_) => no_room_for::<T>(count),
    }
}

/// So many times the same.
pub fn filled<T: Clone>(value: T, count: usize) -> Vec<T> {
    let mut list = with_room(count);
    list.resize(count, value);
    list
}

/// What a vector does beside what it has from the standard library.
pub trait List<T> {
    /// Room for so many more elements, growing in proportion.
    fn make_room(&mut self, more: usize);
    /// One more at the end.
    fn put(&mut self, value: T);
    /// All of these at the end.
    fn put_all(&mut self, values: impl IntoIterator<Item = T>);
    /// Copies of these at the end.
    fn put_slice(&mut self, values: &[T])
    where
        T: Clone;
    /// Copies of those at these places, at the end.
    fn put_within(&mut self, places: Range<usize>)
    where
        T: Clone;
    /// So many elements: the last go, or copies of `value` come.
    fn fill_to(&mut self, count: usize, value: T)
    where
        T: Clone;
}

impl<T> List<T> for Vec<T> {
    #[inline]
    fn make_room(&mut self, more: usize) {
        if more > self.capacity() - self.len() {
            grow(self, more);
        }
    }

    #[inline]
    fn put(&mut self, value: T) {
        self.make_room(1);
        self.push(value);
    }

    #[inline]
    fn put_all(&mut self, values: impl IntoIterator<Item = T>) {
        let values = values.into_iter();
        let (least, most) = values.size_hint();
        self.make_room(least);
        if most == Some(least) {
            // All have room: nothing grows.
            return self.extend(values);
        }
        for value in values {
            self.put(value);
        }
    }

    #[inline]
    fn put_slice(&mut self, values: &[T])
    where
        T: Clone,
    {
        self.make_room(values.len());
        self.extend_from_slice(values);
    }

    #[inline]
    fn put_within(&mut self, places: Range<usize>)
    where
        T: Clone,
    {
        self.make_room(places.len());
        self.extend_from_within(places);
    }

    #[inline]
    fn fill_to(&mut self, count: usize, value: T)
    where
        T: Clone,
    {
        self.make_room(count.saturating_sub(self.len()));
        self.resize(count, value);
    }
}

/// Apart from the way on which there is room, which is taken often.
#[cold]
#[inline(never)]
fn grow<T>(list: &mut Vec<T>, more: usize) {
    if list.try_reserve(more).is_err() {
        no_room_for::<T>(list.len().saturating_add(more));
    }
}

/// What a slice does beside what it has from the standard library.
pub trait Slice<T> {
    /// A copy.
    fn to_list(&self) -> Vec<T>
    where
        T: Clone;
}

impl<T> Slice<T> for [T] {
    #[inline]
    fn to_list(&self) -> Vec<T>
    where
        T: Clone,
    {
        let mut list = with_room(self.len());
        list.extend_from_slice(self);
        list
    }
}

/// What an iterator does beside what it has from the standard library.
pub trait Gather: Iterator + Sized {
    /// All elements, in their order.
    #[inline]
    fn into_list(self) -> Vec<Self::Item> {
        let mut list = with_room(self.size_hint().0);
        list.put_all(self);
        list
    }

    /// All elements, in their order, up to the first that is a failure, which is the answer then.
    ///
    /// # Errors
    /// The first failure.
    #[inline]
    fn try_into_list<T, E>(mut self) -> Result<Vec<T>, E>
    where
        Self: Iterator<Item = Result<T, E>>,
    {
        let mut list = with_room(self.size_hint().0);
        self.try_for_each(|value| {
            list.put(value?);
            Ok(())
        })?;
        Ok(list)
    }
}

impl<I: Iterator> Gather for I {}

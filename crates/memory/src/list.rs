//! Vectors whose growth can fail.

use crate::no_room_for;
use std::ops::Range;

/// An empty vector with room for `count` elements.
pub fn with_room<T>(count: usize) -> Vec<T> {
    let mut list = Vec::new();
    match list.try_reserve_exact(count) {
        Ok(()) => list,
        Err(_) => no_room_for::<T>(count),
    }
}

/// A vector of `count` copies of `value`.
pub fn filled<T: Clone>(value: T, count: usize) -> Vec<T> {
    let mut list = with_room(count);
    list.resize(count, value);
    list
}

/// Methods that a vector has here beside those of the standard library.
pub trait List<T> {
    /// Makes room for `more` elements, growing in proportion to the length.
    fn make_room(&mut self, more: usize);
    /// Appends a value.
    fn put(&mut self, value: T);
    /// Appends all values.
    fn put_all(&mut self, values: impl IntoIterator<Item = T>);
    /// Appends copies of the values.
    fn put_slice(&mut self, values: &[T])
    where
        T: Clone;
    /// Appends copies of the elements at `places`.
    fn put_within(&mut self, places: Range<usize>)
    where
        T: Clone;
    /// Resizes to `count` elements: drops the last ones, or appends copies of `value`.
    fn fill_to(&mut self, count: usize, value: T)
    where
        T: Clone;
    /// Gives back room beyond `count` elements, if there is memory for the copy that this takes.
    fn trim_to(&mut self, count: usize);
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
            // There is room for all of them, so nothing grows.
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

    fn trim_to(&mut self, count: usize) {
        let room = count.max(self.len());
        let mut trimmed = Vec::new();
        if self.capacity() > room && trimmed.try_reserve_exact(room).is_ok() {
            trimmed.append(self);
            *self = trimmed;
        }
    }
}

/// A function of its own, so that the common path, where there is room, stays small.
#[cold]
#[inline(never)]
fn grow<T>(list: &mut Vec<T>, more: usize) {
    if list.try_reserve(more).is_err() {
        no_room_for::<T>(list.len().saturating_add(more));
    }
}

/// Methods that a slice has here beside those of the standard library.
pub trait Slice<T> {
    /// A copy of the slice.
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

/// Methods that an iterator has here beside those of the standard library.
pub trait Gather: Iterator + Sized {
    /// All elements, in order.
    #[inline]
    fn into_list(self) -> Vec<Self::Item> {
        let mut list = with_room(self.size_hint().0);
        list.put_all(self);
        list
    }

    /// All elements, in order, or the first failure.
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

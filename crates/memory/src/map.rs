//! Maps and sets whose growth can fail.

use crate::no_room_for;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

/// Methods that a map has here beside those of the standard library.
pub trait Map<K, V> {
    /// Makes room for `more` entries, growing in proportion to the size.
    fn make_room(&mut self, more: usize);
    /// Like `insert`.
    fn put(&mut self, key: K, value: V) -> Option<V>;
}

impl<K: Eq + Hash, V, S: BuildHasher> Map<K, V> for HashMap<K, V, S> {
    #[inline]
    fn make_room(&mut self, more: usize) {
        if self.try_reserve(more).is_err() {
            no_room_for::<(K, V)>(self.len().saturating_add(more));
        }
    }

    #[inline]
    fn put(&mut self, key: K, value: V) -> Option<V> {
        self.make_room(1);
        self.insert(key, value)
    }
}

/// A map of these keys and values.
pub fn map_of<K: Eq + Hash, V>(entries: impl IntoIterator<Item = (K, V)>) -> HashMap<K, V> {
    let mut map = HashMap::new();
    for (key, value) in entries {
        Map::put(&mut map, key, value);
    }
    map
}

/// Methods that a set has here beside those of the standard library.
pub trait Set<K> {
    /// Like `insert`.
    fn put(&mut self, key: K) -> bool;
}

impl<K: Eq + Hash, S: BuildHasher> Set<K> for HashSet<K, S> {
    #[inline]
    fn put(&mut self, key: K) -> bool {
        if self.try_reserve(1).is_err() {
            no_room_for::<K>(self.len().saturating_add(1));
        }
        self.insert(key)
    }
}

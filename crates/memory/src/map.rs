//! Maps and sets.

use crate::no_room_for;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

/// What a map does beside what it has from the standard library.
pub trait Map<K, V> {
    /// Room for so many more entries, growing in proportion.
    fn make_room(&mut self, more: usize);
    /// As `insert`.
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

/// Keys with their values.
pub fn map_of<K: Eq + Hash, V>(entries: impl IntoIterator<Item = (K, V)>) -> HashMap<K, V> {
    let mut map = HashMap::new();
    for (key, value) in entries {
        Map::put(&mut map, key, value);
    }
    map
}

/// What a set does beside what it has from the standard library.
pub trait Set<K> {
    /// As `insert`.
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

//! Many names in memory that is little more than their text, each once, and found by their text.

use std::hash::{BuildHasher, RandomState};
use tokenbed_memory::{TextList, zeroed};

/// Names that can be found.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) list: TextList,
    /// The id after that of a name, at a place that its hash tells, or 0. There is always a place with 0.
    places: Vec<u32>,
    hasher: RandomState,
}

/// There are more names than 32 bits count.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Names {
    pub(crate) fn new() -> Self {
        Self { list: TextList::default(), places: zeroed(16), hasher: RandomState::new() }
    }

    /// The id of a name, if it is there.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        (self.places[self.place(name)] as usize).checked_sub(1)
    }

    /// Appends a name that is not there, and returns its id and whether it is new.
    pub(crate) fn put(&mut self, name: &str) -> Result<(usize, bool), TooMany> {
        let place = self.place(name);
        if let Some(id) = (self.places[place] as usize).checked_sub(1) {
            return Ok((id, false));
        }
        let id = self.list.len();
        self.places[place] = u32::try_from(id + 1).map_err(|_| TooMany)?;
        self.list.put(name);
        if self.list.len() * 4 > self.places.len() * 3 {
            self.grow();
        }
        Ok((id, true))
    }

    /// The place of a name, or the free one where it belongs.
    fn place(&self, name: &str) -> usize {
        let most = self.places.len() - 1;
        let mut place = self.hasher.hash_one(name) as usize & most;
        while let Some(id) = (self.places[place] as usize).checked_sub(1) {
            if self.list.get(id) == Some(name) {
                break;
            }
            place = (place + 1) & most;
        }
        place
    }

    fn grow(&mut self) {
        self.places = zeroed(self.places.len() * 2);
        for id in 0..self.list.len() {
            let place = self.place(self.list.get(id).unwrap_or_default());
            self.places[place] = id as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_once_and_found() {
        let mut names = Names::new();
        for round in 0..2 {
            for id in 0..5000 {
                let name = format!("name{id}");
                let (found, is_new) = names.put(&name).unwrap();
                assert_eq!((found, is_new), (id, round == 0));
            }
        }
        assert_eq!(names.put("").unwrap(), (5000, true));
        assert_eq!(names.find("name77"), Some(77));
        assert_eq!(names.find(""), Some(5000));
        assert_eq!(names.find("other"), None);
        assert_eq!(names.list.iter().nth(9), Some("name9"));
    }
}

//! The tensors among the values of a pickle: each has the keys that lead to it as its name.

use crate::pickle::{Element, Index, Value, Values};
use std::collections::HashSet;
use tokenbed_memory::{Gather, List, Set, Text, owned};

/// How deep dictionaries and lists may lie in each other.
const MOST_DEEP: usize = 64;

/// A tensor of a file.
#[derive(Debug)]
pub(super) struct Named {
    pub name: String,
    pub element: Element,
    /// The index of its storage among the archive's entries.
    pub entry: usize,
    /// Number of elements of its storage.
    pub len: usize,
    /// Index of its first element.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

impl Named {
    /// Number of elements, which is at most what memory can hold: names are made of those alone.
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the elements lie one behind the other, in the order of the shape.
    pub(super) fn is_dense(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        }) || self.elements() == 0
    }

    /// What two tensors share that have the same elements; `None` if their order is not that of the file.
    pub(super) fn place(&self) -> Option<(usize, &'static str, usize, usize)> {
        self.is_dense().then(|| (self.entry, self.element.name, self.offset, self.elements()))
    }
}

/// What is known of the walk.
struct Walk<'a> {
    values: &'a Values,
    find: &'a dyn Fn(&str) -> Option<usize>,
    found: Vec<Named>,
    /// The values that lead to this one.
    above: Vec<Index>,
    name: String,
    /// How many bytes the names and shapes may still take.
    room: usize,
    /// How many values may still be visited.
    steps: usize,
}

/// The tensors below a value, in its order. `bytes` is the length of the pickle: names and shapes may take memory in
/// proportion to it. `find` gives the index of the archive's entry for a storage's key.
pub(super) fn tensors(
    values: &Values,
    root: Index,
    bytes: usize,
    find: &dyn Fn(&str) -> Option<usize>,
) -> Result<Vec<Named>, String> {
    let room = bytes.saturating_mul(64).saturating_add(64 << 10);
    let steps = values.len().saturating_mul(4).saturating_add(1000);
    let mut walk = Walk { values, find, found: Vec::new(), above: Vec::new(), name: String::new(), room, steps };
    walk.visit(root)?;
    let mut names = HashSet::new();
    match walk.found.iter().find(|named| !Set::put(&mut names, named.name.as_str())) {
        Some(Named { name, .. }) => Err(format!("two tensors of the pickle are called \"{name}\"")),
        None => Ok(walk.found),
    }
}

impl Walk<'_> {
    fn visit(&mut self, index: Index) -> Result<(), String> {
        let Some(steps) = self.steps.checked_sub(1) else {
            return Err("the pickle has the same values in more places than it has values".into());
        };
        self.steps = steps;
        match self.values.get(index) {
            Value::Tensor(_) => self.take(index),
            Value::Dict(entries) => self.enter(index, entries.len(), |at| {
                let (key, value) = entries[at];
                (Some(key), value)
            }),
            Value::List(items) | Value::Tuple(items) => self.enter(index, items.len(), |at| (None, items[at])),
            // Numbers, texts and the like: a checkpoint may have any.
            _ => Ok(()),
        }
    }

    /// Visits what a value holds: under keys, or under places.
    fn enter(
        &mut self,
        index: Index,
        count: usize,
        at: impl Fn(usize) -> (Option<Index>, Index),
    ) -> Result<(), String> {
        if self.above.contains(&index) {
            return Err("the pickle has a value that holds itself".into());
        }
        if self.above.len() == MOST_DEEP {
            return Err(format!("the pickle has values more than {MOST_DEEP} deep in each other"));
        }
        self.above.put(index);
        let len = self.name.len();
        for place in 0..count {
            let (key, value) = at(place);
            let is_of_interest =
                matches!(self.values.get(value), Value::Tensor(_) | Value::Dict(_) | Value::List(_) | Value::Tuple(_));
            if is_of_interest {
                let part = match key.map(|key| self.values.get(key)) {
                    Some(Value::Text(text)) => owned(text),
                    Some(Value::Number(number)) => number.to_string(),
                    None => place.to_string(),
                    Some(_) => return Err("the pickle has a tensor under a key that is no text and no number".into()),
                };
                if !self.above[1..].is_empty() || !self.name.is_empty() {
                    self.name.put_char('.');
                }
                self.name.put_str(&part);
                self.visit(value)?;
                self.name.truncate(len);
            } else if let Some(steps) = self.steps.checked_sub(1) {
                self.steps = steps;
            }
        }
        self.above.pop();
        Ok(())
    }

    fn take(&mut self, index: Index) -> Result<(), String> {
        let Value::Tensor(tensor) = self.values.get(index) else { return Ok(()) };
        let (shape, strides) = self.values.layout(tensor);
        let takes = self.name.len() + 2 * size_of_val(&shape[..]) + size_of::<Named>();
        self.room =
            self.room.checked_sub(takes).ok_or("the names and shapes of tensors take more room than the pickle")?;
        let (storage, name) = (tensor.storage, owned(&self.name));
        let bytes = shape.iter().try_fold(storage.element.size, |bytes, &size| bytes.checked_mul(size));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(format!("tensor \"{name}\" has more elements than memory"));
        }
        let key = self.values.text(storage.key);
        let Some(entry) = (self.find)(key) else {
            let shown: String =
                key.chars().take(100).into_list().iter().copied().fold(String::new(), |mut text, char| {
                    text.put_char(char);
                    text
                });
            return Err(format!("tensor \"{name}\" is of storage {shown:?}, which is not in the archive"));
        };
        self.found.put(Named {
            name,
            element: storage.element,
            entry,
            len: storage.len,
            offset: tensor.offset,
            shape,
            strides,
        });
        Ok(())
    }
}

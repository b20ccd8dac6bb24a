//! The elements of tensors: parts of the mapped file where they lie there as a tensor has them, else copies.

use super::names::Named;
use crate::mapped::Source;
use crate::zip::{Archive, Growth};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tokenbed_core::ops::copy::{Layout, copy};
use tokenbed_core::storage::Storage;
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::{List, Map, zeroed};

/// How many times the file's size the tensors that are copied may have, beyond what those of every file may. Only
/// tensors that overlap have more than once.
const MOST_COPIES: usize = 4;
const FREE: usize = 1 << 20;

/// The storages of a file.
#[derive(Debug)]
pub(super) struct Elements {
    file: Source,
    archive: Archive,
    growth: Growth,
    /// Compressed storages that were taken out, by the index of their entry.
    inflated: RefCell<HashMap<usize, Arc<Vec<u8>>>>,
}

impl Elements {
    pub(super) fn new(file: Source, archive: Archive, growth: Growth) -> Self {
        Self { file, archive, growth, inflated: RefCell::default() }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Checks that tensors of so many bytes, the last of them `name`, may be copied.
    pub(super) fn check_copied(&self, bytes: usize, name: &str) -> Result<()> {
        if bytes.saturating_sub(FREE) / MOST_COPIES <= self.file.len().saturating_add(self.growth.taken()) {
            return Ok(());
        }
        let message = format!("up to tensor \"{name}\" its tensors overlap so much that they take many times the file");
        Err(self.file.malformed(self.file.len(), message))
    }

    /// The elements of a tensor, as `dtype`.
    pub(super) fn of(&self, named: &Named, dtype: DType) -> Result<Storage> {
        let entry = &self.archive.entries[named.entry];
        let (size, elements) = (named.element.size, named.elements());
        let start = entry.start(&self.file)?;
        if elements == 0 {
            return Storage::filled(0, |_| Ok(()));
        }
        if named.is_dense() && size == dtype.size() {
            let (at, len) = (named.offset * size, elements * size);
            if entry.deflated {
                let bytes = self.inflate(named.entry)?;
                return Storage::copy_of(&bytes[at..at + len]);
            }
            let outside = || self.file.malformed(start, format!("tensor \"{}\" lies outside the file", named.name));
            return self.file.part(start + at, len, dtype)?.ok_or_else(outside);
        }
        // From the first element that is read to the last.
        let span = named.shape.iter().zip(&named.strides).fold(1, |span, (&size, &stride)| span + (size - 1) * stride);
        if elements > span {
            let message = format!(
                "tensor \"{}\" has {elements} elements of {span} that are stored, so it repeats some (expand): save \
                 tensor.contiguous()",
                named.name
            );
            return Err(self.file.malformed(start, message));
        }
        let (at, len) = (named.offset * size, span * size);
        let bytes = if entry.deflated {
            let all = self.inflate(named.entry)?;
            let mut bytes = Vec::new();
            bytes.put_slice(&all[at..at + len]);
            bytes
        } else {
            self.file.copy(start + at, len)?
        };
        Storage::filled(elements * dtype.size(), |to| match (size, dtype.size()) {
            (2, 4) => {
                let mut wide: Vec<u8> = zeroed(span * 4);
                let pairs = wide.as_chunks_mut::<4>().0.iter_mut().zip(bytes.as_chunks::<2>().0);
                pairs.for_each(|(to, &from)| *to = i32::from(i16::from_le_bytes(from)).to_le_bytes());
                ordered::<4>(&wide, named, to)
            }
            (1, _) => ordered::<1>(&bytes, named, to),
            (2, _) => ordered::<2>(&bytes, named, to),
            (4, _) => ordered::<4>(&bytes, named, to),
            _ => ordered::<8>(&bytes, named, to),
        })
    }

    /// The bytes of a compressed storage, which are taken out once.
    fn inflate(&self, index: usize) -> Result<Arc<Vec<u8>>> {
        if let Some(bytes) = self.inflated.borrow().get(&index) {
            return Ok(Arc::clone(bytes));
        }
        let bytes = Arc::new(self.archive.entries[index].bytes(&self.file, &self.growth)?);
        Map::put(&mut *self.inflated.borrow_mut(), index, Arc::clone(&bytes));
        Ok(bytes)
    }
}

/// Copies elements of `SIZE` bytes into the order of the tensor's shape.
fn ordered<const SIZE: usize>(from: &[u8], named: &Named, to: &mut [u8]) -> Result<()> {
    let shape = &named.shape;
    let mut dense: Vec<usize> = zeroed(shape.len());
    let mut step = 1usize;
    for (stride, &size) in dense.iter_mut().zip(shape).rev() {
        *stride = step;
        step = step.wrapping_mul(size);
    }
    let at = |strides| Layout { offset: 0, strides };
    copy(shape, from.as_chunks::<SIZE>().0, at(&named.strides), to.as_chunks_mut::<SIZE>().0, at(&dense)).map_err(
        |error| match error {
            Error::Shape(why) => Error::Usage(why),
            other => other,
        },
    )
}

//! A part of a storage that is held, so that other threads can read it.

use super::Storage;
use bytemuck::Pod;
use std::sync::Arc;

/// Bytes of a storage: they stay where they are until this is dropped, whoever gives the storage up meanwhile.
#[derive(Clone, Debug)]
pub struct Part {
    storage: Arc<Storage>,
    offset: usize,
    len: usize,
}

impl Part {
    /// `len` bytes from `offset` on; nothing where the storage is shorter.
    pub fn new(storage: &Arc<Storage>, offset: usize, len: usize) -> Option<Self> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= storage.len());
        inside.then(|| Self { storage: Arc::clone(storage), offset, len })
    }

    /// The elements, to read; nothing where they are not whole or not aligned.
    ///
    /// They may be written meanwhile: by JavaScript through the live view of a table, or by a thread that shares it. Then it
    /// is unspecified what is read, element by element: every bit pattern is a value of a `Pod`, and nothing that is read
    /// here is used as an index.
    pub fn elements<T: Pod>(&self) -> Option<&[T]> {
        if self.len == 0 {
            return Some(&[]);
        }
        // SAFETY: `new` checked that the offset is within the storage.
        let start = unsafe { self.storage.as_ptr().add(self.offset) };
        let whole = self.len.is_multiple_of(size_of::<T>()) && (start as usize).is_multiple_of(align_of::<T>());
        // SAFETY: so many bytes are there while the storage is held, aligned for `T`, which every bit pattern is one of.
        // Who writes them meanwhile is another thread that shares the table, or JavaScript: see above.
        whole.then(|| unsafe { std::slice::from_raw_parts(start.cast(), self.len / size_of::<T>()) })
    }
}

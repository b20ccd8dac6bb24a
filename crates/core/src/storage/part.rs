//! A part of a storage, held so that other threads can read it.

use super::Storage;
use bytemuck::Pod;
use std::sync::Arc;

/// Bytes of a storage. They stay valid until this is dropped, even if everybody else drops the storage.
#[derive(Clone, Debug)]
pub struct Part {
    storage: Arc<Storage>,
    offset: usize,
    len: usize,
}

impl Part {
    /// `len` bytes at `offset`; `None` if the storage is shorter.
    pub fn new(storage: &Arc<Storage>, offset: usize, len: usize) -> Option<Self> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= storage.len());
        inside.then(|| Self { storage: Arc::clone(storage), offset, len })
    }

    /// The elements, to read; `None` if the bytes are not a whole number of aligned elements.
    ///
    /// This is for tables, whose elements are copied or used in arithmetic. Integers that are checked and then used
    /// must be copied instead. The elements may be written meanwhile: by JavaScript through the live view of a table,
    /// by a thread that shares it, or by a process that writes a mapped file. Then it is unspecified, element by
    /// element, which value is read, and reading an element twice may give two values. Every bit pattern is a value
    /// of a `Pod`, and nothing that is read here decides where memory is read or written. The compiler takes the
    /// elements for constants and may read them again; nothing worse follows from that.
    pub fn elements<T: Pod>(&self) -> Option<&[T]> {
        if self.len == 0 {
            return Some(&[]);
        }
        // SAFETY: `new` checked that the offset is within the storage.
        let start = unsafe { self.storage.as_ptr().add(self.offset) };
        // If a mapped file is torn, the call learns of it at its end, so the answer is ignored here.
        let _ = super::touch(start, self.len);
        let whole = self.len.is_multiple_of(size_of::<T>()) && (start as usize).is_multiple_of(align_of::<T>());
        // SAFETY: the storage is held, so there are that many bytes, aligned for `T`, for which every bit pattern is
        // valid. Only another thread that shares the table, or JavaScript, may write them meanwhile: see above.
        whole.then(|| unsafe { std::slice::from_raw_parts(start.cast(), self.len / size_of::<T>()) })
    }
}

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
    /// For tables, whose elements are computed with or copied: integers that are checked and then used are held as copies.
    /// They may be written meanwhile: by JavaScript through the live view of a table, by a thread that shares it, or by
    /// whoever writes a file that is mapped. Then it is unspecified what is read, element by element, and an element that is
    /// read twice may be two values: every bit pattern is a value of a `Pod`, and nothing that is read here says where to
    /// read or write. To the compiler these are constants, which it may read again, and nothing worse follows from that.
    pub fn elements<T: Pod>(&self) -> Option<&[T]> {
        if self.len == 0 {
            return Some(&[]);
        }
        // SAFETY: `new` checked that the offset is within the storage.
        let start = unsafe { self.storage.as_ptr().add(self.offset) };
        // Of a mapped file that is torn the call learns when it ends, whatever it made of what it reads here.
        let _ = super::touch(start, self.len);
        let whole = self.len.is_multiple_of(size_of::<T>()) && (start as usize).is_multiple_of(align_of::<T>());
        // SAFETY: so many bytes are there while the storage is held, aligned for `T`, which every bit pattern is one of.
        // Who writes them meanwhile is another thread that shares the table, or JavaScript: see above.
        whole.then(|| unsafe { std::slice::from_raw_parts(start.cast(), self.len / size_of::<T>()) })
    }
}

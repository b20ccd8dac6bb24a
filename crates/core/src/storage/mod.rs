//! The bytes that Rust owns: tables, results, and files mapped into memory.
//!
//! A table is allocated once, lives long, is read by kernels, and is written through a live view that JavaScript
//! holds. So [`Storage`] hands out raw pointers, and code that makes slices of them must consider who may write
//! meanwhile. During a synchronous call JavaScript's own thread cannot; others can if the storage is shared, was
//! passed on or is a mapped file. A number that is read for arithmetic may then be any value. Integers that are
//! checked and then used are copied first ([`is_private`]).

#![allow(unsafe_code, reason = "allocation and mapping: the one place in this crate")]

mod ahead;
mod exposed;
mod mapped;
mod owned;
mod part;
mod pool;
#[cfg(test)]
mod pool_tests;
#[cfg(test)]
mod tests;
mod torn;
#[cfg(all(test, unix))]
mod torn_tests;
mod usage;

pub use ahead::ask_ahead;
pub use exposed::is_private;
pub use mapped::MappedFile;
pub use part::Part;
pub use pool::POOL_LIMIT;
pub use torn::{intact, is_mapped, touch, watched};
pub use usage::{Usage, usage};

use crate::Result;
use bytemuck::Pod;
use exposed::Exposed;
use owned::Owned;
use pool::Lease;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};
use usage::Counted;

/// Bytes with one owner, shared through `Arc` and freed with the last holder.
#[derive(Debug)]
pub struct Storage {
    bytes: NonNull<u8>,
    len: usize,
    /// Stands before the keeper, so that it is dropped before the bytes are freed.
    exposed: OnceLock<Exposed>,
    /// Frees the bytes when it is dropped.
    keeper: Keeper,
}

#[derive(Debug)]
enum Keeper {
    Owned(#[allow(dead_code, reason = "held to be dropped")] Owned, #[allow(dead_code, reason = "as well")] Counted),
    Leased(#[allow(dead_code, reason = "held to be dropped")] Lease),
    Mapped(#[allow(dead_code, reason = "held to be dropped")] Arc<MappedFile>),
}

// SAFETY: the bytes are plain memory that may move between threads. `Storage` itself never reads or writes them, and
// code that makes slices of them promises exclusion.
unsafe impl Send for Storage {}
// SAFETY: as above; a shared `Storage` only hands out its address and length.
unsafe impl Sync for Storage {}

impl Storage {
    /// Zeroed bytes for a table. Large ones are aligned to 2 MiB and advised to use huge pages, others are aligned to
    /// a cache line.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] if the system has no memory for them.
    pub fn zeroed(len: usize) -> Result<Self> {
        let owned = Owned::zeroed(len)?;
        let counted = Counted::table(owned.touched(len));
        Ok(Self { bytes: owned.start(), len, exposed: OnceLock::new(), keeper: Keeper::Owned(owned, counted) })
    }

    /// Bytes for a result, from the pool, to which they return. Their content is unspecified.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] if the system has no memory for them.
    pub fn result(len: usize) -> Result<Self> {
        let lease = Lease::take(len)?;
        Ok(Self { bytes: lease.start(), len, exposed: OnceLock::new(), keeper: Keeper::Leased(lease) })
    }

    /// A copy of these bytes, in memory as [`Storage::zeroed`] gives it.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] if the system has no memory for it.
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        Self::filled(bytes.len(), |new| {
            new.copy_from_slice(bytes);
            Ok(())
        })
    }

    /// New bytes, which `fill` writes; they are zeroed before, and in memory as [`Storage::zeroed`] gives it.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] if the system has no memory for them, and the errors of `fill`.
    pub fn filled(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Self> {
        let storage = Self::zeroed(len)?;
        // SAFETY: there are `len` bytes, which were zeroed and so are initialised; the storage is new, so nobody else
        // has them.
        fill(unsafe { std::slice::from_raw_parts_mut(storage.as_ptr(), len) })?;
        Ok(storage)
    }

    /// `len` bytes of a mapped file at `offset`; `None` if the file is shorter.
    pub fn of_file(file: &Arc<MappedFile>, offset: usize, len: usize) -> Option<Self> {
        let bytes = file.at(offset, len)?;
        Some(Self { bytes, len, exposed: OnceLock::new(), keeper: Keeper::Mapped(Arc::clone(file)) })
    }

    /// Marks the bytes as writable by other threads, for as long as they have holders, so that [`is_private`] knows
    /// of them. Call it before an array over them is handed out. For a mapped file this covers all its bytes.
    pub fn expose(&self) {
        match &self.keeper {
            Keeper::Mapped(file) => file.expose(),
            _ if self.is_empty() => {}
            _ => {
                self.exposed.get_or_init(|| Exposed::new(self.as_ptr(), self.len));
            }
        }
    }

    /// Whether the bytes are part of a mapped file, which uses no memory until it is touched.
    pub fn is_mapped(&self) -> bool {
        matches!(self.keeper, Keeper::Mapped(_))
    }

    /// The elements, mutable, while nobody else holds the storage. `None` if the bytes are not a whole number of
    /// aligned elements, or if they are in a mapped file, whose other parts may overlap them.
    pub fn elements_mut<T: Pod>(&mut self) -> Option<&mut [T]> {
        if self.is_mapped() {
            return None;
        }
        let whole = self.len.is_multiple_of(size_of::<T>()) && (self.as_ptr() as usize).is_multiple_of(align_of::<T>());
        // SAFETY: there are that many bytes, initialised (they were zeroed once) and aligned for `T`. `&mut self`
        // shows that there is no other holder, so no address was handed out.
        whole.then(|| unsafe { std::slice::from_raw_parts_mut(self.as_ptr().cast(), self.len / size_of::<T>()) })
    }

    /// Address of the bytes.
    pub fn as_ptr(&self) -> *mut u8 {
        self.bytes.as_ptr()
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

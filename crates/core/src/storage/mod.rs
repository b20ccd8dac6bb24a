//! The bytes that Rust owns: tables, and files mapped into memory.
//!
//! A table is allocated once, lives long, is read by kernels and written through a live view that JavaScript holds. So
//! [`Storage`] hands out raw pointers. Who makes slices of them takes care of whoever may write meanwhile: in a synchronous
//! call JavaScript's own thread cannot, others can where the storage is shared, was handed on or is a mapped file. What is
//! read there as a number to compute with is some value; what is checked and then used is copied first ([`is_private`]).

#![allow(unsafe_code, reason = "allocation and mapping: the one place in this crate")]

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

/// Bytes with one owner, shared through `Arc`: freed with the last holder.
#[derive(Debug)]
pub struct Storage {
    bytes: NonNull<u8>,
    len: usize,
    /// Before the keeper: dropped before the bytes are freed.
    exposed: OnceLock<Exposed>,
    /// Frees the bytes when dropped.
    keeper: Keeper,
}

#[derive(Debug)]
enum Keeper {
    Owned(#[allow(dead_code, reason = "held to be dropped")] Owned, #[allow(dead_code, reason = "as well")] Counted),
    Leased(#[allow(dead_code, reason = "held to be dropped")] Lease),
    Mapped(#[allow(dead_code, reason = "held to be dropped")] Arc<MappedFile>),
}

// SAFETY: the bytes are plain memory that moves with nobody; `Storage` itself never reads or writes them, and those who
// do promise exclusion where they make slices.
unsafe impl Send for Storage {}
// SAFETY: as above: a shared `Storage` only hands out its address and length.
unsafe impl Sync for Storage {}

impl Storage {
    /// Zeroed bytes for a table: aligned to 2 MiB and advised to be huge pages where large, to a cache line else.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] where the system does not give them.
    pub fn zeroed(len: usize) -> Result<Self> {
        let owned = Owned::zeroed(len)?;
        let counted = Counted::table(owned.touched(len));
        Ok(Self { bytes: owned.start(), len, exposed: OnceLock::new(), keeper: Keeper::Owned(owned, counted) })
    }

    /// Bytes for a result, from the pool and back to it: what is in them is unspecified.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] where the system does not give them.
    pub fn result(len: usize) -> Result<Self> {
        let lease = Lease::take(len)?;
        Ok(Self { bytes: lease.start(), len, exposed: OnceLock::new(), keeper: Keeper::Leased(lease) })
    }

    /// A copy of these bytes, in memory as [`Storage::zeroed`] gives it.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] where the system does not give it.
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        Self::filled(bytes.len(), |new| {
            new.copy_from_slice(bytes);
            Ok(())
        })
    }

    /// New bytes, which `fill` is given zeroed; in memory as [`Storage::zeroed`] gives it.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] where the system does not give it, and what `fill` answers.
    pub fn filled(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Self> {
        let storage = Self::zeroed(len)?;
        // SAFETY: `len` bytes, zeroed and therefore initialised; the storage is new, so that nobody else has them.
        fill(unsafe { std::slice::from_raw_parts_mut(storage.as_ptr(), len) })?;
        Ok(storage)
    }

    /// `len` bytes of a mapped file from `offset` on; nothing where the file is shorter.
    pub fn of_file(file: &Arc<MappedFile>, offset: usize, len: usize) -> Option<Self> {
        let bytes = file.at(offset, len)?;
        Some(Self { bytes, len, exposed: OnceLock::new(), keeper: Keeper::Mapped(Arc::clone(file)) })
    }

    /// From here on others than the thread of a call may write them, for as long as there are holders: to be said before
    /// an array over them is handed out. [`is_private`] knows it then; of a file that is mapped, of all its bytes.
    pub fn expose(&self) {
        match &self.keeper {
            Keeper::Mapped(file) => file.expose(),
            _ if self.is_empty() => {}
            _ => {
                self.exposed.get_or_init(|| Exposed::new(self.as_ptr(), self.len));
            }
        }
    }

    /// Whether they are a part of a mapped file, which costs no memory until it is touched.
    pub fn is_mapped(&self) -> bool {
        matches!(self.keeper, Keeper::Mapped(_))
    }

    /// The elements, to read and write while nobody else has the storage yet; nothing where they are not whole, or lie in
    /// a file, whose other parts may overlap them.
    pub fn elements_mut<T: Pod>(&mut self) -> Option<&mut [T]> {
        if self.is_mapped() {
            return None;
        }
        let whole = self.len.is_multiple_of(size_of::<T>()) && (self.as_ptr() as usize).is_multiple_of(align_of::<T>());
        // SAFETY: so many bytes are there, initialised (they were zeroed once) and aligned for `T`; of `&mut self` there is
        // no other holder, so that no address was handed on.
        whole.then(|| unsafe { std::slice::from_raw_parts_mut(self.as_ptr().cast(), self.len / size_of::<T>()) })
    }

    /// Where the bytes are.
    pub fn as_ptr(&self) -> *mut u8 {
        self.bytes.as_ptr()
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

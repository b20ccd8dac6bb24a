//! Borrows what JavaScript hands over, for the length of one synchronous call.
//!
//! This is the only place in the addon that makes slices of JavaScript's memory. During a synchronous call no
//! JavaScript runs on this thread, so it neither moves nor frees anything. Calls that ask TypeScript for memory
//! (`tokenizerEncodeBatch`) borrow nothing until they have it. Who else may write the memory depends on its owner:
//!
//! - V8's own memory is written by this thread alone, and during this call only through [`Operand::exclusive`].
//! - A `SharedArrayBuffer` may be written by other threads. TypeScript copies integers out of it (`plainInts`), so that
//!   here they look like V8's own memory.
//! - A storage that Rust owns (a handle, or an array over it) may be written by other threads that share it or were
//!   posted its buffer. If it is a mapped file, anyone who writes the file changes it.
//!
//! Integers that are checked and then used (ids, offsets, targets, orders, a generator's state) are therefore read
//! through [`Operand::ids`] and [`Operand::stable`], which copy any memory that others might write. Kernels then index
//! only with values that were checked. All other elements are plain numbers: the slices of [`Operand::shared`] are read
//! to compute with or to be copied, every bit pattern in them is a valid value, and none decides where memory is read
//! or written. If others write such numbers at the same time, it is unspecified whether the old or the new ones are
//! read. In the language's terms that is still a data race, in slices that the compiler assumes to be constant: it may
//! read an element twice and see two values. That is harmless for the reason above. Ruling it out would take an atomic
//! load for every element, and no kernel could use vector instructions.

#![allow(unsafe_code, reason = "reads Node-API's pointers")]

use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::Failure;
use bytemuck::Pod;
use napi::bindgen_prelude::{FromNapiRef, FromNapiValue, TypeName, TypedArrayType, ValidateNapiValue};
use napi::{ValueType, check_status, sys};
use std::cell::OnceCell;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use tokenbed_core::Error;
use tokenbed_core::ids::IdSlice;
use tokenbed_core::storage::{is_private, touch};
use tokenbed_memory::{Gather, List};

/// Elements of a tensor, or ids: a typed array, or the handle of a storage that Rust owns.
#[derive(Debug)]
pub struct Operand {
    start: *mut u8,
    bytes: usize,
    /// The element type, if this is a typed array.
    kind: Option<TypedArrayType>,
    /// A copy of the bytes, made if others may write them and they are checked before use.
    copy: OnceCell<Vec<u64>>,
}

impl TypeName for Operand {
    fn type_name() -> &'static str {
        "Operand"
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl ValidateNapiValue for Operand {}

impl FromNapiValue for Operand {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let (mut kind, mut length, mut start) = (0, 0, ptr::null_mut());
        // SAFETY: napi's macro gives a live env and value; results that are not needed may be null.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                env,
                value,
                &mut kind,
                &mut length,
                &mut start,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status == sys::Status::napi_ok {
            let kind = TypedArrayType::from(kind);
            let bytes = length * element_size(kind);
            return Ok(Self { start: start.cast(), bytes, kind: Some(kind), copy: OnceCell::new() });
        }
        check_status!(if status == sys::Status::napi_invalid_arg { sys::Status::napi_ok } else { status })?;
        // SAFETY: as above; napi checks that the external is one of this type.
        let handle = unsafe { External::<Handle>::from_napi_ref(env, value) }?;
        handle.range().map(Self::of_storage).ok_or_else(|| napi::Error::from_reason("use of a disposed storage"))
    }
}

fn element_size(kind: TypedArrayType) -> usize {
    match kind {
        TypedArrayType::Int16 | TypedArrayType::Uint16 => 2,
        TypedArrayType::Int32 | TypedArrayType::Uint32 | TypedArrayType::Float32 => 4,
        TypedArrayType::Float64 | TypedArrayType::BigInt64 | TypedArrayType::BigUint64 => 8,
        _ => 1,
    }
}

impl Operand {
    /// No elements.
    #[allow(clippy::declare_interior_mutable_const, reason = "each use is an operand of its own")]
    pub(crate) const NOTHING: Operand = Operand { start: ptr::null_mut(), bytes: 0, kind: None, copy: OnceCell::new() };

    /// Bytes of a storage that Rust owns, found by a handle during this call.
    pub(crate) fn of_storage((start, bytes): (*mut u8, usize)) -> Self {
        Self { start, bytes, ..Self::NOTHING }
    }

    /// The number of bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Borrows the same bytes once more.
    pub(crate) fn again(&self) -> Self {
        Self { start: self.start, bytes: self.bytes, kind: self.kind, copy: OnceCell::new() }
    }

    /// The elements, to compute with or to copy. Others may write them meanwhile, so no element may be read twice as if
    /// it kept its value, and none may decide where memory is read or written.
    pub(crate) fn shared<T: Pod>(&self) -> Result<&[T], Failure> {
        let elements = self.elements::<T>()?;
        // SAFETY: there are `elements` elements, they are aligned, and every bit pattern is a `T`. This call writes
        // them only through `exclusive`, whose callers name everything that is read beside them. The module's
        // documentation covers what others may do.
        Ok(if elements == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.start.cast(), elements) } })
    }

    /// The elements, to be checked and then used: nobody but this call can change them. If others might write them they
    /// are copied first; otherwise this is [`Operand::shared`].
    pub(crate) fn stable<T: Pod>(&self) -> Result<&[T], Failure> {
        let shared = self.shared()?;
        if shared.is_empty() || self.is_private() {
            return Ok(shared);
        }
        let elements = shared.len();
        let copy = match self.copy.get() {
            Some(copy) => copy,
            None => {
                let made = self.copied::<T>(elements)?;
                self.copy.get_or_init(|| made)
            }
        };
        let words: &[T] = bytemuck::try_cast_slice(copy)
            .map_err(|_| Error::Shape("the copied words are not aligned elements".into()))?;
        Ok(words.get(..elements).unwrap_or(words))
    }

    /// Whether nobody else can write the elements during this call, because they are in V8's own memory.
    fn is_private(&self) -> bool {
        self.kind.is_some() && is_private(self.start, self.bytes)
    }

    /// A copy for which each element is read once.
    fn copied<T: Pod>(&self, elements: usize) -> Result<Vec<u64>, Failure> {
        let bytes = self.bytes;
        let mut copy = Vec::new();
        copy.try_reserve_exact(bytes.div_ceil(size_of::<u64>()))
            .map_err(|error| Error::Memory { bytes, reason: error.to_string() })?;
        copy.fill_to(bytes.div_ceil(size_of::<u64>()), 0u64);
        /// Reads element by element, through the atomic type of their size.
        macro_rules! load {
            ($atomic:ty, $plain:ty) => {
                for (i, to) in bytemuck::cast_slice_mut::<u64, $plain>(&mut copy)[..elements].iter_mut().enumerate() {
                    // SAFETY: there are `elements` elements, they are aligned, and they live as long as this call.
                    *to = unsafe { <$atomic>::from_ptr(self.start.cast::<$plain>().add(i)) }.load(Ordering::Relaxed);
                }
            };
        }
        match size_of::<T>() {
            1 => load!(AtomicU8, u8),
            2 => load!(AtomicU16, u16),
            4 => load!(AtomicU32, u32),
            8 if align_of::<T>() == 8 => load!(AtomicU64, u64),
            _ => {
                return Err(Error::DType("elements must have the size of an integer: 1, 2, 4 or 8 bytes".into()).into());
            }
        }
        Ok(copy)
    }

    /// The elements, to be written. They may not overlap any operand in `read`.
    #[allow(clippy::mut_from_ref, reason = "the memory is JavaScript's; exclusion is checked here")]
    pub(crate) fn exclusive<T: Pod>(&self, read: &[&Operand]) -> Result<&mut [T], Failure> {
        if read.iter().any(|other| self.overlaps(other)) {
            return Err(Error::Usage("the output shares memory with an input: give it memory of its own".into()).into());
        }
        let elements = self.elements::<T>()?;
        // SAFETY: as in `shared`. What this call reads or writes beside them was just checked not to overlap. What is
        // written there is only read again as plain numbers, unless the memory is V8's: orders and targets for which
        // TypeScript made room.
        Ok(if elements == 0 { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(self.start.cast(), elements) } })
    }

    /// The integers of a typed array, to be checked and then used; see [`Operand::stable`].
    pub(crate) fn ids(&self) -> Result<IdSlice<'_>, Failure> {
        Ok(match self.kind {
            Some(TypedArrayType::Int8) => IdSlice::I8(self.stable()?),
            Some(TypedArrayType::Uint8) => IdSlice::U8(self.stable()?),
            Some(TypedArrayType::Int16) => IdSlice::I16(self.stable()?),
            Some(TypedArrayType::Uint16) => IdSlice::U16(self.stable()?),
            Some(TypedArrayType::Int32) => IdSlice::I32(self.stable()?),
            Some(TypedArrayType::Uint32) => IdSlice::U32(self.stable()?),
            Some(TypedArrayType::BigInt64) => IdSlice::I64(self.stable()?),
            Some(TypedArrayType::BigUint64) => IdSlice::U64(self.stable()?),
            _ => return Err(Error::DType("ids must be integers".into()).into()),
        })
    }

    /// The number of `T` in the operand. Fails if the size is not a multiple of a `T`, if the start is not aligned, or
    /// if it is a mapped file that was truncated.
    fn elements<T: Pod>(&self) -> Result<usize, Failure> {
        touch(self.start, self.bytes)?;
        let whole = self.bytes.is_multiple_of(size_of::<T>()) && (self.start as usize).is_multiple_of(align_of::<T>());
        if whole || self.bytes == 0 {
            return Ok(self.bytes / size_of::<T>());
        }
        Err(Error::Shape(format!("{} bytes are not whole, aligned elements", self.bytes)).into())
    }

    fn overlaps(&self, other: &Operand) -> bool {
        let (a, b) = (self.start as usize, other.start as usize);
        self.bytes > 0 && other.bytes > 0 && a < b + other.bytes && b < a + self.bytes
    }
}

/// A size that TypeScript checked: an integer that is not negative.
pub(crate) fn size(value: f64) -> Result<usize, Failure> {
    let size = value as usize;
    if size as f64 == value {
        return Ok(size);
    }
    Err(Error::Usage(format!("{value} is not a size")).into())
}

/// Sizes that TypeScript checked.
pub(crate) fn sizes(values: &[f64]) -> Result<Vec<usize>, Failure> {
    values.iter().map(|&value| size(value)).try_into_list()
}

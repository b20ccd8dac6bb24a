//! What JavaScript hands over, borrowed for the length of one synchronous call.
//!
//! The one place of the addon that makes slices of JavaScript's memory. During a synchronous call no JavaScript runs on
//! this thread, so nothing is moved or freed by it; the calls that ask TypeScript for memory (`tokenizerEncodeBatch`)
//! borrow nothing before they have it. Who may write it meanwhile depends on whose memory it is:
//!
//! - V8's own: this thread alone, and this call does not but through [`Operand::exclusive`].
//! - a `SharedArrayBuffer`: other threads. TypeScript copies integers out of it (`plainInts`): here it looks like V8's
//!   own.
//! - that of a storage of Rust's (a handle, or an array over it): other threads that share it or were posted its
//!   buffer, and where it is a mapped file whoever writes the file.
//!
//! So integers that are checked and then used (ids, offsets, targets, orders, a generator's state) are read through
//! [`Operand::ids`] and [`Operand::stable`], which copy what is not known to be this thread's own; kernels then index
//! with what was checked. All else is numbers: what [`Operand::shared`] gives is read to compute with or to be copied,
//! every bit pattern of it is a value, and none decides where memory is read or written. Of such numbers it is
//! unspecified, where others write them at that time, whether the old or the new are read. In the words of the language
//! that is a data race nevertheless, in slices that the compiler takes for constant: it may read an element twice and
//! see two values. That is harmless for the reason above, and what it costs to rule it out (an atomic load for every
//! element) is the vector instructions of every kernel.

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
    /// Of a typed array.
    kind: Option<TypedArrayType>,
    /// The bytes, where others may write them and they are checked before they are used.
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
        // SAFETY: napi's macro gives a live env and value; what is not asked for may be null.
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

    /// How many bytes there are.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same bytes, borrowed once more.
    pub(crate) fn again(&self) -> Self {
        Self { start: self.start, bytes: self.bytes, kind: self.kind, copy: OnceCell::new() }
    }

    /// The elements, to compute with or to be copied: others may write them meanwhile, so that no element is to be read
    /// twice as if it were the same, and none is to say where to read or write.
    pub(crate) fn shared<T: Pod>(&self) -> Result<&[T], Failure> {
        let elements = self.elements::<T>()?;
        // SAFETY: `elements` are there and aligned, and every bit pattern is a `T`. This call does not write them but
        // through `exclusive`, whose callers name everything that is read beside it; what others do, the module says.
        Ok(if elements == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.start.cast(), elements) } })
    }

    /// The elements, to be checked and then used: what is here is nobody's but this call's. Where others may write them
    /// they are copied first; else this is [`Operand::shared`].
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
        let words: &[T] = bytemuck::try_cast_slice(copy).map_err(|_| Error::Shape("no elements of words".into()))?;
        Ok(words.get(..elements).unwrap_or(words))
    }

    /// Whether nobody else can write them during this call, as they are V8's.
    fn is_private(&self) -> bool {
        self.kind.is_some() && is_private(self.start, self.bytes)
    }

    /// A copy, each element read once.
    fn copied<T: Pod>(&self, elements: usize) -> Result<Vec<u64>, Failure> {
        let bytes = self.bytes;
        let mut copy = Vec::new();
        copy.try_reserve_exact(bytes.div_ceil(size_of::<u64>()))
            .map_err(|error| Error::Memory { bytes, reason: error.to_string() })?;
        copy.fill_to(bytes.div_ceil(size_of::<u64>()), 0u64);
        /// Element by element, through the atomic type of their size.
        macro_rules! load {
            ($atomic:ty, $plain:ty) => {
                for (i, to) in bytemuck::cast_slice_mut::<u64, $plain>(&mut copy)[..elements].iter_mut().enumerate() {
                    // SAFETY: `elements` are there and aligned, and live as long as this call.
                    *to = unsafe { <$atomic>::from_ptr(self.start.cast::<$plain>().add(i)) }.load(Ordering::Relaxed);
                }
            };
        }
        match size_of::<T>() {
            1 => load!(AtomicU8, u8),
            2 => load!(AtomicU16, u16),
            4 => load!(AtomicU32, u32),
            8 if align_of::<T>() == 8 => load!(AtomicU64, u64),
            _ => return Err(Error::DType("elements of another size than integers have".into()).into()),
        }
        Ok(copy)
    }

    /// The elements, to write, where they overlap none of what is `read` beside them.
    #[allow(clippy::mut_from_ref, reason = "the memory is JavaScript's; exclusion is checked here")]
    pub(crate) fn exclusive<T: Pod>(&self, read: &[&Operand]) -> Result<&mut [T], Failure> {
        if read.iter().any(|other| self.overlaps(other)) {
            return Err(Error::Usage("the output shares memory with an input: give it memory of its own".into()).into());
        }
        let elements = self.elements::<T>()?;
        // SAFETY: as in `shared`, and what is read or written beside them in this call was just checked not to overlap.
        // What is written there is read again only as numbers, unless it is V8's: orders and targets that TypeScript
        // made room for.
        Ok(if elements == 0 { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(self.start.cast(), elements) } })
    }

    /// The integers of a typed array, to be checked and then used: see [`Operand::stable`].
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
            _ => return Err(Error::DType("ids are integers".into()).into()),
        })
    }

    /// How many `T` they are; a failure where they are not whole or not aligned, or a mapped file's that is torn.
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

/// A size that TypeScript checked: a whole number that is not negative.
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

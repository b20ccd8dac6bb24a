//! What JavaScript hands over, borrowed for the length of one synchronous call.
//!
//! The one place of the addon that makes slices of JavaScript's memory. During a synchronous call no JavaScript runs on
//! this thread, so nothing is moved, freed or written by it; memory that other threads could write
//! (SharedArrayBuffer) is copied in TypeScript before it comes here.

#![allow(unsafe_code, reason = "reads Node-API's pointers")]

use crate::buffers::Handle;
use crate::guard::Failure;
use bytemuck::Pod;
use napi::bindgen_prelude::{External, FromNapiRef, FromNapiValue, TypeName, TypedArrayType, ValidateNapiValue};
use napi::{ValueType, check_status, sys};
use std::ptr;
use tokenbed_core::Error;
use tokenbed_core::ids::IdSlice;

/// Elements of a tensor, or ids: a typed array, or the handle of a storage that Rust owns.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    start: *mut u8,
    bytes: usize,
    /// Of a typed array.
    kind: Option<TypedArrayType>,
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
            return Ok(Self { start: start.cast(), bytes, kind: Some(kind) });
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
    pub(crate) const NOTHING: Operand = Operand { start: ptr::null_mut(), bytes: 0, kind: None };

    /// Bytes of a storage that Rust owns, found by a handle during this call.
    pub(crate) fn of_storage((start, bytes): (*mut u8, usize)) -> Self {
        Self { start, bytes, kind: None }
    }

    /// The elements, to read.
    pub(crate) fn shared<T: Pod>(&self) -> Result<&[T], Failure> {
        let elements = self.elements::<T>()?;
        // SAFETY: `elements` are there and aligned; nobody writes them during the call but `exclusive`, whose callers name
        // everything that is read beside it.
        Ok(if elements == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.start.cast(), elements) } })
    }

    /// The elements, to write, where they overlap none of what is `read` beside them.
    #[allow(clippy::mut_from_ref, reason = "the memory is JavaScript's; exclusion is checked here")]
    pub(crate) fn exclusive<T: Pod>(&self, read: &[&Operand]) -> Result<&mut [T], Failure> {
        if read.iter().any(|other| self.overlaps(other)) {
            return Err(Error::Usage("the output shares memory with an input: give it memory of its own".into()).into());
        }
        let elements = self.elements::<T>()?;
        // SAFETY: as in `shared`, and what is read or written beside them in this call was just checked not to overlap.
        Ok(if elements == 0 { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(self.start.cast(), elements) } })
    }

    /// The integers of a typed array.
    pub(crate) fn ids(&self) -> Result<IdSlice<'_>, Failure> {
        Ok(match self.kind {
            Some(TypedArrayType::Int8) => IdSlice::I8(self.shared()?),
            Some(TypedArrayType::Uint8) => IdSlice::U8(self.shared()?),
            Some(TypedArrayType::Int16) => IdSlice::I16(self.shared()?),
            Some(TypedArrayType::Uint16) => IdSlice::U16(self.shared()?),
            Some(TypedArrayType::Int32) => IdSlice::I32(self.shared()?),
            Some(TypedArrayType::Uint32) => IdSlice::U32(self.shared()?),
            Some(TypedArrayType::BigInt64) => IdSlice::I64(self.shared()?),
            Some(TypedArrayType::BigUint64) => IdSlice::U64(self.shared()?),
            _ => return Err(Error::DType("ids are integers".into()).into()),
        })
    }

    /// How many `T` they are; a failure where they are not whole or not aligned.
    fn elements<T: Pod>(&self) -> Result<usize, Failure> {
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
    values.iter().map(|&value| size(value)).collect()
}

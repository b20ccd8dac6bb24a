//! Texts that JavaScript hands over, of any length.

#![allow(unsafe_code, reason = "reads Node-API's strings")]

use crate::node::guard::Failure;
use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{ValueType, check_status, sys};
use std::ptr;
use tokenbed_memory::{List, had, with_room};

/// A string of JavaScript's, to be read during this call: napi's own reading of one ends the process where memory is
/// lacking.
pub struct JsText {
    env: sys::napi_env,
    value: sys::napi_value,
}

impl TypeName for JsText {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for JsText {}

impl FromNapiValue for JsText {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        Ok(Self { env, value })
    }
}

impl JsText {
    /// A copy, as UTF-8; half of a surrogate pair becomes U+FFFD.
    pub(crate) fn read(&self) -> Result<String, Failure> {
        let mut length = 0;
        // SAFETY: napi's macro gave a live env and value for the length of this call, which has not ended; without a
        // buffer it is the length that is asked for.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(self.env, self.value, ptr::null_mut(), 0, &mut length)
        })?;
        // One more for the zero that ends it.
        let mut bytes: Vec<u8> = with_room(length + 1);
        let mut written = 0;
        // SAFETY: as above, and the buffer has room for `length + 1` bytes.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(self.env, self.value, bytes.as_mut_ptr().cast(), length + 1, &mut written)
        })?;
        // SAFETY: so many bytes were just written, which is at most `length`.
        unsafe { bytes.set_len(written.min(length)) };
        Ok(tokenbed_memory::lossy_owned(bytes))
    }
}

/// Copies of all.
pub(crate) fn read_all(texts: &[JsText]) -> Result<Vec<String>, Failure> {
    let mut all = with_room(texts.len());
    for text in texts {
        all.put(text.read()?);
    }
    Ok(all)
}

/// Makes a copy in V8's memory, where there is memory for it: V8 itself ends the process where there is none.
pub(crate) fn copied<T, S>(values: &[T], copy: impl FnOnce(&[T]) -> napi::Result<S>) -> Result<S, Failure> {
    had(size_of_val(values));
    Ok(copy(values)?)
}

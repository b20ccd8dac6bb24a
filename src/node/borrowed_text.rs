//! Texts of any length that JavaScript hands over.

#![allow(unsafe_code, reason = "reads Node-API's strings")]

use crate::node::guard::Failure;
use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{ValueType, check_status, sys};
use std::ptr;
use tokenbed_memory::{List, had, with_room};

/// A JavaScript string, to be read during this call. It replaces napi's own string reading, which ends the process when
/// memory runs out.
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
    /// A copy as UTF-8; an unpaired surrogate becomes U+FFFD.
    pub(crate) fn read(&self) -> Result<String, Failure> {
        let mut length = 0;
        // SAFETY: napi's macro gave a live env and value for the length of this call, which has not ended; without a
        // buffer, the call only returns the length.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(self.env, self.value, ptr::null_mut(), 0, &mut length)
        })?;
        // One byte more, for the terminating zero.
        let mut bytes: Vec<u8> = with_room(length + 1);
        let mut written = 0;
        // SAFETY: as above, and the buffer has room for `length + 1` bytes.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(self.env, self.value, bytes.as_mut_ptr().cast(), length + 1, &mut written)
        })?;
        // SAFETY: this many bytes were just written, which is at most `length`.
        unsafe { bytes.set_len(written.min(length)) };
        Ok(tokenbed_memory::lossy_owned(bytes))
    }
}

/// Copies of all texts.
pub(crate) fn read_all(texts: &[JsText]) -> Result<Vec<String>, Failure> {
    let mut all = with_room(texts.len());
    for text in texts {
        all.put(text.read()?);
    }
    Ok(all)
}

/// Makes a copy in V8's memory, after checking that there is memory for it: V8 itself would end the process if there is
/// not.
pub(crate) fn copied<T, S>(values: &[T], copy: impl FnOnce(&[T]) -> napi::Result<S>) -> Result<S, Failure> {
    had(size_of_val(values));
    Ok(copy(values)?)
}

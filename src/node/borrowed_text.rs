//! Texts of any length that JavaScript hands over.

#![allow(unsafe_code, reason = "reads Node-API's strings")]

use crate::node::guard::Failure;
use napi::bindgen_prelude::{Array, FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Env, ValueType, check_status, sys};
use std::mem::MaybeUninit;
use std::{ptr, slice};
use tokenbed_memory::{List, Slice, TextList, had, with_room};

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
        if let Some(text) = self.read_short()? {
            return Ok(text);
        }
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

/// Room for a text that is copied without asking for its length first. A character takes up to four bytes, and a zero
/// follows the last one.
const SHORT: usize = 512;
const LAST: usize = SHORT - 5;

impl JsText {
    /// A text that is short, in one call instead of two: for such texts the calls are what takes the time. `None` if
    /// it may be longer.
    fn read_short(&self) -> Result<Option<String>, Failure> {
        let mut room = [MaybeUninit::<u8>::uninit(); SHORT];
        let mut written = 0;
        // SAFETY: napi's macro gave a live env and value for the length of this call, which has not ended, and there is
        // room for `SHORT` bytes.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(self.env, self.value, room.as_mut_ptr().cast(), SHORT, &mut written)
        })?;
        if written > LAST {
            return Ok(None);
        }
        // SAFETY: this many bytes were just written.
        let bytes = unsafe { slice::from_raw_parts(room.as_ptr().cast::<u8>(), written) };
        Ok(Some(tokenbed_memory::lossy_owned(bytes.to_list())))
    }
}

impl JsText {
    /// Appends a copy as UTF-8.
    fn append(&self, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        // A text that is short takes one call instead of two: for such texts the calls are what takes the time.
        let mut end = self.write(bytes, SHORT)?;
        if end > bytes.len() + LAST {
            let mut units = 0;
            // SAFETY: napi's macro gave a live env and value for the length of this call, which has not ended; without
            // a buffer, the call only returns the length.
            check_status!(unsafe {
                sys::napi_get_value_string_utf16(self.env, self.value, ptr::null_mut(), 0, &mut units)
            })?;
            // One byte more, for the terminating zero.
            end = self.write(bytes, units.saturating_mul(3).saturating_add(1))?;
        }
        // SAFETY: the bytes up to there were just written.
        unsafe { bytes.set_len(end) };
        Ok(())
    }

    /// Writes as many whole characters as fit into `most` bytes with the zero after them, behind the bytes, whose
    /// length stays. Returns where they end.
    fn write(&self, bytes: &mut Vec<u8>, most: usize) -> Result<usize, Failure> {
        bytes.make_room(most);
        let (start, mut written) = (bytes.len(), 0);
        // SAFETY: napi's macro gave a live env and value for the length of this call, which has not ended, and there is
        // room for so many bytes behind the first `start`.
        check_status!(unsafe {
            let to = bytes.as_mut_ptr().add(start);
            sys::napi_get_value_string_utf8(self.env, self.value, to.cast(), most, &mut written)
        })?;
        Ok(start + written.min(most))
    }
}

/// Copies of all texts. V8 says at once how long a string is in UTF-16, of which UTF-8 has at most three times as many
/// bytes; so there is room for a long text before it is written.
pub(crate) fn read_all(texts: &[JsText]) -> Result<TextList, Failure> {
    let (mut bytes, mut ends) = (Vec::<u8>::new(), with_room(texts.len()));
    for text in texts {
        text.append(&mut bytes)?;
        ends.put(bytes.len());
    }
    // V8 writes UTF-8; the rest is for another engine that does not.
    if let Some(all) = String::from_utf8(bytes).ok().and_then(|all| TextList::of(all, ends)) {
        return Ok(all);
    }
    let mut all = TextList::with_room(texts.len());
    for text in texts {
        all.put(&text.read()?);
    }
    Ok(all)
}

/// Texts on their way to JavaScript, where they are an array of strings.
pub struct JsTexts(pub(crate) TextList);

impl ToNapiValue for JsTexts {
    unsafe fn to_napi_value(env: sys::napi_env, texts: Self) -> napi::Result<sys::napi_value> {
        let owner = Env::from_raw(env);
        let mut array = owner.create_array(texts.0.len() as u32)?;
        for (place, text) in texts.0.iter().enumerate() {
            array.set(place as u32, text)?;
        }
        // SAFETY: it is the env of this call.
        unsafe { Array::to_napi_value(env, array) }
    }
}

/// Makes a copy in V8's memory, after checking that there is memory for it: V8 itself would end the process if there is
/// not.
pub(crate) fn copied<T, S>(values: &[T], copy: impl FnOnce(&[T]) -> napi::Result<S>) -> Result<S, Failure> {
    had(size_of_val(values));
    Ok(copy(values)?)
}

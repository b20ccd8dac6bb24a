//! Bytes to text where more bytes may follow.

use tokenbed_memory::lossy_owned;

/// Takes the text that no further byte can change, bytes that are no UTF-8 as U+FFFD; the beginning of a character
/// stays. Taken piece by piece the text is that of all bytes at once (`String::from_utf8_lossy`).
pub(crate) fn take_complete(bytes: &mut Vec<u8>) -> String {
    let waits = incomplete(bytes);
    let rest = bytes.split_off(bytes.len() - waits);
    let complete = std::mem::replace(bytes, rest);
    lossy_owned(complete)
}

/// How many bytes at the end are a character's beginning: at most three.
fn incomplete(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|&n| {
            // The last byte that begins a character; without one there is none to complete.
            let tail = &bytes[bytes.len() - n..];
            tail[0] >= 0xc0 && std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none())
        })
        .unwrap_or(0)
}

//! Decodes UTF-8 that may continue.

use tokenbed_memory::lossy_owned;

/// Takes the text that no further byte can change, with bytes that are not UTF-8 as U+FFFD; the beginning of a
/// character stays. The parts together are the text of all bytes at once (`String::from_utf8_lossy`).
pub(crate) fn take_complete(bytes: &mut Vec<u8>) -> String {
    let waits = incomplete(bytes);
    let rest = bytes.split_off(bytes.len() - waits);
    let complete = std::mem::replace(bytes, rest);
    lossy_owned(complete)
}

/// Number of bytes at the end that are the beginning of a character, at most three.
fn incomplete(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|&n| {
            // `n` reaches the last byte that begins a character; if there is none, nothing needs to be completed.
            let tail = &bytes[bytes.len() - n..];
            tail[0] >= 0xc0 && std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none())
        })
        .unwrap_or(0)
}

//! The bytes of a pickle, one after the other.

use super::Fault;
use tokenbed_memory::{lossy, owned};

type Step<T> = std::result::Result<T, Fault>;

#[derive(Default)]
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// The place of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, len: usize) -> Step<&'a [u8]> {
        let rest = self.all.get(self.at..).unwrap_or_default();
        match rest.get(..len) {
            Some(bytes) => {
                self.at += len;
                Ok(bytes)
            }
            None if rest.is_empty() => Err((Some(self.all.len()), "the pickle ends without a STOP".into())),
            None => Err((None, format!("the pickle needs {len} bytes where {} are left", rest.len()))),
        }
    }

    pub(super) fn byte(&mut self) -> Step<u8> {
        self.chunk().map(|[byte]| byte)
    }

    pub(super) fn chunk<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut chunk = [0; N];
        chunk.copy_from_slice(self.take(N)?);
        Ok(chunk)
    }

    /// A length or a place of 32 bits.
    pub(super) fn word(&mut self) -> Step<usize> {
        self.chunk().map(|chunk| u32::from_le_bytes(chunk) as usize)
    }

    /// A length of 64 bits. One that no memory holds is beyond any pickle.
    pub(super) fn long(&mut self) -> Step<usize> {
        self.chunk().map(|chunk| usize::try_from(u64::from_le_bytes(chunk)).unwrap_or(usize::MAX))
    }

    /// Text up to a line break, which is passed over.
    pub(super) fn line(&mut self) -> Step<String> {
        let rest = self.all.get(self.at..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(len) => {
                self.at += len + 1;
                Ok(owned(&lossy(&rest[..len])))
            }
            None => Err((None, "the pickle has a name that never ends".into())),
        }
    }
}

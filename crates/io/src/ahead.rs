//! A reader that can look at its next bytes before they are read.

use std::io::{self, BufRead, Read};
use tokenbed_memory::List;

/// Reads the bytes of its source. [`Ahead::look`] consumes nothing.
pub(crate) struct Ahead<R> {
    source: R,
    /// Bytes that were looked at. Those from `at` on are still to be read.
    bytes: Vec<u8>,
    at: usize,
    /// The error that ended a look. It is returned when reading gets there.
    failed: Option<io::Error>,
}

impl<R: BufRead> Ahead<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, bytes: Vec::new(), at: 0, failed: None }
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.source
    }

    /// All bytes that were looked at so far, including those that were read since.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.bytes
    }

    /// The next bytes, at most `most`, and whether the source ends after them. There are fewer if the source ends or
    /// fails.
    pub(crate) fn look(&mut self, most: usize) -> (&[u8], bool) {
        let mut ended = false;
        while self.bytes.len() - self.at < most && self.failed.is_none() && !ended {
            match self.source.fill_buf() {
                Ok([]) => ended = true,
                Ok(next) => {
                    let len = next.len().min(most - (self.bytes.len() - self.at));
                    self.bytes.put_slice(&next[..len]);
                    self.source.consume(len);
                }
                Err(error) => self.failed = Some(error),
            }
        }
        let seen = &self.bytes[self.at..];
        (&seen[..seen.len().min(most)], ended)
    }
}

impl<R: BufRead> Read for Ahead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.bytes.len() && self.failed.is_none() {
            return self.source.read(buffer);
        }
        let next = self.fill_buf()?;
        let len = next.len().min(buffer.len());
        buffer[..len].copy_from_slice(&next[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl<R: BufRead> BufRead for Ahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.bytes.len() {
            return Ok(&self.bytes[self.at..]);
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.source.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        let seen = count.min(self.bytes.len() - self.at);
        self.at += seen;
        self.source.consume(count - seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    /// Gives a few bytes at a time, and fails after the last.
    struct Failing(Vec<u8>);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::other("torn"));
            }
            let len = self.0.len().min(buffer.len()).min(3);
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0.drain(..len);
            Ok(len)
        }
    }

    #[test]
    fn looking_consumes_nothing() {
        let mut ahead = Ahead::new(BufReader::with_capacity(4, &b"0123456789"[..]));
        assert_eq!(ahead.look(2), (&b"01"[..], false));
        assert_eq!(ahead.look(7), (&b"0123456"[..], false));
        let mut three = [0; 3];
        ahead.read_exact(&mut three).unwrap();
        assert_eq!(&three, b"012");
        assert_eq!(ahead.look(2), (&b"34"[..], false));
        assert_eq!(ahead.look(100), (&b"3456789"[..], true));
        let mut rest = Vec::new();
        ahead.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"3456789");
        assert_eq!(ahead.look(1), (&b""[..], true));
    }

    #[test]
    fn a_failure_is_returned_when_reading_gets_there() {
        let mut ahead = Ahead::new(BufReader::new(Failing(b"0123456789".to_vec())));
        assert_eq!(ahead.look(100), (&b"0123456789"[..], false));
        assert_eq!(ahead.look(4), (&b"0123"[..], false));
        let mut ten = [0; 10];
        ahead.read_exact(&mut ten).unwrap();
        assert_eq!(ahead.fill_buf().unwrap_err().to_string(), "torn");
    }
}

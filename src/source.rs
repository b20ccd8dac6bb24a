//! Sources of text that are too large for memory: files, and pieces as they come.

use crate::guard::{Failure, Report, caught, guard};
use crate::tokenizer::special;
use napi::bindgen_prelude::{AsyncTask, External, Uint32ArraySlice};
use napi::{Env, Task};
use napi_derive::napi;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokenbed_core::Error;
use tokenbed_io::text::{InvalidUtf8, TextFile};
use tokenbed_text::{TextError, TextStream, Tokenizer};

/// A text that comes in pieces, as JavaScript holds it.
pub struct TextPieces {
    tokenizer: Tokenizer,
    stream: RefCell<TextStream>,
}

/// The beginning of a text that comes in pieces.
#[napi(catch_unwind)]
pub fn text_pieces_new(
    tokenizer: &External<Tokenizer>,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
) -> Option<External<TextPieces>> {
    guard(|| {
        let stream = RefCell::new(TextStream::new(special(allowed, disallowed)));
        Ok(External::new(TextPieces { tokenizer: Tokenizer::clone(tokenizer), stream }))
    })
}

/// The ids that are certain with this piece; without one, those of the rest of the text.
#[napi(catch_unwind)]
pub fn text_pieces_next(
    env: Env,
    pieces: &External<TextPieces>,
    piece: Option<String>,
) -> Option<Uint32ArraySlice<'static>> {
    guard(|| {
        let mut ids = Vec::new();
        let mut stream = pieces.stream.borrow_mut();
        match piece {
            Some(piece) => stream.push(&pieces.tokenizer, &piece, &mut ids)?,
            None => stream.finish(&pieces.tokenizer, &mut ids)?,
        }
        Ok(Uint32ArraySlice::copy_from(&env, ids)?)
    })
}

/// Files of text, each a text of its own, read one after the other on other threads.
pub struct TextFiles {
    reading: Mutex<Reading>,
    /// Said from outside while the work goes on: nothing more is read.
    closed: AtomicBool,
}

struct Reading {
    tokenizer: Tokenizer,
    stream: TextStream,
    invalid: InvalidUtf8,
    paths: std::vec::IntoIter<PathBuf>,
    file: Option<TextFile>,
    /// What comes once the ids before it were handed out.
    failure: Option<Failure>,
    part: String,
}

/// Bytes of text after which ids are handed out, whether or not a file ends there.
const ENOUGH: usize = 1 << 20;

impl Reading {
    /// The next ids: of a megabyte of text or of what there is; none after the last.
    fn next(&mut self, closed: &AtomicBool) -> Result<Option<Vec<u32>>, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let (mut ids, mut read) = (Vec::new(), 0);
        // A single piece may be longer: without ids there would be nothing to hand out.
        while (read < ENOUGH || ids.is_empty()) && !closed.load(Ordering::Relaxed) {
            match self.step(&mut ids) {
                Ok(Some(bytes)) => read += bytes,
                Ok(None) => break,
                Err(failure) => {
                    self.close();
                    if ids.is_empty() {
                        return Err(failure);
                    }
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        Ok(if ids.is_empty() { None } else { Some(ids) })
    }

    /// Reads on, or opens the next file: how many bytes of text that were; none at the end of all.
    fn step(&mut self, ids: &mut Vec<u32>) -> Result<Option<usize>, Failure> {
        let Some(file) = &mut self.file else {
            let Some(path) = self.paths.next() else { return Ok(None) };
            self.file = Some(TextFile::open(&path, self.invalid)?);
            return Ok(Some(0));
        };
        self.part.clear();
        let more = file.read(&mut self.part)?;
        let in_file = |error: TextError| Error::Usage(format!("{}: {error}", file.path().display()));
        self.stream.push(&self.tokenizer, &self.part, ids).map_err(in_file)?;
        if !more {
            self.stream.finish(&self.tokenizer, ids).map_err(in_file)?;
            self.file = None;
        }
        Ok(Some(self.part.len()))
    }

    /// Closes the file and leaves out what would come.
    fn close(&mut self) {
        self.file = None;
        self.paths = Vec::new().into_iter();
        self.part = String::new();
    }
}

/// Files to be read one after the other; none is opened yet.
#[napi(catch_unwind)]
pub fn text_files_new(
    tokenizer: &External<Tokenizer>,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
    paths: Vec<String>,
    replace_invalid: bool,
) -> Option<External<Arc<TextFiles>>> {
    guard(|| {
        let reading = Reading {
            tokenizer: Tokenizer::clone(tokenizer),
            stream: TextStream::new(special(allowed, disallowed)),
            invalid: if replace_invalid { InvalidUtf8::Replace } else { InvalidUtf8::Refuse },
            paths: paths.into_iter().map(PathBuf::from).collect::<Vec<_>>().into_iter(),
            file: None,
            failure: None,
            part: String::new(),
        };
        Ok(External::new(Arc::new(TextFiles { reading: Mutex::new(reading), closed: AtomicBool::new(false) })))
    })
}

/// What was read: ids, none of them at the end of all files, or why there are none.
#[napi(object, object_from_js = false)]
pub struct IdsRead {
    pub ids: Option<Uint32ArraySlice<'static>>,
    pub failure: Option<Report>,
}

/// Reading on, on another thread.
pub struct ReadIds(Arc<TextFiles>);

#[napi]
impl Task for ReadIds {
    type Output = Result<Option<Vec<u32>>, Failure>;
    type JsValue = IdsRead;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            // After a panic nothing more is read: what it left is never looked at.
            let mut reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
            let ids = reading.next(&self.0.closed);
            if self.0.closed.load(Ordering::Relaxed) {
                reading.close();
            }
            ids
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        let copied =
            output.and_then(|ids| caught(|| Ok(ids.map(|ids| Uint32ArraySlice::copy_from(&env, ids)).transpose()?)));
        Ok(match copied {
            Ok(ids) => IdsRead { ids, failure: None },
            Err(failure) => IdsRead { ids: None, failure: Some(failure.into()) },
        })
    }
}

/// The ids of about the next megabyte of text, read and encoded on another thread. One call at a time.
#[napi(catch_unwind)]
pub fn text_files_next(files: &External<Arc<TextFiles>>) -> Option<AsyncTask<ReadIds>> {
    guard(|| Ok(AsyncTask::new(ReadIds(Arc::clone(files)))))
}

/// Closes the file that is open; where work goes on, as soon as it notices.
#[napi(catch_unwind)]
pub fn text_files_close(files: &External<Arc<TextFiles>>) -> bool {
    crate::guard::status(|| {
        files.closed.store(true, Ordering::Relaxed);
        if let Ok(mut reading) = files.reading.try_lock() {
            reading.close();
        }
        Ok(())
    })
}

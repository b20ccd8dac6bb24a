//! Sources of text that may be too large for memory: files, and pieces as they arrive.

use crate::node::borrow::size;
use crate::node::borrowed_text::{JsText, copied};
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard};
use crate::node::process::computing_threads;
use crate::text::tokenizer::special;
use napi::bindgen_prelude::{AsyncTask, Uint32ArraySlice};
use napi::{Env, Task};
use napi_derive::napi;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokenbed_core::Error;
use tokenbed_io::text::{InvalidUtf8, MAX_RATIO, TextFile};
use tokenbed_memory::Gather;
use tokenbed_text::{TextError, TextStream, Tokenizer};

/// A text that arrives in pieces, as JavaScript holds it.
pub struct TextPieces {
    tokenizer: Tokenizer,
    stream: RefCell<TextStream>,
}

/// Begins a text that arrives in pieces.
#[napi(catch_unwind)]
pub fn text_pieces_new(
    tokenizer: &External<Tokenizer>,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
    max_held_bytes: Option<f64>,
) -> Option<External<TextPieces>> {
    guard(|| {
        let mut stream = TextStream::new(special(allowed, disallowed));
        stream.hold_at_most(max_held_bytes.map(size).transpose()?.unwrap_or(usize::MAX));
        stream.divide_among(computing_threads()?);
        let stream = RefCell::new(stream);
        Ok(External::new(TextPieces { tokenizer: Tokenizer::clone(tokenizer), stream }))
    })
}

/// The ids that this piece makes certain or, without a piece, the ids of the rest of the text.
#[napi(catch_unwind)]
pub fn text_pieces_next(
    env: Env,
    pieces: &External<TextPieces>,
    #[napi(ts_arg_type = "string | undefined | null")] piece: Option<JsText>,
) -> Option<Uint32ArraySlice<'static>> {
    guard(|| {
        let mut ids = Vec::new();
        let mut stream = pieces.stream.borrow_mut();
        match piece {
            Some(piece) => stream.push(&pieces.tokenizer, &piece.read()?, &mut ids)?,
            None => stream.finish(&pieces.tokenizer, &mut ids)?,
        }
        copied(&ids, |ids| Uint32ArraySlice::copy_from(&env, ids))
    })
}

/// Text files, each a text of its own, which are read in order on other threads.
pub struct TextFiles {
    reading: Mutex<Reading>,
    /// Set by the caller while work is running: nothing more is read then.
    closed: AtomicBool,
}

struct Reading {
    tokenizer: Tokenizer,
    stream: TextStream,
    invalid: InvalidUtf8,
    limits: TextLimits,
    paths: std::vec::IntoIter<PathBuf>,
    file: Option<TextFile>,
    /// A failure, to be reported after the ids before it were returned.
    failure: Option<Failure>,
    part: String,
}

/// The outcome of reading further.
pub enum Next {
    Ids(Vec<u32>),
    /// A pipe has delivered nothing yet. The thread is returned to the pool, because others need it and the process may
    /// have to end.
    Waiting,
    /// All files have ended.
    End,
}

/// Limits for reading a text file, as given by TypeScript.
#[napi(object, object_to_js = false)]
pub struct TextLimits {
    pub max_ratio: Option<f64>,
    pub max_held_bytes: Option<f64>,
}

impl TextLimits {
    /// The maximal number of bytes that each byte of a compressed file may expand to.
    pub(crate) fn ratio(&self) -> Result<u64, Failure> {
        ratio(self.max_ratio)
    }

    /// The maximal number of bytes to hold back. For a compressed file the limit grows with the bytes that were read of
    /// it, because a few bytes may expand to any number.
    pub(crate) fn held(&self, file: &TextFile) -> Result<usize, Failure> {
        if let Some(bytes) = self.max_held_bytes {
            return size(bytes);
        }
        let most = file.packed().map(|packed| packed.saturating_mul(HELD_OF_PACKED).saturating_add(HELD));
        Ok(most.map_or(usize::MAX, |most| most.try_into().unwrap_or(usize::MAX)))
    }
}

/// The maximal number of bytes that each byte of a compressed file may expand to.
pub(crate) fn ratio(max_ratio: Option<f64>) -> Result<u64, Failure> {
    Ok(max_ratio.map(size).transpose()?.map_or(MAX_RATIO, |ratio| ratio as u64))
}

/// The bytes of text that may be held back for any compressed file, and additionally for each byte that was read of it.
const HELD: u64 = 4 << 20;
const HELD_OF_PACKED: u64 = 16;

/// Ids are returned after this many bytes of text, whether or not a file ends there.
const ENOUGH: usize = 1 << 20;

impl Reading {
    /// The next ids, from about a megabyte of text or from as much as there is.
    fn next(&mut self, closed: &AtomicBool) -> Result<Next, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let (mut ids, mut read) = (Vec::new(), 0);
        // A single piece may be longer, because without ids there would be nothing to return.
        while (read < ENOUGH || ids.is_empty()) && !closed.load(Ordering::Relaxed) {
            match caught(|| self.step(&mut ids)) {
                Ok(Some(bytes)) => {
                    read += bytes;
                    if self.file.as_ref().is_some_and(TextFile::is_waiting) {
                        return Ok(if ids.is_empty() { Next::Waiting } else { Next::Ids(ids) });
                    }
                }
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
        Ok(if ids.is_empty() { Next::End } else { Next::Ids(ids) })
    }

    /// Reads on, or opens the next file. Returns the number of bytes of text read, or None at the end of all files.
    fn step(&mut self, ids: &mut Vec<u32>) -> Result<Option<usize>, Failure> {
        let Some(file) = &mut self.file else {
            let Some(path) = self.paths.next() else { return Ok(None) };
            self.file = Some(TextFile::open(&path, self.invalid, self.limits.ratio()?)?);
            return Ok(Some(0));
        };
        self.part.clear();
        let more = file.read(&mut self.part)?;
        self.stream.hold_at_most(self.limits.held(file)?);
        let in_file = |error| in_file(file.path(), error);
        self.stream.push(&self.tokenizer, &self.part, ids).map_err(in_file)?;
        if !more {
            self.stream.finish(&self.tokenizer, ids).map_err(in_file)?;
            self.file = None;
        }
        Ok(Some(self.part.len()))
    }

    /// Closes the file and discards everything after it.
    fn close(&mut self) {
        self.file = None;
        self.paths = Vec::new().into_iter();
        self.part = String::new();
    }
}

/// The failure for an error in the text of a file.
pub(crate) fn in_file(path: &Path, error: TextError) -> Failure {
    match error {
        TextError::HeldBack { start, .. } => {
            let message = error.to_string();
            Error::Format { path: path.to_path_buf(), offset: start as u64, message }.into()
        }
        TextError::TokenizerFile { .. } => error.into(),
        TextError::DisallowedSpecial { ref token, .. } => {
            let token = token.clone();
            Failure::from(Error::Usage(format!("{}: {error}", path.display()))).of_special_token(token)
        }
        _ => Error::Usage(format!("{}: {error}", path.display())).into(),
    }
}

/// How to treat bytes that are not valid UTF-8.
pub(crate) fn invalid(replace: bool) -> InvalidUtf8 {
    if replace { InvalidUtf8::Replace } else { InvalidUtf8::Refuse }
}

/// Encodes regular files on this thread, each as a whole text of its own, and returns their ids end to end.
#[napi(catch_unwind)]
pub fn text_files_encode(
    env: Env,
    tokenizer: &External<Tokenizer>,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
    paths: Vec<String>,
    replace_invalid: bool,
    max_ratio: Option<f64>,
) -> Option<Uint32ArraySlice<'static>> {
    guard(|| {
        let (policy, ratio, threads) = (special(allowed, disallowed), ratio(max_ratio)?, computing_threads()?);
        let mut ids = Vec::new();
        for path in paths {
            let mut file = TextFile::open_regular(Path::new(&path), invalid(replace_invalid), ratio)?;
            let mut text = String::new();
            while file.read(&mut text)? {}
            tokenizer.encode_long(&text, &policy, threads, &mut ids).map_err(|error| in_file(file.path(), error))?;
        }
        copied(&ids, |ids| Uint32ArraySlice::copy_from(&env, ids))
    })
}

/// Prepares files to be read in order; none is opened yet.
#[napi(catch_unwind)]
pub fn text_files_new(
    tokenizer: &External<Tokenizer>,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
    paths: Vec<String>,
    replace_invalid: bool,
    limits: TextLimits,
) -> Option<External<Arc<TextFiles>>> {
    guard(|| {
        let mut stream = TextStream::new(special(allowed, disallowed));
        stream.divide_among(computing_threads()?);
        let reading = Reading {
            tokenizer: Tokenizer::clone(tokenizer),
            stream,
            invalid: invalid(replace_invalid),
            limits,
            paths: paths.into_iter().map(PathBuf::from).into_list().into_iter(),
            file: None,
            failure: None,
            part: String::new(),
        };
        Ok(External::new(Arc::new(TextFiles { reading: Mutex::new(reading), closed: AtomicBool::new(false) })))
    })
}

/// The outcome of reading: ids, which are absent at the end of all files, or the failure.
#[napi(object, object_from_js = false)]
pub struct IdsRead {
    pub ids: Option<Uint32ArraySlice<'static>>,
    /// Whether a pipe has delivered nothing yet.
    pub waiting: bool,
    pub failure: Option<Report>,
}

/// The task that continues reading, on another thread.
pub struct ReadIds(Arc<TextFiles>);

#[napi]
impl Task for ReadIds {
    type Output = Result<Next, Failure>;
    type JsValue = IdsRead;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            // After a panic nothing more is read, so its leftovers are never used.
            let mut reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
            let ids = reading.next(&self.0.closed);
            if self.0.closed.load(Ordering::Relaxed) {
                reading.close();
            }
            ids
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        let copied = output.and_then(|next| {
            caught(|| {
                let waiting = matches!(next, Next::Waiting);
                let ids = match next {
                    Next::Ids(ids) => Some(copied(&ids, |ids| Uint32ArraySlice::copy_from(&env, ids))?),
                    _ => None,
                };
                Ok(IdsRead { ids, waiting, failure: None })
            })
        });
        Ok(copied.unwrap_or_else(|failure| IdsRead { ids: None, waiting: false, failure: Some(failure.into()) }))
    }
}

/// Reads and encodes about the next megabyte of text on another thread, and returns its ids. Only one call may run at a
/// time.
#[napi(catch_unwind)]
pub fn text_files_next(files: &External<Arc<TextFiles>>) -> Option<AsyncTask<ReadIds>> {
    guard(|| Ok(AsyncTask::new(ReadIds(Arc::clone(files)))))
}

/// Closes the open file; if work is running, as soon as it notices.
#[napi(catch_unwind)]
pub fn text_files_close(files: &External<Arc<TextFiles>>) -> bool {
    crate::node::guard::status(|| {
        files.closed.store(true, Ordering::Relaxed);
        if let Ok(mut reading) = files.reading.try_lock() {
            reading.close();
        }
        Ok(())
    })
}

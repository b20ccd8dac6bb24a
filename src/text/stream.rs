//! Sources of text that are too large for memory: files, and pieces as they come.

use crate::node::borrow::size;
use crate::node::borrowed_text::{JsText, copied};
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard};
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
    max_held_bytes: Option<f64>,
) -> Option<External<TextPieces>> {
    guard(|| {
        let mut stream = TextStream::new(special(allowed, disallowed));
        stream.hold_at_most(max_held_bytes.map(size).transpose()?.unwrap_or(usize::MAX));
        let stream = RefCell::new(stream);
        Ok(External::new(TextPieces { tokenizer: Tokenizer::clone(tokenizer), stream }))
    })
}

/// The ids that are certain with this piece; without one, those of the rest of the text.
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
    limits: TextLimits,
    paths: std::vec::IntoIter<PathBuf>,
    file: Option<TextFile>,
    /// What comes once the ids before it were handed out.
    failure: Option<Failure>,
    part: String,
}

/// What comes of reading on.
pub enum Next {
    Ids(Vec<u32>),
    /// A pipe of which nothing has come yet: the thread is given back, as others need it and the process may have to
    /// end.
    Waiting,
    /// After the last.
    End,
}

/// What a file of text may ask for, as TypeScript writes it.
#[napi(object, object_to_js = false)]
pub struct TextLimits {
    pub max_ratio: Option<f64>,
    pub max_held_bytes: Option<f64>,
}

impl TextLimits {
    /// Bytes that each byte of a compressed file may become.
    pub(crate) fn ratio(&self) -> Result<u64, Failure> {
        ratio(self.max_ratio)
    }

    /// Bytes that may be held back: of a compressed file as many as go with those that were read of it, as a few may
    /// become any number.
    pub(crate) fn held(&self, file: &TextFile) -> Result<usize, Failure> {
        if let Some(bytes) = self.max_held_bytes {
            return size(bytes);
        }
        let most = file.packed().map(|packed| packed.saturating_mul(HELD_OF_PACKED).saturating_add(HELD));
        Ok(most.map_or(usize::MAX, |most| most.try_into().unwrap_or(usize::MAX)))
    }
}

/// Bytes that each byte of a compressed file may become.
pub(crate) fn ratio(max_ratio: Option<f64>) -> Result<u64, Failure> {
    Ok(max_ratio.map(size).transpose()?.map_or(MAX_RATIO, |ratio| ratio as u64))
}

/// Bytes of text that are held back of any compressed file, and for each byte that was read of it.
const HELD: u64 = 4 << 20;
const HELD_OF_PACKED: u64 = 16;

/// Bytes of text after which ids are handed out, whether or not a file ends there.
const ENOUGH: usize = 1 << 20;

impl Reading {
    /// The next ids: of a megabyte of text or of what there is.
    fn next(&mut self, closed: &AtomicBool) -> Result<Next, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let (mut ids, mut read) = (Vec::new(), 0);
        // A single piece may be longer: without ids there would be nothing to hand out.
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

    /// Reads on, or opens the next file: how many bytes of text that were; none at the end of all.
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

    /// Closes the file and leaves out what would come.
    fn close(&mut self) {
        self.file = None;
        self.paths = Vec::new().into_iter();
        self.part = String::new();
    }
}

/// What is wrong with the text of a file.
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

/// What happens to bytes that are not UTF-8.
pub(crate) fn invalid(replace: bool) -> InvalidUtf8 {
    if replace { InvalidUtf8::Replace } else { InvalidUtf8::Refuse }
}

/// The ids of regular files, each a text of its own that is encoded whole, end to end; read on this thread.
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
        let (policy, ratio) = (special(allowed, disallowed), ratio(max_ratio)?);
        let mut ids = Vec::new();
        for path in paths {
            let mut file = TextFile::open_regular(Path::new(&path), invalid(replace_invalid), ratio)?;
            let mut text = String::new();
            while file.read(&mut text)? {}
            tokenizer.encode(&text, &policy, &mut ids).map_err(|error| in_file(file.path(), error))?;
        }
        copied(&ids, |ids| Uint32ArraySlice::copy_from(&env, ids))
    })
}

/// Files to be read one after the other; none is opened yet.
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
        let reading = Reading {
            tokenizer: Tokenizer::clone(tokenizer),
            stream: TextStream::new(special(allowed, disallowed)),
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

/// What was read: ids, none of them at the end of all files, or why there are none.
#[napi(object, object_from_js = false)]
pub struct IdsRead {
    pub ids: Option<Uint32ArraySlice<'static>>,
    /// Whether there are none yet: of a pipe.
    pub waiting: bool,
    pub failure: Option<Report>,
}

/// Reading on, on another thread.
pub struct ReadIds(Arc<TextFiles>);

#[napi]
impl Task for ReadIds {
    type Output = Result<Next, Failure>;
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

/// The ids of about the next megabyte of text, read and encoded on another thread. One call at a time.
#[napi(catch_unwind)]
pub fn text_files_next(files: &External<Arc<TextFiles>>) -> Option<AsyncTask<ReadIds>> {
    guard(|| Ok(AsyncTask::new(ReadIds(Arc::clone(files)))))
}

/// Closes the file that is open; where work goes on, as soon as it notices.
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

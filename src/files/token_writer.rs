//! Writes folders of token ids: texts are read, encoded and written without their ids crossing to JavaScript.

use crate::files::tokens::width;
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_text::JsText;
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard, status};
use crate::node::process::computing_threads;
use crate::text::stream::{TextLimits, in_file, invalid};
use crate::text::tokenizer::special;
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Task};
use napi_derive::napi;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenbed_io::text::{InvalidUtf8, TextFile};
use tokenbed_io::tokens::{TokensWriter, Written};
use tokenbed_text::{Division, Documents, Tokenizer};

/// A folder being written, as JavaScript holds it. If it is garbage-collected before it is finished, no files remain.
pub struct TokensFile(Arc<Mutex<Writing>>);

struct Writing {
    writer: TokensWriter,
    tokenizer: Tokenizer,
    documents: Documents,
    /// The id that ends each document.
    separator: Option<u32>,
    /// Ids that are not yet written, and the ends of the documents among them.
    ids: Vec<u32>,
    ends: Vec<usize>,
}

fn lock(writing: &Mutex<Writing>) -> MutexGuard<'_, Writing> {
    // A panic was already reported; the folder is then given up.
    writing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writing {
    fn text(&mut self, part: &str) -> Result<(), tokenbed_text::TextError> {
        self.documents.push(&self.tokenizer, part, &mut self.ids, &mut self.ends)
    }

    fn end_text(&mut self) -> Result<(), tokenbed_text::TextError> {
        self.documents.finish(&self.tokenizer, &mut self.ids, &mut self.ends)
    }

    /// Writes the buffered ids.
    fn write(&mut self) -> Result<(), Failure> {
        let mut from = 0;
        for &end in &self.ends {
            self.writer.append(&self.ids[from..end])?;
            if let Some(separator) = self.separator {
                self.writer.append(&[separator])?;
            }
            self.writer.end_document()?;
            from = end;
        }
        self.writer.append(&self.ids[from..])?;
        self.ids.clear();
        self.ends.clear();
        Ok(())
    }
}

/// How texts become documents, as given by TypeScript.
#[napi(object, object_to_js = false)]
pub struct TokensPlan {
    /// Bytes per id.
    pub width: u32,
    /// Whether each line is a document.
    pub lines: bool,
    /// The id that ends each document.
    pub separator: Option<u32>,
    pub allowed: Option<Vec<String>>,
    pub disallowed: Option<Vec<String>>,
    pub max_held_bytes: Option<f64>,
}

/// Creates both data files in an existing folder.
#[napi(catch_unwind)]
pub fn tokens_create(
    folder: String,
    tokenizer: &External<Tokenizer>,
    plan: TokensPlan,
) -> Option<External<TokensFile>> {
    guard(|| {
        let tokenizer = Tokenizer::clone(tokenizer);
        let vocabulary = tokenizer.vocab_size() as u32;
        let writer = TokensWriter::create(Path::new(&folder), width(plan.width)?, vocabulary)?;
        let division = if plan.lines { Division::Lines } else { Division::Texts };
        let mut documents = Documents::new(special(plan.allowed, plan.disallowed), division);
        documents.divide_among(computing_threads()?);
        if let Some(bytes) = plan.max_held_bytes {
            documents.hold_at_most(size(bytes)?);
        }
        let separator = plan.separator;
        let writing = Writing { writer, tokenizer, documents, separator, ids: Vec::new(), ends: Vec::new() };
        Ok(External::new(TokensFile(Arc::new(Mutex::new(writing)))))
    })
}

/// Adds the next part of a text.
#[napi(catch_unwind)]
pub fn tokens_text(file: &External<TokensFile>, #[napi(ts_arg_type = "string")] part: JsText) -> bool {
    status(|| {
        let mut writing = lock(&file.0);
        writing.text(&part.read()?)?;
        writing.write()
    })
}

/// Adds the next ids (uint32, or int32 without negative values) of a document.
#[napi(catch_unwind)]
pub fn tokens_ids(file: &External<TokensFile>, ids: Operand) -> bool {
    status(|| Ok(lock(&file.0).writer.append(ids.stable()?)?))
}

/// Ends the current text.
#[napi(catch_unwind)]
pub fn tokens_end(file: &External<TokensFile>) -> bool {
    status(|| {
        let mut writing = lock(&file.0);
        writing.end_text()?;
        writing.write()
    })
}

/// The number of ids and the number of documents written so far.
#[napi(catch_unwind)]
pub fn tokens_written(file: &External<TokensFile>) -> Option<Vec<f64>> {
    guard(|| {
        let writing = lock(&file.0);
        Ok(Vec::from([writing.writer.count() as f64, writing.writer.documents() as f64]))
    })
}

/// Gives the folder up and removes its files.
#[napi(catch_unwind)]
pub fn tokens_abort(file: &External<TokensFile>) -> bool {
    status(|| {
        lock(&file.0).writer.abort();
        Ok(())
    })
}

/// A text that is read from a file on other threads.
pub struct TokensText {
    writing: Arc<Mutex<Writing>>,
    path: PathBuf,
    invalid: InvalidUtf8,
    limits: TextLimits,
    text: Mutex<Option<TextFile>>,
}

/// The number of one-megabyte parts read before the thread is returned to the pool, so that the process or the work can
/// end in between.
const PARTS: usize = 4;

impl TokensText {
    /// Reads for a while. Returns the number of bytes read, and whether the file has ended.
    fn read(&self) -> Result<(usize, bool), Failure> {
        let mut opened = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match &mut *opened {
            Some(text) => text,
            none => none.insert(TextFile::open(&self.path, self.invalid, self.limits.ratio()?)?),
        };
        let (mut part, mut bytes) = (String::new(), 0);
        for _ in 0..PARTS {
            part.clear();
            let more = text.read(&mut part)?;
            bytes += part.len();
            let mut writing = lock(&self.writing);
            writing.documents.hold_at_most(self.limits.held(text)?);
            let pushed = writing.text(&part).and_then(|()| if more { Ok(()) } else { writing.end_text() });
            pushed.map_err(|error| in_file(&self.path, error))?;
            writing.write()?;
            if !more {
                *opened = None;
                return Ok((bytes, true));
            }
            if text.is_waiting() {
                break;
            }
        }
        Ok((bytes, false))
    }

    /// Closes a file from which nothing more can be read, so that its descriptor does not wait for the garbage
    /// collector.
    fn close(&self) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A file whose text is to be written. It is opened when it is first read.
#[napi(catch_unwind)]
pub fn tokens_file(
    file: &External<TokensFile>,
    path: String,
    replace_invalid: bool,
    limits: TextLimits,
) -> Option<External<Arc<TokensText>>> {
    guard(|| {
        let (writing, path, text) = (Arc::clone(&file.0), PathBuf::from(path), Mutex::new(None));
        let invalid = invalid(replace_invalid);
        Ok(External::new(Arc::new(TokensText { writing, path, invalid, limits, text })))
    })
}

/// The outcome of reading a file for a while.
#[napi(object, object_from_js = false)]
pub struct TokensRead {
    pub done: bool,
    /// Bytes of text that were read.
    pub bytes: f64,
    pub failure: Option<Report>,
}

/// The task that continues reading, on another thread.
pub struct ReadTokens(Arc<TokensText>);

#[napi]
impl Task for ReadTokens {
    type Output = Result<(usize, bool), Failure>;
    type JsValue = TokensRead;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| self.0.read()).inspect_err(|_| self.0.close()))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(match output {
            Ok((bytes, done)) => TokensRead { done, bytes: bytes as f64, failure: None },
            Err(failure) => TokensRead { done: true, bytes: 0.0, failure: Some(failure.into()) },
        })
    }
}

/// Reads for a while. Only one call may run at a time, until the file is done.
#[napi(catch_unwind)]
pub fn tokens_file_read(text: &External<Arc<TokensText>>) -> Option<AsyncTask<ReadTokens>> {
    guard(|| Ok(AsyncTask::new(ReadTokens(Arc::clone(text)))))
}

/// The data files of a folder.
#[napi(object, object_from_js = false)]
pub struct WrittenTokens {
    /// The names of the ids file and of the documents file, and their digests in the same order.
    pub names: Vec<String>,
    pub digests: Vec<String>,
    pub failure: Option<Report>,
}

/// The task that completes a folder on another thread, because flushing to disk may take long.
pub struct FinishTokens(Arc<Mutex<Writing>>);

#[napi]
impl Task for FinishTokens {
    type Output = Result<Written, Failure>;
    type JsValue = WrittenTokens;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| Ok(lock(&self.0).writer.finish()?)))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(match output {
            Ok(Written { ids, documents }) => WrittenTokens {
                names: Vec::from([ids.name, documents.name]),
                digests: Vec::from([ids.digest, documents.digest]),
                failure: None,
            },
            Err(failure) => WrittenTokens { names: Vec::new(), digests: Vec::new(), failure: Some(failure.into()) },
        })
    }
}

/// Completes the data files and renames them to their final names.
#[napi(catch_unwind)]
pub fn tokens_finish(file: &External<TokensFile>) -> Option<AsyncTask<FinishTokens>> {
    guard(|| Ok(AsyncTask::new(FinishTokens(Arc::clone(&file.0)))))
}

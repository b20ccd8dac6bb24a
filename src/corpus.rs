//! Corpora: what tables learn from, gathered before a trainer is made of it.

use crate::borrow::Operand;
use crate::borrowed_text::JsText;
use crate::external::External;
use crate::guard::{Failure, Report, caught, guard, status};
use crate::source::ratio;
use crate::tokenizer::special;
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Task};
use napi_derive::napi;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenbed_core::Error;
use tokenbed_io::text::{InvalidUtf8, TextFile};
use tokenbed_memory::{List, Text, owned};
use tokenbed_text::Tokenizer;
use tokenbed_train::words::{Examples, LABEL, WordCounter};

/// What was gathered so far.
pub(crate) enum Gathered {
    /// Words between spaces.
    Words(WordCounter),
    /// Ids, and where texts end.
    Ids(Vec<u32>, Vec<usize>),
    /// Lines with classes, whose ids a tokenizer gives at the end.
    Lines(Tokenizer, String),
}

/// As JavaScript holds it.
pub struct Builder(Arc<Mutex<Gathered>>);

impl Builder {
    pub(crate) fn share(&self) -> Arc<Mutex<Gathered>> {
        Arc::clone(&self.0)
    }
}

pub(crate) fn lock(gathered: &Mutex<Gathered>) -> MutexGuard<'_, Gathered> {
    // What a panic left is at worst a text in part; the panic itself was told.
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new(gathered: Gathered) -> External<Builder> {
    External::new(Builder(Arc::new(Mutex::new(gathered))))
}

/// A corpus of words.
#[napi(catch_unwind)]
pub fn corpus_of_words() -> Option<External<Builder>> {
    guard(|| Ok(new(Gathered::Words(WordCounter::default()))))
}

/// A corpus of ids.
#[napi(catch_unwind)]
pub fn corpus_of_ids() -> Option<External<Builder>> {
    guard(|| Ok(new(Gathered::Ids(Vec::new(), Vec::new()))))
}

/// A corpus of lines that a tokenizer gives ids to.
#[napi(catch_unwind)]
pub fn corpus_of_lines(tokenizer: &External<Tokenizer>) -> Option<External<Builder>> {
    guard(|| Ok(new(Gathered::Lines(Tokenizer::clone(tokenizer), String::new()))))
}

impl Gathered {
    fn text(&mut self, part: &str) {
        match self {
            Gathered::Words(counter) => counter.push(part),
            Gathered::Lines(_, lines) => lines.put_str(part),
            // Texts come here as ids.
            Gathered::Ids(..) => {}
        }
    }

    fn end(&mut self) {
        match self {
            Gathered::Words(counter) => counter.end(),
            Gathered::Lines(_, lines) => lines.put_char('\n'),
            Gathered::Ids(ids, ends) => ends.put(ids.len()),
        }
    }
}

/// The next part of a text.
#[napi(catch_unwind)]
pub fn corpus_text(builder: &External<Builder>, #[napi(ts_arg_type = "string")] part: JsText) -> bool {
    status(|| {
        lock(&builder.0).text(&part.read()?);
        Ok(())
    })
}

/// The next ids (uint32, or int32 of which none is negative) of a text.
#[napi(catch_unwind)]
pub fn corpus_ids(builder: &External<Builder>, part: Operand) -> bool {
    status(|| {
        if let Gathered::Ids(ids, _) = &mut *lock(&builder.0) {
            ids.put_slice(part.shared()?);
        }
        Ok(())
    })
}

/// A text ends.
#[napi(catch_unwind)]
pub fn corpus_end(builder: &External<Builder>) -> bool {
    status(|| {
        lock(&builder.0).end();
        Ok(())
    })
}

/// A file to be read as a text, on other threads.
pub struct CorpusFile {
    gathered: Arc<Mutex<Gathered>>,
    path: PathBuf,
    invalid: InvalidUtf8,
    ratio: u64,
    file: Mutex<Option<TextFile>>,
}

/// Parts of a megabyte that are read before the thread is given back: the process may have to end, or the work.
const PARTS: usize = 16;

impl CorpusFile {
    /// Reads on for a while; whether that was all.
    fn read(&self) -> Result<bool, Failure> {
        let mut opened = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *opened {
            Some(file) => file,
            none => none.insert(TextFile::open(&self.path, self.invalid, self.ratio)?),
        };
        let mut part = String::new();
        for _ in 0..PARTS {
            part.clear();
            let more = file.read(&mut part)?;
            let mut gathered = lock(&self.gathered);
            gathered.text(&part);
            if !more {
                gathered.end();
                *opened = None;
                return Ok(true);
            }
            if file.is_waiting() {
                break;
            }
        }
        Ok(false)
    }

    /// Gives the file up, of which nothing more can be read: its descriptor does not wait for the garbage collector.
    fn close(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What came of reading a file for a while.
#[napi(object, object_from_js = false)]
pub struct CorpusRead {
    pub done: bool,
    pub failure: Option<Report>,
}

/// Reading on, on another thread.
pub struct ReadOn(Arc<CorpusFile>);

#[napi]
impl Task for ReadOn {
    type Output = Result<bool, Failure>;
    type JsValue = CorpusRead;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| self.0.read()).inspect_err(|_| self.0.close()))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(match output {
            Ok(done) => CorpusRead { done, failure: None },
            Err(failure) => CorpusRead { done: true, failure: Some(failure.into()) },
        })
    }
}

/// A file whose text belongs to a corpus; it is opened when it is first read.
#[napi(catch_unwind)]
pub fn corpus_file(
    builder: &External<Builder>,
    path: String,
    replace_invalid: bool,
    max_ratio: Option<f64>,
) -> Option<External<Arc<CorpusFile>>> {
    guard(|| {
        let invalid = if replace_invalid { InvalidUtf8::Replace } else { InvalidUtf8::Refuse };
        let (gathered, path, ratio, file) = (builder.share(), path.into(), ratio(max_ratio)?, Mutex::new(None));
        Ok(External::new(Arc::new(CorpusFile { gathered, path, invalid, ratio, file })))
    })
}

/// Reads on for a while. One call at a time, until it is done.
#[napi(catch_unwind)]
pub fn corpus_file_read(file: &External<Arc<CorpusFile>>) -> Option<AsyncTask<ReadOn>> {
    guard(|| Ok(AsyncTask::new(ReadOn(Arc::clone(file)))))
}

/// Lines as examples: words in front that begin with `__label__` are classes, the rest is text. The names of the classes,
/// in the order in which they first come.
pub(crate) fn examples_of_lines(tokenizer: &Tokenizer, lines: &str) -> Result<(Examples, Vec<String>), Failure> {
    let mut names: Vec<String> = Vec::new();
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut examples = Examples::default();
    let policy = special(Some(Vec::new()), Some(Vec::new()));
    let mut ids = Vec::new();
    for line in lines.lines() {
        let mut rest = line.trim_start();
        let mut classes: Vec<u32> = Vec::new();
        while let Some(labelled) = rest.strip_prefix(LABEL) {
            let end = labelled.find(char::is_whitespace).unwrap_or(labelled.len());
            let name = &labelled[..end];
            let class = *numbers.entry(name).or_insert_with(|| {
                names.put(owned(name));
                names.len() as u32 - 1
            });
            classes.put(class);
            rest = labelled[end..].trim_start();
        }
        ids.clear();
        tokenizer.encode(rest, &policy, &mut ids)?;
        examples.push(ids.iter().copied(), classes.into_iter());
    }
    if names.len() < 2 {
        return Err(Error::Usage(format!(
            "a classifier needs two classes, and the corpus names {}: a line begins with its class, as in {LABEL}yes",
            names.len()
        ))
        .into());
    }
    Ok((examples, names))
}

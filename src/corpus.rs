//! Corpora: what tables learn from, gathered before a trainer is made of it.

use crate::borrow::Operand;
use crate::guard::{Failure, Report, caught, guard, status};
use crate::tokenizer::special;
use napi::bindgen_prelude::{AsyncTask, External};
use napi::{Env, Task};
use napi_derive::napi;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenbed_core::Error;
use tokenbed_io::text::{InvalidUtf8, TextFile};
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
            Gathered::Lines(_, lines) => lines.push_str(part),
            // Texts come here as ids.
            Gathered::Ids(..) => {}
        }
    }

    fn end(&mut self) {
        match self {
            Gathered::Words(counter) => counter.end(),
            Gathered::Lines(_, lines) => lines.push('\n'),
            Gathered::Ids(ids, ends) => ends.push(ids.len()),
        }
    }
}

/// The next part of a text.
#[napi(catch_unwind)]
pub fn corpus_text(builder: &External<Builder>, part: String) -> bool {
    status(|| {
        lock(&builder.0).text(&part);
        Ok(())
    })
}

/// The next ids (uint32, or int32 of which none is negative) of a text.
#[napi(catch_unwind)]
pub fn corpus_ids(builder: &External<Builder>, part: Operand) -> bool {
    status(|| {
        if let Gathered::Ids(ids, _) = &mut *lock(&builder.0) {
            ids.extend_from_slice(part.shared()?);
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

/// Files to be read as texts, on another thread.
pub struct ReadFiles {
    gathered: Arc<Mutex<Gathered>>,
    paths: Vec<PathBuf>,
    invalid: InvalidUtf8,
}

impl ReadFiles {
    fn read(&self, path: &Path) -> Result<(), Failure> {
        let mut file = TextFile::open(path, self.invalid)?;
        let mut part = String::new();
        loop {
            part.clear();
            let more = file.read(&mut part)?;
            let mut gathered = lock(&self.gathered);
            gathered.text(&part);
            if !more {
                gathered.end();
                return Ok(());
            }
        }
    }
}

#[napi]
impl Task for ReadFiles {
    type Output = Result<(), Failure>;
    type JsValue = Option<Report>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| self.paths.iter().try_for_each(|path| self.read(path))))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(output.err().map(Report::from))
    }
}

/// Reads files of text, each a text of its own.
#[napi(catch_unwind)]
pub fn corpus_files(
    builder: &External<Builder>,
    paths: Vec<String>,
    replace_invalid: bool,
) -> Option<AsyncTask<ReadFiles>> {
    guard(|| {
        let invalid = if replace_invalid { InvalidUtf8::Replace } else { InvalidUtf8::Refuse };
        let paths = paths.into_iter().map(PathBuf::from).collect();
        Ok(AsyncTask::new(ReadFiles { gathered: builder.share(), paths, invalid }))
    })
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
                names.push(name.into());
                names.len() as u32 - 1
            });
            classes.push(class);
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

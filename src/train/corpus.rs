//! Corpora: the text that tables learn from, gathered before a trainer is made from it.

use crate::files::tokens::TokenFolder;
use crate::node::borrow::Operand;
use crate::node::borrowed_text::{JsText, read_all};
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard, status};
use crate::text::stream::{invalid, ratio};
use crate::text::tokenizer::special;
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Task};
use napi_derive::napi;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenbed_core::Error;
use tokenbed_io::text::{InvalidUtf8, TextFile};
use tokenbed_io::tokens::Tokens;
use tokenbed_memory::{Gather, List, zeroed};
use tokenbed_text::Tokenizer;
use tokenbed_train::examples::{ExampleTexts, ExampleWords, Examples, IN_LINES, Lines, Sink};
use tokenbed_train::words::{WordCounter, WordReading};
use tokenbed_train::{Corpus, HeldOut};

/// What was gathered so far.
pub(crate) enum Gathered {
    /// Words separated by spaces, or given as words.
    Words(Box<WordCounter>),
    /// Ids, and the ends of the texts among them.
    Ids(Vec<u32>, Vec<usize>),
    /// The ids of a folder; they stay in the folder where possible.
    Folder(Tokens),
    /// Texts with their classes, as words separated by spaces.
    Examples(Box<Labelled<ExampleWords>>),
    /// Texts with their classes, which a tokenizer encodes at the end.
    Texts(Tokenizer, Labelled<ExampleTexts>),
}

/// Texts with their classes. The classes are given separately, or each line names its own.
#[derive(Default)]
pub(crate) struct Labelled<S> {
    pub(crate) examples: S,
    lines: Lines,
    /// Whether each line names its class.
    in_lines: bool,
}

impl<S: Sink> Labelled<S> {
    fn push(&mut self, part: &str) {
        self.lines.push(part, &mut self.examples);
    }

    fn end(&mut self) {
        if self.in_lines {
            self.lines.end(&mut self.examples);
        }
    }

    /// A hint on how to give classes, for callers that gave fewer than two.
    pub(crate) fn hint(&self) -> &'static str {
        if self.in_lines { IN_LINES } else { "" }
    }
}

/// A corpus as JavaScript holds it.
pub struct Builder(Arc<Mutex<Gathered>>);

impl Builder {
    pub(crate) fn share(&self) -> Arc<Mutex<Gathered>> {
        Arc::clone(&self.0)
    }
}

pub(crate) fn lock(gathered: &Mutex<Gathered>) -> MutexGuard<'_, Gathered> {
    // A panic leaves at worst an incomplete text, and it was already reported.
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new(gathered: Gathered) -> External<Builder> {
    External::new(Builder(Arc::new(Mutex::new(gathered))))
}

/// Begins a corpus of words, in lower case or as matches of a pattern if that is asked for.
#[napi(catch_unwind)]
pub fn corpus_of_words(lowercase: bool, pattern: Option<String>) -> Option<External<Builder>> {
    guard(|| Ok(new(Gathered::Words(Box::new(WordCounter::new(WordReading::new(lowercase, pattern.as_deref())?))))))
}

/// Begins a corpus of ids.
#[napi(catch_unwind)]
pub fn corpus_of_ids() -> Option<External<Builder>> {
    guard(|| Ok(new(Gathered::Ids(Vec::new(), Vec::new()))))
}

/// Begins a corpus of a folder's ids; the folder does not change any more.
#[napi(catch_unwind)]
pub fn corpus_of_folder(folder: &External<TokenFolder>) -> Option<External<Builder>> {
    guard(|| Ok(new(Gathered::Folder(folder.share()))))
}

/// All ids of a folder, and the ends of its documents.
pub(crate) fn ids_of_folder(tokens: &Tokens) -> Result<(Vec<u32>, Vec<usize>), Failure> {
    let mut ids = zeroed(tokens.count());
    tokens.copy(0, &mut ids)?;
    let end = |document| Ok::<_, Failure>(tokens.document(document)?.map_or(0, |range| range.end));
    Ok((ids, (0..tokens.documents()).map(end).try_into_list()?))
}

/// Begins a corpus of texts with their classes; with `in_lines`, each line names its class. The tokenizer encodes the
/// texts; without one, their words are separated by spaces.
#[napi(catch_unwind)]
pub fn corpus_of_examples(tokenizer: Option<&External<Tokenizer>>, in_lines: bool) -> Option<External<Builder>> {
    guard(|| {
        Ok(new(match tokenizer {
            Some(tokenizer) => {
                Gathered::Texts(Tokenizer::clone(tokenizer), Labelled { in_lines, ..Labelled::default() })
            }
            None => Gathered::Examples(Box::new(Labelled { in_lines, ..Labelled::default() })),
        }))
    })
}

impl Gathered {
    fn text(&mut self, part: &str) {
        match self {
            Gathered::Words(counter) => counter.push(part),
            Gathered::Examples(given) => given.push(part),
            Gathered::Texts(_, given) => given.push(part),
            // Ids are added directly.
            Gathered::Ids(..) | Gathered::Folder(..) => {}
        }
    }

    fn example(&mut self, class: &str, text: &str) {
        let classes = [class].into_iter();
        match self {
            Gathered::Examples(given) => given.examples.example(classes, text),
            Gathered::Texts(_, given) => given.examples.example(classes, text),
            // Only a classifier's corpus has classes.
            Gathered::Words(_) | Gathered::Ids(..) | Gathered::Folder(..) => {}
        }
    }

    fn end(&mut self) {
        match self {
            Gathered::Words(counter) => counter.end(),
            Gathered::Ids(ids, ends) => ends.put(ids.len()),
            Gathered::Examples(given) => given.end(),
            Gathered::Texts(_, given) => given.end(),
            Gathered::Folder(..) => {}
        }
    }
}

/// Adds the next words, or names of classes, that are there before the text begins.
#[napi(catch_unwind)]
pub fn corpus_known(
    builder: &External<Builder>,
    #[napi(ts_arg_type = "Array<string>")] names: Vec<JsText>,
    are_classes: bool,
) -> bool {
    status(|| {
        let mut gathered = lock(&builder.0);
        for name in &names {
            let name = name.read()?;
            match (&mut *gathered, are_classes) {
                (Gathered::Words(counter), false) => counter.know(&name)?,
                (Gathered::Examples(given), false) => given.examples.know_word(&name)?,
                (Gathered::Examples(given), true) => given.examples.know_classes([&*name].into_iter()),
                (Gathered::Texts(_, given), true) => given.examples.know_classes([&*name].into_iter()),
                // Ids are known as they are.
                (Gathered::Words(_) | Gathered::Ids(..) | Gathered::Folder(..) | Gathered::Texts(..), _) => {}
            }
        }
        Ok(())
    })
}

/// Adds the next part of a text.
#[napi(catch_unwind)]
pub fn corpus_text(builder: &External<Builder>, #[napi(ts_arg_type = "string")] part: JsText) -> bool {
    status(|| {
        lock(&builder.0).text(&part.read()?);
        Ok(())
    })
}

/// Adds the next sentence, whose words are given one by one.
#[napi(catch_unwind)]
pub fn corpus_words(builder: &External<Builder>, #[napi(ts_arg_type = "Array<string>")] words: Vec<JsText>) -> bool {
    status(|| {
        let words = read_all(&words)?;
        if let Gathered::Words(counter) = &mut *lock(&builder.0) {
            counter.sentence(words.iter());
        }
        Ok(())
    })
}

/// Adds the next texts, each with its class.
#[napi(catch_unwind)]
pub fn corpus_examples(
    builder: &External<Builder>,
    #[napi(ts_arg_type = "Array<string>")] labels: Vec<JsText>,
    #[napi(ts_arg_type = "Array<string>")] texts: Vec<JsText>,
) -> bool {
    status(|| {
        let mut gathered = lock(&builder.0);
        for (label, text) in labels.iter().zip(&texts) {
            gathered.example(&label.read()?, &text.read()?);
        }
        Ok(())
    })
}

/// Adds the next ids (uint32, or int32 without negative values) of a text.
#[napi(catch_unwind)]
pub fn corpus_ids(builder: &External<Builder>, part: Operand) -> bool {
    status(|| {
        if let Gathered::Ids(ids, _) = &mut *lock(&builder.0) {
            ids.put_slice(part.shared()?);
        }
        Ok(())
    })
}

/// Ends the current text.
#[napi(catch_unwind)]
pub fn corpus_end(builder: &External<Builder>) -> bool {
    status(|| {
        lock(&builder.0).end();
        Ok(())
    })
}

/// A file that is read as a text, on other threads.
pub struct CorpusFile {
    gathered: Arc<Mutex<Gathered>>,
    path: PathBuf,
    invalid: InvalidUtf8,
    ratio: u64,
    file: Mutex<Option<TextFile>>,
}

/// The number of one-megabyte parts read before the thread is returned to the pool, so that the process or the work can
/// end in between.
const PARTS: usize = 16;

impl CorpusFile {
    /// Reads for a while. Returns whether the file has ended.
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

    /// Closes a file from which nothing more can be read, so that its descriptor does not wait for the garbage
    /// collector.
    fn close(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The outcome of reading a file for a while.
#[napi(object, object_from_js = false)]
pub struct CorpusRead {
    pub done: bool,
    pub failure: Option<Report>,
}

/// The task that continues reading, on another thread.
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

/// A file whose text belongs to a corpus. It is opened when it is first read.
#[napi(catch_unwind)]
pub fn corpus_file(
    builder: &External<Builder>,
    path: String,
    replace_invalid: bool,
    max_ratio: Option<f64>,
) -> Option<External<Arc<CorpusFile>>> {
    guard(|| {
        let (gathered, path, ratio, file) = (builder.share(), path.into(), ratio(max_ratio)?, Mutex::new(None));
        let invalid = invalid(replace_invalid);
        Ok(External::new(Arc::new(CorpusFile { gathered, path, invalid, ratio, file })))
    })
}

/// Reads for a while. Only one call may run at a time, until the file is done.
#[napi(catch_unwind)]
pub fn corpus_file_read(file: &External<Arc<CorpusFile>>) -> Option<AsyncTask<ReadOn>> {
    guard(|| Ok(AsyncTask::new(ReadOn(Arc::clone(file)))))
}

/// What is held out of a training, of the words and the first classes that are known.
pub(crate) fn held_out(gathered: Gathered, vocabulary: usize, classes: u32) -> Result<HeldOut, Failure> {
    let text = |ids: Vec<u32>, ends: &[usize]| match ids.is_empty() {
        true => Err(Error::Usage("the held-out corpus is empty: give more text".into()).into()),
        false => Ok::<_, Failure>(HeldOut::Text(Corpus::new(ids, ends, vocabulary, 1)?)),
    };
    match gathered {
        Gathered::Words(counter) => Ok(HeldOut::Text(counter.finish_known()?)),
        Gathered::Ids(ids, ends) => text(ids, &ends),
        Gathered::Folder(tokens) => {
            let (ids, ends) = ids_of_folder(&tokens)?;
            text(ids, &ends)
        }
        Gathered::Examples(given) => Ok(HeldOut::Examples(given.examples.finish_known(classes)?)),
        Gathered::Texts(tokenizer, given) => {
            let policy = special(Some(Vec::new()), Some(Vec::new()));
            let encode = |text: &str, ids: &mut Vec<u32>| Ok::<_, Failure>(tokenizer.encode(text, &policy, ids)?);
            Ok(HeldOut::Examples(given.examples.finish_known(classes, encode)?))
        }
    }
}

/// Encodes texts with their classes as examples. Also returns the names of the classes in the order of their first
/// occurrence.
pub(crate) fn encoded(
    tokenizer: &Tokenizer,
    given: Labelled<ExampleTexts>,
) -> Result<(Examples, Vec<String>), Failure> {
    // Special tokens that occur in the texts are encoded as plain text.
    let policy = special(Some(Vec::new()), Some(Vec::new()));
    let hint = given.hint();
    given.examples.finish(hint, |text, ids| Ok(tokenizer.encode(text, &policy, ids)?))
}

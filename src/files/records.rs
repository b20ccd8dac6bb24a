//! Records of files and of texts that arrive in parts: lines, JSON Lines, CSV.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_text::{JsText, JsTexts};
use crate::node::borrowed_word::{RecordFormat, Word};
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard, status};
use crate::text::stream::{invalid, ratio};
use napi::bindgen_prelude::{AsyncTask, Either3, Null};
use napi::{Env, Task};
use napi_derive::napi;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokenbed_core::Error;
use tokenbed_io::records::{Format, Id, Record, Records, Settings, Unreadable};
use tokenbed_io::text::{InvalidUtf8, TextFile};
use tokenbed_memory::{Gather, List, TextList, owned};

/// Which records to read, as given by TypeScript.
#[napi(object, object_to_js = false)]
pub struct RecordSettings {
    pub format: Word<RecordFormat>,
    /// The field that holds the text.
    pub field: String,
    /// The field that holds the id.
    pub id: String,
    /// Largest number of bytes of a record.
    pub max_bytes: f64,
    /// Whether the text is a part that begins after the beginning of a file.
    pub is_inside: bool,
}

impl RecordSettings {
    fn read(self) -> Result<Settings, Failure> {
        let format = match self.format.0 {
            RecordFormat::Text => Format::Lines,
            RecordFormat::Jsonl => Format::JsonLines,
            RecordFormat::Csv => Format::Table(b','),
            RecordFormat::Tsv => Format::Table(b'\t'),
            RecordFormat::Whole => Format::Whole,
        };
        Ok(Settings { format, field: self.field, id: self.id, most: size(self.max_bytes)?, is_inside: self.is_inside })
    }
}

/// A part of a file: the bytes from `from` to before `to`.
#[napi(object, object_to_js = false)]
pub struct FileRange {
    pub from: f64,
    pub to: f64,
}

/// Why a record has no text.
#[napi(object, object_from_js = false)]
pub struct BadRecord {
    /// Its place among the records that were returned with it.
    pub index: u32,
    /// The line where it begins, from 1.
    pub line: f64,
    /// The byte where it begins.
    pub offset: f64,
    pub message: String,
}

/// The texts of records, which need not become JavaScript's.
pub struct HeldRecords {
    /// None once they were let go.
    texts: Mutex<Arc<TextList>>,
    /// Number of UTF-16 units of each; none once they were asked for.
    units: Mutex<Vec<u32>>,
}

impl HeldRecords {
    /// The texts; none once they were let go.
    pub(crate) fn texts(&self) -> Arc<TextList> {
        Arc::clone(&self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The records that were read.
#[napi(object, object_from_js = false)]
pub struct RecordsRead {
    /// A bad record has an empty text. There are none if texts are held.
    #[napi(ts_type = "Array<string>")]
    pub texts: JsTexts,
    pub held: Option<External<HeldRecords>>,
    /// Number of records.
    pub count: u32,
    /// Absent if no record has an id.
    pub ids: Option<Vec<Either3<String, f64, Null>>>,
    pub bad: Vec<BadRecord>,
    /// Number of bytes of text that were read.
    pub bytes: f64,
    pub done: bool,
    /// Whether a pipe has delivered nothing yet.
    pub waiting: bool,
    pub failure: Option<Report>,
}

/// The same before it becomes JavaScript's.
#[derive(Default)]
pub struct Found {
    texts: TextList,
    ids: Option<Vec<Either3<String, f64, Null>>>,
    bad: Vec<BadRecord>,
    bytes: usize,
    done: bool,
    waiting: bool,
}

impl Found {
    fn put(&mut self, Record { id, text, line, offset }: Record<'_>) {
        let index = self.texts.len();
        match text {
            Ok(Cow::Borrowed(text)) => self.texts.put(text),
            Ok(Cow::Owned(text)) => self.texts.put_owned(text),
            Err(message) => {
                self.texts.put("");
                self.bad.put(BadRecord { index: index as u32, line: line as f64, offset: offset as f64, message });
            }
        }
        if id.is_none() && self.ids.is_none() {
            return;
        }
        // The records before the first with an id have none.
        let ids = self.ids.get_or_insert_with(|| (0..index).map(|_| Either3::C(Null)).into_list());
        ids.put(match id {
            Some(Id::Text(id)) => Either3::A(id),
            Some(Id::Number(id)) => Either3::B(id),
            None => Either3::C(Null),
        });
    }
}

impl From<Found> for RecordsRead {
    fn from(Found { texts, ids, bad, bytes, done, waiting }: Found) -> Self {
        let count = texts.len() as u32;
        Self { texts: JsTexts(texts), held: None, count, ids, bad, bytes: bytes as f64, done, waiting, failure: None }
    }
}

/// Number of UTF-16 units of a text.
fn units(text: &str) -> u32 {
    let count = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
    count as u32
}

/// A file of records, as JavaScript holds it.
pub struct RecordFile {
    reading: Mutex<Reading>,
    /// Set by the caller while work is running: nothing more is read then.
    closed: AtomicBool,
    /// Whether texts stay outside of JavaScript.
    holds: bool,
}

struct Reading {
    path: PathBuf,
    invalid: InvalidUtf8,
    ratio: u64,
    range: Option<(u64, u64)>,
    /// None before the file is opened, and after it has ended.
    file: Option<TextFile>,
    records: Option<Records>,
    part: String,
}

impl Reading {
    fn next(&mut self, closed: &AtomicBool) -> Result<Found, Failure> {
        let Some(records) = &mut self.records else { return Ok(Found { done: true, ..Found::default() }) };
        if self.file.is_none() {
            self.file = Some(match self.range {
                Some(range) => TextFile::open_part(&self.path, self.invalid, range)?,
                None => TextFile::open(&self.path, self.invalid, self.ratio)?,
            });
        }
        let Some(file) = &mut self.file else { return Ok(Found::default()) };
        let mut found = Found::default();
        while found.texts.is_empty() && !closed.load(Ordering::Relaxed) {
            self.part.clear();
            let more = file.read(&mut self.part)?;
            found.bytes += self.part.len();
            let mut give = |record: Record<'_>| found.put(record);
            records.push(&self.part, &mut give).map_err(|error| in_file(&self.path, self.range, error))?;
            if !more {
                records.finish(&mut give).map_err(|error| in_file(&self.path, self.range, error))?;
                (self.file, self.records) = (None, None);
                found.done = true;
                break;
            }
            if file.is_waiting() {
                found.waiting = true;
                break;
            }
        }
        Ok(found)
    }

    fn close(&mut self) {
        (self.file, self.records, self.part) = (None, None, String::new());
    }
}

/// Lines of a part of a file are counted from its beginning: the lines before it were not read.
fn in_file(path: &Path, range: Option<(u64, u64)>, Unreadable { offset, message }: Unreadable) -> Failure {
    let (from, message) = match range {
        Some((from, _)) if from > 0 => (from, format!("{message} (of the part that begins at byte {from})")),
        _ => (0, message),
    };
    Error::Format { path: path.to_path_buf(), offset: from + offset, message }.into()
}

/// Prepares a file, or a part of one, to be read; it is opened with the first call of `recordFileNext`. If it `holds`,
/// texts stay outside of JavaScript.
#[napi(catch_unwind)]
pub fn record_file_new(
    path: String,
    settings: RecordSettings,
    replace_invalid: bool,
    max_ratio: Option<f64>,
    range: Option<FileRange>,
    holds: bool,
) -> Option<External<Arc<RecordFile>>> {
    guard(|| {
        let range = match range {
            Some(FileRange { from, to }) => Some((size(from)? as u64, size(to)? as u64)),
            None => None,
        };
        let reading = Reading {
            path: PathBuf::from(path),
            invalid: invalid(replace_invalid),
            ratio: ratio(max_ratio)?,
            range,
            file: None,
            records: Some(Records::new(settings.read()?)),
            part: String::new(),
        };
        Ok(External::new(Arc::new(RecordFile { reading: Mutex::new(reading), closed: AtomicBool::new(false), holds })))
    })
}

/// The task that continues reading, on another thread.
pub struct ReadRecords(Arc<RecordFile>);

#[napi]
impl Task for ReadRecords {
    /// What was read, and the number of units of each text that is to be held.
    type Output = Result<(Found, Vec<u32>), Failure>;
    type JsValue = RecordsRead;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            // After a panic nothing more is read, so its leftovers are never used.
            let mut reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
            let records = reading.next(&self.0.closed);
            if records.is_err() || self.0.closed.load(Ordering::Relaxed) {
                reading.close();
            }
            let records = records?;
            let units = if self.0.holds { records.texts.iter().map(units).into_list() } else { Vec::new() };
            Ok((records, units))
        }))
    }

    fn resolve(&mut self, _env: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        let read = |(mut found, units): (Found, Vec<u32>)| {
            if !self.0.holds {
                return found.into();
            }
            let texts = std::mem::take(&mut found.texts);
            let (count, bytes) = (texts.len() as u32, texts.capacity());
            let texts = Mutex::new(Arc::new(texts));
            let held = External::new_with_size_hint(HeldRecords { texts, units: Mutex::new(units) }, bytes);
            RecordsRead { held: Some(held), count, ..found.into() }
        };
        let failed = |failure: Failure| RecordsRead { failure: Some(failure.into()), ..Found::default().into() };
        Ok(output.map_or_else(failed, read))
    }
}

/// Reads the records of about the next megabyte of text on another thread. Only one call may run at a time.
#[napi(catch_unwind)]
pub fn record_file_next(file: &External<Arc<RecordFile>>) -> Option<AsyncTask<ReadRecords>> {
    guard(|| Ok(AsyncTask::new(ReadRecords(Arc::clone(file)))))
}

/// Lets go of texts: their memory is free once no work reads them.
#[napi(catch_unwind)]
pub fn held_records_free(env: Env, held: &External<HeldRecords>) -> bool {
    status(|| {
        *held.texts.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        held.holds(&env, 0);
        Ok(())
    })
}

/// out (at least as many as there are texts) = the number of UTF-16 units of each. It can be asked for once: the
/// numbers would else stay until the collector finds the texts.
#[napi(catch_unwind)]
pub fn held_records_units(held: &External<HeldRecords>, out: Operand) -> bool {
    status(|| {
        let out = out.exclusive::<u32>(&[])?;
        let units = std::mem::take(&mut *held.units.lock().unwrap_or_else(PoisonError::into_inner));
        let some = out.get_mut(..units.len());
        some.ok_or_else(|| Error::Shape("room for fewer texts".into()))?.copy_from_slice(&units);
        Ok(())
    })
}

/// Some texts, as JavaScript's.
#[napi(catch_unwind)]
pub fn held_records_texts(held: &External<HeldRecords>, from: f64, to: f64) -> Option<Vec<String>> {
    guard(|| {
        let texts = held.texts();
        let some = texts.range(size(from)?..size(to)?);
        let some = some.ok_or_else(|| Error::Usage("texts that are not held".into()))?;
        Ok(some.map(owned).into_list())
    })
}

/// Closes the file; if work is running, as soon as it notices.
#[napi(catch_unwind)]
pub fn record_file_close(file: &External<Arc<RecordFile>>) -> bool {
    status(|| {
        file.closed.store(true, Ordering::Relaxed);
        if let Ok(mut reading) = file.reading.try_lock() {
            reading.close();
        }
        Ok(())
    })
}

/// A text of records that arrives in parts.
pub struct RecordText(Mutex<Records>);

/// Begins a text of records that arrives in parts.
#[napi(catch_unwind)]
pub fn record_text_new(settings: RecordSettings) -> Option<External<RecordText>> {
    guard(|| Ok(External::new(RecordText(Mutex::new(Records::new(settings.read()?))))))
}

/// The records that end in this part or, without a part, the last of the text.
#[napi(catch_unwind)]
pub fn record_text_next(
    text: &External<RecordText>,
    #[napi(ts_arg_type = "string | undefined | null")] part: Option<JsText>,
) -> Option<RecordsRead> {
    guard(|| {
        let mut records = text.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Found::default();
        let mut give = |record: Record<'_>| found.put(record);
        let unreadable = |Unreadable { offset, message }: Unreadable| {
            Failure::from(Error::Usage(format!("offset {offset}: {message}")))
        };
        match part {
            Some(part) => {
                let part = part.read()?;
                records.push(&part, &mut give).map_err(unreadable)?;
                found.bytes = part.len();
            }
            None => {
                records.finish(&mut give).map_err(unreadable)?;
                found.done = true;
            }
        }
        Ok(found.into())
    })
}

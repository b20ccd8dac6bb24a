//! Encodes texts on other threads, while JavaScript continues.

use crate::files::records::HeldRecords;
use crate::node::borrow::size;
use crate::node::borrowed_text::{JsText, read_all};
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::leaving::apart;
use crate::node::process::computing_threads;
use crate::node::work::{Errand, GoOn, Work, work};
use crate::text::tokenizer::{Filler, RowPlan, Rows};
use napi_derive::napi;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use tokenbed_core::Error;
use tokenbed_core::storage::Storage;
use tokenbed_memory::{List, TextList};
use tokenbed_text::{EncodedTexts, PaddedRows, Padding, TextError, Tokenizer};

/// Texts that were copied out of JavaScript, a few at a time.
pub struct HeldTexts {
    added: RefCell<Vec<Added>>,
    /// Whether it is one text and no batch, so that errors give no number.
    is_one: bool,
}

/// The texts of one call.
enum Added {
    /// Texts that were copied, and whether the first of them continues the last text of the call before.
    Copied(TextList, bool),
    /// Some texts of records that are held.
    Held(Arc<TextList>, Range<usize>),
}

/// Begins to collect the texts of a batch, or one text that comes in parts.
#[napi(catch_unwind)]
pub fn texts_new(is_one: bool) -> Option<External<HeldTexts>> {
    guard(|| Ok(External::new(HeldTexts { added: RefCell::default(), is_one })))
}

/// Copies more texts. If `goes_on`, the first of them is the next part of the last text.
#[napi(catch_unwind)]
pub fn texts_add(
    held: &External<HeldTexts>,
    #[napi(ts_arg_type = "Array<string>")] texts: Vec<JsText>,
    goes_on: bool,
) -> bool {
    status(|| {
        let texts = read_all(&texts)?;
        held.added.borrow_mut().put(Added::Copied(texts, goes_on));
        Ok(())
    })
}

/// Adds texts of records that are held: those from `from` to before `to`.
#[napi(catch_unwind)]
pub fn texts_add_held(held: &External<HeldTexts>, records: &External<HeldRecords>, from: f64, to: f64) -> bool {
    status(|| {
        let (texts, range) = (records.texts(), size(from)?..size(to)?);
        if texts.range(range.clone()).is_none() {
            return Err(Error::Usage("texts that are not held".into()).into());
        }
        held.added.borrow_mut().put(Added::Held(texts, range));
        Ok(())
    })
}

/// Texts that were taken from where they were collected.
pub(crate) struct Whole {
    added: Vec<Added>,
    is_one: bool,
}

impl HeldTexts {
    /// Takes the texts.
    pub(crate) fn take(&self) -> Whole {
        Whole { added: self.added.take(), is_one: self.is_one }
    }
}

impl Whole {
    /// Whether they are one text and no batch.
    pub(crate) fn is_one(&self) -> bool {
        self.is_one
    }

    /// All texts, each as a whole. What was copied in parts is put together first.
    pub(crate) fn list(&mut self) -> Vec<&str> {
        let mut whole: Vec<Added> = Vec::new();
        for one in std::mem::take(&mut self.added) {
            match (one, whole.last_mut()) {
                (Added::Copied(texts, true), Some(Added::Copied(before, _))) => {
                    let mut texts = texts.iter();
                    before.put_to_last(texts.next().unwrap_or_default());
                    texts.for_each(|text| before.put(text));
                }
                (one, _) => whole.put(one),
            }
        }
        self.added = whole;
        let mut all = Vec::new();
        for added in &self.added {
            match added {
                Added::Copied(texts, _) => all.put_all(texts.iter()),
                Added::Held(texts, range) => all.put_all(texts.range(range.clone()).into_iter().flatten()),
            }
        }
        all
    }
}

/// Texts to be encoded.
struct Encoding {
    texts: Whole,
    tokenizer: Tokenizer,
    plan: RowPlan,
    padding: Option<Padding>,
    threads: usize,
}

/// Encodes texts that were collected, as work to be queued. Its results are numbers, then ids, then a mask if there is
/// padding, then the number of rows (1), and the text of each row if a text may have several (rows).
///
/// Without padding the numbers are where each row begins among the ids, and where the last one ends: uint32
/// (rows + 1). With padding they are the number of ids of each row, and then the length of the rows.
#[napi(catch_unwind)]
pub fn encode_work(
    texts: &External<HeldTexts>,
    tokenizer: &External<Tokenizer>,
    rows: Rows,
    filler: Option<Filler>,
) -> Option<External<Work>> {
    work(|| {
        Ok(Encoding {
            texts: texts.take(),
            tokenizer: Tokenizer::clone(tokenizer),
            plan: rows.plan()?,
            padding: filler.map(|filler| filler.padding()).transpose()?,
            threads: computing_threads()?,
        })
    })
}

impl Errand for Encoding {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        let go_on = go_on.clone();
        // A single text may take seconds, and a process that exits does not wait for it.
        apart(move || self.encode(&go_on))
    }
}

impl Encoding {
    fn encode(mut self, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        if !go_on.is_wanted() {
            return Err(Failure::aborted());
        }
        let is_one = self.texts.is_one;
        let texts = self.texts.list();
        let go_on = || go_on.is_wanted();
        let encoded = self.plan.encode(&self.tokenizer, &texts, self.threads, Some(&go_on));
        let (batch, samples) = encoded.map_err(|error| match error {
            TextError::InBatch { source, .. } if is_one => *source,
            error => error,
        })?;
        // What the texts take is free before the results are made.
        self.texts.added = Vec::new();
        let mut results = match self.padding {
            None => joined(&batch),
            Some(padding) => padded(&batch, padding),
        }?;
        // How many rows there are, and the text of each if a text may have several.
        let mut rows = result::<u32>(1)?;
        elements::<u32>(&mut rows)?.fill(batch.texts() as u32);
        let samples = samples.unwrap_or_default();
        let mut told = result::<u32>(samples.len())?;
        elements::<u32>(&mut told)?.copy_from_slice(&samples);
        results.put_all([rows, told]);
        Ok(results)
    }
}

fn joined(batch: &EncodedTexts) -> Result<Vec<Storage>, Failure> {
    let mut offsets = result::<u32>(batch.texts() + 1)?;
    let mut ids = result::<u32>(batch.ids())?;
    batch.join(elements(&mut ids)?, elements(&mut offsets)?)?;
    Ok(Vec::from([offsets, ids]))
}

fn padded(batch: &EncodedTexts, padding: Padding) -> Result<Vec<Storage>, Failure> {
    let length = batch.padded_length(padding)?;
    // The batch checked that this many elements fit the address space.
    let size = batch.texts() * length;
    let mut numbers = result::<u32>(batch.texts() + 1)?;
    let mut ids = result::<i32>(size)?;
    let mut mask = result::<u8>(size)?;
    let written: &mut [u32] = elements(&mut numbers)?;
    if let Some((last, lengths)) = written.split_last_mut() {
        *last = length as u32;
        batch.pad(padding, PaddedRows { ids: elements(&mut ids)?, mask: elements(&mut mask)?, lengths })?;
    }
    Ok(Vec::from([numbers, ids, mask]))
}

fn result<T>(count: usize) -> Result<Storage, Failure> {
    Ok(Storage::result(count * size_of::<T>())?)
}

fn elements<T: bytemuck::Pod>(result: &mut Storage) -> Result<&mut [T], Failure> {
    Ok(result.elements_mut().ok_or_else(|| Error::Shape("a result is not aligned".into()))?)
}

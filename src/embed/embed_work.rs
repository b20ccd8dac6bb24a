//! Vectors of texts that other threads make, while JavaScript continues.

use crate::embed::embedder::{Asked, EmbedPlan, Maker};
use crate::layers::async_forward::elements;
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::Failure;
use crate::node::leaving::apart;
use crate::node::process::computing_threads;
use crate::node::work::{Errand, GoOn, Work, work};
use crate::text::encode_work::{HeldTexts, Whole};
use napi_derive::napi;
use std::sync::Arc;
use tokenbed_core::Error;
use tokenbed_core::storage::{Part, Storage};
use tokenbed_embed::Form;

/// Texts that get vectors.
struct Embedding {
    texts: Whole,
    maker: Arc<Maker>,
    form: Form,
    bytes: usize,
    /// Absent for a model of fastText.
    table: Option<Part>,
    threads: usize,
}

impl Embedding {
    fn new(plan: &EmbedPlan, texts: &HeldTexts, table: Option<Part>) -> Result<Self, Failure> {
        Ok(Self {
            texts: texts.take(),
            maker: Arc::clone(&plan.maker),
            form: plan.form,
            bytes: plan.bytes,
            table,
            threads: computing_threads()?,
        })
    }
}

/// The vectors of texts that were collected, as work to be queued. Its result is (texts, dim). Rust must own the table.
#[napi(catch_unwind)]
pub fn embed_work(
    plan: &External<EmbedPlan>,
    texts: &External<HeldTexts>,
    table: &External<Handle>,
) -> Option<External<Work>> {
    work(|| Embedding::new(plan, texts, Some(table.hold()?)))
}

/// The same by a model of fastText, which needs no table.
#[napi(catch_unwind)]
pub fn embed_work_by_fast_text(plan: &External<EmbedPlan>, texts: &External<HeldTexts>) -> Option<External<Work>> {
    work(|| Embedding::new(plan, texts, None))
}

impl Errand for Embedding {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        let go_on = go_on.clone();
        // A single text may take seconds, and a process that exits does not wait for it.
        apart(move || self.embed(&go_on))
    }
}

impl Embedding {
    fn embed(mut self, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        if !go_on.is_wanted() {
            return Err(Failure::aborted());
        }
        let is_one = self.texts.is_one();
        let texts = self.texts.list();
        let bytes = texts.len().checked_mul(self.bytes);
        let bytes = bytes.ok_or_else(|| Error::Shape(format!("{} vectors are too many", texts.len())))?;
        let mut result = Storage::result(bytes)?;
        let out = result.elements_mut().ok_or_else(|| Error::Shape("the result is not aligned".into()))?;
        let table = self.table.as_ref().map_or(Ok::<&[u8], Failure>(&[]), elements)?;
        let go_on = || go_on.is_wanted();
        let asked = Asked { texts: &texts, is_one, form: self.form, threads: self.threads, go_on: Some(&go_on) };
        self.maker.embed(table, asked, out)?;
        Ok(Vec::from([result]))
    }
}

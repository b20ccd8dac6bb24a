//! Vectors of texts that other threads make, while JavaScript continues.

use crate::embed::embedder::{BareEmbedder, EmbedPlan, of_one};
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
use tokenbed_kernels::dispatch;

/// Texts that get vectors.
struct Embedding {
    texts: Whole,
    embedder: Arc<BareEmbedder>,
    form: Form,
    bytes: usize,
    table: Part,
    threads: usize,
}

/// The vectors of texts that were collected, as work to be queued. Its result is (texts, dim). Rust must own the table.
#[napi(catch_unwind)]
pub fn embed_work(
    plan: &External<EmbedPlan>,
    texts: &External<HeldTexts>,
    table: &External<Handle>,
) -> Option<External<Work>> {
    work(|| {
        Ok(Embedding {
            texts: texts.take(),
            embedder: Arc::clone(&plan.embedder),
            form: plan.form,
            bytes: plan.bytes,
            table: table.hold()?,
            threads: computing_threads()?,
        })
    })
}

impl Errand for Embedding {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        let go_on = go_on.clone();
        // A single text may take seconds, and a process that exits does not wait for it.
        apart(move || self.embed(&go_on))
    }
}

impl Embedding {
    fn embed(self, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        if !go_on.is_wanted() {
            return Err(Failure::aborted());
        }
        let is_one = self.texts.is_one();
        let texts = self.texts.join();
        let bytes = texts.len().checked_mul(self.bytes);
        let bytes = bytes.ok_or_else(|| Error::Shape(format!("{} vectors are too many", texts.len())))?;
        let mut result = Storage::result(bytes)?;
        let out = result.elements_mut().ok_or_else(|| Error::Shape("the result is not aligned".into()))?;
        let rows = self.embedder.rows(elements(&self.table)?)?;
        let go_on = || go_on.is_wanted();
        let threads = (self.threads, Some(&go_on as &(dyn Fn() -> bool + Sync)));
        let done = self.embedder.embedder().embed(dispatch::active(), rows, &texts, self.form, threads, out);
        done.map_err(|error| if is_one { of_one(error) } else { error.into() })?;
        Ok(Vec::from([result]))
    }
}

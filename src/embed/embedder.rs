//! What makes vectors of texts, as JavaScript holds it, and vectors that are wanted at once.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_text::{JsText, TextList};
use crate::node::borrowed_word::Word;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::computing_threads;
use napi_derive::napi;
use std::sync::Arc;
use tokenbed_core::ids::{BadIds, resolve};
use tokenbed_embed::{Element, EmbedError, Embedder, Form, Parts, Rows, Semantics};
use tokenbed_kernels::dispatch;
use tokenbed_kernels::rows::format::RowFormat;
use tokenbed_memory::Slice;
use tokenbed_nn::bag;
use tokenbed_text::{TextError, Tokenizer};

impl From<EmbedError> for Failure {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Text(error) => error.into(),
            EmbedError::Core(error) => error.into(),
        }
    }
}

/// The same for a text that is no batch, whose error does not number it.
pub(crate) fn of_one(error: EmbedError) -> Failure {
    match error {
        EmbedError::Text(TextError::InBatch { source, .. }) => (*source).into(),
        error => error.into(),
    }
}

/// What an embedder is made of beside its tokenizer.
#[napi(object, object_to_js = false)]
pub struct EmbedderParts {
    pub semantics: Word<Semantics>,
    /// The largest number of tokens of a text.
    pub max_length: Option<f64>,
    /// float32 (tokens): a factor for each token.
    pub weights: Option<Operand>,
    /// Integers (tokens): the row of each token.
    pub mapping: Option<Operand>,
    /// The layout of the rows; absent for plain signed bytes.
    pub format: Option<Word<RowFormat>>,
    pub rows: f64,
    pub dim: f64,
}

/// An embedder without its rows, which are passed to each call.
pub struct BareEmbedder {
    embedder: Embedder,
    format: Option<RowFormat>,
    dim: usize,
}

/// An embedder as JavaScript holds it.
pub struct SharedEmbedder(Arc<BareEmbedder>);

/// An embedder, and how vectors are written.
pub struct EmbedPlan {
    pub(crate) embedder: Arc<BareEmbedder>,
    pub(crate) form: Form,
    /// The bytes of a vector.
    pub(crate) bytes: usize,
}

impl BareEmbedder {
    /// The rows of a table with these bytes.
    pub(crate) fn rows<'a>(&self, table: &'a [u8]) -> Result<Rows<'a>, Failure> {
        let rows = self.embedder.parts().rows;
        Ok(match self.format {
            Some(format) => Rows::Table(bag::table(format, table, rows, self.dim)?),
            None => Rows::Signed { rows: bytemuck::cast_slice(table), dim: self.dim },
        })
    }

    pub(crate) fn embedder(&self) -> &Embedder {
        &self.embedder
    }
}

/// Puts an embedder together. Weights and the mapping are copied.
#[napi(catch_unwind)]
pub fn embedder_new(tokenizer: &External<Tokenizer>, parts: EmbedderParts) -> Option<External<SharedEmbedder>> {
    guard(|| {
        let rows = size(parts.rows)?;
        let weights = parts.weights.map(|weights| Ok::<_, Failure>(weights.shared::<f32>()?.to_list())).transpose()?;
        let mapping = parts.mapping.map(|mapping| -> Result<_, Failure> {
            let mut scratch = Vec::new();
            Ok(resolve(dispatch::active(), mapping.ids()?, rows, BadIds::Throw, &mut scratch)?.ids().to_list())
        });
        let max_length = parts.max_length.map(size).transpose()?;
        let own = Parts { semantics: parts.semantics.0, max_length, weights, mapping: mapping.transpose()?, rows };
        let embedder = Embedder::new(Tokenizer::clone(tokenizer), own)?;
        let format = parts.format.map(|format| format.0);
        let shared = Arc::new(BareEmbedder { embedder, format, dim: size(parts.dim)? });
        Ok(External::new(SharedEmbedder(shared)))
    })
}

/// An embedder that writes vectors in one way.
#[napi(catch_unwind)]
pub fn embed_plan(
    embedder: &External<SharedEmbedder>,
    dim: f64,
    normalize: bool,
    element: Word<Element>,
) -> Option<External<EmbedPlan>> {
    guard(|| {
        let form = Form { dim: size(dim)?, normalize, element: element.0 };
        Ok(External::new(EmbedPlan { embedder: Arc::clone(&embedder.0), form, bytes: form.bytes()? }))
    })
}

/// Number of bytes below which no text is worth a second thread.
const SHORT: usize = 4 << 10;

/// out (dim) = the vector of a text.
#[napi(catch_unwind)]
pub fn embed_text(
    plan: &External<EmbedPlan>,
    table: Operand,
    #[napi(ts_arg_type = "string")] text: JsText,
    out: Operand,
) -> bool {
    status(|| {
        let text = text.read()?;
        let rows = plan.embedder.rows(table.shared()?)?;
        let out = out.exclusive(&[&table])?;
        let embedder = plan.embedder.embedder();
        embedder.embed(dispatch::active(), rows, &[text], plan.form, (1, None), out).map_err(of_one)
    })
}

/// out (texts, dim) = the vectors of texts.
#[napi(catch_unwind)]
pub fn embed_texts(
    plan: &External<EmbedPlan>,
    table: Operand,
    #[napi(ts_arg_type = "Array<string>")] texts: Vec<JsText>,
    out: Operand,
) -> bool {
    status(|| {
        let texts = TextList::read(&texts)?;
        let texts = texts.texts();
        let rows = plan.embedder.rows(table.shared()?)?;
        let out = out.exclusive(&[&table])?;
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let threads = if bytes < SHORT { 1 } else { computing_threads()? };
        let embedder = plan.embedder.embedder();
        Ok(embedder.embed(dispatch::active(), rows, &texts, plan.form, (threads, None), out)?)
    })
}

//! What makes vectors of texts, as JavaScript holds it, and vectors that are wanted at once.

use crate::files::fasttext::FastTextFile;
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_text::{JsText, read_all};
use crate::node::borrowed_word::Word;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::computing_threads;
use napi_derive::napi;
use std::sync::Arc;
use tokenbed_core::ids::{BadIds, resolve};
use tokenbed_embed::{Element, EmbedError, Embedder, Form, Parts, Rows, Semantics};
use tokenbed_fasttext::FastText;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::rows::format::RowFormat;
use tokenbed_memory::Slice;
use tokenbed_nn::bag;
use tokenbed_text::{GoOn, TextError, Tokenizer};

impl From<EmbedError> for Failure {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Text(error) => error.into(),
            EmbedError::Core(error) => error.into(),
        }
    }
}

/// The same for a text that is no batch, whose error does not number it.
fn of_one(error: EmbedError) -> Failure {
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

/// What makes the vectors of texts.
pub enum Maker {
    /// The mean of the rows of a table.
    Mean(BareEmbedder),
    /// A model of fastText, which has rows of its own.
    FastText(Arc<FastText>),
}

/// An embedder as JavaScript holds it.
pub struct SharedEmbedder(Arc<Maker>);

/// An embedder, and how vectors are written.
pub struct EmbedPlan {
    pub(crate) maker: Arc<Maker>,
    pub(crate) form: Form,
    /// The bytes of a vector.
    pub(crate) bytes: usize,
}

/// Texts that get vectors.
pub(crate) struct Asked<'a, T> {
    pub(crate) texts: &'a [T],
    /// Whether they are one text and no batch, so that errors do not number it.
    pub(crate) is_one: bool,
    pub(crate) form: Form,
    pub(crate) threads: usize,
    pub(crate) go_on: Option<GoOn<'a>>,
}

impl Maker {
    /// Writes the vectors of texts. `table` has the rows, if they are passed to each call.
    pub(crate) fn embed<T: AsRef<str> + Sync>(
        &self,
        table: &[u8],
        Asked { texts, is_one, form, threads, go_on }: Asked<'_, T>,
        out: &mut [u8],
    ) -> Result<(), Failure> {
        match self {
            Self::Mean(bare) => {
                let rows = bare.rows(table)?;
                let done = bare.embedder.embed(dispatch::active(), rows, texts, form, (threads, go_on), out);
                done.map_err(|error| if is_one { of_one(error) } else { error.into() })
            }
            Self::FastText(model) => {
                let write = |vector: &mut [f32], out: &mut [u8]| form.write_front(vector, out);
                let is_whole = model.write_sentences(texts, (threads, go_on), (form.bytes()?, out), write)?;
                if is_whole { Ok(()) } else { Err(TextError::Stopped.into()) }
            }
        }
    }
}

impl BareEmbedder {
    /// The rows of a table with these bytes.
    fn rows<'a>(&self, table: &'a [u8]) -> Result<Rows<'a>, Failure> {
        let rows = self.embedder.parts().rows;
        Ok(match self.format {
            Some(format) => Rows::Table(bag::table(format, table, rows, self.dim)?),
            None => Rows::Signed { rows: bytemuck::cast_slice(table), dim: self.dim },
        })
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
        let bare = BareEmbedder { embedder, format, dim: size(parts.dim)? };
        Ok(External::new(SharedEmbedder(Arc::new(Maker::Mean(bare)))))
    })
}

/// A model of fastText as an embedder.
#[napi(catch_unwind)]
pub fn embedder_of_fast_text(file: &External<FastTextFile>) -> Option<External<SharedEmbedder>> {
    guard(|| Ok(External::new(SharedEmbedder(Arc::new(Maker::FastText(file.model()))))))
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
        Ok(External::new(EmbedPlan { maker: Arc::clone(&embedder.0), form, bytes: form.bytes()? }))
    })
}

/// Number of bytes below which no text is worth a second thread.
const SHORT: usize = 4 << 10;

/// The bytes of a table, if there is one, and those of the result.
fn bytes_of<'a>(table: Option<&'a Operand>, out: &'a Operand) -> Result<(&'a [u8], &'a mut [u8]), Failure> {
    Ok(match table {
        Some(table) => (table.shared()?, out.exclusive(&[table])?),
        None => (&[], out.exclusive(&[])?),
    })
}

/// out (dim) = the vector of a text. The table is absent for a model of fastText.
#[napi(catch_unwind)]
pub fn embed_text(
    plan: &External<EmbedPlan>,
    #[napi(ts_arg_type = "string")] text: JsText,
    out: Operand,
    table: Option<Operand>,
) -> bool {
    status(|| {
        let text = text.read()?;
        let (rows, out) = bytes_of(table.as_ref(), &out)?;
        let asked = Asked { texts: &[text], is_one: true, form: plan.form, threads: 1, go_on: None };
        plan.maker.embed(rows, asked, out)
    })
}

/// out (texts, dim) = the vectors of texts. The table is absent for a model of fastText.
#[napi(catch_unwind)]
pub fn embed_texts(
    plan: &External<EmbedPlan>,
    #[napi(ts_arg_type = "Array<string>")] texts: Vec<JsText>,
    out: Operand,
    table: Option<Operand>,
) -> bool {
    status(|| {
        let texts = read_all(&texts)?;
        let texts = texts.list();
        let (rows, out) = bytes_of(table.as_ref(), &out)?;
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let threads = if bytes < SHORT { 1 } else { computing_threads()? };
        plan.maker.embed(rows, Asked { texts: &texts, is_one: false, form: plan.form, threads, go_on: None }, out)
    })
}

//! Models of fastText.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_text::{JsText, copied, read_all};
use crate::node::external::{self, External};
use crate::node::guard::{guard, status};
use crate::node::process::{computing_threads, threads};
use crate::vectors::neighbours::Nearest;
use napi::Env;
use napi::bindgen_prelude::{Float32ArraySlice, Uint32ArraySlice};
use napi_derive::napi;
use std::path::Path;
use std::sync::Arc;
use tokenbed_fasttext::FastText;
use tokenbed_io::fasttext::Kind;
use tokenbed_kernels::dispatch;

/// An open model, whose words are indexed when one is first asked for.
pub struct FastTextFile(Arc<FastText>);

impl FastTextFile {
    /// The model, which others may hold, too.
    pub(crate) fn model(&self) -> Arc<FastText> {
        Arc::clone(&self.0)
    }
}

/// What the header of a model says.
#[napi(object, object_from_js = false)]
pub struct OpenedFastText {
    pub file: External<FastTextFile>,
    pub dim: f64,
    pub words: f64,
    pub labels: f64,
    /// Whether the model was trained to classify.
    pub supervised: bool,
}

/// Opens a model.
#[napi(catch_unwind)]
pub fn open_fast_text(path: String) -> Option<OpenedFastText> {
    guard(|| {
        let model = FastText::open(Path::new(&path))?;
        external::mapped();
        let header = model.header();
        let (dim, words, labels) = (header.dim as f64, header.words as f64, header.labels as f64);
        let supervised = header.kind == Kind::Supervised;
        Ok(OpenedFastText { file: External::new(FastTextFile(Arc::new(model))), dim, words, labels, supervised })
    })
}

/// The texts of `count` entries from `from` on: the words, then the classes.
#[napi(catch_unwind)]
pub fn fast_text_texts(env: Env, file: &External<FastTextFile>, from: f64, count: f64) -> Option<Vec<String>> {
    guard(|| {
        let texts = file.0.texts(size(from)?, size(count)?)?;
        file.holds(&env, file.0.index_bytes()?);
        Ok(texts)
    })
}

/// The row of a word.
#[napi(object, object_from_js = false)]
pub struct FoundWord {
    /// Absent if the model does not have the word.
    pub row: Option<f64>,
}

/// The row of a word, if the model has it.
#[napi(catch_unwind)]
pub fn fast_text_word(
    env: Env,
    file: &External<FastTextFile>,
    #[napi(ts_arg_type = "string")] word: JsText,
) -> Option<FoundWord> {
    guard(|| {
        let row = file.0.word(&word.read()?)?.map(|row| row as f64);
        file.holds(&env, file.0.index_bytes()?);
        Ok(FoundWord { row })
    })
}

/// out (dim) = the vector of a word, known or not. Returns of how many rows it is the mean.
#[napi(catch_unwind)]
pub fn fast_text_vector(
    file: &External<FastTextFile>,
    #[napi(ts_arg_type = "string")] word: JsText,
    out: Operand,
) -> Option<f64> {
    guard(|| Ok(file.0.vector(&word.read()?, out.exclusive(&[])?)? as f64))
}

/// out (words, dim) = the vectors of the words from row `from` on.
#[napi(catch_unwind)]
pub fn fast_text_vectors(file: &External<FastTextFile>, from: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        Ok(file.0.vectors(size(from)?, out.exclusive(&[])?)?)
    })
}

/// out (texts, dim) = the vector of each text.
#[napi(catch_unwind)]
pub fn fast_text_sentences(
    file: &External<FastTextFile>,
    #[napi(ts_arg_type = "Array<string>")] texts: Vec<JsText>,
    out: Operand,
) -> bool {
    status(|| Ok(file.0.sentences(&read_all(&texts)?.list(), computing_threads()?, out.exclusive(&[])?)?))
}

/// The classes of texts, end to end, the most probable of a text first.
#[napi(object, object_from_js = false)]
pub struct FastTextClasses {
    /// How many classes each text has.
    pub counts: Uint32ArraySlice<'static>,
    pub labels: Uint32ArraySlice<'static>,
    pub probabilities: Float32ArraySlice<'static>,
}

/// The `top` most probable classes of each text.
#[napi(catch_unwind)]
pub fn fast_text_classify(
    env: Env,
    file: &External<FastTextFile>,
    #[napi(ts_arg_type = "Array<string>")] texts: Vec<JsText>,
    top: f64,
) -> Option<FastTextClasses> {
    guard(|| {
        let found = file.0.classify(&read_all(&texts)?.list(), size(top)?, computing_threads()?)?;
        Ok(FastTextClasses {
            counts: copied(&found.counts, |it| Uint32ArraySlice::copy_from(&env, it))?,
            labels: copied(&found.labels, |it| Uint32ArraySlice::copy_from(&env, it))?,
            probabilities: copied(&found.probabilities, |it| Float32ArraySlice::copy_from(&env, it))?,
        })
    })
}

/// The `top` words whose vectors are most similar to query (dim), without those that `without` names.
#[napi(catch_unwind)]
pub fn fast_text_nearest(file: &External<FastTextFile>, query: Operand, top: f64, without: Operand) -> Option<Nearest> {
    guard(|| {
        threads()?;
        let found = file.0.nearest(dispatch::active(), query.shared()?, size(top)?, without.stable()?)?;
        Ok(Nearest::of(&found))
    })
}

/// out (words) = the similarity of query (dim) with the vector of each word.
#[napi(catch_unwind)]
pub fn fast_text_similarities(file: &External<FastTextFile>, query: Operand, out: Operand) -> bool {
    status(|| {
        threads()?;
        let out = out.exclusive(&[&query])?;
        Ok(file.0.similarities(dispatch::active(), query.shared()?, out)?)
    })
}

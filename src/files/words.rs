//! Files of words and their vectors.

use crate::files::shards::lengths;
use crate::files::tensors::handle;
use crate::node::borrow::{Operand, size};
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::computing_threads;
use crate::text::stream::{invalid, ratio};
use napi::Env;
use napi::bindgen_prelude::Uint32ArraySlice;
use napi_derive::napi;
use std::path::Path;
use tokenbed_io::word2vec::{self, Loaded, glove, projector};

/// Words, and the table of their vectors. The words are one text, which takes less memory than a list.
#[napi(object, object_from_js = false)]
pub struct LoadedWords {
    /// All words, one after the other.
    pub text: String,
    /// The length of each, in UTF-16 units.
    pub lengths: Uint32ArraySlice<'static>,
    pub dim: f64,
    /// The number of rows of the table; those after the last word mean nothing.
    pub rows: f64,
    pub handle: External<Handle>,
}

/// How a word2vec file is read.
#[napi(object, object_to_js = false)]
pub struct Word2VecOptions {
    /// Whether the file is binary. If absent, its first bytes decide.
    pub binary: Option<bool>,
    /// The maximal number of rows to read.
    pub limit: Option<f64>,
    /// Whether bytes that are not valid UTF-8 become U+FFFD.
    pub replace_invalid: bool,
    /// The maximal number of bytes that one byte of a compressed file may expand to.
    pub max_ratio: Option<f64>,
    pub escape: bool,
}

fn handed_over(env: Env, Loaded { words, dim, storage }: Loaded) -> Result<LoadedWords, Failure> {
    let lengths = lengths(env, &words)?;
    let rows = storage.len() / (dim * size_of::<f32>());
    let handle = handle(env, storage);
    Ok(LoadedWords { text: words.into_text(), lengths, dim: dim as f64, rows: rows as f64, handle })
}

/// Loads the words and vectors of a word2vec file.
#[napi(catch_unwind)]
pub fn load_word2vec(env: Env, path: String, options: Word2VecOptions) -> Option<LoadedWords> {
    guard(|| {
        let Word2VecOptions { binary, limit, replace_invalid, max_ratio, escape } = options;
        let (invalid, limit) = (invalid(replace_invalid), limit.map(size).transpose()?);
        let (ratio, threads) = (ratio(max_ratio)?, computing_threads()?);
        let options = word2vec::Options { binary, limit, invalid, ratio, escape, threads };
        handed_over(env, word2vec::load(Path::new(&path), options)?)
    })
}

/// Loads the words and vectors of a text of GloVe.
#[napi(catch_unwind)]
pub fn load_glove(
    env: Env,
    path: String,
    limit: Option<f64>,
    replace_invalid: bool,
    max_ratio: Option<f64>,
) -> Option<LoadedWords> {
    guard(|| {
        let (limit, threads) = (limit.map(size).transpose()?, computing_threads()?);
        let options = glove::Options { limit, invalid: invalid(replace_invalid), ratio: ratio(max_ratio)?, threads };
        handed_over(env, glove::load(Path::new(&path), options)?)
    })
}

/// How words and vectors are written.
#[napi(object, object_to_js = false)]
pub struct WrittenWords {
    /// Whether numbers are binary.
    pub binary: bool,
    /// Whether white space in words is escaped.
    pub escape: bool,
    /// Whether the first line counts them.
    pub header: bool,
}

/// Writes words and their vectors (words, dim) in word2vec's format.
#[napi(catch_unwind)]
pub fn save_word2vec(path: String, words: Vec<String>, table: Operand, dim: f64, how: WrittenWords) -> bool {
    let WrittenWords { binary, escape, header } = how;
    let how = word2vec::Written { binary, escape, header };
    status(|| Ok(word2vec::save(Path::new(&path), &words, table.shared()?, size(dim)?, how)?))
}

/// Writes words and their vectors (words, dim) for TensorBoard's projector.
#[napi(catch_unwind)]
pub fn save_projector(folder: String, words: Vec<String>, table: Operand, dim: f64) -> bool {
    status(|| Ok(projector::save(Path::new(&folder), &words, table.shared()?, size(dim)?)?))
}

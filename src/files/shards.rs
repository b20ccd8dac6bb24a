//! The index of a model in several files.

use crate::node::borrowed_text::copied;
use crate::node::external::External;
use crate::node::guard::{Failure, guard};
use napi::Env;
use napi::bindgen_prelude::Uint32ArraySlice;
use napi_derive::napi;
use std::path::Path;
use tokenbed_io::shards::{self, Index};
use tokenbed_memory::{Gather, TextList, owned};

/// Which tensor is in which file.
pub struct ShardIndex(Index);

/// An index that was read.
#[napi(object, object_from_js = false)]
pub struct OpenedIndex {
    pub index: External<ShardIndex>,
    /// The number of tensors.
    pub size: f64,
}

/// Many names as one text, which takes less memory and time than a list.
#[napi(object, object_from_js = false)]
pub struct JoinedNames {
    /// All names, one after the other.
    pub text: String,
    /// The length of each, in UTF-16 units.
    pub lengths: Uint32ArraySlice<'static>,
}

/// The length of each name in UTF-16 units.
pub(crate) fn lengths(env: Env, names: &TextList) -> Result<Uint32ArraySlice<'static>, Failure> {
    let lengths: Vec<u32> = names.iter().map(|name| name.encode_utf16().count() as u32).into_list();
    copied(&lengths, |it| Uint32ArraySlice::copy_from(&env, it))
}

/// Reads an index.
#[napi(catch_unwind)]
pub fn open_index(path: String) -> Option<OpenedIndex> {
    guard(|| {
        let index = shards::open(Path::new(&path))?;
        let (size, bytes) = (index.names().len() as f64, index.names().text().len());
        Ok(OpenedIndex { index: External::new_with_size_hint(ShardIndex(index), bytes), size })
    })
}

/// The file that a tensor is in; empty if it is in none.
#[napi(catch_unwind)]
pub fn index_file(index: &External<ShardIndex>, tensor: String) -> Option<String> {
    guard(|| Ok(owned(index.0.file(&tensor).unwrap_or_default())))
}

/// The tensors whose name is this, or ends with it behind a dot.
#[napi(catch_unwind)]
pub fn index_ending(index: &External<ShardIndex>, name: String) -> Option<Vec<String>> {
    guard(|| Ok(index.0.ending(&name).map(owned).into_list()))
}

/// The names of all tensors.
#[napi(catch_unwind)]
pub fn index_names(env: Env, index: &External<ShardIndex>) -> Option<JoinedNames> {
    guard(|| {
        let names = index.0.names();
        Ok(JoinedNames { text: owned(names.text()), lengths: lengths(env, names)? })
    })
}

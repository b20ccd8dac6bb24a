//! Files of tensors, and the folders of models and of token ids.

pub mod archives;
pub mod fasttext;
pub mod folder;
pub mod gguf;
pub mod lazy;
pub mod records;
pub mod shards;
pub mod tensors;
pub mod token_writer;
pub mod tokens;
pub mod words;
pub mod writer;

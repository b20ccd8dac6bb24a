//! Files of tensors, and the folders of models.

pub mod folder;
pub mod tensors;
pub mod writer;

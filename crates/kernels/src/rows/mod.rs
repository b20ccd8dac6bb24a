//! Rows, as all ops use them: how they lie in memory, and how they are read, summed and written.

pub mod added;
pub mod blocks;
pub(crate) mod decode;
pub mod format;
pub(crate) mod parts;
pub mod store;
pub(crate) mod total;
pub(crate) mod write;

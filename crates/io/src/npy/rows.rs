//! Streams rows into an npy file: one tensor, whose header has room for any number of rows.

use super::header;
use crate::limits::Shapes;
use crate::writer::{Column, Layout};
use std::collections::HashMap;
use tokenbed_core::{Error, Result};

#[derive(Debug)]
struct Rows(Column);

/// The layout of a file with this one column.
///
/// # Errors
/// [`Error::Usage`] for several columns, or metadata; [`Error::DType`] for elements that the format does not have.
pub(crate) fn layout(columns: &[Column], metadata: HashMap<String, String>) -> Result<Box<dyn Layout>> {
    let [column] = columns else {
        let message = format!("an .npy file holds one tensor, not {}: write .safetensors", columns.len());
        return Err(Error::Usage(message));
    };
    if !metadata.is_empty() {
        return Err(Error::Usage("an .npy file cannot hold metadata: write .safetensors".into()));
    }
    Ok(Box::new(Rows(column.clone())))
}

impl Layout for Rows {
    fn order(&self) -> Vec<usize> {
        Vec::from([0])
    }

    fn shapes(&self) -> Shapes {
        header::SHAPES
    }

    fn header(&self, rows: &[u64]) -> Result<Vec<u8>> {
        header::write(self.0.dtype, &self.0.shape_of(rows.first().copied().unwrap_or(0)))
    }
}

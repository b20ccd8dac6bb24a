//! Tensors written to a file row by row.

use crate::files::tensors::{MetadataEntry, metadata_of};
use crate::node::borrow::{Operand, size, sizes};
use crate::node::borrowed_word::Word;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use napi_derive::napi;
use std::cell::RefCell;
use std::path::Path;
use tokenbed_core::DType;
use tokenbed_io::writer::{Column, RowWriter};
use tokenbed_memory::Gather;

/// A writer as JavaScript holds it. If it is garbage-collected before it is closed, no file remains.
pub struct RowFile(RefCell<RowWriter>);

/// A tensor that is written row by row; `shape` is the shape of one row.
#[napi(object, object_to_js = false)]
pub struct ColumnOperand {
    pub name: String,
    pub dtype: Word<DType>,
    pub shape: Vec<f64>,
}

/// Starts a file with these columns and metadata.
#[napi(catch_unwind)]
pub fn rows_create(
    path: String,
    columns: Vec<ColumnOperand>,
    metadata: Vec<MetadataEntry>,
) -> Option<External<RowFile>> {
    guard(|| {
        let column = |ColumnOperand { name, dtype, shape }| -> Result<_, Failure> {
            Ok(Column { name, dtype: dtype.0, shape: sizes(&shape)? })
        };
        let columns = columns.into_iter().map(column).try_into_list()?;
        let writer = RowWriter::create(Path::new(&path), columns, metadata_of(metadata))?;
        Ok(External::new(RowFile(RefCell::new(writer))))
    })
}

/// Appends rows to a column.
#[napi(catch_unwind)]
pub fn rows_append(writer: &External<RowFile>, column: u32, rows: f64, data: Operand) -> bool {
    status(|| Ok(writer.0.borrow_mut().append(column as usize, size(rows)?, data.shared()?)?))
}

/// Completes the file and renames it to its final name.
#[napi(catch_unwind)]
pub fn rows_close(writer: &External<RowFile>) -> bool {
    status(|| Ok(writer.0.borrow_mut().close()?))
}

/// Gives the file up and removes it.
#[napi(catch_unwind)]
pub fn rows_abort(writer: &External<RowFile>) -> bool {
    status(|| {
        writer.0.borrow_mut().abort();
        Ok(())
    })
}

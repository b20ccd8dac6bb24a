//! Tensors written to a file row by row.

use crate::files::tensors::{MetadataEntry, metadata_of};
use crate::node::borrow::{Operand, size, sizes};
use crate::node::borrowed_word::Word;
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::work::{Errand, GoOn, Work, work};
use napi_derive::napi;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenbed_core::DType;
use tokenbed_core::storage::{Part, Storage};
use tokenbed_io::writer::{Column, RowWriter};
use tokenbed_memory::Gather;

/// A writer as JavaScript holds it. If it is garbage-collected before it is closed, no file remains.
pub struct RowFile(Arc<Mutex<RowWriter>>);

/// A writer that panicked has ended, and says so itself.
fn locked(writer: &Mutex<RowWriter>) -> MutexGuard<'_, RowWriter> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        Ok(External::new(RowFile(Arc::new(Mutex::new(writer)))))
    })
}

/// Appends rows to a column.
#[napi(catch_unwind)]
pub fn rows_append(writer: &External<RowFile>, column: u32, rows: f64, data: Operand) -> bool {
    status(|| Ok(locked(&writer.0).append(column as usize, size(rows)?, data.shared()?)?))
}

/// Rows that are to be appended, held until they are.
struct Appending {
    writer: Arc<Mutex<RowWriter>>,
    column: usize,
    rows: usize,
    data: Part,
}

impl Errand for Appending {
    fn run(self: Box<Self>, _: &GoOn) -> Result<Vec<Storage>, Failure> {
        let bytes = self.data.elements::<u8>().unwrap_or_default();
        locked(&self.writer).append(self.column, self.rows, bytes)?;
        Ok(Vec::new())
    }
}

/// `rows_append`, as work to be queued. It has no results.
#[napi(catch_unwind)]
pub fn rows_append_work(
    writer: &External<RowFile>,
    column: u32,
    rows: f64,
    data: &External<Handle>,
) -> Option<External<Work>> {
    work(|| {
        let (column, rows, data) = (column as usize, size(rows)?, data.hold()?);
        Ok(Appending { writer: Arc::clone(&writer.0), column, rows, data })
    })
}

/// Completes the file and renames it to its final name.
#[napi(catch_unwind)]
pub fn rows_close(writer: &External<RowFile>) -> bool {
    status(|| Ok(locked(&writer.0).close()?))
}

/// A file that is to be completed.
struct Closing(Arc<Mutex<RowWriter>>);

impl Errand for Closing {
    fn run(self: Box<Self>, _: &GoOn) -> Result<Vec<Storage>, Failure> {
        locked(&self.0).close()?;
        Ok(Vec::new())
    }
}

/// `rows_close`, as work to be queued: it waits for the disk. It has no results.
#[napi(catch_unwind)]
pub fn rows_close_work(writer: &External<RowFile>) -> Option<External<Work>> {
    work(|| Ok(Closing(Arc::clone(&writer.0))))
}

/// Gives the file up and removes it.
#[napi(catch_unwind)]
pub fn rows_abort(writer: &External<RowFile>) -> bool {
    status(|| {
        locked(&writer.0).abort();
        Ok(())
    })
}

//! Tensors written to a file row by row.

use crate::files::tensors::element_type;
use crate::node::borrow::{Operand, size, sizes};
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use napi_derive::napi;
use std::cell::RefCell;
use std::path::Path;
use tokenbed_io::writer::{Column, RowWriter};
use tokenbed_memory::{Gather, map_of};

/// A writer as JavaScript holds it. Collected before it is closed, it leaves nothing behind.
pub struct RowFile(RefCell<RowWriter>);

/// Starts a file: names, dtype codes and shapes of a row side by side; metadata as keys and values side by side.
#[napi(catch_unwind)]
pub fn rows_create(
    path: String,
    names: Vec<String>,
    dtypes: Vec<u32>,
    shapes: Vec<Vec<f64>>,
    keys: Vec<String>,
    values: Vec<String>,
) -> Option<External<RowFile>> {
    guard(|| {
        let column = |((name, code), shape): ((String, u32), &Vec<f64>)| -> Result<_, Failure> {
            Ok(Column { name, dtype: element_type(code)?, shape: sizes(shape)? })
        };
        let columns = names.into_iter().zip(dtypes).zip(&shapes).map(column).try_into_list()?;
        let writer = RowWriter::create(Path::new(&path), columns, map_of(keys.into_iter().zip(values)))?;
        Ok(External::new(RowFile(RefCell::new(writer))))
    })
}

/// Appends rows to a column.
#[napi(catch_unwind)]
pub fn rows_append(writer: &External<RowFile>, column: u32, rows: f64, data: Operand) -> bool {
    status(|| Ok(writer.0.borrow_mut().append(column as usize, size(rows)?, data.shared()?)?))
}

/// Completes the file and gives it its name.
#[napi(catch_unwind)]
pub fn rows_close(writer: &External<RowFile>) -> bool {
    status(|| Ok(writer.0.borrow_mut().close()?))
}

/// Leaves nothing behind.
#[napi(catch_unwind)]
pub fn rows_abort(writer: &External<RowFile>) -> bool {
    status(|| {
        writer.0.borrow_mut().abort();
        Ok(())
    })
}

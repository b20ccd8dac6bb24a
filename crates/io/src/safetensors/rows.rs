//! Streams rows into a safetensors file. The header has room for any number of rows, and is padded with spaces.

use super::header;
use crate::limits::Shapes;
use crate::writer::{Column, Layout};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::HashMap;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, List, Slice, filled};

#[derive(Debug)]
struct Rows {
    /// The columns, each with the size of a row in bytes.
    columns: Vec<(Column, u64)>,
    order: Vec<usize>,
    metadata: HashMap<String, String>,
    /// Length of the header without its padding, if every number had its largest length.
    room: usize,
}

/// The layout of a file with these columns.
///
/// # Errors
/// [`Error::Usage`] for a name given twice or one that the format reserves, and for names, shapes and metadata that
/// are longer than readers accept; [`Error::Shape`] for rows that no memory can hold.
pub(crate) fn layout(columns: &[Column], metadata: HashMap<String, String>) -> Result<Box<dyn Layout>> {
    header::check_names(columns.iter().map(|column| column.name.as_str()))?;
    let columns: Vec<_> =
        columns.iter().map(|column| Ok((column.clone(), column.row_bytes()? as u64))).try_into_list::<_, Error>()?;
    let order = order(&columns);
    let mut rows = Rows { columns, order, metadata, room: 0 };
    let most = filled((u64::MAX, (u64::MAX, u64::MAX)), rows.columns.len());
    // The header's length comes first, in eight bytes, so the data starts at a multiple of eight, too.
    rows.room = rows.json(&most).len().next_multiple_of(8);
    header::check_length(rows.room)?;
    Ok(Box::new(rows))
}

/// The order of columns. The one with the largest rows comes first, because the first column is streamed straight
/// into the file, provided that what follows is aligned for any number of its rows. Then come wide element types, so
/// that all are aligned.
fn order(columns: &[(Column, u64)]) -> Vec<usize> {
    let widest = columns.iter().map(|(column, _)| column.dtype.size() as u64).max().unwrap_or(1);
    let aligns = |&column: &usize| columns[column].1.is_multiple_of(widest);
    let first = (0..columns.len()).filter(aligns).min_by_key(|&column| Reverse(columns[column].1));
    let mut order: Vec<_> = (0..columns.len()).into_list();
    // The sort is stable: otherwise the order of declaration holds.
    order.sort_by_key(|&column| (Some(column) != first, Reverse(columns[column].0.dtype.size())));
    order
}

impl Rows {
    /// The header's text, given the rows and offsets of each column.
    #[allow(
        clippy::disallowed_methods,
        clippy::disallowed_macros,
        reason = "serde's values: as many as columns were named"
    )]
    fn json(&self, places: &[(u64, (u64, u64))]) -> String {
        let tensor = |(column, _): &(Column, u64), &(rows, offsets): &(u64, (u64, u64))| {
            let entry = json!({
                "dtype": super::to_file(column.dtype),
                "shape": column.shape_of(rows),
                "data_offsets": [offsets.0, offsets.1],
            });
            (column.name.clone(), entry)
        };
        let mut entries: serde_json::Map<String, Value> =
            self.columns.iter().zip(places).map(|(column, place)| tensor(column, place)).collect();
        if !self.metadata.is_empty() {
            // Goes through a map with sorted keys: the order of the other map is new in every process.
            let metadata: serde_json::Map<_, _> =
                self.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            entries.insert(header::METADATA.into(), metadata.into());
        }
        Value::Object(entries).to_string()
    }
}

impl Layout for Rows {
    fn order(&self) -> Vec<usize> {
        self.order.clone()
    }

    fn shapes(&self) -> Shapes {
        header::SHAPES
    }

    fn header(&self, rows: &[u64]) -> Result<Vec<u8>> {
        let mut places = filled((0, (0, 0)), self.columns.len());
        let mut end = 0u64;
        for &column in &self.order {
            let start = end;
            end = rows[column]
                .checked_mul(self.columns[column].1)
                .and_then(|bytes| start.checked_add(bytes))
                .ok_or_else(|| Error::Shape("more bytes than a file holds".into()))?;
            places[column] = (rows[column], (start, end));
        }
        let mut header = (self.room as u64).to_le_bytes().to_list();
        header.put_slice(self.json(&places).as_bytes());
        header.fill_to(super::header::LENGTH_BYTES + self.room, b' ');
        Ok(header)
    }
}

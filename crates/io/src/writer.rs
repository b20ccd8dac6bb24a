//! Writes tensors row by row, as the rows come. Memory does not grow with the number of rows.

use crate::atomic::{Pending, failed, folder};
use crate::beside::Beside;
use crate::limits::Shapes;
use crate::{npy, safetensors};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::{Gather, zeroed};

/// A tensor that grows by rows.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name in the file.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The shape of one row.
    pub shape: Vec<usize>,
}

impl Column {
    /// Size of a row in bytes.
    pub(crate) fn row_bytes(&self) -> Result<usize> {
        let sizes = self.shape.iter().try_fold(self.dtype.size(), |bytes, &n| bytes.checked_mul(n));
        sizes.filter(|&bytes| bytes <= isize::MAX as usize).ok_or_else(|| {
            Error::Shape(format!("\"{}\": a row of shape {:?} has more elements than memory", self.name, self.shape))
        })
    }

    /// Checks that readers can hold this many rows.
    fn check(&self, rows: u64, layout: &dyn Layout) -> Result<()> {
        layout.shapes().check(&format!("\"{}\"", self.name), &self.shape_of(rows), self.dtype.size())
    }

    /// The shape of this many rows.
    pub(crate) fn shape_of(&self, rows: u64) -> Vec<u64> {
        std::iter::once(rows).chain(self.shape.iter().map(|&n| n as u64)).into_list()
    }
}

/// A format that rows can be streamed into: a header of fixed length, then the tensors one after the other.
pub(crate) trait Layout: std::fmt::Debug + Send {
    /// The columns in the order in which they lie in the file. The first is streamed straight into it.
    fn order(&self) -> Vec<usize>;

    /// The shapes that its readers accept.
    fn shapes(&self) -> Shapes;

    /// The header for these numbers of rows. Its length is the same for all numbers.
    fn header(&self, rows: &[u64]) -> Result<Vec<u8>>;
}

type Start = fn(&[Column], HashMap<String, String>) -> Result<Box<dyn Layout>>;

/// The formats, by the ending of the file's name. A format is one line here.
const FORMATS: [(&str, Start); 2] = [("safetensors", safetensors::rows::layout), ("npy", npy::rows::layout)];

fn start(path: &Path, columns: &[Column], metadata: HashMap<String, String>) -> Result<Box<dyn Layout>> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match FORMATS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)) {
        Some((_, start)) => start(columns, metadata),
        None => {
            let known: Vec<_> = FORMATS.iter().map(|(known, _)| format!(".{known}")).into_list();
            let message = format!("{}: the ending says the format; known: {}", path.display(), known.join(", "));
            Err(Error::Usage(message))
        }
    }
}

/// Writes tensors row by row to a file that appears whole at [`RowWriter::close`], or not at all. If it is dropped
/// before, or if the system fails, it leaves nothing behind.
///
/// One tensor is streamed straight into the file. The others go into files of their own in the same folder and are
/// appended at the end; until then they need twice their room on the disk.
#[derive(Debug)]
pub struct RowWriter {
    path: PathBuf,
    columns: Vec<(Column, usize)>,
    layout: Box<dyn Layout>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Open),
    /// Why no more can be written.
    Ended(String),
}

#[derive(Debug)]
struct Open {
    file: Pending,
    header_len: usize,
    order: Vec<usize>,
    /// The file of each column; `None` for the column that goes straight into the final file.
    spools: Vec<Option<Beside>>,
    rows: Vec<u64>,
}

impl RowWriter {
    /// Starts a file. The ending of its name decides the format.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown ending, and for what the format cannot hold; [`Error::DType`] for elements and
    /// [`Error::Shape`] for shapes that it cannot hold; [`Error::File`] if the folder is missing or cannot be
    /// written.
    pub fn create(path: &Path, columns: Vec<Column>, metadata: HashMap<String, String>) -> Result<Self> {
        if columns.is_empty() {
            return Err(Error::Usage("a file must have at least one tensor".into()));
        }
        let layout = start(path, &columns, metadata)?;
        let columns: Vec<_> =
            columns.into_iter().map(|column| Ok((column.row_bytes()?, column))).try_into_list::<_, Error>()?;
        let columns: Vec<_> = columns.into_iter().map(|(bytes, column)| (column, bytes)).into_list();
        columns.iter().try_for_each(|(column, _)| column.check(0, &*layout))?;
        let rows = zeroed(columns.len());
        let header = layout.header(&rows)?;
        let order = layout.order();
        let mut file = Pending::create(path)?;
        file.write_all(&header).map_err(|source| failed(path, source))?;
        let spool = |column| (order.first() != Some(&column)).then(|| Beside::create(folder(path))).transpose();
        let spools = (0..columns.len()).map(spool).try_into_list().map_err(|source| failed(path, source))?;
        let state = State::Open(Open { file, header_len: header.len(), order, spools, rows });
        Ok(Self { path: path.to_path_buf(), columns, layout, state })
    }

    /// Appends rows to a column; `column` is its index in the order in which columns were given.
    ///
    /// # Errors
    /// [`Error::Shape`] if the bytes are not that many rows, or are more than readers can hold; the writer stays open
    /// then. [`Error::File`] if the system fails: then nothing is left behind, and the writer has ended.
    /// [`Error::Usage`] if it had ended before.
    pub fn append(&mut self, column: usize, rows: usize, bytes: &[u8]) -> Result<()> {
        let open = self.open()?;
        let Some((declared, row)) = self.columns.get(column) else {
            return Err(Error::Usage(format!("no column {column}")));
        };
        if row.checked_mul(rows) != Some(bytes.len()) {
            return Err(Error::Shape(format!("{} bytes are not {rows} rows of {row}", bytes.len())));
        }
        let total = open.rows[column].checked_add(rows as u64);
        let total = total.ok_or_else(|| Error::Shape("more rows than can be counted".into()))?;
        declared.check(total, &*self.layout)?;
        let State::Open(open) = &mut self.state else { return Ok(()) };
        let written = match &mut open.spools[column] {
            Some(spool) => spool.write_all(bytes),
            None => open.file.write_all(bytes),
        };
        match written {
            Ok(()) => open.rows[column] = total,
            Err(source) => return Err(self.give_up(failed(&self.path, source))),
        }
        Ok(())
    }

    /// Completes the file, syncs it and gives it its name. After that the writer has ended, whether this succeeded or
    /// not.
    ///
    /// # Errors
    /// [`Error::File`] if the system fails: then nothing is left behind. [`Error::Usage`] if it had ended before.
    pub fn close(&mut self) -> Result<()> {
        self.open()?;
        let State::Open(open) = std::mem::replace(&mut self.state, State::Ended("it was closed".into())) else {
            return Ok(());
        };
        open.finish(&*self.layout, &self.path).map_err(|error| self.give_up(error))
    }

    /// Ends the writer and leaves nothing behind. It does nothing if the writer has ended already.
    pub fn abort(&mut self) {
        if matches!(self.state, State::Open(_)) {
            self.state = State::Ended("it was aborted".into());
        }
    }

    fn open(&self) -> Result<&Open> {
        match &self.state {
            State::Open(open) => Ok(open),
            State::Ended(why) => Err(Error::Usage(format!("{}: the writer has ended: {why}", self.path.display()))),
        }
    }

    fn give_up(&mut self, error: Error) -> Error {
        self.state = State::Ended(format!("an earlier write failed, and what was written is gone ({error})"));
        error
    }
}

impl Open {
    fn finish(mut self, layout: &dyn Layout, path: &Path) -> Result<()> {
        let header = layout.header(&self.rows)?;
        if header.len() != self.header_len {
            // A longer header would overwrite the first rows.
            return Err(Error::Usage(format!("a header of {} bytes for {}", header.len(), self.header_len)));
        }
        let mut complete = || {
            for &column in &self.order {
                if let Some(spool) = self.spools[column].take() {
                    self.file.append(spool)?;
                }
            }
            self.file.write_start(&header)
        };
        complete().map_err(|source| failed(path, source))?;
        self.file.commit()
    }
}

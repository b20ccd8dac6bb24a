//! The vectors of a file while they are read.

use tokenbed_core::Result;
use tokenbed_core::storage::Storage;
use tokenbed_memory::List;

/// Rows whose number may not be known before all are read.
///
/// If it is known, they have their place from the beginning. If not, they are kept in pieces, which are freed one after
/// the other while the table is put together: there is never memory for more than the table and a piece.
pub(super) struct Table {
    /// Number of numbers in a row.
    dim: usize,
    pieces: Vec<Storage>,
    /// Number of rows for which the last piece has room.
    room: usize,
    /// Number of rows in the last piece.
    filled: usize,
    rows: usize,
    /// Whether the only piece has room for all rows that can come.
    whole: bool,
}

/// Number of bytes of the first piece. Each is twice as large as the one before it.
const FIRST: usize = 64 << 10;
/// How often pieces double, up to eight megabytes: the system takes those back when they are freed.
const DOUBLED: usize = 7;

impl Table {
    /// A table for at most so many rows, if that is known.
    pub(super) fn new(dim: usize, most: Option<usize>) -> Result<Self> {
        let mut table = Self { dim, pieces: Vec::new(), room: 0, filled: 0, rows: 0, whole: most.is_some() };
        if let Some(rows) = most {
            table.add_piece(rows)?;
        }
        Ok(table)
    }

    fn width(&self) -> usize {
        self.dim * size_of::<f32>()
    }

    fn add_piece(&mut self, rows: usize) -> Result<()> {
        // A number of bytes that is too large for memory is refused there.
        self.pieces.put(Storage::zeroed(rows.saturating_mul(self.width()))?);
        (self.room, self.filled) = (rows, 0);
        Ok(())
    }

    /// The bytes of the next row; [`Table::keep`] says that they hold one.
    pub(super) fn next(&mut self) -> Result<&mut [u8]> {
        if self.filled == self.room {
            let bytes = FIRST << self.pieces.len().min(DOUBLED);
            self.add_piece((bytes / self.width()).max(1))?;
        }
        let (start, width) = (self.filled * self.width(), self.width());
        let bytes = self.pieces.last_mut().and_then(Storage::elements_mut).unwrap_or_default();
        Ok(&mut bytes[start..start + width])
    }

    pub(super) fn keep(&mut self) {
        self.filled += 1;
        self.rows += 1;
    }

    /// Appends a row.
    pub(super) fn put(&mut self, row: &[f32]) -> Result<()> {
        for (place, value) in self.next()?.chunks_exact_mut(size_of::<f32>()).zip(row) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        self.keep();
        Ok(())
    }

    /// All rows. There may be room for more behind them.
    pub(super) fn finish(mut self) -> Result<Storage> {
        if self.whole
            && let Some(all) = self.pieces.pop()
        {
            return Ok(all);
        }
        let width = self.width();
        Storage::filled(self.rows * width, |all| {
            let mut rest = all;
            for mut piece in self.pieces.drain(..) {
                let bytes = piece.elements_mut::<u8>().unwrap_or_default();
                let len = (bytes.len() - bytes.len() % width).min(rest.len());
                let (place, after) = std::mem::take(&mut rest).split_at_mut(len);
                place.copy_from_slice(&bytes[..len]);
                rest = after;
            }
            Ok(())
        })
    }
}

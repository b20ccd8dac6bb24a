//! The rows that are searched, and how blocks of them are read.

use std::ops::Range;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::products::scores::{Layout, ScoredRows};
use tokenbed_kernels::rows::format::{OutFormat, RowFormat, RowTable};
use tokenbed_memory::List;

/// What rows consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Elements of a table of any layout.
    Table(RowFormat),
    /// Signed bytes, without a scale.
    Signed,
    /// Bits, eight in a byte.
    Bits,
}

/// The number of bits in a row up to which every number of bits is a float32.
const MOST_BITS: usize = 1 << 24;

/// The rows of a table.
#[derive(Clone, Copy, Debug)]
pub struct SearchRows<'a> {
    bytes: &'a [u8],
    kind: Kind,
    rows: usize,
    dim: usize,
    row_bytes: usize,
}

/// Some of the rows.
#[derive(Clone, Debug)]
pub(crate) enum Which<'a> {
    /// Rows in a row.
    Range(Range<usize>),
    /// Rows by their numbers, which were checked.
    Ids(&'a [u32]),
}

impl Which<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Which::Range(range) => range.len(),
            Which::Ids(ids) => ids.len(),
        }
    }

    /// The number of the row at a place.
    pub(crate) fn row(&self, at: usize) -> usize {
        match self {
            Which::Range(range) => range.start + at,
            Which::Ids(ids) => ids[at] as usize,
        }
    }
}

/// Which numbers of a row are read, where it has a scale and a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Those that are stored.
    Stored,
    /// What they mean.
    Values,
}

/// The scale and bias of each row.
pub(crate) struct Scales<'a>(Option<RowTable<'a>>);

impl Scales<'_> {
    /// Those of a row; 1 and 0 where rows have none.
    #[inline]
    pub(crate) fn of(&self, row: usize) -> (f32, f32) {
        self.0.as_ref().map_or((1.0, 0.0), |table| table.scale_of(row))
    }
}

/// Buffers for rows, which are reused.
#[derive(Debug, Default)]
pub(crate) struct Room {
    floats: Vec<f32>,
    bytes: Vec<u8>,
    ids: Vec<u32>,
}

impl<'a> SearchRows<'a> {
    /// Rows of `dim` elements, or of `dim` bits.
    ///
    /// # Errors
    /// [`Error::Shape`] if the bytes are not exactly these rows, or there are more than ids can count.
    pub fn new(kind: Kind, bytes: &'a [u8], rows: usize, dim: usize) -> Result<Self> {
        let row_bytes = match kind {
            Kind::Table(format) => format.row_bytes(dim),
            Kind::Signed => Some(dim),
            Kind::Bits => (dim.is_multiple_of(8) && dim <= MOST_BITS).then_some(dim / 8),
        };
        let fits = |row: &usize| rows.checked_mul(*row) == Some(bytes.len());
        let Some(row_bytes) = row_bytes.filter(fits).filter(|_| dim > 0) else {
            return Err(Error::Shape(format!("{} bytes are not {rows} rows of {dim}", bytes.len())));
        };
        if i32::try_from(rows).is_err() {
            return Err(Error::Shape(format!("{rows} rows are more than int32 ids can count")));
        }
        Ok(Self { bytes, kind, rows, dim, row_bytes })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The number of elements in a row, or of bits.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The number of bytes in a row.
    pub(crate) fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The number of bytes in a row as the op `scores` takes it: some layouts are decoded first.
    pub(crate) fn scored_bytes(&self) -> usize {
        let decoded = matches!(self.kind, Kind::Table(format) if format.is_decoded());
        if decoded { self.dim.saturating_mul(size_of::<f32>()) } else { self.row_bytes }
    }

    /// What the rows consist of.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether stored elements are read with a scale and a bias of their row.
    pub(crate) fn is_scaled(&self) -> bool {
        matches!(self.kind, Kind::Table(RowFormat::Int8 | RowFormat::Int4))
    }

    fn table(&self) -> Option<RowTable<'a>> {
        match self.kind {
            Kind::Table(format) => RowTable::new(format, self.bytes, self.rows, self.dim),
            Kind::Signed | Kind::Bits => None,
        }
    }

    /// The scales and biases of all rows.
    pub(crate) fn scales(&self) -> Scales<'a> {
        Scales(self.table().filter(|_| self.is_scaled()))
    }

    /// The bytes of some rows, end to end, in place or copied.
    pub(crate) fn bytes<'b>(&self, which: &Which<'_>, room: &'b mut Room) -> &'b [u8]
    where
        'a: 'b,
    {
        match which {
            Which::Range(range) => &self.bytes[range.start * self.row_bytes..range.end * self.row_bytes],
            Which::Ids(ids) => {
                room.bytes.clear();
                for &id in *ids {
                    room.bytes.put_slice(&self.bytes[id as usize * self.row_bytes..][..self.row_bytes]);
                }
                &room.bytes
            }
        }
    }

    /// Some rows as the op `scores` takes them. Rows of bits are for another op.
    pub(crate) fn scored<'b>(&self, kernels: Kernels, which: &Which<'_>, room: &'b mut Room) -> ScoredRows<'b>
    where
        'a: 'b,
    {
        let layout = match self.kind {
            Kind::Table(format) if format.is_decoded() => {
                return floats_scored(self.look(kernels, which, Form::Values, room), self.dim);
            }
            Kind::Table(format) => Layout::Table(format),
            Kind::Signed | Kind::Bits => Layout::Signed,
        };
        ScoredRows { bytes: self.bytes(which, room), layout, row_bytes: self.row_bytes }
    }

    /// The elements of some rows, (rows, dim), in place or decoded. Rows of bits have none.
    pub(crate) fn look<'b>(&self, kernels: Kernels, which: &Which<'_>, form: Form, room: &'b mut Room) -> &'b [f32]
    where
        'a: 'b,
    {
        let Some(table) = self.table() else { return self.look_signed(which, room) };
        if table.format() == RowFormat::Float32
            && let Which::Range(range) = which
            && let Ok(floats) =
                bytemuck::try_cast_slice(&self.bytes[range.start * self.row_bytes..range.end * self.row_bytes])
        {
            return floats;
        }
        room.floats.fill_to(which.len() * self.dim, 0.0);
        let floats = &mut room.floats[..which.len() * self.dim];
        if form == Form::Stored && self.is_scaled() {
            for (at, floats) in floats.chunks_exact_mut(self.dim).enumerate() {
                let row = &self.bytes[which.row(at) * self.row_bytes..][..self.row_bytes];
                stored(table.format(), row, floats);
            }
            return floats;
        }
        room.ids.clear();
        room.ids.put_all((0..which.len()).map(|at| which.row(at) as u32));
        if let Some(ids) = CheckedIds::new(kernels, &room.ids, self.rows) {
            kernels.gather_rows(table, ids, OutFormat::Float32, bytemuck::cast_slice_mut(floats));
        }
        floats
    }

    fn look_signed<'b>(&self, which: &Which<'_>, room: &'b mut Room) -> &'b [f32] {
        room.floats.fill_to(which.len() * self.dim, 0.0);
        let floats = &mut room.floats[..which.len() * self.dim];
        if self.kind == Kind::Signed {
            for (at, floats) in floats.chunks_exact_mut(self.dim).enumerate() {
                let row = &self.bytes[which.row(at) * self.row_bytes..][..self.row_bytes];
                floats.iter_mut().zip(row).for_each(|(x, &byte)| *x = f32::from(byte.cast_signed()));
            }
        }
        floats
    }
}

/// Rows of f32 as the op `scores` takes them.
pub(crate) fn floats_scored(floats: &[f32], dim: usize) -> ScoredRows<'_> {
    let layout = Layout::Table(RowFormat::Float32);
    ScoredRows { bytes: bytemuck::cast_slice(floats), layout, row_bytes: dim * size_of::<f32>() }
}

/// The stored integers of a row.
fn stored(format: RowFormat, row: &[u8], floats: &mut [f32]) {
    if format == RowFormat::Int8 {
        return floats.iter_mut().zip(row).for_each(|(x, &byte)| *x = f32::from(byte));
    }
    for (pair, &byte) in floats.chunks_mut(2).zip(row) {
        for (x, nibble) in pair.iter_mut().zip([byte & 15, byte >> 4]) {
            *x = f32::from(nibble);
        }
    }
}

//! Means of the rows that tokens name, some texts at a time.

use crate::error::EmbedError;
use crate::form::Form;
use tokenbed_core::Error;
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::lookup::bag::{Bag, Bags, Mode};
use tokenbed_kernels::ops::lookup::signed_bag::SignedBag;
use tokenbed_kernels::rows::format::{OutFormat, RowTable};
use tokenbed_memory::List;

/// The rows of a table.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// Rows of a layout that layers look up.
    Table(RowTable<'a>),
    /// Plain signed bytes, of `dim` columns.
    Signed {
        /// The rows, end to end.
        rows: &'a [i8],
        /// The number of elements of a row.
        dim: usize,
    },
}

impl<'a> Rows<'a> {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Table(table) => table.rows(),
            Self::Signed { rows, dim } => rows.len() / dim.max(&1),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of elements of a row.
    pub fn dim(&self) -> usize {
        match self {
            Self::Table(table) => table.dim(),
            Self::Signed { dim, .. } => *dim,
        }
    }

    /// The same rows as far as they must be read for their first `dim` elements, and the number of elements that are.
    fn cut(self, dim: usize) -> (Self, usize) {
        match self {
            Self::Table(table) => match table.first_columns(dim) {
                Some(table) => (Self::Table(table), dim),
                None => (self, table.dim()),
            },
            Self::Signed { .. } => (self, dim),
        }
    }
}

/// Ids are summed once there are so many of them,
const MOST_IDS: usize = 4096;
/// or once so many elements have sums.
const MOST_SUMS: usize = 64 << 10;

/// The ids of some texts, end to end, and buffers for their sums.
pub(crate) struct Pool<'a> {
    kernels: Kernels,
    rows: Rows<'a>,
    /// The number of elements that are summed, of which the form takes the first.
    width: usize,
    form: Form,
    least_norm: f32,
    /// The bytes of a vector.
    bytes: usize,
    pub(crate) ids: Vec<u32>,
    /// A factor for each id; without ids if there are no weights.
    pub(crate) weights: Option<Vec<f32>>,
    offsets: Vec<usize>,
    sums: Vec<f32>,
}

impl<'a> Pool<'a> {
    /// # Errors
    /// [`Error::Shape`] for a form that vectors of these rows cannot have.
    pub(crate) fn new(
        kernels: Kernels,
        rows: Rows<'a>,
        form: Form,
        least_norm: f32,
        is_weighted: bool,
    ) -> Result<Self, Error> {
        if form.dim > rows.dim() {
            let why = format!("dim {} is more than the {} elements of a row", form.dim, rows.dim());
            return Err(Error::Shape(why));
        }
        let (rows, width) = rows.cut(form.dim);
        Ok(Self {
            kernels,
            rows,
            width,
            form,
            least_norm,
            bytes: form.bytes()?,
            ids: Vec::new(),
            weights: is_weighted.then(Vec::new),
            offsets: Vec::from([0]),
            sums: Vec::new(),
        })
    }

    /// Ends a text. Returns whether the texts so far are worth summing.
    pub(crate) fn end_text(&mut self) -> bool {
        self.offsets.put(self.ids.len());
        self.ids.len() >= MOST_IDS || self.offsets.len() * self.width > MOST_SUMS
    }

    /// The number of texts that wait.
    fn texts(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Writes the vectors of the texts that wait to the beginning of `out`, and returns the rest of it.
    pub(crate) fn write<'out>(&mut self, out: &'out mut [u8]) -> Result<&'out mut [u8], EmbedError> {
        let Self { kernels, rows, width, form, least_norm, bytes, ids, weights, offsets, sums } = self;
        let texts = offsets.len() - 1;
        sums.fill_to(texts * *width, 0.0);
        let checked = CheckedIds::new(*kernels, ids, rows.len()).ok_or_else(|| no_row(ids, rows.len()))?;
        let has_weights = weights.is_some();
        match *rows {
            Rows::Table(table) => {
                let mode = if has_weights { Mode::Sum } else { Mode::Mean };
                let bags = Bags::Ragged(offsets);
                let bag = Bag { table, ids: checked, bags, weights: weights.as_deref(), padding: None, mode };
                kernels.bag(&bag, 0..texts, OutFormat::Float32, bytemuck::cast_slice_mut(sums));
            }
            Rows::Signed { rows, dim } => kernels.signed_bag(SignedBag {
                table: rows,
                stride: dim,
                dim: *width,
                ids: checked,
                offsets,
                weights: weights.as_deref(),
                out: sums,
            }),
        }
        let is_sum = has_weights || matches!(rows, Rows::Signed { .. });
        let (now, later) = out.split_at_mut(texts * *bytes);
        if *bytes > 0 {
            for (text, out) in now.chunks_exact_mut(*bytes).enumerate() {
                let vector = &mut sums[text * *width..][..form.dim];
                let count = offsets[text + 1] - offsets[text];
                if is_sum && count > 0 {
                    vector.iter_mut().for_each(|x| *x /= count as f32);
                }
                form.write(*least_norm, vector, out);
            }
        }
        ids.clear();
        offsets.truncate(1);
        sums.clear();
        weights.iter_mut().for_each(Vec::clear);
        Ok(later)
    }

    /// Writes the vectors of the last texts.
    pub(crate) fn end(mut self, out: &mut [u8]) -> Result<(), EmbedError> {
        if self.texts() > 0 {
            self.write(out)?;
        }
        Ok(())
    }
}

#[cold]
fn no_row(ids: &[u32], rows: usize) -> Error {
    let bad = ids.iter().enumerate().filter(|(_, id)| **id as usize >= rows);
    let (flat, value) = bad.clone().next().map_or((0, 0), |(at, &id)| (at, id));
    Error::TokenIndex { flat, value: value.into(), rows, count: bad.count() }
}

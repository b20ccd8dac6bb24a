//! The order of a batch by id: its distinct ids, and the places at which each occurs. It is stable: the places of an id
//! ascend.

use super::check_ascending;
use tokenbed_core::ids::{BadIds, IdSlice, resolve};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::List;

/// Up to this many ids are sorted by comparison: counting would touch more memory than there are ids.
const SMALL: usize = 256;
/// Ids are counted if the table has at most this many rows for each id of the batch. Above that, clearing and reading
/// the counts of rows that do not occur costs more than sorting.
const COUNTED_ROWS_PER_ID: usize = 16;
/// The number of bits in a digit of the radix sort.
const DIGIT: u32 = 11;

/// The places of ids: `ids[i]` occurs at `places[starts[i] .. starts[i + 1]]`.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    ids: &'a [u32],
    starts: &'a [u32],
    places: &'a [u32],
}

impl<'a> Order<'a> {
    /// An order from its parts.
    ///
    /// # Errors
    /// [`Error::Shape`] if ids do not ascend, or starts do not divide the places.
    pub fn new(ids: &'a [u32], starts: &'a [u32], places: &'a [u32]) -> Result<Self> {
        check_ascending(ids)?;
        let whole = starts.len() == ids.len() + 1
            && starts[0] == 0
            && starts.windows(2).all(|pair| pair[0] <= pair[1])
            && starts[ids.len()] as usize == places.len();
        if !whole {
            return Err(Error::Shape("the places of ids must follow each other without gaps".into()));
        }
        Ok(Self { ids, starts, places })
    }

    /// The order that was written in a block for `n` ids, of which `count` are distinct.
    ///
    /// # Errors
    /// As for [`Order::new`], and [`Error::Shape`] for a block of another size.
    pub fn in_block(block: &'a [u32], n: usize, count: usize) -> Result<Self> {
        check_block(block, n)?;
        let (ids, rest) = block.split_at(n);
        let (starts, places) = rest.split_at(n + 1);
        let places = starts.get(count).and_then(|&end| places.get(..end as usize));
        match (ids.get(..count), places) {
            (Some(ids), Some(places)) => Self::new(ids, &starts[..=count], places),
            _ => Err(Error::Shape(format!("the order of {n} ids does not have {count} rows"))),
        }
    }

    /// The ids, ascending, each once.
    pub fn ids(&self) -> &'a [u32] {
        self.ids
    }

    /// Where the places of each id begin, and where the last end.
    pub fn starts(&self) -> &'a [u32] {
        self.starts
    }

    /// The places, grouped by id.
    pub fn places(&self) -> &'a [u32] {
        self.places
    }

    /// How often the id at index `i` occurs.
    pub fn count(&self, i: usize) -> usize {
        (self.starts[i + 1] - self.starts[i]) as usize
    }
}

/// Buffers for sorting, reused between calls.
#[derive(Debug, Default)]
pub struct OrderScratch {
    counts: Vec<u32>,
    pairs: Vec<u64>,
    other: Vec<u64>,
}

/// The output buffers of an order. Each has as many elements as there are ids; starts has one more.
pub struct OrderOut<'a> {
    /// The ids.
    pub ids: &'a mut [u32],
    /// Where their places begin.
    pub starts: &'a mut [u32],
    /// The places.
    pub places: &'a mut [u32],
}

impl<'a> OrderOut<'a> {
    /// The buffers in one block for `n` ids: ids, starts, places.
    ///
    /// # Errors
    /// [`Error::Shape`] if the block has another size.
    pub fn in_block(block: &'a mut [u32], n: usize) -> Result<Self> {
        check_block(block, n)?;
        let (ids, rest) = block.split_at_mut(n);
        let (starts, places) = rest.split_at_mut(n + 1);
        Ok(Self { ids, starts, places })
    }
}

fn check_block(block: &[u32], n: usize) -> Result<()> {
    if n.checked_mul(3).and_then(|all| all.checked_add(1)) == Some(block.len()) {
        return Ok(());
    }
    Err(Error::Shape(format!("a block of {} elements does not fit the order of {n} ids", block.len())))
}

/// The factors of a gradient's rows, applied before they are summed.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    /// The factor of every row.
    pub scale: f32,
    /// Whether rows are also divided by how often their id occurs, in f64 and rounded once.
    pub by_frequency: bool,
}

/// The order of a lookup's ids, without those equal to `padding`. If `coefficients` are given, one is written for each
/// place. `scratch` is a buffer for ids that are not 32 bits wide. Returns the number of distinct ids.
///
/// # Errors
/// As for [`resolve`], and [`Error::Shape`] if `out` or the coefficients have the wrong size.
pub fn row_order(
    kernels: Kernels,
    (ids, bad): (IdSlice<'_>, BadIds),
    rows: usize,
    padding: Option<u32>,
    (scratch, sorting): (&mut Vec<u32>, &mut OrderScratch),
    out: &mut OrderOut<'_>,
    coefficients: Option<(Factors, &mut [f32])>,
) -> Result<usize> {
    let ids = resolve(kernels, ids, rows, bad, scratch)?.ids();
    let (unique, _) = sorting.sort(ids, rows, padding, out)?;
    let Some((Factors { scale, by_frequency }, coefficients)) = coefficients else { return Ok(unique) };
    if coefficients.len() != ids.len() {
        return Err(Error::Shape(format!("the buffer for the coefficients must have room for {} ids", ids.len())));
    }
    for range in out.starts[..=unique].windows(2).map(|pair| pair[0] as usize..pair[1] as usize) {
        let count = if by_frequency { range.len() as f64 } else { 1.0 };
        coefficients[range].fill((f64::from(scale) / count) as f32);
    }
    Ok(unique)
}

impl OrderScratch {
    /// Sorts ids, each below `rows`; ids equal to `skipped` are left out. Returns the numbers of distinct ids and of
    /// places.
    ///
    /// # Errors
    /// [`Error::Shape`] if `out` has the wrong size, or there are more than 2^32 - 1 ids.
    pub fn sort(
        &mut self,
        ids: &[u32],
        rows: usize,
        skipped: Option<u32>,
        out: &mut OrderOut<'_>,
    ) -> Result<(usize, usize)> {
        let n = ids.len();
        if out.ids.len() != n || out.places.len() != n || out.starts.len() != n + 1 || u32::try_from(n).is_err() {
            return Err(Error::Shape(format!("the buffers for the order must have room for {n} ids")));
        }
        // No id is u32::MAX, because a table has fewer rows.
        let skipped = skipped.unwrap_or(u32::MAX);
        if n > SMALL && rows / COUNTED_ROWS_PER_ID <= n {
            return Ok(self.count(ids, rows, skipped, out));
        }
        self.pairs.clear();
        let kept = ids.iter().enumerate().filter(|&(_, &id)| id != skipped);
        self.pairs.put_all(kept.map(|(place, &id)| u64::from(id) << 32 | place as u64));
        if n <= SMALL {
            // The places make all pairs distinct, so an unstable sort keeps their order.
            self.pairs.sort_unstable();
        } else {
            self.by_digits(rows);
        }
        Ok(divided(&self.pairs, out))
    }

    fn count(&mut self, ids: &[u32], rows: usize, skipped: u32, out: &mut OrderOut<'_>) -> (usize, usize) {
        self.counts.clear();
        self.counts.fill_to(rows, 0);
        for &id in ids {
            self.counts[id as usize] += 1;
        }
        if let Some(count) = self.counts.get_mut(skipped as usize) {
            *count = 0;
        }
        let (mut unique, mut places) = (0, 0);
        for (id, count) in self.counts.iter_mut().enumerate() {
            if *count > 0 {
                out.ids[unique] = id as u32;
                out.starts[unique] = places;
                unique += 1;
                let next = places + *count;
                // From here on, this is where the next place of the id goes.
                *count = places;
                places = next;
            }
        }
        out.starts[unique] = places;
        for (place, &id) in ids.iter().enumerate() {
            if id != skipped {
                let at = &mut self.counts[id as usize];
                out.places[*at as usize] = place as u32;
                *at += 1;
            }
        }
        (unique, places as usize)
    }

    /// Sorts pairs by id with a radix sort from the last digit: each pass keeps the order of the one before.
    fn by_digits(&mut self, rows: usize) {
        let bits = usize::BITS - rows.saturating_sub(1).leading_zeros();
        self.other.clear();
        self.other.fill_to(self.pairs.len(), 0);
        let mut shift = 32;
        while shift < 32 + bits {
            let digit = |pair: u64| (pair >> shift) as usize & ((1 << DIGIT) - 1);
            let mut next = [0u32; 1 << DIGIT];
            for &pair in &self.pairs {
                next[digit(pair)] += 1;
            }
            let mut before = 0;
            for count in &mut next {
                before += std::mem::replace(count, before);
            }
            for &pair in &self.pairs {
                let at = &mut next[digit(pair)];
                self.other[*at as usize] = pair;
                *at += 1;
            }
            std::mem::swap(&mut self.pairs, &mut self.other);
            shift += DIGIT;
        }
    }
}

/// Writes the order that sorted pairs describe.
fn divided(pairs: &[u64], out: &mut OrderOut<'_>) -> (usize, usize) {
    let mut unique = 0;
    let mut before = None;
    for (at, &pair) in pairs.iter().enumerate() {
        let id = (pair >> 32) as u32;
        if before != Some(id) {
            out.ids[unique] = id;
            out.starts[unique] = at as u32;
            unique += 1;
            before = Some(id);
        }
        out.places[at] = pair as u32;
    }
    out.starts[unique] = pairs.len() as u32;
    (unique, pairs.len())
}

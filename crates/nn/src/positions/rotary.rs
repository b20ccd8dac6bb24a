//! Rotary positions: pairs of elements are rotated by an angle that grows with the position (Su et al. 2021).

use super::scaling::{Frequencies, Scaling, frequencies};
pub use crate::token_position::At;
use std::ops::Range;
use tokenbed_core::ids::{IdSlice, with_values};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::positions::rotate::{Pairs, Rotate};
use tokenbed_kernels::rows::added::{Added, Along};
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_memory::{Gather, List, Slice, with_room};
use tokenbed_threads::parallel_rows;

/// Bytes of angles that are kept between calls, beginning with position 0. Angles of later positions are computed
/// again.
const KEPT_BYTES: usize = 64 << 20;
/// The maximal number of elements that are rotated, so that at least one row of angles can be kept.
const MOST_DIM: usize = 1 << 20;
/// The cost of computing an element, as the number of bytes that could be written in the same time.
const COST: usize = 64;

/// A rotation, and the angles of positions that were used so far.
#[derive(Clone, Debug)]
pub struct Rotary {
    dim: usize,
    base: f64,
    scaling: Scaling,
    pairs: Pairs,
    frequencies: Frequencies,
    /// Rows of `dim` elements, cosines and then sines, for positions 0, 1, ...
    kept: Vec<f32>,
    /// Angles that are not kept, and angles for positions given one by one.
    made: Vec<f32>,
    rows: Vec<u32>,
    /// Runs of pairs that turn by one axis of a position; none if positions are single numbers.
    runs: Vec<Run>,
    /// The number of axes of a position; 1 without runs.
    axes: usize,
}

/// Neighbouring pairs that turn by one axis of a position.
#[derive(Clone, Debug)]
struct Run {
    axis: usize,
    pairs: Range<usize>,
}

/// The heads to be rotated.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// The number of heads per token.
    pub heads: usize,
    /// The number of elements in a head.
    pub head_dim: usize,
    /// The type of the elements.
    pub format: OutFormat,
    /// Whether to rotate backwards, as for gradients.
    pub inverse: bool,
}

/// A table of angles, and the row of it that belongs to each token.
type Angles<'a> = (&'a [f32], Along<'a>);

impl Rotary {
    /// A rotation of the first `dim` elements of each head.
    ///
    /// # Errors
    /// [`Error::Shape`] if dim is odd or above 2^20.
    pub fn new(dim: usize, base: f64, scaling: Scaling, pairs: Pairs) -> Result<Self> {
        if dim == 0 || !dim.is_multiple_of(2) {
            return Err(Error::Shape(format!(
                "elements are rotated in pairs: dim must be even and at least 2, not {dim}"
            )));
        }
        if dim > MOST_DIM {
            return Err(Error::Shape(format!("dim must be at most {MOST_DIM}, not {dim}")));
        }
        if let Scaling::LongRope { short, long, .. } = &scaling
            && (short.len() != dim / 2 || long.len() != dim / 2)
        {
            return Err(Error::Shape(format!(
                "there must be a factor for each of the {} pairs, not {} and {}",
                dim / 2,
                short.len(),
                long.len()
            )));
        }
        let frequencies = frequencies(dim, base, &scaling, 0.0);
        let (kept, made, rows, runs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { dim, base, scaling, pairs, frequencies, kept, made, rows, runs, axes: 1 })
    }

    /// The same with positions of several axes, such as time, height and width: `sections` says how many pairs turn by
    /// each axis. Pairs of one axis are neighbours, or, `interleaved`, axes take turns and pairs that are left over
    /// turn by the first one.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sections do not add up to the pairs.
    pub fn with_sections(mut self, sections: &[usize], interleaved: bool) -> Result<Self> {
        let half = self.dim / 2;
        let sum = sections.iter().fold(0_usize, |sum, &section| sum.saturating_add(section));
        if sum != half || sections.len() > half {
            return Err(Error::Shape(format!("sections {sections:?} must add up to the {half} pairs of dim")));
        }
        self.axes = sections.len();
        self.runs.clear();
        if interleaved {
            for pair in 0..half {
                let axis = pair % self.axes;
                let axis = if pair < sections[axis].saturating_mul(self.axes) { axis } else { 0 };
                self.runs.put(Run { axis, pairs: pair..pair + 1 });
            }
        } else {
            let mut from = 0;
            for (axis, &section) in sections.iter().enumerate() {
                self.runs.put(Run { axis, pairs: from..from + section });
                from += section;
            }
        }
        Ok(self)
    }

    /// `out` (tokens x heads x head_dim) = `x`, rotated. Without `x`, `out` is rotated in place.
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that do not fit; [`Error::Usage`] for a negative position.
    pub fn forward(
        &mut self,
        kernels: Kernels,
        heads: Heads,
        at: At<'_>,
        x: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<()> {
        let token = heads.heads * heads.head_dim * heads.format.size();
        let good = self.dim <= heads.head_dim && x.is_none_or(|x| x.len() == out.len());
        if !(good && (out.is_empty() || token > 0 && out.len().is_multiple_of(token))) {
            return Err(Error::Shape(format!("{} bytes are not whole tokens of {heads:?}", out.len())));
        }
        if out.is_empty() {
            return Ok(());
        }
        let (dim, pairs) = (self.dim, self.pairs);
        let (table, along) = self.angles(kernels, at, out.len() / token)?;
        let Heads { heads, head_dim, format, inverse } = heads;
        let op = Rotate { angles: Added { table, along }, heads, head_dim, dim, pairs, inverse, format };
        parallel_rows(out, token, 2 * token, |range, out| match x {
            Some(x) => kernels.rotate(&op.part(range.clone()), &x[range.start * token..range.end * token], out),
            None => kernels.rotate_in_place(&op.part(range), out),
        });
        Ok(())
    }

    /// The angles of `tokens` tokens.
    fn angles(&mut self, kernels: Kernels, at: At<'_>, tokens: usize) -> Result<Angles<'_>> {
        let kept = KEPT_BYTES / size_of::<f32>() / self.dim;
        match at {
            At::From { offset, length } => {
                if length == 0 || !tokens.is_multiple_of(length) {
                    return Err(Error::Shape(format!("{tokens} tokens are not whole sequences of {length}")));
                }
                let end = offset.saturating_add(length);
                self.scale_for(end as f64);
                let offset = if end <= kept {
                    self.keep(end);
                    offset
                } else {
                    self.make(&(offset..end).map(|position| position as f64).into_list());
                    0
                };
                let table = if end <= kept { &self.kept } else { &self.made };
                Ok((table, Along::Cycle { offset, length, first: 0 }))
            }
            At::Each(positions) => {
                let single = positions.len() == tokens;
                if !single && positions.len() != tokens.saturating_mul(self.axes) {
                    return Err(Error::Shape(format!("there are {} positions for {tokens} tokens", positions.len())));
                }
                let values = whole(positions, tokens)?;
                let largest = values.iter().copied().max().unwrap_or(0);
                self.scale_for(largest as f64 + 1.0);
                if !single {
                    self.join(&values, tokens, largest, kept as u64);
                    return Ok((&self.made, Along::Cycle { offset: 0, length: tokens, first: 0 }));
                }
                self.rows.clear();
                let count = if largest < kept as u64 {
                    self.keep(largest as usize + 1);
                    self.rows.put_all(values.iter().map(|&position| position as u32));
                    largest as usize + 1
                } else {
                    let mut distinct = values.to_list();
                    distinct.sort_unstable();
                    distinct.dedup();
                    self.make(&distinct.iter().map(|&position| position as f64).into_list());
                    let row = |position: &u64| distinct.binary_search(position).unwrap_or(0) as u32;
                    self.rows.put_all(values.iter().map(row));
                    distinct.len()
                };
                let rows = CheckedIds::new(kernels, &self.rows, count)
                    .ok_or_else(|| Error::Shape("some positions have no angles".into()))?;
                let table = if largest < kept as u64 { &self.kept } else { &self.made };
                Ok((table, Along::Each(rows)))
            }
        }
    }

    /// Computes the frequencies again for sequences of `length`, if they depend on it.
    fn scale_for(&mut self, length: f64) {
        if !self.scaling.follows_length() {
            return;
        }
        let frequencies = frequencies(self.dim, self.base, &self.scaling, length);
        if frequencies != self.frequencies {
            self.frequencies = frequencies;
            self.kept.clear();
        }
    }

    /// Makes a row of angles for each token, in which each run of pairs turns by its own axis. `positions` are (axes,
    /// tokens), `largest` is the largest of them.
    fn join(&mut self, positions: &[u64], tokens: usize, largest: u64, kept: u64) {
        let near = largest < kept;
        if near {
            self.keep(largest as usize + 1);
        }
        self.made.clear();
        self.made.fill_to(tokens * self.dim, 0.0);
        let (half, frequencies, runs, from) = (self.dim / 2, &self.frequencies, &self.runs, &self.kept);
        let cost = if near { 2 * size_of::<f32>() * half } else { 2 * half * COST };
        parallel_rows(&mut self.made, 2 * half, cost, |rows, table| {
            for (token, row) in rows.zip(table.chunks_exact_mut(2 * half)) {
                let (cosines, sines) = row.split_at_mut(half);
                for Run { axis, pairs } in runs {
                    let position = positions[axis * tokens + token];
                    let (cosines, sines) = (&mut cosines[pairs.clone()], &mut sines[pairs.clone()]);
                    if near {
                        let row = &from[position as usize * 2 * half..][..2 * half];
                        cosines.copy_from_slice(&row[pairs.clone()]);
                        sines.copy_from_slice(&row[half..][pairs.clone()]);
                    } else {
                        turn(frequencies, pairs.clone(), position as f64, cosines, sines);
                    }
                }
            }
        });
    }

    /// The number of bytes of kept angles.
    pub fn bytes(&self) -> usize {
        (self.kept.capacity() + self.made.capacity() + self.rows.capacity()) * size_of::<f32>()
    }

    /// Computes and keeps the angles of positions below `end`, with room to grow.
    fn keep(&mut self, end: usize) {
        let have = self.kept.len() / self.dim;
        if have < end {
            let grown = end.next_power_of_two().min(KEPT_BYTES / size_of::<f32>() / self.dim).max(end);
            self.kept.fill_to(grown * self.dim, 0.0);
            fill(&self.frequencies, |i| (have + i) as f64, &mut self.kept[have * self.dim..]);
        }
    }

    fn make(&mut self, positions: &[f64]) {
        self.made.clear();
        self.made.fill_to(positions.len() * self.dim, 0.0);
        fill(&self.frequencies, |i| positions[i], &mut self.made);
    }
}

/// Rows of cosines and sines, computed in f64 and rounded once. Before the attention factor, they are within
/// `2^-25 + position * 2^-51` of the exact values for frequencies below 1.
fn fill(frequencies: &Frequencies, position: impl Fn(usize) -> f64 + Sync, table: &mut [f32]) {
    let half = frequencies.radians.len();
    parallel_rows(table, 2 * half, 2 * half * COST, |rows, table| {
        for (i, row) in rows.zip(table.chunks_exact_mut(2 * half)) {
            let position = position(i);
            let (cosines, sines) = row.split_at_mut(half);
            turn(frequencies, 0..half, position, cosines, sines);
        }
    });
}

/// The cosines and sines of some pairs at one position.
fn turn(frequencies: &Frequencies, pairs: Range<usize>, position: f64, cosines: &mut [f32], sines: &mut [f32]) {
    for ((cosine, sine), radians) in cosines.iter_mut().zip(sines).zip(&frequencies.radians[pairs]) {
        let (s, c) = libm::sincos(position * radians);
        (*cosine, *sine) = ((c * frequencies.attention) as f32, (s * frequencies.attention) as f32);
    }
}

/// The positions of `tokens` tokens, one row of them for each axis, after checking that none is negative.
fn whole(positions: IdSlice<'_>, tokens: usize) -> Result<Vec<u64>> {
    let mut values = with_room(positions.len());
    let mut wrong = None;
    with_values(positions, |at, position| match u64::try_from(position) {
        Ok(position) if position < 1 << 53 => values.put(position),
        _ => {
            wrong.get_or_insert((at % tokens, position));
        }
    });
    match wrong {
        None => Ok(values),
        Some((at, position)) if position < 0 => {
            Err(Error::Usage(format!("positions must not be negative, but that of token {at} is {position}")))
        }
        Some((at, position)) => Err(Error::Usage(format!("position {position} of token {at} is beyond 2^53"))),
    }
}

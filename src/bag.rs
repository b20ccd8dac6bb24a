//! Bags, and lookups in tables of small elements. `format` and `out_format` are the places of layouts in
//! `RowFormat::ALL` and `OutFormat::ALL`, `mode` one in `Mode::ALL`.

use crate::borrow::{Operand, size};
use crate::embedding::bad_ids;
use crate::guard::{Failure, status};
use crate::process::threads;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_kernels::ops::bag::Mode;
use tokenbed_kernels::ops::rows::{OutFormat, RowFormat, RowTable};
use tokenbed_kernels::table;
use tokenbed_nn::bag::{self, Division, Request, Scratch};

thread_local! {
    /// Room for ids that are not 32 bits wide and for offsets, kept between calls.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What stands at a place among all there are.
pub(crate) fn of_code<T: Copy>(all: &[T], code: u32) -> Result<T, Failure> {
    all.get(code as usize).copied().ok_or_else(|| Error::Usage(format!("no code {code}")).into())
}

pub(crate) fn rows_of<'a>(format: u32, weight: &'a Operand, rows: f64, dim: f64) -> Result<RowTable<'a>, Failure> {
    Ok(bag::table(of_code(&RowFormat::ALL, format)?, weight.shared()?, size(rows)?, size(dim)?)?)
}

/// out (ids, dim) = the values of weight (rows, dim)[ids].
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn rows_forward(
    format: u32,
    weight: Operand,
    rows: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
    out_format: u32,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        SCRATCH.with_borrow_mut(|scratch| {
            Ok(bag::lookup(
                table::active(),
                rows_of(format, &weight, rows, dim)?,
                (ids.ids()?, bad_ids(bad)?),
                scratch,
                (of_code(&OutFormat::ALL, out_format)?, out.exclusive(&[&weight, &ids])?),
            )?)
        })
    })
}

/// out (bags, dim) = the rows of weight (rows, dim) that each bag names, summed, averaged or the largest: bags begin at
/// `offsets`, or are `bags` of `length` ids. `padding` is the row that counts for nothing, or -1.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn bag_forward(
    format: u32,
    weight: Operand,
    rows: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
    offsets: Option<Operand>,
    with_end: bool,
    bags: f64,
    length: f64,
    weights: Option<Operand>,
    padding: f64,
    mode: u32,
    out_format: u32,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let division = match &offsets {
            Some(offsets) => Division::Offsets { begins: offsets.ids()?, with_end },
            None => Division::Even { bags: size(bags)?, length: size(length)? },
        };
        let padding = if padding < 0.0 { None } else { Some(size(padding)? as u32) };
        let request = Request {
            ids: (ids.ids()?, bad_ids(bad)?),
            division,
            weights: weights.as_ref().map(Operand::shared).transpose()?,
            padding,
            mode: of_code(&Mode::ALL, mode)?,
        };
        let read = [&weight, &ids, offsets.as_ref().unwrap_or(&ids), weights.as_ref().unwrap_or(&ids)];
        let out = (of_code(&OutFormat::ALL, out_format)?, out.exclusive(&read)?);
        let rows = rows_of(format, &weight, rows, dim)?;
        SCRATCH.with_borrow_mut(|scratch| Ok(bag::forward(table::active(), rows, request, scratch, out)?))
    })
}

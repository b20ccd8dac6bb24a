//! Windows: batches cut out of one buffer of ids.

use crate::node::borrow::{Operand, size};
use crate::node::external::External;
use crate::node::guard::{guard, status};
use napi_derive::napi;
use tokenbed_text::Windows;

/// Makes windows over ids.
#[napi(catch_unwind)]
pub fn windows_new(
    ids: f64,
    max_length: f64,
    stride: f64,
    batch_size: f64,
    drop_last: bool,
) -> Option<External<Windows>> {
    guard(|| {
        let windows = Windows::new(size(ids)?, size(max_length)?, size(stride)?, size(batch_size)?, drop_last)?;
        Ok(External::new(windows))
    })
}

/// The number of windows, and the number of batches of them.
#[napi(catch_unwind)]
pub fn windows_counts(windows: &External<Windows>) -> Option<Vec<f64>> {
    guard(|| Ok(Vec::from([windows.count() as f64, windows.batches() as f64])))
}

/// Copies the windows with these numbers, and their targets, out of the ids (uint32 or int32).
#[napi(catch_unwind)]
pub fn windows_fill(
    windows: &External<Windows>,
    numbers: Operand,
    ids: Operand,
    inputs: Operand,
    targets: Operand,
) -> bool {
    status(|| {
        let read = [&numbers, &ids];
        let inputs = inputs.exclusive(&[read[0], read[1], &targets])?;
        let targets = targets.exclusive(&read)?;
        // Ids of 2^31 and more are rejected earlier, so both types have the same bits.
        Ok(windows.fill::<u32>(numbers.stable()?, ids.shared()?, inputs, targets)?)
    })
}

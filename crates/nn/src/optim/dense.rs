//! A step on a whole parameter: everything is read and written once, divided among threads.

use super::{Direction, Optimizer, Parameter};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::learn::optim::Update;
use tokenbed_kernels::real::Real;
use tokenbed_memory::Gather;
use tokenbed_threads::parallel_rows;

/// Bytes of a parameter that are stepped together.
const PIECE_BYTES: usize = 64 << 10;

/// Does one step with a gradient for every element. `rows` is the number of rows in the parameter, for optimizers whose
/// state is per row.
///
/// # Errors
/// [`Error::Shape`] for sizes that do not fit, before anything is written.
pub fn step<F: Real>(
    kernels: Kernels,
    (optimizer, at): (&Optimizer, u64),
    parameter: Parameter<'_, F>,
    grad: &[F],
    rows: usize,
) -> Result<()> {
    let update: Update<F> = optimizer.update(at)?;
    let len = parameter.param.len();
    let dim = len.checked_div(rows).unwrap_or(0);
    parameter.check(&update, rows, dim)?;
    if grad.len() != len {
        return Err(Error::Shape(format!("the gradient has {} elements, but the parameter has {len}", grad.len())));
    }
    // If the rule treats each element alone, pieces need not be rows.
    let piece = if optimizer.manner().by_row { dim } else { PIECE_BYTES / size_of::<F>() }.max(1);
    let mut work: Vec<_> = parameter.pieces(&update, piece).into_iter().zip(grad.chunks(piece)).into_list();
    parallel_rows(&mut work, 1, piece * size_of::<F>(), |_, work| {
        let mut direction = Direction::new(optimizer.manner().maximize, piece.min(len));
        work.iter_mut().for_each(|(piece, grad)| piece.step(kernels, &update, direction.of(grad)));
    });
    Ok(())
}

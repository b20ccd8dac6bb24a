//! The order in which `torch.utils.data.DataLoader(dataset, shuffle=True)` visits its samples, and what an epoch
//! draws from the generator.
//!
//! An epoch of a `DataLoader` draws, in this order:
//!
//! | | default generator | `generator=` given |
//! |---|---|---|
//! | when the iterator is made | 63 bits: the base seed of the workers | the same |
//! | when the first batch is requested | 63 bits: a seed, whose fresh engine draws `randperm(n)` | `randperm(n)` |
//! | when the sampler runs dry | nothing | a second `randperm(n)`, which is not used |
//!
//! The sampler runs dry when a batch is requested that it cannot fill. If the last batch is short, that is the last
//! batch; otherwise (and with `drop_last=True`) it is the request after it, at which the loop ends. A loop that is
//! left before that does not draw the second permutation.

use crate::error::DrawError;
use crate::generator::Generator;
use crate::randperm::{randperm, skip_randperm};

/// The order of one epoch with the default generator. `generator` takes its place, and draws all that the epoch
/// draws.
pub fn epoch_order_default(generator: &mut Generator, len: usize) -> Result<Vec<u32>, DrawError> {
    draw_base_seed(generator);
    let seed = generator.random63().cast_unsigned();
    randperm(&mut Generator::new(seed), len)
}

/// The order of one epoch with the loader's own generator. Call [`finish_own_epoch`] when the sampler runs dry.
pub fn begin_own_epoch(generator: &mut Generator, len: usize) -> Result<Vec<u32>, DrawError> {
    draw_base_seed(generator);
    randperm(generator, len)
}

/// Draws the second permutation of an epoch with the loader's own generator.
pub fn finish_own_epoch(generator: &mut Generator, len: usize) -> Result<(), DrawError> {
    skip_randperm(generator, len)
}

/// Draws the base seed of an epoch, from which PyTorch seeds its worker processes. An epoch without shuffling draws
/// only that.
pub fn draw_base_seed(generator: &mut Generator) -> i64 {
    generator.random63()
}

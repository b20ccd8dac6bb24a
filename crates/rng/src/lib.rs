//! PyTorch's random draws on the CPU, to the bit.
//!
//! A [`Generator`] seeded as `torch.manual_seed` gives the draws that PyTorch's gives, in the same order and from the
//! same state, which [`Generator::state`] writes in the layout of `torch.get_rng_state`. The reference is the build of
//! PyTorch for x86-64 with AVX2; the goldens in `testdata/golden/draws` name its version.
//!
//! - [`normal`], [`uniform`]: fill f32 as `Tensor.normal_` and `Tensor.uniform_` do; vectorised, and on several threads
//!   with the same bits ([`How`]);
//! - [`bernoulli()`][]: `Tensor.bernoulli_(p)`, a bit an element;
//! - [`randperm()`][]: `torch.randperm`;
//! - [`loader`]: the order in which a `DataLoader` with `shuffle=True` visits its samples.
//!
//! ```
//! use tokenbed_rng::{Generator, normal};
//!
//! // torch.manual_seed(123); torch.nn.Embedding(6, 3).weight[0]
//! let mut generator = Generator::new(123);
//! let mut weight = [0.0; 6 * 3];
//! normal(&mut generator, &mut weight, 0.0, 1.0)?;
//! assert_eq!(weight[..3], [0.3373702, -0.17777722, -0.16895628]);
//! # Ok::<(), tokenbed_rng::DrawError>(())
//! ```
//!
//! Nothing here reads a clock or the system's entropy: every draw follows from a seed or a state.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![deny(unsafe_code)]

mod bernoulli;
mod engine;
mod error;
mod fill;
mod generator;
pub mod loader;
mod parallel;
mod randperm;
mod state;

pub use bernoulli::bernoulli;
pub use error::{DrawError, StateError};
pub use fill::{How, normal, normal_with, uniform, uniform_with};
pub use generator::Generator;
pub use parallel::PARALLEL_FROM;
pub use randperm::{LARGE_PERMUTATION, randperm, skip_randperm};
pub use state::STATE_BYTES;

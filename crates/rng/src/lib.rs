//! PyTorch's random draws on the CPU, to the bit.
//!
//! A [`Generator`] with the seed of `torch.manual_seed` gives PyTorch's draws in the same order. [`Generator::state`]
//! writes its state in the layout of `torch.get_rng_state`. The reference is the x86-64 build of PyTorch with AVX2;
//! the goldens in `testdata/golden/draws` name its version.
//!
//! - [`normal`] and [`uniform`] fill f32 as `Tensor.normal_` and `Tensor.uniform_` do, with SIMD and on several
//!   threads, with the same bits ([`How`]).
//! - [`normal64`] and [`uniform64`] do the same in f64, and [`integers`] is `torch.randint`.
//! - [`bernoulli()`][] is `Tensor.bernoulli_(p)`, with one bit for an element.
//! - [`randperm()`][] is `torch.randperm`.
//! - [`loader`] gives the order in which a `DataLoader` with `shuffle=True` visits its samples.
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
mod wide;

pub use bernoulli::bernoulli;
pub use error::{DrawError, StateError};
pub use fill::{How, normal, normal_with, uniform, uniform_with};
pub use generator::Generator;
pub use parallel::PARALLEL_FROM;
pub use randperm::{LARGE_PERMUTATION, randperm, skip_randperm};
pub use state::STATE_BYTES;
pub use wide::{integers, normal64, uniform64};

//! Random draws. A generator lives behind a handle, and each JavaScript thread has its own.

use crate::node::borrow::{Operand, size};
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use napi::Env;
use napi::bindgen_prelude::{BigInt, Uint8ArraySlice};
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_kernels::dispatch;
use tokenbed_rng::{DrawError, Generator, How, StateError};
use tokenbed_rng::{bernoulli, integers, loader, normal_with, normal64, randperm, uniform_with, uniform64};

/// A generator as JavaScript holds it.
pub struct Draws(RefCell<Generator>);

impl Draws {
    /// Draws one bit per element, which is set with probability `keep`.
    pub(crate) fn bernoulli(&self, keep: f64, elements: usize, bits: &mut [u8]) {
        bernoulli(&mut self.0.borrow_mut(), keep, elements, bits);
    }
}

impl From<DrawError> for Failure {
    fn from(error: DrawError) -> Self {
        Error::Usage(error.to_string()).into()
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Error::Usage(error.to_string()).into()
    }
}

fn how() -> Result<How, Failure> {
    Ok(How { kernels: dispatch::active(), threads: crate::node::process::threads()? })
}

/// Makes a generator. Only the low 64 bits of a seed count; negative seeds are in two's complement.
#[napi(catch_unwind)]
pub fn generator_new(seed: BigInt) -> Option<External<Draws>> {
    guard(|| {
        let generator = Draws(RefCell::new(Generator::new(low_64(&seed))));
        Ok(External::new_with_size_hint(generator, size_of::<Draws>()))
    })
}

/// Restarts the generator with a seed.
#[napi(catch_unwind)]
pub fn generator_seed(generator: &External<Draws>, seed: BigInt) -> bool {
    status(|| {
        generator.0.borrow_mut().manual_seed(low_64(&seed));
        Ok(())
    })
}

fn low_64(seed: &BigInt) -> u64 {
    let magnitude = seed.words.first().copied().unwrap_or(0);
    if seed.sign_bit { magnitude.wrapping_neg() } else { magnitude }
}

/// The generator's state, in the bytes of torch.get_rng_state().
#[napi(catch_unwind)]
pub fn generator_state(env: Env, generator: &External<Draws>) -> Option<Uint8ArraySlice<'static>> {
    guard(|| Ok(Uint8ArraySlice::copy_from(&env, generator.0.borrow().state())?))
}

/// Restores a state from `generator_state`.
#[napi(catch_unwind)]
pub fn generator_set_state(generator: &External<Draws>, state: Operand) -> bool {
    status(|| Ok(generator.0.borrow_mut().set_state(state.stable()?)?))
}

/// Fills `out` with draws from N(mean, std).
#[napi(catch_unwind)]
pub fn draw_normal(generator: &External<Draws>, out: Operand, mean: f64, std: f64) -> bool {
    status(|| Ok(normal_with(how()?, &mut generator.0.borrow_mut(), out.exclusive(&[])?, mean, std)?))
}

/// Fills `out` uniformly from [low, high).
#[napi(catch_unwind)]
pub fn draw_uniform(generator: &External<Draws>, out: Operand, low: f64, high: f64) -> bool {
    status(|| Ok(uniform_with(how()?, &mut generator.0.borrow_mut(), out.exclusive(&[])?, low, high)?))
}

/// Fills float64 `out` with draws from N(mean, std).
#[napi(catch_unwind)]
pub fn draw_normal64(generator: &External<Draws>, out: Operand, mean: f64, std: f64) -> bool {
    status(|| Ok(normal64(&mut generator.0.borrow_mut(), out.exclusive(&[])?, mean, std)?))
}

/// Fills float64 `out` uniformly from [low, high).
#[napi(catch_unwind)]
pub fn draw_uniform64(generator: &External<Draws>, out: Operand, low: f64, high: f64) -> bool {
    status(|| Ok(uniform64(&mut generator.0.borrow_mut(), out.exclusive(&[])?, low, high)?))
}

/// Fills int64 `out` with integers from `low` to below `high`.
#[napi(catch_unwind)]
pub fn draw_integers(generator: &External<Draws>, out: Operand, low: f64, high: f64) -> bool {
    status(|| Ok(integers(&mut generator.0.borrow_mut(), out.exclusive(&[])?, low as i64, high as i64)?))
}

/// Fills `out` with a permutation of 0 .. its length.
#[napi(catch_unwind)]
pub fn draw_permutation(generator: &External<Draws>, out: Operand) -> bool {
    status(|| {
        let out = out.exclusive::<u32>(&[])?;
        out.copy_from_slice(&randperm(&mut generator.0.borrow_mut(), out.len())?);
        Ok(())
    })
}

/// The order of an epoch, drawn from the default generator or, if `own` is set, from a loader's generator.
#[napi(catch_unwind)]
pub fn epoch_begin(generator: &External<Draws>, own: bool, out: Operand) -> bool {
    status(|| {
        let out = out.exclusive::<u32>(&[])?;
        let begin = if own { loader::begin_own_epoch } else { loader::epoch_order_default };
        out.copy_from_slice(&begin(&mut generator.0.borrow_mut(), out.len())?);
        Ok(())
    })
}

/// Takes from the generator what an epoch without shuffling takes.
#[napi(catch_unwind)]
pub fn epoch_begin_in_order(generator: &External<Draws>) -> bool {
    status(|| {
        loader::draw_base_seed(&mut generator.0.borrow_mut());
        Ok(())
    })
}

/// Takes from a loader's own generator what the end of an epoch of `length` samples takes.
#[napi(catch_unwind)]
pub fn epoch_finish(generator: &External<Draws>, length: f64) -> bool {
    status(|| Ok(loader::finish_own_epoch(&mut generator.0.borrow_mut(), size(length)?)?))
}

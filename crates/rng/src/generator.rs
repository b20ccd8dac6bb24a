//! The generator: an engine, and the second normal value of the last pair.

use crate::engine::Engine;
use crate::error::StateError;
use crate::state;

/// A generator with PyTorch's CPU draws (`torch.Generator`, `at::CPUGeneratorImpl`).
#[derive(Clone, Debug)]
pub struct Generator {
    pub(crate) seed: u64,
    pub(crate) engine: Engine,
    pub(crate) next_normal: Option<f64>,
    /// PyTorch's CPU kernels never set it. It is kept so that loading and saving a state does not change it.
    pub(crate) next_float_normal: Option<f32>,
}

impl Generator {
    /// A generator with a seed. For a negative seed of PyTorch's pass `seed as u64`; the engine takes the lower 32
    /// bits.
    pub fn new(seed: u64) -> Self {
        Self { seed, engine: Engine::new(seed), next_normal: None, next_float_normal: None }
    }

    /// Starts over with a seed (`Generator.manual_seed`), and drops the cached normal value.
    pub fn manual_seed(&mut self, seed: u64) {
        *self = Self::new(seed);
    }

    /// The seed of the last [`Generator::manual_seed`], or of the state that was loaded (`Generator.initial_seed`).
    pub fn initial_seed(&self) -> u64 {
        self.seed
    }

    /// 32 random bits: one draw of the engine.
    pub fn random(&mut self) -> u32 {
        self.engine.random()
    }

    /// 64 random bits: two draws, the first in the high half.
    pub fn random64(&mut self) -> u64 {
        let high = u64::from(self.random());
        high << 32 | u64::from(self.random())
    }

    /// 63 random bits, as `torch.empty((), dtype=torch.int64).random_()` and the DataLoader draw them.
    pub fn random63(&mut self) -> i64 {
        (self.random64() & i64::MAX.cast_unsigned()).cast_signed()
    }

    /// The state in the layout of `torch.get_rng_state()`: [`crate::STATE_BYTES`] bytes that PyTorch loads.
    pub fn state(&self) -> Vec<u8> {
        state::write(self)
    }

    /// Loads a state that [`Generator::state`] or PyTorch wrote (`torch.set_rng_state`). After an error the generator
    /// is unchanged.
    pub fn set_state(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        *self = state::read(bytes)?;
        Ok(())
    }

    /// A normal f64 with this mean and standard deviation (`at::normal_distribution<double>`): the cached value, or
    /// the first of a new pair whose second is cached.
    ///
    /// Logarithm, sine and cosine are the platform's; with glibc they are the functions that PyTorch itself calls.
    /// Another C library may differ in the last bit of the f64, which the rounding to f32 almost always hides.
    pub(crate) fn normal64(&mut self, mean: f64, std: f64) -> f64 {
        let sample = self.next_normal.take().unwrap_or_else(|| {
            let u1 = self.uniform53();
            let u2 = self.uniform53();
            let radius = (-2.0 * (-u2).ln_1p()).sqrt();
            let theta = std::f64::consts::TAU * u1;
            self.next_normal = Some(radius * theta.sin());
            radius * theta.cos()
        });
        sample.mul_add(std, mean)
    }

    /// A uniform f64 in [0, 1) with 53 random bits.
    pub(crate) fn uniform53(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.random64() & ((1 << 53) - 1)) as f64 * STEP
    }
}

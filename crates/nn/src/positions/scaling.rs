//! The frequencies of a rotation, and how they are changed for contexts longer than a model was trained with.
//!
//! Everything is computed in f64 by `libm`, so the result is the same on every machine.

use std::f64::consts::PI;
use tokenbed_memory::Gather;

/// How frequencies are changed. `original` is the context length that the model was trained with.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// Frequencies stay as they are (Su et al. 2021).
    None,
    /// All frequencies are divided by `factor` (Chen et al. 2023; kaiokendev).
    Linear {
        /// How many times longer the context becomes.
        factor: f64,
    },
    /// The base grows with the sequence, once it is longer than `original` (NTK-aware, dynamic: bloc97, emozilla 2023).
    Dynamic {
        /// How fast the base grows.
        factor: f64,
        /// The trained context length.
        original: f64,
    },
    /// High frequencies stay, low ones are divided, with a ramp between; cosines and sines are multiplied by an
    /// attention factor (Peng et al. 2023).
    Yarn {
        /// How many times longer the context becomes.
        factor: f64,
        /// The trained context length.
        original: f64,
        /// Frequencies with at least this many turns within the context stay.
        beta_fast: f64,
        /// Frequencies with at most this many turns are divided.
        beta_slow: f64,
        /// The factor of cosines and sines; None means [`yarn_attention`] with the two scales below.
        attention: Option<f64>,
        /// The scale of the logarithm above the fraction; 1 in the paper.
        mscale: f64,
        /// The scale of the logarithm below the fraction; 0 in the paper.
        mscale_all: f64,
        /// Whether the ends of the ramp are rounded outwards to whole pairs.
        truncate: bool,
    },
    /// Frequencies with wavelengths up to `original / high` stay, those from `original / low` on are divided, with a
    /// ramp between (Llama 3.1).
    Llama3 {
        /// How many times longer the context becomes.
        factor: f64,
        /// The trained context length.
        original: f64,
        /// The bound for long wavelengths.
        low: f64,
        /// The bound for short wavelengths.
        high: f64,
    },
    /// Each pair has divisors of its own: one for calls within `original`, and one for longer ones; cosines and sines
    /// are multiplied by an attention factor (Ding et al. 2024, LongRoPE; Phi-3).
    LongRope {
        /// How many times longer the context becomes.
        factor: f64,
        /// The trained context length.
        original: f64,
        /// The divisors of calls within the trained context, one for each pair.
        short: Vec<f64>,
        /// The divisors of longer calls, one for each pair.
        long: Vec<f64>,
        /// The factor of cosines and sines; None means `sqrt(1 + ln(factor) / ln(original))`.
        attention: Option<f64>,
    },
    /// The first part of the pairs turns as if all did, and the others stay as they are (Gemma 4).
    Proportional {
        /// By how much frequencies are divided.
        factor: f64,
        /// The part of the pairs that turns, at most 1.
        part: f64,
    },
}

impl Scaling {
    /// Whether frequencies depend on the length of the sequence.
    pub fn follows_length(&self) -> bool {
        matches!(self, Scaling::Dynamic { .. } | Scaling::LongRope { .. })
    }
}

/// The angles by which pairs turn per position.
#[derive(Clone, Debug, PartialEq)]
pub struct Frequencies {
    /// Radians per position, one value for each pair.
    pub radians: Vec<f64>,
    /// The factor of cosines and sines.
    pub attention: f64,
}

/// YaRN's factor of cosines and sines, as DeepSeek's models have it: `(0.1 mscale ln(factor) + 1) / (0.1 mscale_all
/// ln(factor) + 1)`. With the scales 1 and 0 it is the paper's.
fn yarn_attention(factor: f64, mscale: f64, mscale_all: f64) -> f64 {
    let of = |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * libm::log(factor) + 1.0 };
    of(mscale) / of(mscale_all)
}

/// The frequencies of `dim / 2` pairs for sequences of `length`: `base^(-2p / dim)`, scaled.
pub fn frequencies(dim: usize, base: f64, scaling: &Scaling, length: f64) -> Frequencies {
    let powers = |base: f64| (0..dim / 2).map(move |p| libm::pow(base, 2.0 * p as f64 / dim as f64));
    let plain = |base: f64| powers(base).map(|power| 1.0 / power);
    let with = |radians: Vec<f64>| Frequencies { radians, attention: 1.0 };
    match *scaling {
        Scaling::None => with(plain(base).into_list()),
        Scaling::Linear { factor } => with(plain(base).map(|f| f / factor).into_list()),
        Scaling::Dynamic { factor, original } => {
            let grown = factor * length.max(original) / original - (factor - 1.0);
            let dim = dim as f64;
            with(plain(base * libm::pow(grown, dim / (dim - 2.0))).into_list())
        }
        Scaling::Yarn { factor, original, beta_fast, beta_slow, attention, mscale, mscale_all, truncate } => {
            let ramp = ramp(dim, base, original, (beta_fast, beta_slow), truncate);
            let between = |(p, power): (usize, f64)| {
                let stays = 1.0 - ramp(p);
                1.0 / (factor * power) * (1.0 - stays) + 1.0 / power * stays
            };
            let radians = powers(base).enumerate().map(between).into_list();
            let attention = attention.unwrap_or_else(|| yarn_attention(factor, mscale, mscale_all));
            Frequencies { radians, attention }
        }
        Scaling::Llama3 { factor, original, low, high } => {
            let scaled = |f: f64| {
                let wavelength = 2.0 * PI / f;
                if wavelength > original / low {
                    f / factor
                } else if wavelength < original / high {
                    f
                } else {
                    let smooth = (original / wavelength - low) / (high - low);
                    (1.0 - smooth) * f / factor + smooth * f
                }
            };
            with(plain(base).map(scaled).into_list())
        }
        Scaling::LongRope { factor, original, ref short, ref long, attention } => {
            let divisors = if length > original { long } else { short };
            let radians = powers(base).zip(divisors).map(|(power, divisor)| 1.0 / (divisor * power)).into_list();
            let paper = || if factor <= 1.0 { 1.0 } else { (1.0 + libm::log(factor) / libm::log(original)).sqrt() };
            Frequencies { radians, attention: attention.unwrap_or_else(paper) }
        }
        Scaling::Proportional { factor, part } => {
            let turning = (part * dim as f64 / 2.0).floor() as usize;
            let of = |(p, f): (usize, f64)| if p < turning { f / factor } else { 0.0 };
            with(plain(base).enumerate().map(of).into_list())
        }
    }
}

/// YaRN's ramp over pairs: 0 where frequencies stay, 1 where they are divided.
fn ramp(dim: usize, base: f64, original: f64, (fast, slow): (f64, f64), truncate: bool) -> impl Fn(usize) -> f64 {
    // The pair that turns this often within the trained context.
    let pair = |turns: f64| dim as f64 * libm::log(original / (turns * 2.0 * PI)) / (2.0 * libm::log(base));
    let (low, high) = if truncate { (pair(fast).floor(), pair(slow).ceil()) } else { (pair(fast), pair(slow)) };
    let low = low.max(0.0);
    let high = high.min(dim as f64 - 1.0);
    let high = if high == low { high + 0.001 } else { high };
    move |p| ((p as f64 - low) / (high - low)).clamp(0.0, 1.0)
}

//! Positions: sinusoids, biases by distance, rotation, and scores by relative position.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use napi::Env;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::positions::rotate::Pairs;
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_memory::{List, with_room, zeroed};
use tokenbed_nn::positions::Scores;
use tokenbed_nn::positions::ids::{self, Real};
use tokenbed_nn::positions::interpolate::interpolate;
use tokenbed_nn::positions::relative::{self, Buckets, Span};
use tokenbed_nn::positions::rotary::{At, Heads, Rotary};
use tokenbed_nn::positions::scaling::Scaling;
use tokenbed_nn::positions::shaw::Shaw;
use tokenbed_nn::positions::sinusoid::{self, Layout};
use tokenbed_nn::positions::transformer_xl::{Gradients, TransformerXl};

/// Positions `first, first + step, ...`, clamped to -clamp..clamp if `clamp` is given, and the options of their
/// sinusoids.
#[napi(object, object_to_js = false)]
pub struct SinusoidsOperand {
    pub first: f64,
    pub step: f64,
    pub clamp: Option<f64>,
    pub dim: f64,
    pub wavelength: f64,
    pub layout: Word<Layout>,
}

/// out (rows, dim) = the sinusoids of the positions.
#[napi(catch_unwind)]
pub fn sinusoids_forward(given: SinusoidsOperand, out: Operand) -> bool {
    status(|| {
        threads()?;
        let SinusoidsOperand { first, step, clamp, dim, wavelength, layout } = given;
        let clamp = clamp.unwrap_or(f64::INFINITY);
        let position = |i: usize| (first + step * i as f64).clamp(-clamp, clamp);
        Ok(sinusoid::sinusoids(position, size(dim)?, wavelength, layout.0, out.exclusive(&[])?)?)
    })
}

/// out (length, dim) = table (rows, dim), interpolated along its rows.
#[napi(catch_unwind)]
pub fn interpolate_rows(table: Operand, rows: f64, dim: f64, aligned: bool, length: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let out = out.exclusive(&[&table])?;
        Ok(interpolate(table.shared()?, size(rows)?, size(dim)?, aligned, size(length)?, out)?)
    })
}

/// out = for each id, whether it is not padding.
#[napi(catch_unwind)]
pub fn padding_mask(ids: Operand, padding: f64, out: Operand) -> bool {
    status(|| Ok(ids::mask(ids.ids()?, padding as i64, out.exclusive(&[&ids])?)?))
}

/// out = positions that skip padding. Padding is where ids equal `padding` or, without `padding`, where a mask is zero.
#[napi(catch_unwind)]
pub fn skipping_positions(
    ids: Operand,
    padding: Option<f64>,
    length: f64,
    first: i32,
    padded: i32,
    out: Operand,
) -> bool {
    status(|| {
        let real = padding.map_or(Real::NonZero, |padding| Real::Not(padding as i64));
        Ok(ids::skipping(ids.ids()?, real, size(length)?, first, padded, out.exclusive(&[&ids])?)?)
    })
}

/// out = the positions within the rows that `offsets` separates. Returns the length of the longest row.
#[napi(catch_unwind)]
pub fn ragged_positions(offsets: Operand, first: i32, out: Operand) -> Option<f64> {
    guard(|| Ok(ids::ragged(offsets.ids()?, first, out.exclusive(&[&offsets])?)? as f64))
}

/// ALiBi's slopes.
#[napi(catch_unwind)]
pub fn alibi_slopes(out: Operand) -> bool {
    status(|| {
        let out = out.exclusive::<f32>(&[])?;
        out.copy_from_slice(&relative::alibi_slopes(out.len()));
        Ok(())
    })
}

/// The sizes of queries and keys. Query `i` stands at position `offset + i` of the keys.
#[napi(object, object_to_js = false)]
pub struct SpanOperand {
    pub queries: f64,
    pub keys: f64,
    pub offset: f64,
}

impl SpanOperand {
    fn read(&self) -> Result<Span, Failure> {
        Ok(Span { queries: size(self.queries)?, keys: size(self.keys)?, offset: size(self.offset)? })
    }
}

/// out (heads, queries, keys) = ALiBi's bias with these slopes.
#[napi(catch_unwind)]
pub fn alibi_forward(slopes: Operand, span: SpanOperand, symmetric: bool, out: Operand) -> bool {
    status(|| {
        threads()?;
        let (slopes_of, span) = (slopes.shared::<f32>()?, span.read()?);
        let lines = relative::alibi_lines(slopes_of, span, symmetric);
        Ok(relative::spread(dispatch::active(), &lines, slopes_of.len(), span, out.exclusive(&[&slopes])?)?)
    })
}

/// How T5 assigns distances to buckets.
#[napi(object, object_to_js = false)]
pub struct BucketsOperand {
    pub bidirectional: bool,
    pub count: f64,
    pub max_distance: f64,
}

impl BucketsOperand {
    fn read(&self) -> Result<Buckets, Failure> {
        Ok(Buckets::new(self.bidirectional, size(self.count)?, size(self.max_distance)?)?)
    }
}

/// Checks the options of the buckets; the failure says what is wrong.
#[napi(catch_unwind)]
pub fn t5_check(buckets: BucketsOperand) -> bool {
    status(|| buckets.read().map(drop))
}

/// out (queries, keys) = T5's buckets.
#[napi(catch_unwind)]
pub fn t5_buckets(buckets: BucketsOperand, span: SpanOperand, out: Operand) -> bool {
    status(|| Ok(buckets.read()?.table(span.read()?, out.exclusive(&[])?)?))
}

/// out (heads, queries, keys) = T5's bias from a table (count, heads).
#[napi(catch_unwind)]
pub fn t5_bias_forward(buckets: BucketsOperand, span: SpanOperand, weight: Operand, heads: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let (heads, span) = (size(heads)?, span.read()?);
        let lines = buckets.read()?.bias_lines(weight.shared()?, heads, span)?;
        Ok(relative::spread(dispatch::active(), &lines, heads, span, out.exclusive(&[&weight])?)?)
    })
}

/// The gradient of the table (count, heads), given the gradient of the bias.
#[napi(catch_unwind)]
pub fn t5_bias_backward(buckets: BucketsOperand, span: SpanOperand, grad: Operand, heads: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let (heads, span) = (size(heads)?, span.read()?);
        let mut lines = zeroed(heads.saturating_mul(span.line()));
        relative::gather(grad.shared()?, heads, span, &mut lines)?;
        Ok(buckets.read()?.bias_gradient(&lines, heads, span, out.exclusive(&[&grad])?)?)
    })
}

/// A rotation as JavaScript holds it, with the angles computed so far.
pub struct RotaryAngles(RefCell<Rotary>);

/// How frequencies are scaled.
#[napi(discriminant = "type", discriminant_case = "lowercase", object_to_js = false)]
pub enum RotaryScale {
    None,
    Linear {
        factor: f64,
    },
    Dynamic {
        factor: f64,
        original_context: f64,
    },
    Yarn {
        factor: f64,
        original_context: f64,
        beta_fast: f64,
        beta_slow: f64,
        attention_factor: Option<f64>,
        mscale: f64,
        mscale_all_dim: f64,
        truncate: bool,
    },
    Llama3 {
        factor: f64,
        original_context: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
    },
    Longrope {
        factor: f64,
        original_context: f64,
        short_factor: Vec<f64>,
        long_factor: Vec<f64>,
        attention_factor: Option<f64>,
    },
    Proportional {
        factor: f64,
        partial_rotary_factor: f64,
    },
}

/// How many pairs turn by each axis of a position, and whether the axes take turns.
#[napi(object, object_to_js = false)]
pub struct RotarySections {
    pub sections: Vec<f64>,
    pub interleaved: bool,
}

impl From<RotaryScale> for Scaling {
    fn from(scale: RotaryScale) -> Self {
        match scale {
            RotaryScale::None => Scaling::None,
            RotaryScale::Linear { factor } => Scaling::Linear { factor },
            RotaryScale::Dynamic { factor, original_context: original } => Scaling::Dynamic { factor, original },
            RotaryScale::Yarn {
                factor,
                original_context: original,
                beta_fast,
                beta_slow,
                attention_factor: attention,
                mscale,
                mscale_all_dim: mscale_all,
                truncate,
            } => Scaling::Yarn { factor, original, beta_fast, beta_slow, attention, mscale, mscale_all, truncate },
            RotaryScale::Llama3 { factor, original_context, low_freq_factor, high_freq_factor } => {
                Scaling::Llama3 { factor, original: original_context, low: low_freq_factor, high: high_freq_factor }
            }
            RotaryScale::Longrope {
                factor,
                original_context: original,
                short_factor: short,
                long_factor: long,
                attention_factor: attention,
            } => Scaling::LongRope { factor, original, short, long, attention },
            RotaryScale::Proportional { factor, partial_rotary_factor: part } => Scaling::Proportional { factor, part },
        }
    }
}

/// Makes a rotation of `dim` elements.
#[napi(catch_unwind)]
pub fn rotary_new(
    dim: f64,
    base: f64,
    pairs: Word<Pairs>,
    scaling: RotaryScale,
    sections: Option<RotarySections>,
) -> Option<External<RotaryAngles>> {
    guard(|| {
        let mut rotary = Rotary::new(size(dim)?, base, scaling.into(), pairs.0)?;
        if let Some(RotarySections { sections, interleaved }) = sections {
            let mut sizes = with_room(sections.len());
            for section in sections {
                sizes.put(size(section)?);
            }
            rotary = rotary.with_sections(&sizes, interleaved)?;
        }
        Ok(External::new(RotaryAngles(RefCell::new(rotary))))
    })
}

/// out (tokens, heads, head_dim) = x, rotated. Without x, out is rotated in place. Positions are given one per token,
/// or are `offset, offset + 1, ...` along sequences of `length`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "hot: scripts/rules/border.mjs")]
pub fn rotary_forward(
    env: Env,
    rotary: &External<RotaryAngles>,
    format: Word<OutFormat>,
    heads: f64,
    head_dim: f64,
    inverse: bool,
    offset: f64,
    length: f64,
    positions: Option<Operand>,
    x: Option<Operand>,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let heads = Heads { heads: size(heads)?, head_dim: size(head_dim)?, format: format.0, inverse };
        let at = match &positions {
            Some(positions) => At::Each(positions.ids()?),
            None => At::From { offset: size(offset)?, length: size(length)? },
        };
        let nothing = Operand::NOTHING;
        let to = out.exclusive(&[x.as_ref().unwrap_or(&nothing), positions.as_ref().unwrap_or(&nothing)])?;
        let from = x.as_ref().map(Operand::shared).transpose()?;
        let mut angles = rotary.0.borrow_mut();
        let done = angles.forward(dispatch::active(), heads, at, from, to);
        rotary.holds(&env, angles.bytes());
        Ok(done?)
    })
}

/// The sizes of scores (batch, heads, queries, keys) with heads of `dim` elements. Query `i` stands at position
/// `offset + i` of the keys.
#[napi(object, object_to_js = false)]
pub struct ScoresOperand {
    pub batch: f64,
    pub heads: f64,
    pub queries: f64,
    pub keys: f64,
    pub dim: f64,
    pub offset: f64,
}

impl ScoresOperand {
    fn read(&self) -> Result<Scores, Failure> {
        Ok(Scores {
            batch: size(self.batch)?,
            heads: size(self.heads)?,
            queries: size(self.queries)?,
            keys: size(self.keys)?,
            dim: size(self.dim)?,
            offset: size(self.offset)?,
        })
    }
}

/// The inputs of Shaw's scores, or the buffers for their gradients.
#[napi(object, object_to_js = false)]
pub struct ShawOperand {
    /// The table, with one vector for each distance.
    pub weight: Operand,
    pub query: Operand,
    /// Given if keys are also multiplied with the positions.
    pub key: Option<Operand>,
}

impl ShawOperand {
    fn read(&self, scores: &ScoresOperand) -> Result<Shaw<'_>, Failure> {
        Ok(Shaw {
            scores: scores.read()?,
            weight: self.weight.shared()?,
            query: self.query.shared()?,
            key: self.key.as_ref().map(Operand::shared).transpose()?,
        })
    }

    fn reads(&self) -> [&Operand; 3] {
        [&self.weight, &self.query, self.key.as_ref().unwrap_or(&self.query)]
    }
}

/// out (batch, heads, queries, keys) = Shaw's scores.
#[napi(catch_unwind)]
pub fn shaw_forward(scores: ScoresOperand, given: ShawOperand, out: Operand) -> bool {
    status(|| {
        threads()?;
        Ok(given.read(&scores)?.forward(dispatch::active(), out.exclusive(&given.reads())?)?)
    })
}

/// The gradients of query, key and table, given the gradient of the scores.
#[napi(catch_unwind)]
pub fn shaw_backward(scores: ScoresOperand, given: ShawOperand, grad: Operand, out: ShawOperand) -> bool {
    status(|| {
        threads()?;
        let [weight, query, key] = given.reads();
        let read = [weight, query, key, &grad];
        let key_out = out.key.as_ref().map(|out| out.exclusive(&read)).transpose()?;
        let (query_out, weight_out) = (out.query.exclusive(&read)?, out.weight.exclusive(&read)?);
        Ok(given.read(&scores)?.backward(dispatch::active(), grad.shared()?, query_out, key_out, weight_out)?)
    })
}

/// The inputs of Transformer-XL's scores.
#[napi(object, object_to_js = false)]
pub struct TransformerXlOperand {
    pub u: Operand,
    pub v: Operand,
    pub weight: Operand,
    /// The sinusoids of the distances, from the largest distance down.
    pub sinusoids: Operand,
    pub query: Operand,
    pub key: Operand,
}

impl TransformerXlOperand {
    fn read(&self, scores: &ScoresOperand) -> Result<TransformerXl<'_>, Failure> {
        Ok(TransformerXl {
            scores: scores.read()?,
            u: self.u.shared()?,
            v: self.v.shared()?,
            weight: self.weight.shared()?,
            sinusoids: self.sinusoids.shared()?,
            query: self.query.shared()?,
            key: self.key.shared()?,
        })
    }

    fn reads(&self) -> [&Operand; 6] {
        [&self.u, &self.v, &self.weight, &self.sinusoids, &self.query, &self.key]
    }
}

/// out (batch, heads, queries, keys) = Transformer-XL's scores.
#[napi(catch_unwind)]
pub fn transformer_xl_forward(scores: ScoresOperand, given: TransformerXlOperand, out: Operand) -> bool {
    status(|| {
        threads()?;
        Ok(given.read(&scores)?.forward(dispatch::active(), out.exclusive(&given.reads())?)?)
    })
}

/// The buffers for the gradients of Transformer-XL's scores.
#[napi(object, object_to_js = false)]
pub struct TransformerXlGradients {
    pub query: Operand,
    pub key: Operand,
    pub u: Operand,
    pub v: Operand,
    pub weight: Operand,
}

/// The gradients of all inputs and parameters, given the gradient of the scores.
#[napi(catch_unwind)]
pub fn transformer_xl_backward(
    scores: ScoresOperand,
    given: TransformerXlOperand,
    grad: Operand,
    out: TransformerXlGradients,
) -> bool {
    status(|| {
        threads()?;
        let [u, v, weight, sinusoids, query, key] = given.reads();
        let read = [u, v, weight, sinusoids, query, key, &grad];
        let mut to = Gradients {
            query: out.query.exclusive(&read)?,
            key: out.key.exclusive(&read)?,
            u: out.u.exclusive(&read)?,
            v: out.v.exclusive(&read)?,
            weight: out.weight.exclusive(&read)?,
        };
        Ok(given.read(&scores)?.backward(dispatch::active(), grad.shared()?, &mut to)?)
    })
}

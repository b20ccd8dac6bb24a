//! Positions: sinusoids, biases by distance, rotation, and scores by relative position.

use crate::layers::bag::of_code;
use crate::node::borrow::{Operand, size};
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use napi::Env;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::positions::rotate::Pairs;
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_nn::positions::Scores;
use tokenbed_nn::positions::ids::{self, Real};
use tokenbed_nn::positions::interpolate::interpolate;
use tokenbed_nn::positions::relative::{self, Buckets, Span};
use tokenbed_nn::positions::rotary::{At, Heads, Rotary};
use tokenbed_nn::positions::scaling::Scaling;
use tokenbed_nn::positions::shaw::Shaw;
use tokenbed_nn::positions::sinusoid::{Layout, sinusoids};
use tokenbed_nn::positions::transformer_xl::{Gradients, TransformerXl};

/// out (rows, dim) = the sinusoids of positions `first, first + step, ...`, each held between -clamp and clamp.
#[napi(catch_unwind)]
pub fn sinusoids_forward(
    first: f64,
    step: f64,
    clamp: f64,
    dim: f64,
    wavelength: f64,
    layout: u32,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let position = |i: usize| (first + step * i as f64).clamp(-clamp, clamp);
        Ok(sinusoids(position, size(dim)?, wavelength, of_code(&Layout::ALL, layout)?, out.exclusive(&[])?)?)
    })
}

/// out (length, dim) = table (rows, dim), stretched.
#[napi(catch_unwind)]
pub fn interpolate_rows(table: Operand, rows: f64, dim: f64, aligned: bool, length: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let out = out.exclusive(&[&table])?;
        Ok(interpolate(table.shared()?, size(rows)?, size(dim)?, aligned, size(length)?, out)?)
    })
}

/// out says of each id whether it is no padding.
#[napi(catch_unwind)]
pub fn padding_mask(ids: Operand, padding: f64, out: Operand) -> bool {
    status(|| Ok(ids::mask(ids.ids()?, padding as i64, out.exclusive(&[&ids])?)?))
}

/// out = positions that skip padding: ids that are `padding`, or without one the zeros of a mask.
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

/// out = positions in rows that `offsets` divide it into; the longest row.
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

fn span(queries: f64, keys: f64, offset: f64) -> Result<Span, Failure> {
    Ok(Span { queries: size(queries)?, keys: size(keys)?, offset: size(offset)? })
}

/// out (heads, queries, keys) = ALiBi's bias of slopes.
#[napi(catch_unwind)]
pub fn alibi_forward(slopes: Operand, queries: f64, keys: f64, offset: f64, symmetric: bool, out: Operand) -> bool {
    status(|| {
        threads()?;
        let (slopes_of, span) = (slopes.shared::<f32>()?, span(queries, keys, offset)?);
        let lines = relative::alibi_lines(slopes_of, span, symmetric);
        Ok(relative::spread(dispatch::active(), &lines, slopes_of.len(), span, out.exclusive(&[&slopes])?)?)
    })
}

fn buckets(bidirectional: bool, count: f64, max_distance: f64) -> Result<Buckets, Failure> {
    Ok(Buckets::new(bidirectional, size(count)?, size(max_distance)?)?)
}

/// out (queries, keys) = T5's buckets; nothing but the check of the options without an out.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn t5_buckets(
    bidirectional: bool,
    count: f64,
    max_distance: f64,
    queries: f64,
    keys: f64,
    offset: f64,
    out: Option<Operand>,
) -> bool {
    status(|| {
        let buckets = buckets(bidirectional, count, max_distance)?;
        match out {
            Some(out) => Ok(buckets.table(span(queries, keys, offset)?, out.exclusive(&[])?)?),
            None => Ok(()),
        }
    })
}

/// out (heads, queries, keys) = T5's bias of a table (count, heads).
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn t5_bias_forward(
    bidirectional: bool,
    count: f64,
    max_distance: f64,
    queries: f64,
    keys: f64,
    offset: f64,
    weight: Operand,
    heads: f64,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let (heads, span) = (size(heads)?, span(queries, keys, offset)?);
        let lines = buckets(bidirectional, count, max_distance)?.bias_lines(weight.shared()?, heads, span)?;
        Ok(relative::spread(dispatch::active(), &lines, heads, span, out.exclusive(&[&weight])?)?)
    })
}

/// The gradient of the table (count, heads) of that of the bias.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn t5_bias_backward(
    bidirectional: bool,
    count: f64,
    max_distance: f64,
    queries: f64,
    keys: f64,
    offset: f64,
    grad: Operand,
    heads: f64,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let (heads, span) = (size(heads)?, span(queries, keys, offset)?);
        let mut lines = zeroed(heads.saturating_mul(span.line()));
        relative::gather(grad.shared()?, heads, span, &mut lines)?;
        let buckets = buckets(bidirectional, count, max_distance)?;
        Ok(buckets.bias_gradient(&lines, heads, span, out.exclusive(&[&grad])?)?)
    })
}

/// A rotation as JavaScript holds it, with the angles that it has made.
pub struct RotaryAngles(RefCell<Rotary>);

/// How frequencies are scaled, as numbers in an order that the kind says.
fn scaling(kind: u32, numbers: &[f64]) -> Result<Scaling, Failure> {
    Ok(match (kind, numbers) {
        (0, []) => Scaling::None,
        (1, &[factor]) => Scaling::Linear { factor },
        (2, &[factor, original]) => Scaling::Dynamic { factor, original },
        (3, &[factor, original, beta_fast, beta_slow, attention, truncate]) => Scaling::Yarn {
            factor,
            original,
            beta_fast,
            beta_slow,
            attention: Some(attention).filter(|attention| !attention.is_nan()),
            truncate: truncate != 0.0,
        },
        (4, &[factor, original, low, high]) => Scaling::Llama3 { factor, original, low, high },
        _ => return Err(Error::Usage(format!("no scaling {kind} of {} numbers", numbers.len())).into()),
    })
}

/// A rotation of `dim` elements.
#[napi(catch_unwind)]
pub fn rotary_new(dim: f64, base: f64, pairs: u32, kind: u32, numbers: &[f64]) -> Option<External<RotaryAngles>> {
    guard(|| {
        let rotary = Rotary::new(size(dim)?, base, scaling(kind, numbers)?, of_code(&Pairs::ALL, pairs)?)?;
        Ok(External::new(RotaryAngles(RefCell::new(rotary))))
    })
}

/// out (tokens, heads, head_dim) = x, rotated; without an x, out in place. Positions one for each token, or `offset,
/// offset + 1, ...` along sequences of `length`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn rotary_forward(
    env: Env,
    rotary: &External<RotaryAngles>,
    format: u32,
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
        let format = of_code(&OutFormat::ALL, format)?;
        let heads = Heads { heads: size(heads)?, head_dim: size(head_dim)?, format, inverse };
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

/// Sizes of scores, in this order: batch, heads, queries, keys, dim, offset.
fn scores(sizes: &[f64]) -> Result<Scores, Failure> {
    let &[batch, heads, queries, keys, dim, offset] = sizes else {
        return Err(Error::Usage(format!("{} sizes of scores", sizes.len())).into());
    };
    Ok(Scores {
        batch: size(batch)?,
        heads: size(heads)?,
        queries: size(queries)?,
        keys: size(keys)?,
        dim: size(dim)?,
        offset: size(offset)?,
    })
}

/// out (batch, heads, queries, keys) = Shaw's scores.
#[napi(catch_unwind)]
pub fn shaw_forward(sizes: &[f64], weight: Operand, query: Operand, key: Option<Operand>, out: Operand) -> bool {
    status(|| {
        threads()?;
        let shaw = Shaw {
            scores: scores(sizes)?,
            weight: weight.shared()?,
            query: query.shared()?,
            key: key.as_ref().map(Operand::shared).transpose()?,
        };
        Ok(shaw.forward(dispatch::active(), out.exclusive(&[&weight, &query, key.as_ref().unwrap_or(&query)])?)?)
    })
}

/// The gradients of query, key and table of that of the scores.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn shaw_backward(
    sizes: &[f64],
    weight: Operand,
    query: Operand,
    key: Option<Operand>,
    grad: Operand,
    query_grad: Operand,
    key_grad: Option<Operand>,
    weight_grad: Operand,
) -> bool {
    status(|| {
        threads()?;
        let shaw = Shaw {
            scores: scores(sizes)?,
            weight: weight.shared()?,
            query: query.shared()?,
            key: key.as_ref().map(Operand::shared).transpose()?,
        };
        let read = [&weight, &query, key.as_ref().unwrap_or(&query), &grad];
        let key_out = key_grad.as_ref().map(|out| out.exclusive(&read)).transpose()?;
        let (query_out, weight_out) = (query_grad.exclusive(&read)?, weight_grad.exclusive(&read)?);
        Ok(shaw.backward(dispatch::active(), grad.shared()?, query_out, key_out, weight_out)?)
    })
}

/// out (batch, heads, queries, keys) = Transformer-XL's scores; parts: u, v, weight, sinusoids, query, key.
#[napi(catch_unwind)]
pub fn transformer_xl_forward(sizes: &[f64], parts: Vec<Operand>, out: Operand) -> bool {
    status(|| {
        threads()?;
        Ok(transformer_xl(sizes, &parts)?.forward(dispatch::active(), out.exclusive(&parts.iter().into_list())?)?)
    })
}

fn transformer_xl<'a>(sizes: &[f64], parts: &'a [Operand]) -> Result<TransformerXl<'a>, Failure> {
    let [u, v, weight, sinusoids, query, key] = parts else {
        return Err(Error::Usage(format!("{} parts of scores", parts.len())).into());
    };
    Ok(TransformerXl {
        scores: scores(sizes)?,
        u: u.shared()?,
        v: v.shared()?,
        weight: weight.shared()?,
        sinusoids: sinusoids.shared()?,
        query: query.shared()?,
        key: key.shared()?,
    })
}

/// The gradients of query, key, u, v and weight, in this order, of that of the scores.
#[napi(catch_unwind)]
pub fn transformer_xl_backward(sizes: &[f64], parts: Vec<Operand>, grad: Operand, out: Vec<Operand>) -> bool {
    status(|| {
        threads()?;
        let [query, key, u, v, weight] = &out[..] else {
            return Err(Error::Usage(format!("{} gradients of scores", out.len())).into());
        };
        let read: Vec<&Operand> = parts.iter().chain([&grad]).into_list();
        let mut to = Gradients {
            query: query.exclusive(&read)?,
            key: key.exclusive(&read)?,
            u: u.exclusive(&read)?,
            v: v.exclusive(&read)?,
            weight: weight.exclusive(&read)?,
        };
        Ok(transformer_xl(sizes, &parts)?.backward(dispatch::active(), grad.shared()?, &mut to)?)
    })
}

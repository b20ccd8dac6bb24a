//! The input layer. What stays the same from call to call is kept on this side, since each argument costs its crossing.

use crate::layers::async_forward::{Job, Work, elements, floats, work};
use crate::layers::embedding::{SCRATCH, bad_ids, table as table_of};
use crate::node::borrow::{Operand, size};
use crate::node::buffers::{Handle, Held};
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdBuf};
use tokenbed_core::storage::Part;
use tokenbed_kernels::dispatch;
use tokenbed_nn::embedding::Table;
use tokenbed_nn::token_position::{self, At, Inputs, Layer, Norm};
use tokenbed_nn::token_position_grad;

/// Tables and parameters, in the order in which they cross: tokens, positions, segments, weight and bias of the
/// normalization.
const PARTS: usize = 5;

/// A layer as JavaScript holds it: the storages that Rust owns of it, and its sizes. Those of V8 come with each call.
pub struct InputLayer {
    parts: [Option<Held>; PARTS],
    vocabulary: f64,
    context: f64,
    /// Whether there are positions.
    positioned: bool,
    /// 0 for no segments.
    segments: f64,
    dim: f64,
    bad: BadIds,
    scale: f32,
    /// None for no normalization.
    eps: Option<f64>,
}

/// A layer; nothing in the place of a part that is not Rust's, or not there. A negative context: no positions; a negative
/// eps: no normalization.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn input_layer_new(
    token: Option<&External<Handle>>,
    position: Option<&External<Handle>>,
    segment: Option<&External<Handle>>,
    weight: Option<&External<Handle>>,
    bias: Option<&External<Handle>>,
    vocabulary: f64,
    context: f64,
    segments: f64,
    dim: f64,
    bad: f64,
    scale: f64,
    eps: f64,
) -> Option<External<InputLayer>> {
    guard(|| {
        Ok(External::new(InputLayer {
            parts: [token, position, segment, weight, bias].map(|part| part.map(|handle| handle.held())),
            vocabulary,
            context,
            positioned: context >= 0.0,
            segments,
            dim,
            bad: bad_ids(bad)?,
            scale: scale as f32,
            eps: (eps >= 0.0).then_some(eps),
        }))
    })
}

/// out (ids, dim) = token[ids] * scale (+ segment[segments]) + position[positions] (normalized): `positions` one for each
/// id, or none and offset, offset + 1 ... along sequences of `length`; no `segments`: segment 0. `others`: the parts that
/// are V8's, in order.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn input_layer_forward(
    layer: &External<InputLayer>,
    ids: Operand,
    out: Operand,
    offset: f64,
    length: f64,
    positions: Option<Operand>,
    segments: Option<Operand>,
    others: Option<Vec<Operand>>,
) -> bool {
    status(|| {
        threads()?;
        let parts = parts(layer, others.as_deref().unwrap_or(&[]))?;
        let [token, position, segment, weight, bias] = &parts;
        let tables = tables(layer, &parts)?;
        let inputs = inputs(layer, &ids, (offset, length), positions.as_ref(), segments.as_ref())?;
        let [positions, segments] = [&positions, &segments].map(|given| given.as_ref().unwrap_or(&ids));
        let out = out.exclusive(&[token, position, segment, weight, bias, &ids, positions, segments])?;
        SCRATCH
            .with_borrow_mut(|scratch| Ok(token_position::forward(dispatch::active(), &tables, &inputs, scratch, out)?))
    })
}

/// The layer over its parts.
fn tables<'a>(layer: &InputLayer, parts: &'a [Operand; PARTS]) -> Result<Layer<'a>, Failure> {
    let [token, position, segment, weight, bias] = parts;
    let norm = match layer.eps {
        Some(eps) => Some(Norm { weight: weight.shared()?, bias: bias.shared()?, eps }),
        None => None,
    };
    Ok(Layer {
        token: table_of(token, layer.vocabulary, layer.dim)?,
        scale: layer.scale,
        segment: if layer.segments > 0.0 { Some(table_of(segment, layer.segments, layer.dim)?) } else { None },
        position: if layer.positioned { Some(table_of(position, layer.context, layer.dim)?) } else { None },
        norm,
    })
}

fn inputs<'a>(
    layer: &InputLayer,
    ids: &'a Operand,
    (offset, length): (f64, f64),
    positions: Option<&'a Operand>,
    segments: Option<&'a Operand>,
) -> Result<Inputs<'a>, Failure> {
    Ok(Inputs {
        ids: ids.ids()?,
        bad: layer.bad,
        segments: segments.map(Operand::ids).transpose()?,
        at: match positions {
            Some(positions) => At::Each(positions.ids()?),
            None => At::From { offset: size(offset)?, length: size(length)? },
        },
    })
}

/// out (ids, dim) = the gradient of what the layer normalizes, given that of its result; and those of the normalization's
/// weight and bias (dim).
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn input_layer_backward(
    layer: &External<InputLayer>,
    ids: Operand,
    offset: f64,
    length: f64,
    positions: Option<Operand>,
    segments: Option<Operand>,
    others: Option<Vec<Operand>>,
    grad: Operand,
    out: Operand,
    weight_grad: Operand,
    bias_grad: Operand,
) -> bool {
    status(|| {
        threads()?;
        let parts = parts(layer, others.as_deref().unwrap_or(&[]))?;
        let tables = tables(layer, &parts)?;
        let inputs = inputs(layer, &ids, (offset, length), positions.as_ref(), segments.as_ref())?;
        let [positions, segments] = [&positions, &segments].map(|given| given.as_ref().unwrap_or(&ids));
        let [token, position, segment, weight, bias] = &parts;
        let read = [token, position, segment, weight, bias, &ids, positions, segments, &grad];
        let results = (
            out.exclusive(&read)?,
            weight_grad.exclusive(&[&out, &bias_grad, &grad, weight, bias])?,
            bias_grad.exclusive(&[&out, &weight_grad, &grad, weight, bias])?,
        );
        SCRATCH.with_borrow_mut(|scratch| {
            Ok(token_position_grad::backward(dispatch::active(), &tables, &inputs, scratch, grad.shared()?, results)?)
        })
    })
}

/// All parts for one call; of those that are not there, empty ones.
fn parts(layer: &InputLayer, others: &[Operand]) -> Result<[Operand; PARTS], Failure> {
    let there = [true, layer.positioned, layer.segments > 0.0, layer.eps.is_some(), layer.eps.is_some()];
    let mut others = others.iter();
    let mut parts = [Operand::NOTHING; PARTS];
    for ((part, held), there) in parts.iter_mut().zip(&layer.parts).zip(there) {
        *part = match held {
            Some(held) => held.operand()?,
            None if there => others.next().ok_or_else(|| Error::Usage("a table is missing".into()))?.again(),
            None => continue,
        };
    }
    Ok(parts)
}

/// The layer and what goes through it, held.
struct HeldLayer {
    parts: [Option<Part>; PARTS],
    /// Rows of the tables: of tokens, positions and segments.
    rows: [usize; 3],
    positioned: bool,
    dim: usize,
    scale: f32,
    eps: Option<f64>,
    ids: IdBuf,
    bad: BadIds,
    segments: Option<IdBuf>,
    positions: Option<IdBuf>,
    offset: usize,
    length: usize,
}

impl HeldLayer {
    /// The elements of a part; none of one that is not there.
    fn elements(&self, part: usize) -> Result<&[f32], Failure> {
        self.parts[part].as_ref().map_or(Ok(&[]), elements)
    }

    fn table(&self, part: usize) -> Result<Table<'_>, Failure> {
        Ok(Table::new(self.elements(part)?, self.rows[part], self.dim)?)
    }
}

impl Job for HeldLayer {
    fn size(&self) -> (usize, usize) {
        (self.ids.all().len(), self.dim * size_of::<f32>())
    }

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure> {
        let norm = match self.eps {
            Some(eps) => Some(Norm { weight: self.elements(3)?, bias: self.elements(4)?, eps }),
            None => None,
        };
        let layer = Layer {
            token: self.table(0)?,
            scale: self.scale,
            segment: if self.rows[2] > 0 { Some(self.table(2)?) } else { None },
            position: if self.positioned { Some(self.table(1)?) } else { None },
            norm,
        };
        let inputs = Inputs {
            ids: self.ids.all(),
            bad: self.bad,
            segments: self.segments.as_ref().map(IdBuf::all),
            at: match &self.positions {
                Some(positions) => At::Each(positions.all()),
                None => At::From { offset: self.offset, length: self.length },
            },
        };
        Ok(token_position::forward_in_blocks(dispatch::active(), &layer, &inputs, go_on, floats(out)?)?)
    }
}

/// What `inputLayerForward` computes, to be looked up; all parts are Rust's.
#[napi(catch_unwind)]
pub fn input_layer_work(
    layer: &External<InputLayer>,
    ids: Operand,
    offset: f64,
    length: f64,
    positions: Option<Operand>,
    segments: Option<Operand>,
) -> Option<External<Work>> {
    work(|| {
        let held = |ids: Option<Operand>| ids.map(|ids| Ok::<_, Failure>(ids.ids()?.into())).transpose();
        let mut parts = [const { None }; PARTS];
        for (part, held) in parts.iter_mut().zip(&layer.parts) {
            *part = held.as_ref().map(Held::part).transpose()?;
        }
        Ok(HeldLayer {
            parts,
            rows: [size(layer.vocabulary)?, size(layer.context.max(0.0))?, size(layer.segments)?],
            positioned: layer.positioned,
            dim: size(layer.dim)?,
            scale: layer.scale,
            eps: layer.eps,
            ids: ids.ids()?.into(),
            bad: layer.bad,
            segments: held(segments)?,
            positions: held(positions)?,
            offset: size(offset)?,
            length: size(length)?,
        })
    })
}

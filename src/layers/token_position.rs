//! The input layer. Whatever stays the same from call to call is kept on this side, because every argument has a cost.

use crate::layers::async_forward::{Job, elements, floats, work};
use crate::layers::embedding::{SCRATCH, table as table_of};
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::OnBadId;
use crate::node::buffers::Hold;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use crate::node::work::Work;
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdBuf};
use tokenbed_core::storage::Part;
use tokenbed_kernels::dispatch;
use tokenbed_nn::embedding::Table;
use tokenbed_nn::token_position::{self, At, Inputs, Layer, Norm};
use tokenbed_nn::token_position_grad;

/// The number of tables and parameters. Their order is: tokens, positions, segments, then weight and bias of the
/// normalization.
const PARTS: usize = 5;

/// A layer as JavaScript holds it: its sizes, and those of its storages that Rust owns. Storages in V8's memory are
/// passed to each call.
pub struct InputLayer {
    parts: [Option<Hold>; PARTS],
    vocabulary: f64,
    /// Absent if the layer has no positions.
    context: Option<f64>,
    /// Absent if the layer has no segments.
    segments: Option<f64>,
    dim: f64,
    bad: BadIds,
    scale: f32,
    /// Absent if the layer does not normalize.
    eps: Option<f64>,
}

/// A layer as it crosses the border when it is made. It holds the tables and parameters that lie in Rust's memory;
/// those in V8's memory are passed to each call.
#[napi(object, object_to_js = false)]
pub struct InputLayerOperand {
    pub token: Option<Hold>,
    pub position: Option<Hold>,
    pub segment: Option<Hold>,
    pub weight: Option<Hold>,
    pub bias: Option<Hold>,
    /// Rows of the token table.
    pub vocabulary: f64,
    /// Rows of the position table, if there is one.
    pub context: Option<f64>,
    /// Rows of the segment table, if there is one.
    pub segments: Option<f64>,
    pub dim: f64,
    pub on_bad_id: OnBadId,
    pub scale: f64,
    /// The epsilon of the normalization, if there is one.
    pub eps: Option<f64>,
}

/// Makes what is kept of a layer between calls.
#[napi(catch_unwind)]
pub fn input_layer_new(layer: InputLayerOperand) -> Option<External<InputLayer>> {
    guard(|| {
        let InputLayerOperand { token, position, segment, weight, bias, .. } = layer;
        Ok(External::new(InputLayer {
            parts: [token, position, segment, weight, bias],
            vocabulary: layer.vocabulary,
            context: layer.context,
            segments: layer.segments,
            dim: layer.dim,
            bad: layer.on_bad_id.0,
            scale: layer.scale as f32,
            eps: layer.eps,
        }))
    })
}

/// The input of a layer. `positions` holds one position per id; without it, positions are `offset`, `offset + 1`, ...
/// along sequences of `length`. Without `segments`, every id is in segment 0.
#[napi(object, object_to_js = false)]
pub struct InputsOperand {
    pub ids: Operand,
    pub offset: f64,
    pub length: f64,
    pub positions: Option<Operand>,
    pub segments: Option<Operand>,
}

/// out (ids, dim) = token[ids] * scale (+ segment[segments]) + position[positions], normalized if the layer normalizes.
/// `positions` holds one position per id; without it, positions are offset, offset + 1, ... along sequences of
/// `length`. Without `segments`, every id is in segment 0. `others` are the parts in V8's memory, in order.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "hot: scripts/rules/border.mjs")]
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

/// The layer, built from its parts.
fn tables<'a>(layer: &InputLayer, parts: &'a [Operand; PARTS]) -> Result<Layer<'a>, Failure> {
    let [token, position, segment, weight, bias] = parts;
    let norm = match layer.eps {
        Some(eps) => Some(Norm { weight: weight.shared()?, bias: bias.shared()?, eps }),
        None => None,
    };
    Ok(Layer {
        token: table_of(token, layer.vocabulary, layer.dim)?,
        scale: layer.scale,
        segment: layer.segments.map(|segments| table_of(segment, segments, layer.dim)).transpose()?,
        position: layer.context.map(|context| table_of(position, context, layer.dim)).transpose()?,
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

/// The buffers for the gradients of a layer that normalizes: of the sum (ids, dim), and of weight and bias (dim).
#[napi(object, object_to_js = false)]
pub struct InputGradients {
    pub sum: Operand,
    pub weight: Operand,
    pub bias: Operand,
}

/// Given the gradient of the result, computes the gradient of the sum before normalization, and those of the
/// normalization's parameters. `others` are the parts in V8's memory, in order.
#[napi(catch_unwind)]
pub fn input_layer_backward(
    layer: &External<InputLayer>,
    given: InputsOperand,
    others: Vec<Operand>,
    grad: Operand,
    out: InputGradients,
) -> bool {
    status(|| {
        threads()?;
        let parts = parts(layer, &others)?;
        let tables = tables(layer, &parts)?;
        let InputsOperand { ids, offset, length, positions, segments } = given;
        let inputs = inputs(layer, &ids, (offset, length), positions.as_ref(), segments.as_ref())?;
        let [positions, segments] = [&positions, &segments].map(|given| given.as_ref().unwrap_or(&ids));
        let [token, position, segment, weight, bias] = &parts;
        let read = [token, position, segment, weight, bias, &ids, positions, segments, &grad];
        let results = (
            out.sum.exclusive(&read)?,
            out.weight.exclusive(&[&out.sum, &out.bias, &grad, weight, bias])?,
            out.bias.exclusive(&[&out.sum, &out.weight, &grad, weight, bias])?,
        );
        SCRATCH.with_borrow_mut(|scratch| {
            Ok(token_position_grad::backward(dispatch::active(), &tables, &inputs, scratch, grad.shared()?, results)?)
        })
    })
}

/// All parts for one call; a missing part is empty.
fn parts(layer: &InputLayer, others: &[Operand]) -> Result<[Operand; PARTS], Failure> {
    let normalized = layer.eps.is_some();
    let there = [true, layer.context.is_some(), layer.segments.is_some(), normalized, normalized];
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

/// The layer and its input, all held.
struct HeldLayer {
    parts: [Option<Part>; PARTS],
    /// The numbers of rows of the token, position and segment tables; None for a missing table.
    rows: [Option<usize>; 3],
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
    /// The elements of a part; a missing part has no elements.
    fn elements(&self, part: usize) -> Result<&[f32], Failure> {
        self.parts[part].as_ref().map_or(Ok(&[]), elements)
    }

    fn table(&self, part: usize, rows: usize) -> Result<Table<'_>, Failure> {
        Ok(Table::new(self.elements(part)?, rows, self.dim)?)
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
        let [tokens, positions, segments] = self.rows;
        let layer = Layer {
            token: self.table(0, tokens.unwrap_or(0))?,
            scale: self.scale,
            segment: segments.map(|rows| self.table(2, rows)).transpose()?,
            position: positions.map(|rows| self.table(1, rows)).transpose()?,
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

/// What `inputLayerForward` computes, as work to be queued. Rust must own all parts.
#[napi(catch_unwind)]
pub fn input_layer_work(layer: &External<InputLayer>, given: InputsOperand) -> Option<External<Work>> {
    work(|| {
        let held = |ids: Option<Operand>| ids.map(|ids| Ok::<_, Failure>(ids.ids()?.into())).transpose();
        let mut parts = [const { None }; PARTS];
        for (part, held) in parts.iter_mut().zip(&layer.parts) {
            *part = held.as_ref().map(Hold::part).transpose()?;
        }
        Ok(HeldLayer {
            parts,
            rows: [
                Some(size(layer.vocabulary)?),
                layer.context.map(size).transpose()?,
                layer.segments.map(size).transpose()?,
            ],
            dim: size(layer.dim)?,
            scale: layer.scale,
            eps: layer.eps,
            ids: given.ids.ids()?.into(),
            bad: layer.bad,
            segments: held(given.segments)?,
            positions: held(given.positions)?,
            offset: size(given.offset)?,
            length: size(given.length)?,
        })
    })
}

// Functions that networks need besides arithmetic: cross-entropy, layer normalization, dropout.

import { record, type Backward, type Save } from '../autograd/tape.js'
import { facts, isFloat, type DType } from '../base/dtype.js'
import { ShapeError, UsageError } from '../base/errors.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { call, check, native, type Operand } from '../native/native.js'
import { cast, convert, Elements, inClass, withType, type Borrowed } from '../ops/elements.js'
import { checkGenerator, type Generator } from '../tensor/random.js'
import { sameShape, shown, sizeOf } from '../base/shape.js'
import { asRows, checkFloats, expectedEntropy, REDUCTIONS, weightedEntropy, type Reduction } from './entropy.js'
import { Tensor } from '../tensor/tensor.js'
import { checkInteger, checkNumber, checkOptions, checkWord } from '../base/validate.js'

export interface CrossEntropyOptions {
  /** Targets that count for nothing; default -100. */ ignoreIndex?: number
  /** A factor for each class, (C). The mean is then over the factors of the targets. */ weight?: Tensor
  /** The share of a target that is spread over all classes, from 0 to 1; default 0. Szegedy et al. 2016. */
  labelSmoothing?: number
  /** default 'mean': over the targets that count */ reduction?: 'mean' | 'sum' | 'none'
}

/**
 * The cross-entropy between logits and the indices of the right classes: `-log(softmax(logits)[target])`.
 * `torch.nn.functional.cross_entropy`.
 *
 * Of the logits' size only the logits themselves are kept; the backward pass writes `softmax - onehot` once.
 *
 * @param logits (N, C), (C), or (N, C, d1, d2 ...): with several dimensions, classes are in dimension 1.
 * @param targets have the shape of the logits without the class dimension; values are from 0 to C - 1, or
 * `ignoreIndex`. A tensor of floats in the shape of the logits gives the probability of each class instead.
 * @returns one number, which is NaN if every target is ignored; with 'none' one for each target, 0 if it is ignored.
 * @throws TokenIndexError for a target out of range; ShapeError, DTypeError, UsageError for other wrong arguments.
 */
export function crossEntropy(logits: Tensor, targets: Ids, options?: CrossEntropyOptions): Tensor {
  const where = 'crossEntropy'
  const {
    ignoreIndex = -100,
    reduction = 'mean',
    weight,
    labelSmoothing = 0,
  } = checkOptions(options, ['ignoreIndex', 'reduction', 'weight', 'labelSmoothing'], where)
  checkFloats(logits, where)
  checkInteger(ignoreIndex, `${where}: ignoreIndex`)
  checkWord(reduction, REDUCTIONS, `${where}: reduction`)
  const { shape } = logits
  if (shape.length === 0) throw new ShapeError(`${where}: logits must have a dimension of classes`)
  const dim = shape.length === 1 ? 0 : 1
  const spread = checkNumber(labelSmoothing, `${where}: labelSmoothing`)
  if (spread < 0 || spread > 1) throw new UsageError(`${where}: labelSmoothing must be from 0 to 1, not ${spread}`)
  const isExpected = targets instanceof Tensor && isFloat(targets.dtype) && targets.shape.length === shape.length
  if (isExpected) return expectedEntropy(logits, dim, targets, { weight, reduction, spread })
  if (weight !== undefined || spread > 0)
    return weightedEntropy(logits, dim, targets, { weight, reduction, spread, ignoreIndex })
  const ids = readIds(targets, undefined, where)
  const wanted = shape.filter((_, d) => d !== dim)
  if (!sameShape(ids.shape, wanted)) {
    throw new ShapeError(
      `${where}: targets for logits of shape ${shown(shape)} must have the shape ${shown(wanted)}, not ${shown(ids.shape)}`,
    )
  }
  const rows = asRows(logits, dim)
  const n = sizeOf(wanted)
  const [kept, stats] = [Elements.uninitialized('int32', [n], where), Elements.uninitialized('float64', [n, 2], where)]
  try {
    const { result, count } = entropy(rows, ids.array, ids.shape, ignoreIndex, reduction, wanted, kept, stats)
    const share = reduction === 'none' ? undefined : reduction === 'mean' ? 1 / count : 1
    return record(result, 'CrossEntropyBackward', [rows], (save) => entropyBack(rows, kept, stats, share, save))
  } finally {
    // The backward function holds what it saved, so these handles may go.
    kept.dispose()
    stats.dispose()
    if (rows !== logits) rows.dispose()
  }
}

function entropy(
  rows: Tensor,
  targets: Operand,
  shape: readonly number[],
  ignore: number,
  reduction: Reduction,
  losses: readonly number[],
  kept: Elements,
  stats: Elements,
): { result: Tensor; count: number } {
  const where = 'crossEntropy'
  const cls = facts(rows.dtype).class
  const classes = rows.shape[1]
  let count = 0
  const made = withType(rows, cls, where, (rows) =>
    inClass(rows.dtype, reduction === 'none' ? losses : [], where, (out) => {
      const given = { classes, ignore, logits: rows.operand(), targets }
      const answer = native.entropyElements(cls, reduction, given, {
        kept: kept.operand(),
        rows: stats.operand(),
        losses: out.operand(),
      })
      count = call(answer, shape)
    }),
  )
  const result = Tensor.result(made)
  if (rows.dtype === cls) return { result, count }
  const rounded = result.to(rows.dtype)
  result.dispose()
  return { result: rounded, count }
}

function entropyBack(logits: Tensor, kept: Elements, stats: Elements, share: number | undefined, save: Save): Backward {
  const where = 'crossEntropy'
  const [of, by, rows] = [save(logits), save(kept), save(stats)]
  return (grad) => {
    const x = of()
    const cls = facts(x.dtype).class
    const made = withType(x, cls, where, (x) =>
      withType(grad, cls, where, (grad) =>
        inClass(of().dtype, x.shape, where, (out) => {
          const classes = x.shape[1]
          const saved = { classes, logits: x.operand(), kept: by().operand(), rows: rows().operand() }
          check(native.entropyBackElements(cls, saved, grad.operand(), share, out.operand()))
        }),
      ),
    )
    return [made]
  }
}

/**
 * Normalizes rows to mean 0 and variance 1, then multiplies by `weight` and adds `bias`. Ba, Kiros, Hinton 2016;
 * `torch.nn.functional.layer_norm`.
 *
 * A row is the last dimension, or as many of the last dimensions as `weight` (or `bias`) has. The result has x's type.
 *
 * @param eps is added to the variance.
 * @throws ShapeError if weight or bias does not have the shape of a row.
 */
export function layerNorm(x: Tensor, weight?: Tensor, bias?: Tensor, eps = 1e-5): Tensor {
  const where = 'layerNorm'
  checkFloats(x, where)
  if (checkNumber(eps, `${where}: eps`) < 0) throw new UsageError(`${where}: eps must not be negative, not ${eps}`)
  const parameters = [weight, bias]
    .filter((parameter) => parameter !== undefined)
    .map((parameter) => checkFloats(parameter, where))
  if (x.shape.length === 0) throw new ShapeError(`${where}: the tensor must have at least one dimension`)
  const row = parameters[0]?.shape ?? x.shape.slice(-1)
  for (const { shape } of [...parameters, { shape: x.shape.slice(-row.length) }]) {
    if (row.length === 0 || !sameShape(shape, row)) {
      throw new ShapeError(
        `${where}: weight and bias must have the shape of a row of ${shown(x.shape)}, not ${parameters.map((one) => shown(one.shape)).join(' and ')}`,
      )
    }
  }
  const dim = sizeOf(row)
  if (dim === 0) return x.clone()
  const cls = facts(x.dtype).class
  const made = withType(x, cls, where, (y) =>
    optionally(weight, cls, where, (weight) =>
      optionally(bias, cls, where, (bias) =>
        inClass(x.dtype, x.shape, where, (out) =>
          check(
            native.normElements(
              cls,
              { dim, eps, weight: weight?.operand(), bias: bias?.operand() },
              y.operand(),
              out.operand(),
            ),
          ),
        ),
      ),
    ),
  )
  const inputs = [x, ...parameters]
  return record(Tensor.result(made), 'LayerNormBackward', inputs, (save) => normBack(x, weight, bias, dim, eps, save))
}

/** `withType` for an operand that may be absent. */
function optionally<T>(x: Elements | undefined, dtype: DType, where: string, run: (x: Borrowed | undefined) => T): T {
  return x === undefined ? run(undefined) : withType(x, dtype, where, run)
}

function normBack(
  x: Tensor,
  weight: Tensor | undefined,
  bias: Tensor | undefined,
  dim: number,
  eps: number,
  save: Save,
): Backward {
  const where = 'layerNorm'
  const [of, by] = [save(x), weight && save(weight)]
  const [weightKind, biasKind] = [weight, bias].map((one) => one && { shape: one.shape, dtype: one.dtype })
  const cls = facts(x.dtype).class
  return (grad) => {
    const wide = ({ shape }: { shape: readonly number[] }) => Elements.uninitialized(cls, shape, where)
    const [dx, dWeight, dBias] = [wide(of()), weightKind && wide(weightKind), biasKind && wide(biasKind)]
    withType(of(), cls, where, (x) =>
      withType(grad, cls, where, (grad) =>
        optionally(by?.(), cls, where, (weight) => {
          const outs = { x: dx.operand(), weight: dWeight?.operand(), bias: dBias?.operand() }
          check(
            native.normBackElements(cls, { dim, eps, weight: weight?.operand() }, x.operand(), grad.operand(), outs),
          )
        }),
      ),
    )
    const grads = [cast(dx, of().dtype)]
    if (weightKind) grads.push(cast(dWeight!, weightKind.dtype))
    if (biasKind) grads.push(cast(dBias!, biasKind.dtype))
    return grads
  }
}

/**
 * Sets each element to 0 with probability `p`, and divides the others by `1 - p`. Srivastava et al. 2014;
 * `torch.nn.functional.dropout` with `training=True`. The draws are those of PyTorch's `bernoulli_(1 - p)`: each
 * element takes two draws of the generator.
 *
 * With `p = 0` or an empty x nothing is drawn and the result shares x's memory; with `p = 1` nothing is drawn either.
 * One bit per element is kept for the backward pass.
 *
 * @throws UsageError for a `p` outside of [0, 1].
 */
export function dropout(x: Tensor, p: number, options?: { generator?: Generator }): Tensor {
  const where = 'dropout'
  const { generator } = checkOptions(options, ['generator'], where)
  checkFloats(x, where)
  const source = checkGenerator(generator, where)
  if (!(checkNumber(p, `${where}: p`) >= 0 && p <= 1))
    throw new UsageError(`${where}: p must be a probability from 0 to 1, not ${p}`)
  if (p === 0 || x.size === 0) return x.reshape(...x.shape)
  if (p === 1) return x.mul(0)
  const bits = Elements.uninitialized('uint8', [Math.ceil(x.size / 8)], where)
  source.kept(1 - p, x.size, bits.operand())
  const scale = scaleOf(p, x.dtype)
  const result = Tensor.result(dropped(x, bits, scale))
  record(result, 'DropoutBackward', [x], (save) => {
    const kept = save(bits)
    return (grad) => [dropped(grad, kept(), scale)]
  })
  bits.dispose()
  return result
}

function dropped(x: Borrowed, bits: Borrowed, scale: number): Elements {
  const cls = facts(x.dtype).class
  return withType(x, cls, 'dropout', (y) =>
    inClass(x.dtype, x.shape, 'dropout', (out) =>
      check(native.dropoutElements(cls, scale, bits.operand(), y.operand(), out.operand())),
    ),
  )
}

/** `1 / (1 - p)` as PyTorch computes it: rounded to x's type, which its mask has. */
function scaleOf(p: number, dtype: DType): number {
  if (dtype === 'float64') return 1 / (1 - p)
  const single = Math.fround(1 / Math.fround(1 - p))
  if (dtype === 'float32') return single
  const one: Borrowed = { dtype: 'float32', shape: [], size: 1, operand: () => Float32Array.of(single) }
  const rounded = Tensor.result(convert(one, dtype, 'dropout'))
  const scale = rounded.item()
  rounded.dispose()
  return scale
}

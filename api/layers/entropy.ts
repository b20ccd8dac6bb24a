// Cross-entropy with weights of classes, smoothed labels and probabilities, out of ops of the tape.

import { isFloat } from '../base/dtype.js'
import { DTypeError, ShapeError, TokenIndexError, UsageError } from '../base/errors.js'
import { sameShape, shown, sizeOf, unravel } from '../base/shape.js'
import { show } from '../base/validate.js'
import { scope } from '../memory/scope.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { tensor, where as choose } from '../tensor/create.js'
import { Tensor } from '../tensor/tensor.js'

const WHERE = 'crossEntropy'

/** How the losses of rows are combined. */
export const REDUCTIONS = ['none', 'sum', 'mean'] as const
export type Reduction = (typeof REDUCTIONS)[number]

/** Checks for a tensor of floats. */
export function checkFloats(x: unknown, where: string): Tensor {
  if (!(x instanceof Tensor)) throw new UsageError(`${where}: expected a tensor, not ${show(x)}`)
  if (!isFloat(x.dtype))
    throw new DTypeError(`${where}: the tensor must be of floats, not ${x.dtype}; convert it with to('float32') first`)
  return x
}

/** The logits as a matrix, with the classes in the second dimension. */
export function asRows(logits: Tensor, dim: number): Tensor {
  const { shape } = logits
  if (shape.length === 2) return logits
  if (dim === 0) return logits.reshape(1, shape[0])
  const [n, classes, ...rest] = shape
  const inner = sizeOf(rest)
  const blocks = logits.reshape(n, classes, inner)
  const turned = blocks.transpose(1, 2)
  const rows = turned.reshape(n * inner, classes)
  turned.dispose()
  blocks.dispose()
  return rows
}

interface Weighting {
  readonly weight: Tensor | undefined
  readonly reduction: Reduction
  /** The share of a target that is spread over all classes. */
  readonly spread: number
}

function checkWeight(weight: unknown, classes: number): Tensor | undefined {
  if (weight === undefined) return undefined
  const { shape } = checkFloats(weight, `${WHERE}: weight`)
  if (!sameShape(shape, [classes]))
    throw new ShapeError(`${WHERE}: weight must have the shape [${classes}], not ${shown(shape)}`)
  return weight as Tensor
}

/** Losses of rows in the shape of the targets, or their sum, or that divided by `count`. */
function reduced(losses: Tensor, how: Reduction, count: Tensor | number, shape: readonly number[]): Tensor {
  if (how === 'none') return losses.reshape(...shape)
  return how === 'sum' ? losses.sum() : losses.sum().div(count)
}

/** The loss for targets that are indices. */
export function weightedEntropy(
  logits: Tensor,
  dim: number,
  targets: Ids,
  { weight, reduction, spread, ignoreIndex }: Weighting & { readonly ignoreIndex: number },
): Tensor {
  const classes = logits.shape[dim]
  const factors = checkWeight(weight, classes)
  const ids = readIds(targets, undefined, WHERE)
  const shape = logits.shape.filter((_, d) => d !== dim)
  if (!sameShape(ids.shape, shape)) {
    throw new ShapeError(
      `${WHERE}: targets for logits of shape ${shown(logits.shape)} must have the shape ${shown(shape)}, not ${shown(ids.shape)}`,
    )
  }
  const n = sizeOf(shape)
  const kept = new Uint8Array(n)
  const indices = new Int32Array(n)
  for (let i = 0; i < n; i++) {
    const id = Number(ids.array[i])
    if (id === ignoreIndex) continue
    if (id < 0 || id >= classes) {
      const at = { position: unravel(i, ids.shape), value: String(ids.array[i]), size: classes, count: 1 }
      throw new TokenIndexError('target', at)
    }
    indices[i] = id
    kept[i] = 1
  }
  return scope(() => {
    const logs = asRows(logits, dim).logSoftmax(1)
    const counts = tensor(kept).to('bool')
    const picked = tensor(indices)
    const shares = choose(counts, factors === undefined ? 1 : factors.index(picked), 0).to(logs.dtype)
    const right = logs.gather(1, picked.reshape(n, 1)).reshape(n).mul(shares).neg()
    const total = shares.sum()
    if (spread === 0) return reduced(right, reduction, total, shape)
    const all = (factors === undefined ? logs : logs.mul(factors)).sum(1).neg()
    const smooth = choose(counts, all, 0)
    const [first, second] = [right, smooth].map((losses) => reduced(losses, reduction, total, shape))
    return first.mul(1 - spread).add(second.mul(spread / classes))
  })
}

/** The loss for targets that are probabilities of classes. */
export function expectedEntropy(
  logits: Tensor,
  dim: number,
  targets: Tensor,
  { weight, reduction, spread }: Weighting,
): Tensor {
  const factors = checkWeight(weight, logits.shape[dim])
  if (!sameShape(targets.shape, logits.shape)) {
    throw new ShapeError(
      `${WHERE}: probabilities for logits of shape ${shown(logits.shape)} must have that shape, not ${shown(targets.shape)}`,
    )
  }
  const shape = logits.shape.filter((_, d) => d !== dim)
  return scope(() => {
    const logs = asRows(logits, dim).logSoftmax(1)
    const given = asRows(targets, dim)
    const chances = spread === 0 ? given : given.mul(1 - spread).add(spread / logits.shape[dim])
    const products = logs.mul(chances)
    const losses = (factors === undefined ? products : products.mul(factors)).sum(1).neg()
    return reduced(losses, reduction, sizeOf(shape), shape)
  })
}

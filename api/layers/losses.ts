// Losses and distances that networks learn by, besides cross-entropy.

import { record } from '../autograd/tape.js'
import { noGrad } from '../autograd/no-grad.js'
import { ShapeError, UsageError } from '../base/errors.js'
import { broadcast, checkDim, sameShape, shown } from '../base/shape.js'
import { checkNumber, checkOptions, checkWord } from '../base/validate.js'
import { scope } from '../memory/scope.js'
import { arange, concat } from '../tensor/create.js'
import type { Tensor } from '../tensor/tensor.js'
import { checkFloats, REDUCTIONS, type Reduction } from './entropy.js'
import { crossEntropy } from './functional.js'

export interface LossOptions {
  /** default 'mean' */ reduction?: Reduction
}

export interface BinaryLossOptions extends LossOptions {
  /** A factor for each loss; it is broadcast. */ weight?: Tensor
}

export interface BinaryLogitsOptions extends BinaryLossOptions {
  /** A factor for the losses of positive targets; it is broadcast. */ posWeight?: Tensor
}

function reduced(losses: Tensor, reduction: Reduction): Tensor {
  return reduction === 'none' ? losses : reduction === 'sum' ? losses.sum() : losses.mean()
}

function checkPair(x: unknown, target: unknown, where: string): [Tensor, Tensor] {
  const pair: [Tensor, Tensor] = [checkFloats(x, where), checkFloats(target, `${where}: target`)]
  if (!sameShape(pair[0].shape, pair[1].shape)) {
    throw new ShapeError(
      `${where}: the target must have the shape of the input, ${shown(pair[0].shape)}, not ${shown(pair[1].shape)}`,
    )
  }
  return pair
}

/**
 * The binary cross-entropy of probabilities: `-(y log(p) + (1 - y) log(1 - p))`, where logarithms are at least -100.
 * `torch.nn.functional.binary_cross_entropy`.
 *
 * @param input probabilities from 0 to 1, of any shape.
 * @param target numbers from 0 to 1 in the same shape.
 * @returns one number, or with `reduction: 'none'` the losses in the shape of the input.
 * @throws UsageError for an input outside of 0 to 1; ShapeError for shapes that differ.
 */
export function binaryCrossEntropy(input: Tensor, target: Tensor, options?: BinaryLossOptions): Tensor {
  const where = 'binaryCrossEntropy'
  const { reduction = 'mean', weight } = checkOptions(options, ['reduction', 'weight'], where)
  checkWord(reduction, REDUCTIONS, `${where}: reduction`)
  const [p, y] = checkPair(input, target, where)
  if (weight !== undefined) checkFloats(weight, `${where}: weight`)
  return scope(() => {
    const made = noGrad(() =>
      scope(() => {
        if (p.size > 0 && !(p.min().item() >= 0 && p.max().item() <= 1))
          throw new UsageError(`${where}: probabilities must be from 0 to 1: binaryCrossEntropyWithLogits takes others`)
        const yes = y.mul(p.log().clamp(-100))
        const no = y.neg().add(1).mul(p.neg().log1p().clamp(-100))
        return yes.add(no).neg()
      }),
    )
    const losses = record(made, 'BinaryCrossEntropyBackward', [p, y], (save) => {
      const [of, by] = [save(p), save(y)].map((saved) => () => p.over(saved().alias()))
      return (grad, wanted) => {
        // As PyTorch: the denominator is at least 1e-12.
        const slope = () => of().sub(by()).div(of().neg().add(1).mul(of()).clamp(1e-12))
        const odds = () => of().neg().log1p().sub(of().log())
        const times = (x: Tensor) => x.mul(p.over(grad.alias())).to(p.dtype)
        return [wanted[0] ? times(slope()) : null, wanted[1] ? times(odds()) : null]
      }
    })
    return reduced(weight === undefined ? losses : losses.mul(weight), reduction)
  })
}

/**
 * The binary cross-entropy of logits, `binaryCrossEntropy(sigmoid(x), y)` without overflow.
 * `torch.nn.functional.binary_cross_entropy_with_logits`.
 *
 * @param logits numbers of any size, in any shape.
 * @param target numbers from 0 to 1 in the same shape.
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, target: Tensor, options?: BinaryLogitsOptions): Tensor {
  const where = 'binaryCrossEntropyWithLogits'
  const { reduction = 'mean', weight, posWeight } = checkOptions(options, ['reduction', 'weight', 'posWeight'], where)
  checkWord(reduction, REDUCTIONS, `${where}: reduction`)
  const [x, y] = checkPair(logits, target, where)
  for (const factor of [weight, posWeight]) if (factor !== undefined) checkFloats(factor, where)
  return scope(() => {
    const no = y.neg().add(1).mul(x)
    const yes = x.logSigmoid()
    const losses = no.sub(posWeight === undefined ? yes : posWeight.sub(1).mul(y).add(1).mul(yes))
    return reduced(weight === undefined ? losses : losses.mul(weight), reduction)
  })
}

/** The mean squared error, `(x - y)^2`. `torch.nn.functional.mse_loss`. @throws ShapeError for shapes that differ. */
export function mseLoss(input: Tensor, target: Tensor, options?: LossOptions): Tensor {
  const where = 'mseLoss'
  const { reduction = 'mean' } = checkOptions(options, ['reduction'], where)
  checkWord(reduction, REDUCTIONS, `${where}: reduction`)
  const [x, y] = checkPair(input, target, where)
  return scope(() => reduced(x.sub(y).pow(2), reduction))
}

/**
 * The cosine of the angle between vectors along a dimension, with broadcasting; lengths are at least `eps`.
 * `torch.nn.functional.cosine_similarity`.
 *
 * @returns the shape of both without the dimension.
 */
export function cosineSimilarity(a: Tensor, b: Tensor, dim = 1, eps = 1e-8): Tensor {
  const where = 'cosineSimilarity'
  const [x, y] = [checkFloats(a, where), checkFloats(b, where)]
  const shape = broadcast(x.shape, y.shape)
  const at = checkDim(dim, shape.length, where)
  if (checkNumber(eps, `${where}: eps`) < 0) throw new UsageError(`${where}: eps must not be negative, not ${eps}`)
  return scope(() => {
    const [p, q] = [x, y].map((one) => (sameShape(one.shape, shape) ? one : one.expand(...shape)))
    const lengthOf = (one: Tensor) => lengths(one, 2, at).maximum(eps)
    return p
      .div(lengthOf(p))
      .mul(q.div(lengthOf(q)))
      .sum(at)
  })
}

/** The p-norms along a dimension, which stays with size 1. The gradient of the norm of a zero vector is 0. */
function lengths(x: Tensor, p: number, dim: number): Tensor {
  if (p === Infinity) return x.abs().max(dim, { keepdim: true }).values
  if (p === 1) return x.abs().sum(dim, { keepdim: true })
  const sums = (p === 2 ? x.mul(x) : x.abs().pow(p)).sum(dim, { keepdim: true })
  // The root has no slope at 0.
  const isZero = sums.eq(0)
  const safe = sums.where(isZero.eq(0), 1)
  return (p === 2 ? safe.sqrt() : safe.pow(1 / p)).where(isZero.eq(0), 0)
}

/**
 * Vectors along a dimension, divided by their p-norms, which count as at least `eps`: unit vectors by default.
 * `torch.nn.functional.normalize`.
 */
export function normalize(x: Tensor, options?: { p?: number; dim?: number; eps?: number }): Tensor {
  const where = 'normalize'
  const { p = 2, dim = 1, eps = 1e-12 } = checkOptions(options, ['p', 'dim', 'eps'], where)
  const { length } = checkFloats(x, where).shape
  const at = checkDim(dim, Math.max(length, 1), where)
  if (checkNumber(p, `${where}: p`, true) <= 0) throw new UsageError(`${where}: p must be positive, not ${p}`)
  if (checkNumber(eps, `${where}: eps`) < 0) throw new UsageError(`${where}: eps must not be negative, not ${eps}`)
  return scope(() => x.div(lengths(x, p, at).maximum(eps)))
}

export interface InfoNCEOptions extends LossOptions {
  /** What similarities are divided by; default 0.1. */ temperature?: number
  /** More vectors that match no query, (m, dim). */ negatives?: Tensor
  /** Whether keys also look for their queries, and the loss is the mean of both; default false. CLIP's loss. */
  symmetric?: boolean
}

/**
 * The contrastive loss of pairs: each query must find its own key among all keys of the batch, by cosine similarity.
 * The cross-entropy of `normalize(queries) * normalize(keys)^T / temperature` with the diagonal as the right answers.
 * It trains embeddings of texts from pairs that belong together. Van den Oord, Li, Vinyals 2018 (InfoNCE); Radford et
 * al. 2021 (`symmetric`).
 *
 * @param queries (n, dim)
 * @param keys (n, dim): row i belongs to query i.
 */
export function infoNCE(queries: Tensor, keys: Tensor, options?: InfoNCEOptions): Tensor {
  const where = 'infoNCE'
  const known = ['reduction', 'temperature', 'negatives', 'symmetric']
  const { reduction = 'mean', temperature = 0.1, negatives, symmetric = false } = checkOptions(options, known, where)
  checkWord(reduction, REDUCTIONS, `${where}: reduction`)
  if (checkNumber(temperature, `${where}: temperature`) <= 0)
    throw new UsageError(`${where}: temperature must be positive, not ${temperature}`)
  if (typeof symmetric !== 'boolean') throw new UsageError(`${where}: symmetric must be true or false`)
  const [q, k] = checkPair(queries, keys, where)
  if (q.shape.length !== 2) throw new ShapeError(`${where}: queries must be (n, dim), not of shape ${shown(q.shape)}`)
  if (negatives !== undefined) {
    const { shape } = checkFloats(negatives, `${where}: negatives`)
    if (shape.length !== 2 || shape[1] !== q.shape[1])
      throw new ShapeError(`${where}: negatives must be (m, ${q.shape[1]}), not of shape ${shown(shape)}`)
  }
  return scope(() => {
    const [from, to] = [normalize(q), normalize(k)]
    const similar = from.matmul(to.transpose(0, 1)).div(temperature)
    const right = arange(q.shape[0])
    const rest = negatives && from.matmul(normalize(negatives).transpose(0, 1)).div(temperature)
    const loss = crossEntropy(rest === undefined ? similar : concat([similar, rest], 1), right, { reduction })
    return symmetric ? loss.add(crossEntropy(similar.transpose(0, 1), right, { reduction })).mul(0.5) : loss
  })
}

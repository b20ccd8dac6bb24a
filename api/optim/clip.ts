// Limits for gradients.

import type { Gradient } from '../autograd/tape.js'
import { DTypeError, UsageError } from '../base/errors.js'
import { call, check, native } from '../native/native.js'
import type { Elements } from '../ops/elements.js'
import { Tensor } from '../tensor/tensor.js'
import { checkBoolean, checkNumber, checkOptions, eachOf, isArray, show } from '../base/validate.js'
import { changeable, steps } from './rows.js'

/** The gradients of those tensors that have one. */
function gradientsOf(params: unknown, where: string): { param: Tensor; grad: Gradient }[] {
  const given = params instanceof Tensor ? [params] : params
  if (!isArray(given)) throw new UsageError(`${where}: parameters must be an array of tensors, not ${show(params)}`)
  const all = eachOf(given, (param) => {
    if (param instanceof Tensor) return param
    throw new UsageError(`${where}: a parameter must be a tensor, not ${show(param)}`)
  })
  return [...new Set(all)].flatMap((param) => {
    const grad = param.collected
    if (grad === null) return []
    if (grad.dtype !== 'float32' && grad.dtype !== 'float64')
      throw new DTypeError(`${where}: gradients must be float32 or float64, not ${grad.dtype}`)
    return [{ param, grad }]
  })
}

function checkLimit(value: unknown, where: string): number {
  if (checkNumber(value, where, true) >= 0) return value as number
  throw new UsageError(`${where} must not be negative, not ${show(value)}`)
}

export interface ClipNormOptions {
  /** The kind of norm, p above 0: 1, 2 or Infinity (the largest magnitude) ...; default 2. */ normType?: number
  /** Whether a norm that is NaN or infinite is an error, before anything is scaled; default false. */
  errorIfNonfinite?: boolean
}

/**
 * Scales gradients so that the norm of all of them together is at most `maxNorm`: each is multiplied, in place, by
 * `maxNorm / (norm + 1e-6)` if that is below 1. `torch.nn.utils.clip_grad_norm_`.
 *
 * Powers are summed in float64; for the 2-norm row by row. The result has the same bits with any number of threads, and
 * whether a table's gradient is dense or in rows.
 *
 * @returns the norm before scaling; 0 if there are no gradients. NaN and infinities are not an error, as in PyTorch:
 * check the norm before you step.
 * @throws UsageError for a negative norm, and with `errorIfNonfinite` for gradients with NaN or infinities.
 */
export function clipGradNorm(params: Tensor[] | Tensor, maxNorm: number, options?: ClipNormOptions): number {
  const where = 'clipGradNorm'
  checkLimit(maxNorm, `${where}: maxNorm`)
  const { normType = 2, errorIfNonfinite = false } = checkOptions(options, ['normType', 'errorIfNonfinite'], where)
  if (checkNumber(normType, `${where}: normType`, true) <= 0)
    throw new UsageError(`${where}: normType must be above 0, not ${normType}`)
  checkBoolean(errorIfNonfinite, `${where}: errorIfNonfinite`)
  const found = gradientsOf(params, where)
  const norm = normOf(found, normType)
  if (errorIfNonfinite && !Number.isFinite(norm))
    throw new UsageError(
      `${where}: the norm of the gradients is ${norm}: some have NaN, infinities or very large numbers`,
    )
  const coefficient = maxNorm / (norm + 1e-6)
  if (!(coefficient >= 1))
    change(found, where, (tensor) => native.scaleValues(tensor.dtype, tensor.operand(), coefficient))
  return norm
}

/** The p-norm of all gradients together. */
function normOf(found: readonly { grad: Gradient }[], p: number): number {
  if (p === 2) return Math.sqrt(found.reduce((sum, { grad }) => sum + squares(grad), 0))
  const parts = found.map(({ grad }) => {
    const elements = changeable(grad)
    return call(native.sumPowers(elements.dtype, elements.operand(), p))
  })
  if (p === Infinity) return parts.reduce((most, part) => Math.max(most, part), 0)
  const sum = parts.reduce((sum, part) => sum + part, 0)
  return p === 1 ? sum : sum ** (1 / p)
}

function squares(grad: Gradient): number {
  const by = steps(grad)
  if (by.rows !== null) return call(native.sumSquaresOfRows(by.rows))
  const { dtype, shape } = by.dense
  return call(native.sumSquares(dtype, by.dense.operand(), shape.length === 2 ? shape[1] : 0))
}

/**
 * Clamps every element of the gradients to `-limit ..= limit`, in place. `torch.nn.utils.clip_grad_value_`.
 *
 * @throws UsageError for a negative limit.
 */
export function clipGradValue(params: Tensor[] | Tensor, limit: number): void {
  const where = 'clipGradValue'
  checkLimit(limit, `${where}: limit`)
  change(gradientsOf(params, where), where, (tensor) => native.clampValues(tensor.dtype, tensor.operand(), limit))
}

/**
 * Changes the elements of gradients in place. A gradient in rows is first summed to one row per id, and those are
 * changed.
 */
function change(found: readonly { grad: Gradient }[], where: string, run: (tensor: Elements) => boolean): void {
  for (const { grad } of found) {
    const tensor = changeable(grad)
    tensor.beginWrite(where)
    check(run(tensor))
  }
}

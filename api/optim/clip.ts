// Limits for gradients.

import type { Gradient } from '../autograd/tape.js'
import { DTypeError, UsageError } from '../base/errors.js'
import { call, check, native } from '../native/native.js'
import type { Elements } from '../ops/elements.js'
import { Tensor } from '../tensor/tensor.js'
import { checkNumber, eachOf, isArray, show } from '../base/validate.js'
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

/**
 * Scales gradients so that the 2-norm of all of them together is at most `maxNorm`: each is multiplied, in place, by
 * `maxNorm / (norm + 1e-6)` if that is below 1. `torch.nn.utils.clip_grad_norm_`.
 *
 * Squares are summed in float64, row by row. The result has the same bits with any number of threads, and whether a
 * table's gradient is dense or in rows.
 *
 * @returns the norm before scaling; 0 if there are no gradients. NaN and infinities are not an error, as in PyTorch:
 * check the norm before you step.
 * @throws UsageError for a negative norm.
 */
export function clipGradNorm(params: Tensor[] | Tensor, maxNorm: number): number {
  const where = 'clipGradNorm'
  checkLimit(maxNorm, `${where}: maxNorm`)
  const found = gradientsOf(params, where)
  const norm = Math.sqrt(found.reduce((sum, { grad }) => sum + squares(grad), 0))
  const coefficient = maxNorm / (norm + 1e-6)
  if (!(coefficient >= 1))
    change(found, where, (tensor) => native.scaleValues(tensor.dtype, tensor.operand(), coefficient))
  return norm
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

// Where a layer's vectors go: the caller's tensor, or a fresh one.

import { facts } from './dtype.js'
import { DTypeError, ShapeError, UsageError } from './errors.js'
import { check } from './native.js'
import { shown, sizeOf } from './shape.js'
import { PooledStorage } from './storage.js'
import { Tensor } from './tensor.js'
import { checkElements, show } from './validate.js'

/** Whether `shape` is that of ids with `dim` behind. */
function isOfVectors(shape: readonly number[], ids: readonly number[], dim: number): boolean {
  const rank = ids.length
  if (shape.length !== rank + 1 || shape[rank] !== dim) return false
  for (let d = 0; d < rank; d++) if (shape[d] !== ids[d]) return false
  return true
}

/** A tensor for vectors of `dim` for ids of a shape: the caller's `out`, checked, or a fresh one. */
export function resultFor(out: Tensor | undefined, ids: readonly number[], dim: number, where: string): Tensor {
  if (out === undefined) return fresh([...ids, dim], where)
  if (!(out instanceof Tensor)) throw new UsageError(`${where}: out must be a tensor, not ${show(out)}`)
  if (out.dtype !== 'float32') throw new DTypeError(`${where}: out must be float32, not ${out.dtype}`)
  if (!isOfVectors(out.shape, ids, dim)) {
    throw new ShapeError(`${where}: out is ${shown(out.shape)}, and the result ${shown([...ids, dim])}`)
  }
  return out
}

function fresh(shape: readonly number[], where: string): Tensor {
  const { bytes } = facts('float32')
  const size = sizeOf(shape)
  checkElements(size, bytes, where, shape)
  return Tensor.over(PooledStorage.uninitialized(size * bytes), 'float32', shape)
}

/**
 * The result that a native call wrote, or why it did not: it follows the `weights` in whether it learns, but for the
 * caller's `out`. A fresh one that was not written is freed.
 */
export function settled(done: boolean, result: Tensor, out: Tensor | undefined, ids: readonly number[], weights: readonly Tensor[]): Tensor {
  if (!done) {
    if (out === undefined) result.dispose()
    check(done, ids)
  }
  if (out === undefined) result.follow(weights)
  else result.requiresGrad = false
  return result
}

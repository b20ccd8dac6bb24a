// Where a layer's vectors go: the caller's tensor, or a fresh one.

import { record, type Backward, type Save } from '../autograd/tape.js'
import { isResultType, RESULT_TYPES, type ResultType } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { check } from '../native/native.js'
import { shown } from '../base/shape.js'
import { uninitialized } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { isObject, show } from '../base/validate.js'

/** The type of a result: what the caller asks for, else what `out` has, else the layer's own. */
export function resultType(
  dtype: ResultType | undefined,
  out: Tensor | undefined,
  own: ResultType,
  where: string,
): ResultType {
  if (dtype !== undefined) {
    if (isResultType(dtype)) return dtype
    throw new DTypeError(`${where}: results are ${RESULT_TYPES.join(', ')}, not ${show(dtype)}`)
  }
  // Whether it is a tensor at all, `resultFor` says.
  return isObject(out) && isResultType(out.dtype) ? out.dtype : own
}

/** Whether `shape` is that of ids with `dim` behind. */
function isOfVectors(shape: readonly number[], ids: readonly number[], dim: number): boolean {
  const rank = ids.length
  if (shape.length !== rank + 1 || shape[rank] !== dim) return false
  for (let d = 0; d < rank; d++) if (shape[d] !== ids[d]) return false
  return true
}

/** A tensor for vectors of `dim` for ids of a shape: the caller's `out`, checked, or a fresh one. */
export function resultFor(
  out: Tensor | undefined,
  ids: readonly number[],
  dim: number,
  where: string,
  dtype: ResultType = 'float32',
): Tensor {
  if (out === undefined) return uninitialized(dtype, [...ids, dim], where)
  if (!Tensor.is(out)) throw new UsageError(`${where}: out must be a tensor, not ${show(out)}`)
  if (out.dtype !== dtype) throw new DTypeError(`${where}: out must be ${dtype}, not ${out.dtype}`)
  if (!isOfVectors(out.shape, ids, dim)) {
    throw new ShapeError(`${where}: out is ${shown(out.shape)}, and the result ${shown([...ids, dim])}`)
  }
  out.beginWrite(where)
  return out
}

/**
 * The result that a native call wrote, or why it did not. A fresh one that was not written is freed; one that is is
 * recorded, as the op `name` on `weights` with its way back; the caller's `out` never is. @internal
 */
export function settled(
  done: boolean,
  result: Tensor,
  out: Tensor | undefined,
  ids: readonly number[],
  weights: readonly Tensor[],
  name: string,
  way: (save: Save) => Backward,
): Tensor {
  if (!done) {
    if (out === undefined) result.dispose()
    check(done, ids)
  }
  if (out === undefined) return record(result, name, weights, way)
  result.forget()
  return result
}

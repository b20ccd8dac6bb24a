// Where a layer's vectors are written: to the caller's tensor, or to a new one.

import { record, type Backward, type Save } from '../autograd/tape.js'
import { isResultType, RESULT_TYPES, type DType, type ResultType } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { check } from '../native/native.js'
import { shown } from '../base/shape.js'
import { uninitialized } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { isObject, show } from '../base/validate.js'

/** The type of a result: what the caller asks for, or else the type of `out`, or else the layer's own. */
export function resultType(
  dtype: ResultType | undefined,
  out: Tensor | undefined,
  own: ResultType,
  where: string,
): ResultType {
  if (dtype !== undefined) {
    if (isResultType(dtype)) return dtype
    throw new DTypeError(`${where}: the dtype of results must be one of ${RESULT_TYPES.join(', ')}, not ${show(dtype)}`)
  }
  // `resultFor` checks whether `out` is a tensor at all.
  return isObject(out) && isResultType(out.dtype) ? out.dtype : own
}

/** Whether `shape` is the shape of the ids with `dim` appended. */
function isOfVectors(shape: readonly number[], ids: readonly number[], dim: number): boolean {
  const rank = ids.length
  if (shape.length !== rank + 1 || shape[rank] !== dim) return false
  for (let d = 0; d < rank; d++) if (shape[d] !== ids[d]) return false
  return true
}

/** The shape of the last new result, frozen. */
let lastShape: readonly number[] = []

/**
 * The shape of the ids with `dim` appended. A loop asks for the same shape again and again, and to make and freeze an
 * array takes a twentieth of a small lookup, so that the last one is kept.
 */
function shapeOfVectors(ids: readonly number[], dim: number): readonly number[] {
  if (!isOfVectors(lastShape, ids, dim)) lastShape = Object.freeze([...ids, dim])
  return lastShape
}

/**
 * A tensor for the vectors of ids: the caller's `out`, checked, or a new one. Its shape is the shape of the ids with
 * `dim` appended.
 */
export function resultFor(
  out: Tensor | undefined,
  ids: readonly number[],
  dim: number,
  where: string,
  dtype: DType = 'float32',
): Tensor {
  if (out === undefined) return uninitialized(dtype, shapeOfVectors(ids, dim), where)
  if (!Tensor.is(out)) throw new UsageError(`${where}: out must be a tensor, not ${show(out)}`)
  if (out.dtype !== dtype) throw new DTypeError(`${where}: out must be ${dtype}, not ${out.dtype}`)
  if (!isOfVectors(out.shape, ids, dim)) {
    throw new ShapeError(
      `${where}: out must have the shape of the result, ${shown([...ids, dim])}, not ${shown(out.shape)}`,
    )
  }
  out.beginWrite(where)
  return out
}

/**
 * Returns the result that a native call wrote, or throws why it failed. A new tensor is recorded as the op `name` on
 * `weights` with its backward function, or freed on failure. The caller's `out` is never recorded. @internal
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

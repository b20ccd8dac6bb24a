// Reading token ids: what callers pass becomes an integer array and a shape, which the native side reads.

import type { IntArray } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { bufferOf, isArrayBuffer, isPlainInts, kindName, lengthOf, offsetOf } from '../base/realm.js'
import { shown, unravel } from '../base/shape.js'
import { Tensor } from './tensor.js'
import { checkAttached, checkShape, isArray, show } from '../base/validate.js'
import { flatten, type Nested } from './values.js'
import { allocating, zeroed } from '../memory/arrays.js'

/** Token ids: an integer tensor, an integer typed array (1-D, or with a shape option), or nested arrays of integers. */
export type Ids = Tensor | IntArray | Nested[]

/** Ids in the form that the native side reads. */
export interface ReadIds {
  readonly array: IntArray
  readonly shape: readonly number[]
}

type Kind = new (source: IntArray | ArrayBufferLike | number, offset?: number, length?: number) => IntArray

const KINDS = new Map<string | undefined, Kind>(
  [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array].map(
    (kind) => [kind.name, kind as Kind],
  ),
)

/** The built-in class of an integer typed array, not the class of a subclass such as Buffer. @internal */
export function kindOf(array: unknown): Kind | undefined {
  return KINDS.get(kindName(array))
}

/** A copy of the ids. `slice` would not do: on a Buffer it gives a view. @internal */
export function copyOf(ids: IntArray): IntArray {
  return allocating(ids.byteLength, () => new (kindOf(ids)!)(ids))
}

/**
 * The same ids as a typed array of one of this realm's built-in classes, so that no subclass's method or constructor
 * runs. The result is `value` itself, another array over its memory, or a copy if the memory is a SharedArrayBuffer:
 * other threads may write that after the ids were checked. It is null if `value` is not an integer typed
 * array. @internal
 */
function plainInts(value: unknown, where: string): IntArray | null {
  if (!ArrayBuffer.isView(value)) return null
  const array = value as IntArray
  const isPlain = isPlainInts(array)
  const kind = isPlain ? null : kindOf(array)
  if (kind === undefined) return null
  const length = isPlain ? array.length : lengthOf(array)
  if (length === 0) checkAttached(array, where)
  const buffer = bufferOf(array)
  if (!isArrayBuffer(buffer)) return copyOf(array)
  if (kind === null || Object.getPrototypeOf(array) === kind.prototype) return array
  return new kind(buffer, offsetOf(array), length)
}

/** Reads ids. `shape` is the caller's `shape` option for flat arrays; `where` starts error messages. */
export function readIds(ids: Ids, shape: readonly number[] | undefined, where: string): ReadIds {
  // Typed arrays come first, as they are the common case.
  const array = plainInts(ids, where)
  if (array !== null)
    return { array, shape: shape === undefined ? [array.length] : reshaped(array.length, shape, where) }
  if (Tensor.is(ids)) {
    if (shape !== undefined) return { array: integers(ids, where), shape: reshaped(ids.size, shape, where) }
    return { array: integers(ids, where), shape: ids.shape }
  }
  if (isArray(ids)) {
    const { leaves, shape: own } = flatten(ids, where)
    return {
      array: fromLeaves(leaves, own, where),
      shape: shape === undefined ? own : reshaped(leaves.length, shape, where),
    }
  }
  if (ArrayBuffer.isView(ids)) {
    const kind = kindName(ids) ?? 'DataView'
    throw new DTypeError(`${where}: ids must be integers, not a ${kind}: use Int32Array or Uint32Array`)
  }
  throw new UsageError(
    `${where}: ids must be an integer tensor, an integer typed array or nested arrays of integers, not ${show(ids)}`,
  )
}

function integers(ids: Tensor, where: string): IntArray {
  if (ids.dtype === 'int32' || ids.dtype === 'int64' || ids.dtype === 'int8' || ids.dtype === 'uint8')
    return ids.steady() as IntArray
  throw new DTypeError(`${where}: ids must be integers, not ${ids.dtype}: write ids.to('int32')`)
}

function reshaped(length: number, shape: readonly number[], where: string): readonly number[] {
  if (fills(shape, length)) return shape
  const sizes = checkShape(shape, 1, `${where}: shape`)
  throw new ShapeError(`${where}: ${length} ids do not fill the shape ${shown(sizes)}`)
}

/** Whether `shape` is valid and has `length` elements. The caller reports what is wrong with it. */
function fills(shape: readonly number[], length: number): boolean {
  if (!isArray(shape)) return false
  let size = 1
  for (const n of shape) {
    if (!Number.isInteger(n) || n < 0) return false
    size *= n
  }
  return size === length
}

function fromLeaves(leaves: unknown[], shape: readonly number[], where: string): IntArray {
  const array = zeroed(Int32Array, leaves.length)
  for (let i = 0; i < leaves.length; i++) {
    const id = leaves[i]
    if (typeof id !== 'number' || (id | 0) !== id) return fromWide(leaves, shape, where)
    array[i] = id
  }
  return array
}

/** Like `fromLeaves`, for ids that need more than 32 bits or are not integers. */
function fromWide(leaves: unknown[], shape: readonly number[], where: string): IntArray {
  return zeroed(BigInt64Array, leaves.length).map((_, i) => {
    const id = leaves[i]
    const fits = typeof id === 'bigint' ? BigInt.asIntN(64, id) === id : Number.isSafeInteger(id)
    if (fits) return BigInt(id as number | bigint)
    throw new UsageError(`${where}: id ${show(id)} at ${shown(unravel(i, shape))} is not a 64-bit integer`)
  })
}

// Token ids as callers write them, brought to what the native side reads: an integer array and a shape.

import { DTypeError, ShapeError, UsageError } from './errors.js'
import { shown, unravel } from './shape.js'
import { Tensor } from './tensor.js'
import type { TypedArray } from './dtype.js'
import { checkAttached, checkShape, show } from './validate.js'
import { flatten, type Nested } from './values.js'

/** Arrays of integers of any kind. */
export type IntArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array
/** Token ids: an integer tensor, an integer typed array (1-D, or with a shape option), or nested arrays of integers. */
export type Ids = Tensor | IntArray | Nested[]

/** Ids as the native side reads them. */
export interface ReadIds {
  readonly array: IntArray
  readonly shape: readonly number[]
}

const KINDS = new Map<string, new (ids: IntArray) => IntArray>(
  [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array].map((kind) => [
    kind.name,
    kind as new (ids: IntArray) => IntArray,
  ]),
)

/** Whether it is an integer typed array, of this realm or another. */
function isIntArray(value: unknown): value is IntArray {
  // The usual kinds first: a test of the class costs less than one of the name.
  if (value instanceof Int32Array || value instanceof Uint32Array) return true
  return ArrayBuffer.isView(value) && KINDS.has((value as TypedArray)[Symbol.toStringTag])
}

/** Reads ids. `shape` is the caller's option for flat arrays; `where` starts the message of an error. */
export function readIds(ids: Ids, shape: readonly number[] | undefined, where: string): ReadIds {
  if (ids instanceof Tensor) {
    if (shape !== undefined) return { array: integers(ids, where), shape: reshaped(ids.size, shape, where) }
    return { array: integers(ids, where), shape: ids.shape }
  }
  if (Array.isArray(ids)) {
    const { leaves, shape: own } = flatten(ids, where)
    return { array: fromLeaves(leaves, own, where), shape: shape === undefined ? own : reshaped(leaves.length, shape, where) }
  }
  if (isIntArray(ids)) {
    if (ids.length === 0) checkAttached(ids, where)
    // What another thread may write meanwhile is copied before it is checked.
    const array = ids.buffer instanceof ArrayBuffer ? ids : copied(ids)
    return { array, shape: shape === undefined ? [array.length] : reshaped(array.length, shape, where) }
  }
  if (ArrayBuffer.isView(ids)) {
    const kind = (ids as TypedArray)[Symbol.toStringTag] ?? 'DataView'
    throw new DTypeError(`${where}: ids are integers, and ${kind} holds none: use Int32Array or Uint32Array`)
  }
  throw new UsageError(`${where}: ids are an integer tensor, an integer typed array or nested arrays of integers, not ${show(ids)}`)
}

/** A copy; not `slice`, which is a view where the array is a Buffer. */
function copied(ids: IntArray): IntArray {
  return new (KINDS.get(ids[Symbol.toStringTag])!)(ids)
}

function integers(ids: Tensor, where: string): IntArray {
  if (ids.dtype === 'int32' || ids.dtype === 'int64' || ids.dtype === 'int8' || ids.dtype === 'uint8') return ids.borrow() as IntArray
  throw new DTypeError(`${where}: ids are integers, not ${ids.dtype}: write ids.to('int32')`)
}

function reshaped(length: number, shape: readonly number[], where: string): readonly number[] {
  if (fills(shape, length)) return shape
  const sizes = checkShape(shape, 1, `${where}: shape`)
  throw new ShapeError(`${where}: ${length} ids do not fill the shape ${shown(sizes)}`)
}

/** Whether it is a shape of so many elements; why not, is for the caller to say. */
function fills(shape: readonly number[], length: number): boolean {
  if (!Array.isArray(shape)) return false
  let size = 1
  for (const n of shape) {
    if (!Number.isInteger(n) || n < 0) return false
    size *= n
  }
  return size === length
}

function fromLeaves(leaves: unknown[], shape: readonly number[], where: string): IntArray {
  const array = new Int32Array(leaves.length)
  for (let i = 0; i < leaves.length; i++) {
    const id = leaves[i]
    if (typeof id !== 'number' || (id | 0) !== id) return fromWide(leaves, shape, where)
    array[i] = id
  }
  return array
}

/** As `fromLeaves`, where some need more than 32 bits or are no integers at all. */
function fromWide(leaves: unknown[], shape: readonly number[], where: string): IntArray {
  return BigInt64Array.from(leaves, (id, i) => {
    const fits = typeof id === 'bigint' ? BigInt.asIntN(64, id) === id : Number.isSafeInteger(id)
    if (fits) return BigInt(id as number | bigint)
    throw new UsageError(`${where}: id ${show(id)} at ${shown(unravel(i, shape))} is not an integer of 64 bits`)
  })
}

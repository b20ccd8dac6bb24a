// Bags in every form that users have them in: rows, ids with offsets, lists of different lengths, batches of a
// tokenizer.

import { types } from 'node:util'
import { ShapeError, UsageError } from '../base/errors.js'
import type { IntArray } from '../base/dtype.js'
import { lengthOf } from '../base/realm.js'
import { sameShape, shown } from '../base/shape.js'
import { eachOf, isArray, show } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'
import { readIds, type Ids, type ReadIds } from '../tensor/ids.js'
import { isNamed, raggedOf, type Ragged, type RaggedIds } from '../tensor/ragged.js'
import { uninitialized } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import type { ReadBags } from './backward.js'

/** Rows of one length with a mask that says where tokens are, as `tokenizer.encodeBatch` gives them with `padding`. */
export interface MaskedIds {
  /** The ids, (bags, length). */
  ids: Ids
  /** Bool, or integers that are 0 for padding, in the shape of the ids. */
  mask: Ids
}

/** Bags as lists of ids, each of any length. */
export type IdLists = readonly (IntArray | readonly number[] | Tensor)[]

/** Bags that need no offsets beside them. */
export type Bags = Ragged | RaggedIds | MaskedIds | IdLists

/** Bags as they were given, and as they are read. */
export interface GivenBags {
  readonly read: ReadBags
  /** The caller's own objects behind `read`, which need no copy while they stay as they are. */
  readonly own: { ids?: Ids; offsets?: Ids }
  /** For a masked batch: its shape, and the places of its tokens. */
  readonly masked: { shape: readonly number[]; places: Uint32Array } | null
}

/** Reads bags. `withEnd` says whether `offsets` ends with the number of ids. @internal */
export function readBags(ids: Ids | Bags, offsets: Ids | undefined, withEnd: boolean, where: string): GivenBags {
  const without = (what: string) => {
    if (offsets !== undefined) throw new UsageError(`${where}: ${what}: leave offsets out`)
  }
  const ragged = raggedOf(ids)
  if (ragged !== null) {
    without('a Ragged has its own offsets')
    const read = divided(readIds(ragged.values, undefined, where), ragged.offsets, true, where)
    return { read, own: {}, masked: null }
  }
  if (isNamed(ids)) {
    if (!('ids' in ids && 'mask' in ids))
      throw new UsageError(
        `${where}: bags must be ids, { values, offsets }, { ids, offsets } or { ids, mask }, not ${show(ids)}`,
      )
    without('a batch with a mask has its own bags')
    return readMasked(ids, where)
  }
  if (isLists(ids)) {
    without('a list of bags has its own lengths')
    return { read: readLists(ids, where), own: {}, masked: null }
  }
  const given = ids as Ids
  const read = readIds(given, undefined, where)
  const rank = read.shape.length
  if (rank === 1) {
    if (offsets === undefined)
      throw new UsageError(`${where}: 1-D ids need offsets, the index at which each bag begins: [0] for one bag`)
    return { read: divided(read, offsets, withEnd, where), own: { ids: given, offsets }, masked: null }
  }
  if (rank !== 2)
    throw new ShapeError(
      `${where}: ids must have the shape (bags, length), or be 1-D with offsets, not ${shown(read.shape)}`,
    )
  without('the rows of 2-D ids are the bags')
  const bags = { ids: read, offsets: null, withEnd: false, bags: read.shape[0], length: read.shape[1] }
  return { read: bags, own: { ids: given }, masked: null }
}

/** Whether it is a list of lists that are not all plain arrays of one length. */
function isLists(ids: unknown): ids is IdLists {
  if (!isArray(ids) || ids.length === 0) return false
  const first: unknown = ids[0]
  if (ArrayBuffer.isView(first) || first instanceof Tensor) return true
  if (!isArray(first)) return false
  for (let i = 0; i < ids.length; i++) {
    const one: unknown = ids[i]
    // What is no list of numbers is an error, which names its place.
    if (ArrayBuffer.isView(one) || one instanceof Tensor) return true
    if (!isArray(one) || isArray(one[0])) return false
    if (one.length !== first.length) return true
  }
  return false
}

function readLists(lists: IdLists, where: string): ReadBags {
  const rows = eachOf(lists, (list, i): IntArray => {
    const { array, shape } = readIds(list as Ids, undefined, `${where}: bag ${i}`)
    if (shape.length !== 1) throw new ShapeError(`${where}: bag ${i} must be a list of ids, not ${shown(shape)}`)
    return array
  })
  const ends = zeroed(Uint32Array, rows.length + 1)
  let count = 0
  rows.forEach((row, i) => (ends[i + 1] = count += lengthOf(row)))
  const isWide = rows.some((row) => row.BYTES_PER_ELEMENT === 8 || types.isUint32Array(row))
  const array = isWide ? zeroed(BigInt64Array, count) : zeroed(Int32Array, count)
  rows.forEach((row, i) => {
    const at = ends[i]
    if (types.isInt32Array(array)) array.set(row as Int32Array, at)
    else for (let j = 0; j < row.length; j++) array[at + j] = BigInt(row[j])
  })
  const offsets = { array: ends, shape: [ends.length] }
  return { ids: { array, shape: [count] }, offsets, withEnd: true, bags: rows.length, length: 0 }
}

function readMasked({ ids, mask }: MaskedIds, where: string): GivenBags {
  const read = readIds(ids, undefined, where)
  if (read.shape.length !== 2)
    throw new ShapeError(`${where}: the ids of a batch with a mask must be 2-D, not ${shown(read.shape)}`)
  const bool = mask instanceof Tensor && mask.dtype === 'bool'
  const marks = bool
    ? { array: mask.steady() as Uint8Array, shape: mask.shape }
    : readIds(mask, undefined, `${where}: mask`)
  if (!sameShape(marks.shape, read.shape))
    throw new ShapeError(
      `${where}: the mask must have the shape of the ids, ${shown(read.shape)}, not ${shown(marks.shape)}`,
    )
  const [rows, length] = read.shape
  const ends = zeroed(Uint32Array, rows + 1)
  let count = 0
  const isToken = (i: number) => marks.array[i] !== 0 && marks.array[i] !== 0n
  for (let row = 0; row < rows; row++) {
    for (let i = row * length; i < (row + 1) * length; i++) if (isToken(i)) count++
    ends[row + 1] = count
  }
  const places = zeroed(Uint32Array, count)
  for (let i = 0, to = 0; i < rows * length; i++) if (isToken(i)) places[to++] = i
  const Kind = read.array.constructor as new (length: number) => IntArray
  const array = zeroed(Kind, count)
  for (let i = 0; i < count; i++) array[i] = read.array[places[i]]
  const offsets = { array: ends, shape: [ends.length] }
  return {
    read: { ids: { array, shape: [count] }, offsets, withEnd: true, bags: rows, length: 0 },
    own: {},
    masked: { shape: read.shape, places },
  }
}

/** The elements at these places, (places), as a part of what a gradient goes back through. @internal */
export function ofTokens(weights: Tensor, places: Uint32Array, where: string): Tensor {
  if (weights.requiresGrad)
    throw new UsageError(
      `${where}: weights of a batch with a mask cannot have a gradient: give ids with offsets and weights for those`,
    )
  const all = weights.borrow() as Float32Array
  const some = uninitialized('float32', [places.length])
  const to = some.borrow() as Float32Array
  for (let i = 0; i < places.length; i++) to[i] = all[places[i]]
  return some
}

/** 1-D ids with offsets. The native side checks the values of the offsets. */
function divided(ids: ReadIds, offsets: Ids, withEnd: boolean, where: string): ReadBags {
  const name = `${where}: offsets`
  const read = readIds(offsets, undefined, name)
  if (ids.shape.length !== 1) throw new ShapeError(`${where}: ids with offsets must be 1-D, not ${shown(ids.shape)}`)
  if (read.shape.length !== 1) throw new ShapeError(`${name} must be 1-D, not ${shown(read.shape)}`)
  const count = read.shape[0]
  if (withEnd && count === 0)
    throw new ShapeError(`${name} must have one more element than there are bags, so at least the element 0`)
  return { ids, offsets: read, withEnd, bags: withEnd ? count - 1 : count, length: 0 }
}

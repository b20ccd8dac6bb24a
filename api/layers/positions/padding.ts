// Padding: attention masks, and positions that skip padding.

import type { IntArray } from '../../base/dtype.js'
import { ShapeError, UsageError } from '../../base/errors.js'
import { readIds, type Ids } from '../../tensor/ids.js'
import { call, check, native } from '../../native/native.js'
import { shown } from '../../base/shape.js'
import { raggedOf, type Ragged, type RaggedIds } from '../../tensor/ragged.js'
import { Tensor } from '../../tensor/tensor.js'
import { checkInteger, checkOptions, checkSize } from '../../base/validate.js'
import { made } from './made.js'
import { zeroed } from '../../memory/arrays.js'

const LARGEST = 2 ** 31 - 1

/**
 * Which ids are tokens rather than padding: a bool tensor in the shape of the ids. A Ragged has no padding; its mask
 * has the shape (rows, longest), as if its rows were padded at the end to the longest.
 *
 * @throws UsageError for ids without a `paddingIdx`, ShapeError for offsets that do not fit.
 */
export function attentionMask(ids: Ids | Ragged | RaggedIds, paddingIdx?: number): Tensor {
  const where = 'attentionMask'
  const ragged = raggedOf(ids)
  if (ragged !== null) {
    if (paddingIdx !== undefined) throw new UsageError(`${where}: a Ragged has no padding: leave paddingIdx out`)
    return ofRows(ragged, where)
  }
  if (paddingIdx === undefined)
    throw new UsageError(`${where}: for ids, give the id of padding: attentionMask(ids, paddingIdx)`)
  const padding = checkInteger(paddingIdx, `${where}: paddingIdx`)
  const { array, shape } = readIds(ids as Ids, undefined, where)
  return made(shape, 'bool', where, (out) => native.paddingMask(array, padding, out.operand()))
}

function ofRows(ragged: Ragged, where: string): Tensor {
  const { offsets, longest } = raggedPositions(ragged, 0, where)
  const rows = offsets.length - 1
  const mask = made([rows, longest], 'bool', where, () => true)
  const data = (mask.borrow() as Uint8Array).fill(0)
  for (let row = 0; row < rows; row++)
    data.fill(1, row * longest, row * longest + Number(offsets[row + 1]) - Number(offsets[row]))
  return mask
}

export interface PositionIdsOptions {
  /** The position of the first token of each sequence; default 0. */
  offset?: number
  /** The position of padding; default 0. */
  padding?: number
}

/**
 * Positions of tokens, int32, counted along each sequence from `offset` on. Padding, on either side, is not counted and
 * has the position `padding`. The argument is a mask (`attentionMask`; bool, or integers that are 0 for padding) of
 * shape (batch, length) or (length), which the result shares; or a Ragged, for which the result is (values) and each
 * row is counted separately. Pass the result to layers as the option `positions`.
 *
 * @throws ShapeError for a mask of another rank, and for offsets that do not fit.
 */
export function positionIds(mask: Ids | Ragged | RaggedIds, options?: PositionIdsOptions): Tensor {
  const where = 'positionIds'
  const { offset = 0, padding = 0 } = checkOptions(options, ['offset', 'padding'], where)
  checkSize(offset, `${where}: offset`)
  checkSize(padding, `${where}: padding`)
  if (padding > LARGEST) throw new UsageError(`${where}: padding ${padding} does not fit in an int32`)
  const ragged = raggedOf(mask)
  if (ragged !== null) {
    const { positions } = raggedPositions(ragged, offset, where)
    return ofInts(positions, [positions.length], where)
  }
  const { array, shape } = readMask(mask as Ids, where)
  if (shape.length !== 1 && shape.length !== 2)
    throw new ShapeError(`${where}: a mask must have the shape (batch, length) or (length), not ${shown(shape)}`)
  return ofInts(skipping(array, undefined, shape, offset, padding, where), shape, where)
}

function ofInts(values: Int32Array, shape: readonly number[], where: string): Tensor {
  return made(shape, 'int32', where, (out) => {
    ;(out.borrow() as Int32Array).set(values)
    return true
  })
}

/** Reads a mask as integers. */
export function readMask(mask: Ids, where: string): { array: IntArray; shape: readonly number[] } {
  if (mask instanceof Tensor && mask.dtype === 'bool') return { array: mask.steady() as Uint8Array, shape: mask.shape }
  return readIds(mask, undefined, `${where}: mask`)
}

/** Positions that skip ids equal to `paddingIdx`; without one, the zeros of a mask. */
export function skipping(
  array: IntArray,
  paddingIdx: number | undefined,
  shape: readonly number[],
  first: number,
  padded: number,
  where: string,
): Int32Array {
  const length = array.length === 0 ? 0 : shape[shape.length - 1]
  if (first + length > LARGEST)
    throw new UsageError(`${where}: positions up to ${first + length} do not fit in an int32`)
  const positions = zeroed(Int32Array, array.length)
  check(native.skippingPositions(array, paddingIdx, length, first, padded, positions))
  return positions
}

/** Positions of the values of each row, and the offsets as they were read. */
export function raggedPositions(
  ragged: Ragged,
  first: number,
  where: string,
): { positions: Int32Array; offsets: IntArray; longest: number } {
  const count = readIds(ragged.values, undefined, `${where}: values`)
  if (count.shape.length !== 1) throw new ShapeError(`${where}: values must be 1-D, not ${shown(count.shape)}`)
  const offsets = readIds(ragged.offsets, undefined, `${where}: offsets`)
  if (offsets.shape.length !== 1) throw new ShapeError(`${where}: offsets must be 1-D, not ${shown(offsets.shape)}`)
  if (first + count.array.length > LARGEST)
    throw new UsageError(`${where}: positions up to ${first + count.array.length} do not fit in an int32`)
  const positions = zeroed(Int32Array, count.array.length)
  const longest = call(native.raggedPositions(offsets.array, first, positions))
  return { positions, offsets: offsets.array, longest }
}

// Several lists of ids back to texts.

import type { IntArray } from '../base/dtype.js'
import { ShapeError } from '../base/errors.js'
import { isArray } from '../base/validate.js'
import { readBags, type Bags } from '../layers/read-bags.js'
import type { Tensor } from '../tensor/tensor.js'

/** Lists of ids, rows of a 2-D tensor, or a batch as `encodeBatch` gives it. */
export type DecodedBatch = Bags | Tensor | readonly (readonly number[])[]

/** Decodes each list. @internal */
export function decodeRows(batch: DecodedBatch, where: string, decode: (ids: IntArray) => string): string[] {
  if (isArray(batch) && batch.length === 0) return []
  const { ids, offsets, bags, length } = readBags(batch as Bags, undefined, true, where).read
  const { array } = ids
  const ends = offsets?.array
  const endOf = (row: number) => (ends === undefined ? (row + 1) * length : Number(ends[row + 1]))
  let start = ends === undefined ? 0 : Number(ends[0])
  return Array.from({ length: bags }, (_, row) => {
    const end = endOf(row)
    if (start < 0 || end < start || end > array.length)
      throw new ShapeError(
        `${where}: offsets[${row + 1}] is ${end}, but must be from ${start} to the number of ids, ${array.length}`,
      )
    const text = decode(array.subarray(start, end) as IntArray)
    start = end
    return text
  })
}

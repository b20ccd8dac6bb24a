// Several lists of ids back to texts.

import type { IntArray } from '../base/dtype.js'
import { isArray } from '../base/validate.js'
import { readBags, type Bags } from '../layers/read-bags.js'
import { listsOf } from '../tensor/ragged.js'
import type { Tensor } from '../tensor/tensor.js'

/** Lists of ids, rows of a 2-D tensor, or a batch as `encodeBatch` gives it. */
export type DecodedBatch = Bags | Tensor | readonly (readonly number[])[]

/** Decodes each list. @internal */
export function decodeRows(batch: DecodedBatch, where: string, decode: (ids: IntArray) => string): string[] {
  if (isArray(batch) && batch.length === 0) return []
  const { ids, offsets, bags, length } = readBags(batch, undefined, true, where).read
  if (offsets !== null) return listsOf({ values: ids.array, offsets: offsets.array }, where).map(decode)
  const rowAt = (row: number) => ids.array.subarray(row * length, (row + 1) * length)
  return Array.from({ length: bags }, (_, row) => decode(rowAt(row)))
}

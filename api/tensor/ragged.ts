// Rows of different lengths: the forms in which they are given.

import { Tensor } from './tensor.js'
import { readIds, type Ids } from './ids.js'
import type { IntArray } from '../base/dtype.js'
import { ShapeError } from '../base/errors.js'
import { shown } from '../base/shape.js'
import { isObject } from '../base/validate.js'

/** Rows of different lengths, stored end to end. `offsets` has one more element than there are rows. */
export interface Ragged {
  /** The ids of all rows. */
  values: Ids
  /** Where each row begins, and where the last one ends; values go from 0 to the number of values. */
  offsets: Ids
}

/** The same as tokenizers give it. */
export interface RaggedIds {
  /** The ids of all rows. */
  ids: Ids
  /** Where each row begins, and where the last one ends. */
  offsets: Ids
}

/** Whether it is an object with names, and no tensor and no array. @internal */
export const isNamed = (value: unknown): value is object =>
  isObject(value) && !ArrayBuffer.isView(value) && !Tensor.is(value) && !Array.isArray(value)

/** The rows, if the value has them in either form; otherwise null. @internal */
export function raggedOf(value: unknown): Ragged | null {
  if (!isNamed(value) || !('offsets' in value)) return null
  if ('values' in value) return value as Ragged
  return 'ids' in value ? { values: (value as RaggedIds).ids, offsets: value.offsets as Ids } : null
}

/**
 * The rows as lists of ids, over the memory of the values. @throws ShapeError for offsets that do not fit. @internal
 */
export function listsOf({ values, offsets }: Ragged, where: string): IntArray[] {
  const [ids, ends] = [readIds(values, undefined, where), readIds(offsets, undefined, `${where}: offsets`)]
  for (const [name, { shape }] of [
    ['values', ids],
    ['offsets', ends],
  ] as const)
    if (shape.length !== 1) throw new ShapeError(`${where}: ${name} must be 1-D, not ${shown(shape)}`)
  const { array } = ids
  const bounds = Array.from(ends.array, Number)
  bounds.forEach((end, i) => {
    const least = i === 0 ? 0 : bounds[i - 1]
    const most = i === 0 ? 0 : array.length
    if (end < least || end > most || (i === bounds.length - 1 && end !== array.length))
      throw new ShapeError(
        `${where}: offsets[${i}] is ${end}: they must begin with 0, must not decrease, and must end with the number of ids, ${array.length}`,
      )
  })
  return bounds.slice(1).map((end, i) => array.subarray(bounds[i], end))
}

// Rows of different lengths: the forms in which they are given.

import { Tensor } from './tensor.js'
import type { Ids } from './ids.js'
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
  isObject(value) && !(value instanceof Tensor) && !ArrayBuffer.isView(value) && !Array.isArray(value)

/** The rows, if the value has them in either form; otherwise null. @internal */
export function raggedOf(value: unknown): Ragged | null {
  if (!isNamed(value) || !('offsets' in value)) return null
  if ('values' in value) return value as Ragged
  return 'ids' in value ? { values: (value as RaggedIds).ids, offsets: value.offsets as Ids } : null
}

// Copies of forward's ids, kept for the backward pass. Callers may change their own ids meanwhile.

import type { Save } from '../autograd/tape.js'
import type { IntArray } from '../base/dtype.js'
import { kindOf, type Ids } from '../tensor/ids.js'
import { Elements } from '../ops/elements.js'
import { isArray } from '../base/validate.js'
import { allocating } from '../memory/arrays.js'

/**
 * Copies of at least this many bytes are made in pooled memory, as results are; V8 makes and collects smaller ones
 * faster.
 */
const POOLED_FROM = 4096

/** How ids are kept. @internal */
export interface Keeping {
  readonly save: Save
  /** Whether copies may use pooled memory. Asynchronous lookups may not: many waiting calls would fill the pool. */
  readonly pooled: boolean
}

/**
 * Copies ids that were read from `given`, and returns a function that gives the copy in the backward pass. @internal
 */
export function keepIds(array: IntArray, given: Ids | undefined, { save, pooled }: Keeping): () => IntArray {
  // An array read from nested arrays is new, so no caller holds it.
  if (isArray(given)) return () => array
  const kind = kindOf(array)!
  if (!pooled || array.byteLength < POOLED_FROM) {
    const copy = allocating(array.byteLength, () => new kind(array))
    return () => copy
  }
  const bytes = Elements.uninitialized('uint8', [array.byteLength])
  const { length } = array
  const view = (tensor: Elements) => {
    const { buffer, byteOffset } = tensor.borrow()
    return new kind(buffer, byteOffset, length)
  }
  view(bytes).set(array as never)
  const saved = save(bytes)
  bytes.dispose()
  return () => view(saved())
}

// Ids of forward, kept for the way back: what callers do to theirs afterwards changes nothing.

import type { Save } from '../autograd/tape.js'
import type { IntArray } from '../base/dtype.js'
import { kindOf, type Ids } from '../tensor/ids.js'
import { Elements } from '../ops/elements.js'
import { isArray } from '../base/validate.js'
import { allocating } from '../memory/arrays.js'

/** From here on the copy is made in memory of the pool, as a result is; below, V8 makes and collects it faster. */
const POOLED_FROM = 4096

/** How ids are kept. @internal */
export interface Keeping {
  readonly save: Save
  /**
   * Whether copies may be in memory of the pool: not those of work that many calls wait for at once, which would fill
   * it.
   */
  readonly pooled: boolean
}

/** A copy of ids as they were read from `given`, and what gives it on the way back. @internal */
export function keepIds(array: IntArray, given: Ids | undefined, { save, pooled }: Keeping): () => IntArray {
  // Read from nested arrays, they are nobody else's already.
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

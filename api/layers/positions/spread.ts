// Repeats what is given for one sequence along the batch.

import type { IntArray } from '../../base/dtype.js'
import { ShapeError } from '../../base/errors.js'
import { kindOf, readIds, type Ids } from '../../tensor/ids.js'
import { sameShape, shown, sizeOf } from '../../base/shape.js'

/**
 * Explicit positions or segments, one for each token; `tokens` is the shape of the tokens. Those for one sequence are
 * repeated along the batch.
 */
export function spread(given: Ids, tokens: readonly number[], what: string, of: string, where: string): IntArray {
  const { array, shape } = readIds(given, undefined, `${where}: ${what}`)
  const size = sizeOf(tokens)
  if (sameShape(shape, tokens) || (shape.length === 1 && shape[0] === size)) return array
  const [length] = tokens.slice(-1)
  if (shape.length !== 1 || shape[0] !== length) {
    throw new ShapeError(`${where}: ${what} of shape ${shown(shape)} do not match ${of} of shape ${shown(tokens)}`)
  }
  const each = new (kindOf(array)!)(size)
  for (let at = 0; at < each.length; at += length) (each as Int32Array).set(array as Int32Array, at)
  return each
}

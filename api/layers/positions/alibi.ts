// ALiBi: attention with linear biases.

import { check, native } from '../../native/native.js'
import type { Tensor } from '../../tensor/tensor.js'
import { checkBoolean, checkElements, checkOptions, checkSize } from '../../base/validate.js'
import { target, written } from './made.js'
import { zeroed } from '../../memory/arrays.js'

/**
 * ALiBi's slope of each head. For n heads, n a power of two: `2^(-8 h / n)` for h = 1 ... n. For another n: the slopes
 * for the next lower power of two, followed by every other slope (the first, the third ...) for twice that power.
 * Computed in float64 and rounded once. Press, Smith, Lewis 2022 ("Train short, test long"); BLOOM, MPT.
 */
export function alibiSlopes(heads: number): Float32Array {
  const where = 'alibiSlopes'
  checkElements(checkSize(heads, `${where}: heads`, 1), Float32Array.BYTES_PER_ELEMENT, where, [heads])
  const slopes = zeroed(Float32Array, heads)
  check(native.alibiSlopes(slopes))
  return slopes
}

/**
 * ALiBi as a bias to add to attention scores, (heads, query, key): `slope * (key - query)`. It is at most 0 for keys up
 * to the query; later keys, which a causal mask hides, continue the line. With `symmetric` it is
 * `-slope * |key - query|`, for attention in both directions.
 *
 * Query i is at position `offset + i`. By default the queries are the last of the keys
 * (`offset = keyLength - queryLength`), as in decoding with cached keys. There are no parameters and no gradients.
 */
export function alibiBias(
  heads: number,
  queryLength: number,
  keyLength: number,
  options?: { /** default false */ symmetric?: boolean; offset?: number; /** Where the result goes. */ out?: Tensor },
): Tensor {
  const where = 'alibiBias'
  const { symmetric = false, offset, out } = checkOptions(options, ['symmetric', 'offset', 'out'], where)
  checkSize(heads, `${where}: heads`, 1)
  checkSize(queryLength, `${where}: queryLength`)
  checkSize(keyLength, `${where}: keyLength`)
  checkBoolean(symmetric, `${where}: symmetric`)
  const from = offset === undefined ? Math.max(0, keyLength - queryLength) : checkSize(offset, `${where}: offset`)
  const result = target(out, [heads, queryLength, keyLength], 'float32', where)
  const slopes = alibiSlopes(heads)
  return written(
    result,
    out,
    native.alibiForward(slopes, { queries: queryLength, keys: keyLength, offset: from }, symmetric, result.operand()),
  )
}

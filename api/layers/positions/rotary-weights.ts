// Conversion of query and key weights between the two layouts of rotated pairs.

import { concat } from '../../tensor/create.js'
import { ShapeError, UsageError } from '../../base/errors.js'
import { scope } from '../../memory/scope.js'
import { shown } from '../../base/shape.js'
import { Tensor } from '../../tensor/tensor.js'
import { checkOptions, checkSize, checkWord, show } from '../../base/validate.js'
import { LAYOUTS } from './rotary.js'

type Layout = (typeof LAYOUTS)[number]

export interface RotaryWeightsOptions {
  /** Number of heads in the weight; for keys it is smaller if queries share them. */
  heads: number
  /** The weight's layout: 'interleaved' for Meta's Llama and GPT-J, 'half' for Transformers' Llama and GPT-NeoX. */
  from: Layout
  to: Layout
  /** Number of elements of a head that are rotated; default: all. */
  dim?: number
}

/**
 * Reorders the weight of a projection to queries or keys, (heads * headDim, in), or its bias, (heads * headDim), for
 * the other layout. Rotating the new heads in the layout `to` gives the same elements as rotating the old ones in
 * `from`, in another order, so that all scores are equal. The result is a copy of the same type; if `from` equals `to`,
 * in the same order.
 *
 * @throws ShapeError if the rows cannot be divided into `heads` heads; UsageError for an odd `dim`, and unknown
 * layouts.
 */
export function convertRotaryWeights(weight: Tensor, options: RotaryWeightsOptions): Tensor {
  const where = 'convertRotaryWeights'
  const { heads, from, to, dim } = checkOptions(options, ['heads', 'from', 'to', 'dim'], where)
  if (!(weight instanceof Tensor)) throw new UsageError(`${where}: weight must be a tensor, not ${show(weight)}`)
  const count = checkSize(heads, `${where}: heads`, 1)
  checkWord(from, LAYOUTS, `${where}: from`)
  checkWord(to, LAYOUTS, `${where}: to`)
  const [rows, columns = 1] = weight.shape
  if (weight.shape.length < 1 || weight.shape.length > 2 || rows % count !== 0) {
    throw new ShapeError(
      `${where}: for ${count} heads, weight must have the shape (heads * headDim, in) or (heads * headDim), not ${shown(weight.shape)}`,
    )
  }
  const headDim = rows / count
  const rotated = dim === undefined ? headDim : checkSize(dim, `${where}: dim`)
  if (rotated % 2 !== 0)
    throw new UsageError(`${where}: elements are rotated in pairs: dim must be even, not ${rotated}`)
  if (rotated > headDim) throw new ShapeError(`${where}: dim ${rotated} is more than the ${headDim} elements of a head`)
  if (from === to || rows === 0) return weight.clone()
  return scope(() => {
    const byHead = weight.reshape(count, headDim, columns)
    // (pairs, 2) if neighbours form pairs, (2, pairs) if the halves do.
    const pairs = from === 'interleaved' ? [rotated / 2, 2] : [2, rotated / 2]
    const part = byHead.narrow(1, 0, rotated).reshape(count, ...pairs, columns)
    const turned = part.transpose(1, 2).reshape(count, rotated, columns)
    return concat([turned, byHead.narrow(1, rotated, headDim - rotated)], 1).reshape(...weight.shape)
  })
}

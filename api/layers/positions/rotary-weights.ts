// Weights of queries and keys, from one pairing of rotated elements to the other.

import { concat } from '../../tensor/create.js'
import { ShapeError, UsageError } from '../../base/errors.js'
import { scope } from '../../memory/scope.js'
import { shown } from '../../base/shape.js'
import { Tensor } from '../../tensor/tensor.js'
import { checkOptions, checkSize, checkWord, show } from '../../base/validate.js'
import { LAYOUTS } from './rotary.js'

type Layout = (typeof LAYOUTS)[number]

export interface RotaryWeightsOptions {
  /** Heads that the rows of the weight are: fewer for keys, where queries share them. */
  heads: number
  /**
   * How the weight is laid out: 'interleaved' for Meta's Llama and GPT-J, 'half' for Transformers' Llama and GPT-NeoX.
   */
  from: Layout
  to: Layout
  /** Elements of a head that are rotated; default: all. */
  dim?: number
}

/**
 * The weight of a projection to queries or keys, (heads * headDim, in), or its bias, (heads * headDim), in the order of
 * the other layout: rotating its heads in the layout `to` gives what rotating the original's in `from` gives, in
 * another order, so that all scores are the same. A copy of any type; where both are the same, of the same order.
 *
 * @throws ShapeError for rows that are not so many heads; UsageError for an odd `dim`, and layouts that do not exist.
 */
export function convertRotaryWeights(weight: Tensor, options: RotaryWeightsOptions): Tensor {
  const where = 'convertRotaryWeights'
  const { heads, from, to, dim } = checkOptions(options, ['heads', 'from', 'to', 'dim'], where)
  if (!(weight instanceof Tensor)) throw new UsageError(`${where}: of a tensor, not ${show(weight)}`)
  const count = checkSize(heads, `${where}: heads`, 1)
  checkWord(from, LAYOUTS, `${where}: from`)
  checkWord(to, LAYOUTS, `${where}: to`)
  const [rows, columns = 1] = weight.shape
  if (weight.shape.length < 1 || weight.shape.length > 2 || rows % count !== 0) {
    throw new ShapeError(
      `${where}: ${shown(weight.shape)} is not (heads * headDim, in) or (heads * headDim) of ${count} heads`,
    )
  }
  const headDim = rows / count
  const rotated = dim === undefined ? headDim : checkSize(dim, `${where}: dim`)
  if (rotated % 2 !== 0) throw new UsageError(`${where}: elements are rotated in pairs: ${rotated} of a head are odd`)
  if (rotated > headDim) throw new ShapeError(`${where}: dim ${rotated} is more than the ${headDim} of a head`)
  if (from === to || rows === 0) return weight.clone()
  return scope(() => {
    const byHead = weight.reshape(count, headDim, columns)
    // (pairs, both) where neighbours are pairs, (both, pairs) where halves are.
    const pairs = from === 'interleaved' ? [rotated / 2, 2] : [2, rotated / 2]
    const part = byHead.narrow(1, 0, rotated).reshape(count, ...pairs, columns)
    const turned = part.transpose(1, 2).reshape(count, rotated, columns)
    return concat([turned, byHead.narrow(1, rotated, headDim - rotated)], 1).reshape(...weight.shape)
  })
}

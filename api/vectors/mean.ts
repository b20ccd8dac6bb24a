// The mean of vectors.

import { ShapeError, UsageError } from '../base/errors.js'
import { checkBoolean, checkNumber, checkOptions, eachOf, isObject, show } from '../base/validate.js'
import { listOf, norm, Sum, type TokenOrVector } from './query.js'

export interface MeanVectorOptions {
  /** A factor for each token; default 1. */
  weights?: ArrayLike<number>
  /** Whether the vectors of tokens are scaled to length 1 first; default true. A given vector stays as it is. */
  preNormalize?: boolean
  /** Whether the mean is scaled to length 1; default false. */
  postNormalize?: boolean
  /** Whether unknown tokens are left out, default true; otherwise they are an error. */
  ignoreMissing?: boolean
}

/** Where the vectors of tokens are found. */
interface Known {
  readonly dim: number
  has(token: string): boolean
  vectorOf(it: TokenOrVector): ArrayLike<number>
}

const OPTIONS = ['weights', 'preNormalize', 'postNormalize', 'ignoreMissing']

/** The mean of the vectors of tokens. @internal */
export function meanOf(
  tokens: readonly TokenOrVector[],
  options: MeanVectorOptions | undefined,
  known: Known,
  where: string,
): Float32Array {
  const checked = checkOptions(options, OPTIONS, where)
  const { weights, preNormalize = true, postNormalize = false, ignoreMissing = true } = checked
  checkBoolean(preNormalize, `${where}: preNormalize`)
  checkBoolean(postNormalize, `${where}: postNormalize`)
  checkBoolean(ignoreMissing, `${where}: ignoreMissing`)
  const list = listOf(tokens, where)
  if (list.length === 0) throw new UsageError(`${where}: expected at least one token`)
  const factors = weights === undefined ? null : weightsOf(weights, list.length, where)
  const sum = new Sum(known.dim)
  let total = 0
  list.forEach((it, i) => {
    if (typeof it === 'string' && ignoreMissing && !known.has(it)) return
    const weight = factors?.[i] ?? 1
    const vector = known.vectorOf(it)
    const length = typeof it === 'string' && preNormalize ? norm(vector) || 1 : 1
    sum.add(vector, weight / length)
    total += Math.abs(weight)
  })
  const mean = sum.over(total || 1)
  return postNormalize ? mean.map((x) => x / (norm(mean) || 1)) : mean
}

function weightsOf(weights: ArrayLike<number>, count: number, where: string): number[] {
  const length: unknown = isObject(weights) && 'length' in weights ? weights.length : undefined
  if (length !== count)
    throw new ShapeError(
      `${where}: weights must have one element for each of ${count} tokens, not ${length === undefined ? show(weights) : show(length)}`,
    )
  return eachOf(weights, (weight, i) => checkNumber(weight, `${where}: weights[${i}]`))
}

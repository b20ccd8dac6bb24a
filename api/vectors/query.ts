// What a query for neighbours asks for: tokens, vectors, and how much each counts.

import { types } from 'node:util'
import { ShapeError, UsageError } from '../base/errors.js'
import { shown } from '../base/shape.js'
import { checkNumber, checkOptions, eachOf, isArray, isObject, show } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'
import { Tensor } from '../tensor/tensor.js'

/** A vector of `dim` numbers. */
export type VectorLike = Float32Array | Float64Array | readonly number[] | Tensor
/** A token by its text, or a vector. */
export type TokenOrVector = string | VectorLike
/** A token or a vector, and the factor with which it counts. */
export type WeightedToken = readonly [TokenOrVector, number]
/**
 * A query for neighbours: one token or vector, or a sum of several, in which those of `positive` count once and those
 * of `negative` minus once. A pair counts with its own factor, whichever list it stands in, as in gensim: a factor in
 * `negative` is below 0 to subtract. In a sum tokens count by their vectors scaled to length 1.
 */
export type VectorQuery =
  | TokenOrVector
  | { positive?: readonly (TokenOrVector | WeightedToken)[]; negative?: readonly (TokenOrVector | WeightedToken)[] }

export interface NeighbourOptions {
  /** The largest number of neighbours; default 10. */
  topN?: number
  /** Where neighbours are looked for: among the first so many tokens, or among these tokens. Default everywhere. */
  restrictTo?: number | readonly string[]
}

/** A token, and the cosine of the angle between its vector and the query. */
export interface Neighbour {
  /** A word, or a tokenizer's token as its vocabulary writes it (`Ġwhale`). */
  token: string
  /** The token's row in the table. */
  id: number
  similarity: number
}

/** One term of a query. @internal */
export interface Term {
  readonly it: TokenOrVector
  readonly weight: number
}

/**
 * The terms of a query, those that are added and those that are subtracted; null for a single token or
 * vector. @internal
 */
export function termsOf(query: VectorQuery, where: string): { positive: Term[]; negative: Term[] } | null {
  if (!(isObject(query) && ('positive' in query || 'negative' in query))) return null
  const { positive = [], negative = [] } = checkOptions(
    query as { positive?: unknown; negative?: unknown },
    ['positive', 'negative'],
    where,
  )
  const terms = {
    positive: termList(positive, 1, `${where}: positive`),
    negative: termList(negative, -1, `${where}: negative`),
  }
  if (terms.positive.length + terms.negative.length === 0)
    throw new UsageError(`${where}: positive or negative must have at least one token`)
  return terms
}

function termList(list: unknown, weight: number, where: string): Term[] {
  if (!isArray(list)) throw new UsageError(`${where}: expected an array of tokens, not ${show(list)}`)
  return eachOf(list, (it, i) => {
    // An array whose first element is no number is a pair, and not a vector.
    if (isArray(it) && it.length === 2 && (typeof it[0] === 'string' || isObject(it[0])))
      return { it: it[0] as TokenOrVector, weight: checkNumber(it[1], `${where}: the weight at [${i}]`) }
    if (typeof it === 'string' || isObject(it)) return { it: it as TokenOrVector, weight }
    throw new UsageError(`${where}: expected a token or a vector, not ${show(it)}`)
  })
}

/** A list of tokens and vectors. @internal */
export function listOf(value: unknown, where: string): TokenOrVector[] {
  if (isArray(value)) {
    return eachOf(value, (it) => {
      if (typeof it === 'string' || isObject(it)) return it as TokenOrVector
      throw new UsageError(`${where}: expected a token or a vector, not ${show(it)}`)
    })
  }
  throw new UsageError(`${where}: expected an array of tokens, not ${show(value)}`)
}

/** The numbers of a vector. @internal */
export function numbersOf(it: VectorLike, dim: number, where: string): ArrayLike<number> {
  const vector = it instanceof Tensor ? it.to('float32').borrow() : it
  const isVector = isArray(vector) || types.isFloat32Array(vector) || types.isFloat64Array(vector)
  if (!isVector) throw new UsageError(`${where}: expected a token or a vector, not ${show(it)}`)
  if (it instanceof Tensor && it.shape.length !== 1)
    throw new ShapeError(`${where}: a vector must have one dimension, not the shape ${shown(it.shape)}`)
  if (vector.length !== dim)
    throw new ShapeError(`${where}: the vector must have ${dim} numbers like the others, not ${vector.length}`)
  for (let d = 0; d < vector.length; d++) {
    if (typeof vector[d] !== 'number' || !Number.isFinite(vector[d]))
      throw new UsageError(`${where}: element ${d} of the vector is ${show(vector[d])}, not a finite number`)
  }
  return vector as ArrayLike<number>
}

/** The length of a vector. @internal */
export function norm(vector: ArrayLike<number>): number {
  let sum = 0
  for (let d = 0; d < vector.length; d++) sum += vector[d] * vector[d]
  return Math.sqrt(sum)
}

/** Sums vectors times factors in float64. @internal */
export class Sum {
  readonly values: Float64Array

  constructor(dim: number) {
    this.values = zeroed(Float64Array, dim)
  }

  add(vector: ArrayLike<number>, factor: number): void {
    for (let d = 0; d < this.values.length; d++) this.values[d] += factor * vector[d]
  }

  /** The sum divided by a number, as float32. */
  over(divisor: number): Float32Array {
    return Float32Array.from(this.values, (x) => x / divisor)
  }
}

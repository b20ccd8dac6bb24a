// Queries over the vectors of tokens: neighbours, similarities and analogies.

import { types } from 'node:util'
import { Contents } from '../base/contents.js'
import { ShapeError, UsageError } from '../base/errors.js'
import { TokenizerNames, WordNames, type Names } from './names.js'
import { call, check, native } from '../native/native.js'
import { QuantizedTable } from '../layers/quantize.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { shown } from '../base/shape.js'
import { checkTable } from '../layers/table.js'
import { Tensor } from '../tensor/tensor.js'
import { Tokenizer } from '../text/tokenizer.js'
import { checkOptions, checkSize, checkText, isArray, isObject, show, eachOf } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

/** A vector of `dim` numbers. */
export type VectorLike = Float32Array | Float64Array | readonly number[] | Tensor
/** A token by its text, or a vector. */
export type TokenOrVector = string | VectorLike
/**
 * A query for neighbours: one token or vector, or a sum of several, from which those of `negative` are subtracted. In a
 * sum tokens count by their vectors scaled to length 1.
 */
export type VectorQuery = TokenOrVector | { positive?: readonly TokenOrVector[]; negative?: readonly TokenOrVector[] }

export interface NeighbourOptions {
  /** The largest number of neighbours; default 10. */
  topN?: number
}

/** A token, and the cosine of the angle between its vector and the query. */
export interface Neighbour {
  /** A word, or a tokenizer's token as its vocabulary writes it (`Ġwhale`). */
  token: string
  /** The token's row in the table. */
  id: number
  similarity: number
}

const CONTENTS = new Contents<Vectors>('Vectors', {
  instead: 'use tokens() and weight, or write them with saveWord2Vec or saveModel',
})

/**
 * The rows of a table with their names, to query for neighbours, analogies and similarities, as with gensim's
 * KeyedVectors.
 *
 * Every answer is exact and is computed from the table at the call. Nothing is cached, so the table may go on learning.
 * A search is one pass over the table, on all threads, with the same bits on every machine. Similarities are cosines; a
 * row of zeros has similarity 0, and a row with a NaN is never a neighbour.
 *
 * A text names the word with exactly that spelling. With a tokenizer it names a token if it encodes to just that one,
 * as written or with a space before it: `whale` finds `Ġwhale` of GPT-2.
 *
 * ```ts
 * const vectors = loadModel('word-vectors').vectors
 * vectors.mostSimilar('whale', { topN: 5 })
 * vectors.analogy('man', 'king', 'woman')
 * ```
 */
export class Vectors {
  /** The table, (rows, dim), float32. */
  readonly weight: Tensor
  /** Number of tokens. */
  readonly size: number
  /** Number of elements of a vector. */
  readonly dim: number
  readonly #names: Names
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * Makes vectors over a table. A float32 table shares its memory; others are converted. The table may have more rows
   * than a tokenizer has tokens; rows after the last token are never found.
   *
   * @throws UsageError for a word that is empty or comes twice, ShapeError if the number of words or tokens does not
   * fit the rows.
   */
  constructor(weight: Tensor | QuantizedTable, vocabulary: readonly string[] | Tokenizer)
  /** @internal */
  constructor(weight: Tensor | QuantizedTable, vocabulary: readonly string[] | Tokenizer | Names)
  constructor(weight: Tensor | QuantizedTable, vocabulary: readonly string[] | Tokenizer | Names) {
    const where = 'Vectors'
    const names = namesOf(vocabulary, where)
    const table =
      weight instanceof QuantizedTable ? weight.dequantize() : checkTable(weight, where).detach().to('float32')
    const [rows, dim] = table.shape
    const fits = names instanceof WordNames ? rows === names.size : rows >= names.size
    if (!fits)
      throw new ShapeError(
        `${where}: there are ${names.size} ${names instanceof WordNames ? 'words' : 'tokens'} but ${rows} rows: each needs a row of its own`,
      )
    this.weight = rows === names.size ? table.detach() : table.narrow(0, 0, names.size).detach()
    this.size = names.size
    this.dim = dim
    this.#names = names
  }

  /** The words, in the order of their rows; null if the names are a tokenizer's tokens. */
  get words(): readonly string[] | null {
    return this.#names instanceof WordNames ? this.#names.words : null
  }

  /** The tokenizer whose tokens the names are; null if they are words. */
  get tokenizer(): Tokenizer | null {
    return this.#names instanceof TokenizerNames ? this.#names.tokenizer : null
  }

  /** All tokens, in the order of their rows, as their vocabulary writes them. */
  tokens(): string[] {
    return Array.from({ length: this.size }, (_, id) => this.#tokenOf(id))
  }

  /** Whether a text names a token. */
  has(token: string): boolean {
    return this.#names.has(checkText(token, 'Vectors.has: the token'))
  }

  /** The row of a token. @throws UnknownTokenError, whose `nearest` has the words with the nearest spelling. */
  id(token: string): number {
    return this.#idOf(token, 'Vectors.id')
  }

  /** The token of a row, as its vocabulary writes it; `<id 5>` for an id without a token. */
  token(id: number): string {
    if (checkSize(id, 'Vectors.token: id') >= this.size)
      throw new UsageError(`Vectors.token: id ${id} is out of range for ${this.size} tokens`)
    return this.#tokenOf(id)
  }

  /** A copy of the vector of a token. */
  vector(token: string): Float32Array {
    return this.#row(this.#idOf(token, 'Vectors.vector'))
  }

  #idOf(token: unknown, where: string): number {
    return this.#names.idOf(checkText(token, `${where}: a token`), where)
  }

  #tokenOf(id: number): string {
    return this.#names.nameOf(id) ?? `<id ${id}>`
  }

  #row(id: number): Float32Array {
    const row = this.weight.narrow(0, id, 1)
    try {
      const values = Float32Array.from(row.borrow() as Float32Array)
      row.checkWhole()
      return values
    } finally {
      row.dispose()
    }
  }

  #vectorOf(it: TokenOrVector, where: string): ArrayLike<number> {
    if (typeof it === 'string') return this.#row(this.#idOf(it, where))
    const vector = it instanceof Tensor ? it.to('float32').borrow() : it
    const isVector = isArray(vector) || types.isFloat32Array(vector) || types.isFloat64Array(vector)
    if (!isVector) throw new UsageError(`${where}: expected a token or a vector, not ${show(it)}`)
    if (it instanceof Tensor && it.shape.length !== 1)
      throw new ShapeError(`${where}: a vector must have one dimension, not the shape ${shown(it.shape)}`)
    if (vector.length !== this.dim)
      throw new ShapeError(`${where}: the vector must have ${this.dim} numbers like the others, not ${vector.length}`)
    for (let d = 0; d < vector.length; d++) {
      if (typeof vector[d] !== 'number' || !Number.isFinite(vector[d]))
        throw new UsageError(`${where}: element ${d} of the vector is ${show(vector[d])}, not a finite number`)
    }
    return vector as ArrayLike<number>
  }

  /** The direction of a query, (dim), and the tokens it was made of. */
  #asked(query: VectorQuery, where: string): { direction: Float32Array; ids: Uint32Array } {
    const isList = isObject(query) && ('positive' in query || 'negative' in query)
    if (!isList)
      return {
        direction: Float32Array.from(this.#vectorOf(query as TokenOrVector, where)),
        ids: this.#ids([query as TokenOrVector], where),
      }
    const { positive = [], negative = [] } = checkOptions(
      query as { positive?: TokenOrVector[]; negative?: TokenOrVector[] },
      ['positive', 'negative'],
      where,
    )
    const [added, taken] = [listOf(positive, `${where}: positive`), listOf(negative, `${where}: negative`)]
    if (added.length + taken.length === 0)
      throw new UsageError(`${where}: positive or negative must have at least one token`)
    const sum = zeroed(Float64Array, this.dim)
    for (const [list, sign] of [
      [added, 1],
      [taken, -1],
    ] as const) {
      for (const it of list) {
        const vector = this.#vectorOf(it, where)
        // A token's vector is scaled to length 1; a given vector keeps its length, as in gensim.
        const scale = typeof it === 'string' ? sign / (norm(vector) || 1) : sign
        for (let d = 0; d < sum.length; d++) sum[d] += scale * vector[d]
      }
    }
    return { direction: Float32Array.from(sum), ids: this.#ids([...added, ...taken], where) }
  }

  #ids(list: readonly TokenOrVector[], where: string): Uint32Array {
    return Uint32Array.from(
      list.filter((it) => typeof it === 'string'),
      (token) => this.#idOf(token, where),
    )
  }

  /**
   * The tokens most similar to a token, a vector, or a sum of several. The best come first; of equally similar ones the
   * lower id comes first. Tokens of the query are left out. `KeyedVectors.most_similar`.
   */
  mostSimilar(query: VectorQuery, options?: NeighbourOptions): Neighbour[] {
    return this.#nearest(query, options, 'Vectors.mostSimilar')
  }

  /**
   * Completes an analogy, a is to b as c is to the result: `analogy('man', 'king', 'woman')` should give queen. The
   * results are the tokens nearest to `b - a + c` of unit vectors, without the three (3CosAdd: Mikolov et al. 2013).
   */
  analogy(a: TokenOrVector, b: TokenOrVector, c: TokenOrVector, options?: NeighbourOptions): Neighbour[] {
    return this.#nearest({ positive: [b, c], negative: [a] }, options, 'Vectors.analogy')
  }

  #nearest(query: VectorQuery, options: NeighbourOptions | undefined, where: string): Neighbour[] {
    const { topN = 10 } = checkOptions(options, ['topN'], where)
    checkSize(topN, `${where}: topN`)
    const { direction, ids: without } = this.#asked(query, where)
    const { ids, similarities } = call(
      native.nearestRows(this.weight.operand(), this.size, this.dim, direction, topN, without),
    )
    return ids.map((id, i) => ({ token: this.#tokenOf(id), id, similarity: similarities[i] }))
  }

  /** The similarity of the query to every token, (tokens), by id. */
  similarities(query: VectorQuery): Float32Array {
    const { direction } = this.#asked(query, 'Vectors.similarities')
    return this.#similarities(this.weight, direction)
  }

  #similarities(rows: Tensor, direction: Float32Array): Float32Array {
    const out = zeroed(Float32Array, rows.shape[0])
    check(native.rowSimilarities(rows.operand(), out.length, this.dim, direction, out))
    return out
  }

  /** The cosine of the angle between two vectors, from -1 to 1; 0 if one is all zeros. `KeyedVectors.similarity`. */
  similarity(a: TokenOrVector, b: TokenOrVector): number {
    const where = 'Vectors.similarity'
    const direction = Float32Array.from(this.#vectorOf(a, where))
    const row = Float32Array.from(this.#vectorOf(b, where))
    const out = zeroed(Float32Array, 1)
    check(native.rowSimilarities(row, 1, this.dim, direction, out))
    return out[0]
  }

  /** The token that is least similar to the mean of all the given ones. `KeyedVectors.doesnt_match`. */
  doesntMatch(tokens: readonly string[]): string {
    const where = 'Vectors.doesntMatch'
    const list = listOf(tokens, where)
    if (list.length === 0) throw new UsageError(`${where}: expected at least one token`)
    const { direction } = this.#asked({ positive: list }, where)
    const similarities = list.map((token) => this.similarity(direction, token as string))
    // Of equally similar tokens the first in alphabetical order wins, as in gensim.
    const worst = list.map((token, i) => ({
      token: checkText(token, `${where}: a token`),
      similarity: similarities[i],
    }))
    return worst.reduce((a, b) =>
      b.similarity < a.similarity || (b.similarity === a.similarity && b.token < a.token) ? b : a,
    ).token
  }

  /** The rank of `b` among the neighbours of `a`: 1 if none is nearer. `KeyedVectors.rank`. */
  rank(a: string, b: string): number {
    const where = 'Vectors.rank'
    const [from, to] = [this.#idOf(a, where), this.#idOf(b, where)]
    const similarities = this.#similarities(this.weight, this.#row(from))
    let nearer = 0
    for (let id = 0; id < similarities.length; id++) if (id !== from && similarities[id] > similarities[to]) nearer++
    return nearer + 1
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #names in value && isInstance(this, Vectors, value)
  }

  static {
    guardReceivers(this, (value) => #names in value)
    CONTENTS.guard(this, (value) => #names in value)
  }
}

function namesOf(vocabulary: unknown, where: string): Names {
  if (isObject(vocabulary) && (vocabulary instanceof WordNames || vocabulary instanceof TokenizerNames))
    return vocabulary
  if (vocabulary instanceof Tokenizer) return new TokenizerNames(vocabulary)
  if (isArray(vocabulary)) return new WordNames(vocabulary, where)
  throw new UsageError(`${where}: the vocabulary must be an array of words or a Tokenizer, not ${show(vocabulary)}`)
}

function listOf(value: unknown, where: string): TokenOrVector[] {
  if (isArray(value)) {
    return eachOf(value, (it) => {
      if (typeof it === 'string' || isObject(it)) return it as TokenOrVector
      throw new UsageError(`${where}: expected a token or a vector, not ${show(it)}`)
    })
  }
  throw new UsageError(`${where}: expected an array of tokens, not ${show(value)}`)
}

function norm(vector: ArrayLike<number>): number {
  let sum = 0
  for (let d = 0; d < vector.length; d++) sum += vector[d] * vector[d]
  return Math.sqrt(sum)
}

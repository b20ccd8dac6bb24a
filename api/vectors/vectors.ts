// Queries over the vectors of tokens: neighbours, similarities and analogies.

import { throwIfAborted } from '../base/abortable.js'
import { Contents } from '../base/contents.js'
import { ShapeError, UsageError } from '../base/errors.js'
import { largest } from './best.js'
import type {
  AnalogiesEvaluation,
  Evaluated,
  EvaluationOptions,
  WordPairsEvaluation,
  WordPairsOptions,
} from './evaluate.js'
import { analogies, analogiesAsync, wordPairs, wordPairsAsync, type Signalled } from './evaluations.js'
import { MadeRows } from './made-rows.js'
import { Rows, type Asked, type Found } from './rows.js'
import { readNames, TokenizerNames, WordNames, type Names } from './names.js'
import {
  listOf,
  norm,
  numbersOf,
  Sum,
  termsOf,
  type TokenOrVector,
  type VectorLike,
  type VectorQuery,
  type Neighbour,
  type NeighbourOptions,
} from './query.js'
import { meanOf, type MeanVectorOptions } from './mean.js'
import { checkSignal } from '../layers/async.js'
import { QuantizedTable } from '../layers/quantize.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { checkTable } from '../layers/table.js'
import { type Tensor } from '../tensor/tensor.js'
import type { Tokenizer } from '../text/tokenizer.js'
import {
  checkBoolean,
  checkOptions,
  checkSize,
  checkText,
  eachOf,
  isArray,
  isObject,
  show,
  type FilePath,
} from '../base/validate.js'
import { withFewer, withMore, type WordTable } from './word-table.js'
import { zeroed } from '../memory/arrays.js'

export interface VectorsOptions {
  /**
   * Whether the rows never change. Their lengths are computed once then, and not again for every query; after a change
   * of the table answers are wrong. Default false: every answer is computed from the table as it is.
   */
  fixed?: boolean
}

const CONTENTS = new Contents<Vectors>('Vectors', {
  instead: 'use tokens() and weight, or write them with saveWord2Vec or saveModel',
})

/**
 * The rows of a table with their names, to query for neighbours, analogies and similarities, as with gensim's
 * KeyedVectors.
 *
 * Every answer is exact and is computed from the table at the call. Nothing is cached unless `fixed` asks for it, so
 * the table may go on learning.
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
  /** Number of tokens. */
  readonly size: number
  /** Number of elements of a vector. */
  readonly dim: number
  readonly #names: Names
  readonly #fixed: boolean
  readonly #rows: Rows
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * Makes vectors over a table. A float32 table shares its memory; others are converted. The table may have more rows
   * than a tokenizer has tokens; rows after the last token are never found.
   *
   * @throws UsageError for a word that is empty or comes twice, ShapeError if the number of words or tokens does not
   * fit the rows.
   */
  constructor(weight: Tensor | QuantizedTable, vocabulary: readonly string[] | Tokenizer, options?: VectorsOptions)
  /** @internal */
  constructor(
    weight: Tensor | QuantizedTable,
    vocabulary: readonly string[] | Tokenizer | Names,
    options?: VectorsOptions,
  )
  /** @internal */
  constructor(weight: MadeRows, names: Names)
  constructor(
    weight: Tensor | QuantizedTable | MadeRows,
    vocabulary: readonly string[] | Tokenizer | Names,
    options?: VectorsOptions,
  ) {
    const where = 'Vectors'
    const { fixed = false } = checkOptions(options, ['fixed'], where)
    this.#fixed = checkBoolean(fixed, `${where}: fixed`)
    if (isObject(weight) && weight instanceof MadeRows) {
      this.#rows = new Rows(weight, this.#fixed)
      this.size = weight.size
      this.dim = weight.dim
      this.#names = vocabulary as Names
      return
    }
    const names = readNames(vocabulary, where)
    const table =
      weight instanceof QuantizedTable ? weight.dequantize() : checkTable(weight, where).detach().to('float32')
    const [rows, dim] = table.shape
    const fits = names instanceof WordNames ? rows === names.size : rows >= names.size
    if (!fits)
      throw new ShapeError(
        `${where}: there are ${names.size} ${names instanceof WordNames ? 'words' : 'tokens'} but ${rows} rows: each needs a row of its own`,
      )
    const own = rows === names.size ? table.detach() : table.narrow(0, 0, names.size).detach()
    this.#rows = new Rows(own, this.#fixed)
    this.size = names.size
    this.dim = dim
    this.#names = names
  }

  /** The table, (rows, dim), float32. That of `FastText.vectors` is made when it is first read. */
  get weight(): Tensor {
    return this.#rows.weight
  }

  /** The words, in the order of their rows; null if the names are a tokenizer's tokens. */
  get words(): readonly string[] | null {
    return this.#names.words
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

  /** A copy of the vector of a token; in `FastText.vectors` also of a word that the model makes of sub-words. */
  vector(token: string): Float32Array {
    return this.#textVector(token, 'Vectors.vector')
  }

  /** The vector of a token, or one that is made for a text that is none. */
  #textVector(text: string, where: string): Float32Array {
    if (this.#rows.made !== null && !this.#names.has(checkText(text, `${where}: a token`))) {
      const made = this.#rows.made.vectorOf(text)
      if (made !== null) return made
    }
    return this.#rows.row(this.#idOf(text, where))
  }

  #idOf(token: unknown, where: string): number {
    return this.#names.idOf(checkText(token, `${where}: a token`), where)
  }

  #tokenOf(id: number): string {
    return this.#names.nameOf(id) ?? `<id ${id}>`
  }

  #vectorOf(it: TokenOrVector, where: string): ArrayLike<number> {
    return typeof it === 'string' ? this.#textVector(it, where) : numbersOf(it, this.dim, where)
  }

  /** The direction of a query, (dim), and the rows of the tokens it was made of. */
  #asked(query: VectorQuery, where: string): Asked {
    const terms = termsOf(query, where)
    if (terms === null) {
      const it = query as TokenOrVector
      return { direction: Float32Array.from(this.#vectorOf(it, where)), ids: this.#ids([it], where) }
    }
    const sum = new Sum(this.dim)
    const all = [...terms.positive, ...terms.negative]
    for (const { it, weight } of all) {
      const vector = this.#vectorOf(it, where)
      // A token's vector is scaled to length 1; a given vector keeps its length, as in gensim.
      sum.add(vector, typeof it === 'string' ? weight / (norm(vector) || 1) : weight)
    }
    const ids = this.#ids(
      all.map(({ it }) => it),
      where,
    )
    return { direction: sum.over(1), ids }
  }

  #ids(list: readonly TokenOrVector[], where: string): number[] {
    return (
      list
        .filter((it) => typeof it === 'string')
        // Words that are made of sub-words have no row.
        .filter((token) => this.#rows.made === null || this.#names.has(token))
        .map((token) => this.#idOf(token, where))
    )
  }

  /**
   * The tokens most similar to a token, a vector, or a sum of several. The best come first; of equally similar ones the
   * lower id comes first. Tokens of the query are left out. `KeyedVectors.most_similar`.
   */
  mostSimilar(query: VectorQuery, options?: NeighbourOptions): Neighbour[] {
    const where = 'Vectors.mostSimilar'
    return this.#nearest([this.#asked(query, where)], options, where)[0]
  }

  /**
   * `mostSimilar` of each query, with the same numbers, in fewer passes over the table: it takes about a third of the
   * time for each.
   */
  mostSimilarBatch(queries: readonly VectorQuery[], options?: NeighbourOptions): Neighbour[][] {
    const where = 'Vectors.mostSimilarBatch'
    if (!isArray(queries)) throw new UsageError(`${where}: expected an array of queries, not ${show(queries)}`)
    const asked = eachOf(queries, (query) => this.#asked(query as VectorQuery, where))
    return this.#nearest(asked, options, where)
  }

  /**
   * `mostSimilar` on another thread, so that this one goes on: the same tokens and numbers. The query is read at the
   * call; the table must not be written meanwhile. With a list in `restrictTo` only its rows are read, on this thread.
   * So are the rows of `FastText.vectors` until somebody reads their `weight`.
   *
   * @throws The errors of `mostSimilar`, as rejections; AbortedError if `signal` aborts.
   */
  async mostSimilarAsync(
    query: VectorQuery,
    options?: NeighbourOptions & { signal?: AbortSignal },
  ): Promise<Neighbour[]> {
    const where = 'Vectors.mostSimilarAsync'
    return (await this.#nearestAsync([this.#asked(query, where)], options, where))[0]
  }

  /**
   * `mostSimilarBatch` on another thread, as `mostSimilarAsync`.
   *
   * @throws The errors of `mostSimilarBatch`, as rejections; AbortedError if `signal` aborts.
   */
  async mostSimilarBatchAsync(
    queries: readonly VectorQuery[],
    options?: NeighbourOptions & { signal?: AbortSignal },
  ): Promise<Neighbour[][]> {
    const where = 'Vectors.mostSimilarBatchAsync'
    if (!isArray(queries)) throw new UsageError(`${where}: expected an array of queries, not ${show(queries)}`)
    const asked = eachOf(queries, (query) => this.#asked(query as VectorQuery, where))
    return this.#nearestAsync(asked, options, where)
  }

  async #nearestAsync(
    asked: readonly Asked[],
    options: (NeighbourOptions & { signal?: AbortSignal }) | undefined,
    where: string,
  ): Promise<Neighbour[][]> {
    const { signal: given, ...rest } = checkOptions(options, ['topN', 'restrictTo', 'signal'], where)
    const signal = checkSignal(given, where)
    throwIfAborted(signal, where)
    const { topN, among } = this.#range(rest, where)
    // The rows of a list are few beside those of a table.
    if (typeof among !== 'number')
      return asked.map(({ direction, ids }) => this.#best(this.#rows.similarities(among, direction), topN, among, ids))
    return (await this.#rows.nearestAsync(asked, among, topN, { signal, where })).map((found) => this.#named(found))
  }

  #named({ ids, similarities }: Found): Neighbour[] {
    return ids.map((id, i) => ({ token: this.#tokenOf(id), id, similarity: similarities[i] }))
  }

  /**
   * The tokens for which the product of similarities to the positive ones, divided by the product of those to the
   * negative ones, is largest; each similarity counts as (1 + cosine) / 2. `similarity` is that number, which is no
   * cosine and may exceed 1. For an analogy it lets no single large similarity decide (3CosMul: Levy and Goldberg
   * 2014). `KeyedVectors.most_similar_cosmul`.
   *
   * @throws UsageError for a query without `positive`, and for a weight, which this does not know.
   */
  mostSimilarCosmul(query: VectorQuery, options?: NeighbourOptions): Neighbour[] {
    const where = 'Vectors.mostSimilarCosmul'
    const { topN, among } = this.#range(options, where)
    const { positive, negative } = termsOf(query, where) ?? {
      positive: [{ it: query as TokenOrVector, weight: 1 }],
      negative: [],
    }
    if (positive.length === 0) throw new UsageError(`${where}: positive must have at least one token`)
    const isWeighted = positive.some(({ weight }) => weight !== 1) || negative.some(({ weight }) => weight !== -1)
    if (isWeighted) throw new UsageError(`${where}: products have no weights: give tokens and vectors alone`)
    const scores = zeroed(Float64Array, typeof among === 'number' ? among : among.length).fill(1)
    const multiply = (list: typeof positive) => {
      const products = zeroed(Float64Array, scores.length).fill(1)
      for (const { it } of list) {
        const vector = this.#vectorOf(it, where)
        // A given vector keeps its length, as in gensim.
        const length = typeof it === 'string' ? 1 : norm(vector)
        const cosines = this.#rows.similarities(among, Float32Array.from(vector))
        for (let i = 0; i < products.length; i++) products[i] *= (1 + length * cosines[i]) / 2
      }
      return products
    }
    const [above, below] = [multiply(positive), multiply(negative)]
    for (let i = 0; i < scores.length; i++) scores[i] = above[i] / (below[i] + 1e-6)
    const without = this.#ids(
      [...positive, ...negative].map(({ it }) => it),
      where,
    )
    return this.#best(scores, topN, among, without)
  }

  /**
   * Completes an analogy, a is to b as c is to the result: `analogy('man', 'king', 'woman')` should give queen. The
   * results are the tokens nearest to `b - a + c` of unit vectors, without the three (3CosAdd: Mikolov et al. 2013).
   */
  analogy(a: TokenOrVector, b: TokenOrVector, c: TokenOrVector, options?: NeighbourOptions): Neighbour[] {
    const where = 'Vectors.analogy'
    return this.#nearest([this.#asked({ positive: [b, c], negative: [a] }, where)], options, where)[0]
  }

  /** Where neighbours are looked for: the first so many rows, or these rows. */
  #range(options: NeighbourOptions | undefined, where: string): { topN: number; among: number | readonly number[] } {
    const { topN = 10, restrictTo } = checkOptions(options, ['topN', 'restrictTo'], where)
    checkSize(topN, `${where}: topN`)
    if (restrictTo === undefined) return { topN, among: this.size }
    if (!isArray(restrictTo)) {
      if (typeof restrictTo === 'number') {
        const rows = Math.min(checkSize(restrictTo, `${where}: restrictTo`), this.size)
        // Rows that are made one by one are listed, so that no table is made for them.
        const isListed = !this.#rows.isTable && rows < this.size
        return { topN, among: isListed ? Array.from({ length: rows }, (_, id) => id) : rows }
      }
      throw new UsageError(`${where}: restrictTo must be a number or an array of tokens, not ${show(restrictTo)}`)
    }
    const ids = eachOf(restrictTo, (token) => this.#idOf(token, `${where}: restrictTo`))
    return { topN, among: [...new Set(ids)].sort((a, b) => a - b) }
  }

  #nearest(asked: readonly Asked[], options: NeighbourOptions | undefined, where: string): Neighbour[][] {
    const { topN, among } = this.#range(options, where)
    if (typeof among !== 'number')
      return asked.map(({ direction, ids }) => this.#best(this.#rows.similarities(among, direction), topN, among, ids))
    return this.#rows.nearest(asked, among, topN).map((found) => this.#named(found))
  }

  /** The best rows by their scores, which are those of `among`, without those in `without`. */
  #best(
    scores: ArrayLike<number>,
    topN: number,
    among: number | readonly number[],
    without: readonly number[],
  ): Neighbour[] {
    const idAt = (i: number) => (typeof among === 'number' ? i : among[i])
    const places = typeof among === 'number' ? without : without.map((id) => among.indexOf(id))
    return largest(scores, topN, new Set(places)).map((i) => ({
      token: this.#tokenOf(idAt(i)),
      id: idAt(i),
      similarity: scores[i],
    }))
  }

  /** The similarity of the query to every token, (tokens), by id. */
  similarities(query: VectorQuery): Float32Array {
    const { direction } = this.#asked(query, 'Vectors.similarities')
    return this.#rows.similarities(this.size, direction)
  }

  /**
   * The distances, 1 - cosine, from a token or vector to other tokens, in their order; without `others` to all tokens,
   * by id. `KeyedVectors.distances`.
   */
  distances(from: TokenOrVector, others?: readonly string[]): Float32Array {
    const where = 'Vectors.distances'
    const direction = Float32Array.from(this.#vectorOf(from, where))
    const among = others === undefined ? this.size : listOf(others, where).map((token) => this.#idOf(token, where))
    return this.#rows.similarities(among, direction).map((similarity) => 1 - similarity)
  }

  /** The distance, 1 - cosine, between two tokens or vectors. `KeyedVectors.distance`. */
  distance(a: TokenOrVector, b: TokenOrVector): number {
    return 1 - this.#cosine(a, b, 'Vectors.distance')
  }

  /** The cosine of the angle between two vectors, from -1 to 1; 0 if one is all zeros. `KeyedVectors.similarity`. */
  similarity(a: TokenOrVector, b: TokenOrVector): number {
    return this.#cosine(a, b, 'Vectors.similarity')
  }

  #cosine(a: TokenOrVector, b: TokenOrVector, where: string): number {
    return this.#rows.cosine(Float32Array.from(this.#vectorOf(a, where)), Float32Array.from(this.#vectorOf(b, where)))
  }

  /**
   * The cosine of the angle between the mean vectors of two lists of tokens; unknown tokens are left out, and a list of
   * which nothing is left has similarity 0. `KeyedVectors.n_similarity`.
   */
  nSimilarity(a: readonly string[], b: readonly string[]): number {
    const where = 'Vectors.nSimilarity'
    const [one, other] = [a, b].map((list) => this.#mean(list, { preNormalize: false }, where))
    return this.#rows.cosine(one, other)
  }

  /**
   * The mean of the vectors of tokens, (dim), float32: their sum times `weights`, divided by the sum of the absolute
   * weights. Zeros if no token is known. `KeyedVectors.get_mean_vector`.
   *
   * @throws UnknownTokenError for an unknown token if `ignoreMissing` is false.
   */
  meanVector(tokens: readonly TokenOrVector[], options?: MeanVectorOptions): Float32Array {
    return this.#mean(tokens, options, 'Vectors.meanVector')
  }

  #mean(tokens: readonly TokenOrVector[], options: MeanVectorOptions | undefined, where: string): Float32Array {
    const has = (token: string) => this.#names.has(token)
    return meanOf(tokens, options, { dim: this.dim, has, vectorOf: (it) => this.#vectorOf(it, where) }, where)
  }

  /** The tokens that are nearer to `a` than `b` is, by id, without `a` itself. `KeyedVectors.closer_than`. */
  closerThan(a: string, b: string): string[] {
    const where = 'Vectors.closerThan'
    const [from, to] = [this.#idOf(a, where), this.#idOf(b, where)]
    const similarities = this.#rows.similarities(this.size, this.#rows.row(from))
    const closer: string[] = []
    for (let id = 0; id < similarities.length; id++)
      if (id !== from && similarities[id] > similarities[to]) closer.push(this.#tokenOf(id))
    return closer
  }

  /**
   * How well the similarities of words agree with those that people gave. Each line of the file is two words and a
   * number with tabs between them, as in WordSim-353 and SimLex-999; lines that begin with `#`, and others, are left
   * out. A tokenizer's tokens are compared by their text. `KeyedVectors.evaluate_word_pairs`.
   *
   * @throws FileError if the file cannot be read; FormatError if no pair of it can be compared.
   */
  evaluateWordPairs(path: FilePath, options?: WordPairsOptions): WordPairsEvaluation {
    return wordPairs(this.#evaluated(), path, options)
  }

  /**
   * `evaluateWordPairs`, in turns between which the event loop runs; the table must not be written meanwhile.
   *
   * @throws The errors of `evaluateWordPairs`, as rejections; AbortedError if `signal` aborts.
   */
  async evaluateWordPairsAsync(path: FilePath, options?: Signalled<WordPairsOptions>): Promise<WordPairsEvaluation> {
    return wordPairsAsync(this.#evaluated(), path, options)
  }

  /**
   * How many analogies of a file come out right: of a line `a b c d` it is d if that is the nearest to b - a + c. A
   * line `: name` begins a section, as in Google's `questions-words.txt`. `KeyedVectors.evaluate_word_analogies`.
   *
   * @throws FileError if the file cannot be read; FormatError if it has no analogies, or one before the first section.
   */
  evaluateAnalogies(path: FilePath, options?: EvaluationOptions): AnalogiesEvaluation {
    return analogies(this.#evaluated(), this.#rows, path, options)
  }

  /**
   * `evaluateAnalogies`, whose analogies are completed on another thread; the result is the same. The table must not be
   * written meanwhile.
   *
   * @throws The errors of `evaluateAnalogies`, as rejections; AbortedError if `signal` aborts.
   */
  async evaluateAnalogiesAsync(path: FilePath, options?: Signalled<EvaluationOptions>): Promise<AnalogiesEvaluation> {
    return analogiesAsync(this.#evaluated(), this.#rows, path, options)
  }

  #evaluated(): Evaluated {
    return {
      size: this.size,
      textOf: (id) => this.#names.textOf(id),
      similarity: (a, b) => this.#rows.cosine(this.#rows.row(a), this.#rows.row(b)),
    }
  }

  /**
   * These words and more of them, as new Vectors over a table of its own; these stay as they are. A word that is there
   * already keeps its vector, unless `replace` is true. `KeyedVectors.add_vectors`.
   *
   * @throws UsageError for a word that is empty or comes twice in `words`, and for the tokens of a tokenizer, which
   * `resizeVocabulary` changes; ShapeError if there are not as many vectors as words, or of another length.
   */
  add(
    words: readonly string[],
    vectors: Tensor | readonly VectorLike[],
    options?: { /** default false */ replace?: boolean },
  ): Vectors {
    const where = 'Vectors.add'
    const { replace = false } = checkOptions(options, ['replace'], where)
    checkBoolean(replace, `${where}: replace`)
    return this.#changed(withMore(this.#own(where), words, vectors, replace, where))
  }

  /**
   * These words without some of them, as new Vectors over a table of its own; these stay as they are. The others keep
   * their order.
   *
   * @throws UnknownTokenError for a word that is not there; UsageError for the tokens of a tokenizer, which
   * `resizeVocabulary` changes.
   */
  remove(words: readonly string[]): Vectors {
    const where = 'Vectors.remove'
    const gone = new Set(listOf(words, where).map((word) => this.#idOf(word, where)))
    return this.#changed(withFewer(this.#own(where), gone))
  }

  #own(where: string): WordTable {
    if (this.words !== null) return { words: this.words, weight: this.weight, ids: this.#names }
    throw new UsageError(`${where}: the names are a tokenizer's tokens: resizeVocabulary changes those`)
  }

  #changed({ table, words }: { table: Tensor; words: readonly string[] }): Vectors {
    return new Vectors(table, words, { fixed: this.#fixed })
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
    const similarities = this.#rows.similarities(this.size, this.#rows.row(from))
    let nearer = 0
    for (let id = 0; id < similarities.length; id++) if (id !== from && similarities[id] > similarities[to]) nearer++
    return nearer + 1
  }

  /** Frees the table now, where no other tensor shares its memory; every later use is a UsageError. */
  dispose(): void {
    this.#rows.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #names in value && isInstance(this, Vectors, value)
  }

  static {
    const isOwn = (value: object) => #names in value
    guardReceivers(this, isOwn, [], (value) => (value as Vectors).#rows.isGone)
    CONTENTS.guard(this, isOwn)
  }
}

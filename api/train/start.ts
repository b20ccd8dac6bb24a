// What a training begins with: the tables of an earlier one, vectors of a file, and rows that do not move.

import { ShapeError, UsageError } from '../base/errors.js'
import { entriesOf } from '../base/realm.js'
import { kindName } from '../base/realm.js'
import { shown } from '../base/shape.js'
import type { Steps } from '../base/turns.js'
import { checkFunction, isArray, isObject, show } from '../base/validate.js'
import type { Model } from '../models/model.js'
import { check, native } from '../native/native.js'
import { Tensor } from '../tensor/tensor.js'
import type { Tokenizer } from '../text/tokenizer.js'
import { Vectors } from '../vectors/vectors.js'

/** What is used of the result of a trainer. */
interface Learned {
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly vocabulary: readonly string[] | Tokenizer | null
  readonly counts: Float64Array
}

/** What skip-gram and CBOW can begin with instead of drawn tables. */
export interface StartOptions {
  /**
   * A model of skip-gram or CBOW whose training goes on: of `loadModel`, or the result of a trainer. Its words keep
   * their rows, also those that the corpus lacks. Words of the corpus that it lacks follow by their first occurrence,
   * if they come at least `minCount` times, with rows that are drawn as usual. Its counts are added to those of the
   * corpus, for the negative samples and in the result. gensim's `build_vocab(update=True)`.
   */
  from?: Model | Learned
  /**
   * Vectors that rows of `token.weight` begin with, such as those of `loadWord2Vec`. Words that only they have are left
   * out; where `from` has a row for a word, too, theirs counts. Only for a corpus of words. gensim's
   * `intersect_word2vec_format`.
   */
  pretrained?: Vectors
  /**
   * How much of each change rows of `token.weight` take: from 0, with which they keep their bits, to 1, the default. A
   * number is for the rows that `pretrained` has or, without it, those of `from`; a function is asked once for each
   * row, with its word, or null for a corpus of ids. gensim's `vectors_lockf`.
   */
  lockFactor?: number | ((word: string | null, row: number) => number)
}

/** The names of these options. */
export const START = ['from', 'pretrained', 'lockFactor'] as const

/** The tables that a training goes on from. */
interface Earlier {
  /** The names of the rows; null for ids. */
  readonly words: readonly string[] | null
  readonly tables: readonly [input: Tensor, output: Tensor]
  readonly rows: number
  readonly counts: Float64Array | null
}

/** The options, checked. */
export interface Start {
  readonly from: Earlier | null
  readonly pretrained: Vectors | null
  readonly lockFactor: StartOptions['lockFactor']
}

/** Elements that cross at a time. */
const PART = 1 << 16

/** Checks what a training begins with; null if nothing was given. */
export function checkStart(
  { from, pretrained, lockFactor }: StartOptions,
  { objective, dim }: { objective: string; dim: number },
  where: string,
): Start | null {
  const [given] = Object.entries({ from, pretrained, lockFactor }).find(([, value]) => value !== undefined) ?? []
  if (given === undefined) return null
  if (objective !== 'skip-gram' && objective !== 'cbow')
    throw new UsageError(`${where}: ${given} is an option of skip-gram and cbow, not of ${objective}`)
  const earlier = from === undefined ? null : checkEarlier(from, dim, `${where}: from`)
  if (pretrained !== undefined) {
    if (!(pretrained instanceof Vectors))
      throw new UsageError(
        `${where}: pretrained must be Vectors, such as those of loadWord2Vec, not ${show(pretrained)}`,
      )
    if (pretrained.dim !== dim)
      throw new ShapeError(`${where}: pretrained has vectors of ${pretrained.dim} numbers, but dim is ${dim}`)
  }
  if (typeof lockFactor === 'function') checkFunction(lockFactor, `${where}: lockFactor`)
  else if (lockFactor !== undefined) {
    checkFactor(lockFactor, `${where}: lockFactor`)
    if (from === undefined && pretrained === undefined)
      throw new UsageError(
        `${where}: a number as lockFactor is for rows that from or pretrained gives: give one of them, or a function`,
      )
  }
  return { from: earlier, pretrained: pretrained ?? null, lockFactor }
}

function checkEarlier(from: unknown, dim: number, where: string): Earlier {
  const { tensors, words, vocabulary, counts } = (isObject(from) ? from : {}) as Partial<Model & Learned>
  const named = new Map(isObject(tensors) ? entriesOf(tensors) : null)
  const [input, output] = ['token.weight', 'output.weight'].map((name) => named.get(name))
  if (!(input instanceof Tensor && output instanceof Tensor))
    throw new UsageError(
      `${where} must be a model of skip-gram or cbow, with its tables token.weight and output.weight, not ${show(from)}`,
    )
  for (const table of [input, output])
    if (table.shape.length !== 2 || table.shape[1] !== dim || table.shape[0] !== input.shape[0])
      throw new ShapeError(
        `${where} has tables of ${shown(input.shape)} and ${shown(output.shape)}, but rows of dim ${dim} are learned: give dim as it is in the model`,
      )
  const rows = input.shape[0]
  const names = (words ?? vocabulary ?? null) as unknown
  const isNamed = isArray(names)
  if (isNamed && names.length !== rows)
    throw new ShapeError(`${where} has ${names.length} words, but ${rows} rows: each needs one`)
  const isCounted = kindName(counts) === 'Float64Array' && counts!.length === rows
  return {
    words: isNamed ? (names as string[]) : null,
    tables: [input, output],
    rows,
    counts: isCounted ? counts! : null,
  }
}

/** Refuses a start that does not fit how the corpus is read. */
export function checkStartFits(start: Start, isOfWords: boolean, where: string): void {
  if (start.from !== null && (start.from.words !== null) !== isOfWords)
    throw new UsageError(
      isOfWords
        ? `${where}: the corpus is of words, but from is of ids or a tokenizer's tokens: give the tokenizer, or ids`
        : `${where}: the corpus is of ids, but from is of words: leave the tokenizer out, and give texts`,
    )
  if (start.pretrained !== null && !isOfWords)
    throw new UsageError(`${where}: pretrained is for a corpus of words, but this one is of ids`)
}

function checkFactor(factor: unknown, where: string): number {
  if (typeof factor === 'number' && factor >= 0 && factor <= 1) return factor
  throw new UsageError(`${where} must be a number from 0 to 1, not ${show(factor)}`)
}

type Handle = Parameters<typeof native.trainerBegin>[0]

/** Begins the tables of a new trainer, in turns. */
export function* begin(
  handle: Handle,
  { from, pretrained, lockFactor }: Start,
  words: readonly string[] | null,
  rows: number,
  where: string,
): Steps<void> {
  if (from !== null) {
    if (from.rows > rows) throw new ShapeError(`${where}: from has ${from.rows} rows, but the vocabulary has ${rows}`)
    for (const [i, table] of from.tables.entries()) yield* beginTable(handle, i === 1, table)
  }
  const found = new Map<number, number>()
  if (pretrained !== null) {
    for (const [row, word] of words!.entries()) {
      if (row % PART === 0) yield
      if (pretrained.has(word)) found.set(row, pretrained.id(word))
    }
    const part = Math.max(1, Math.floor(PART / pretrained.dim))
    const pairs = [...found]
    for (let at = 0; at < pairs.length; at += part) {
      yield
      const some = pairs.slice(at, at + part)
      const values = new Float32Array(some.length * pretrained.dim)
      some.forEach(([, id], i) => values.set(rowsOf(pretrained.weight, id, 1), i * pretrained.dim))
      const targets = Uint32Array.from(some, ([row]) => row)
      check(native.trainerBegin(handle, false, targets, values))
    }
  }
  if (lockFactor === undefined) return
  const factors = new Float32Array(rows).fill(1)
  if (typeof lockFactor === 'number') {
    if (pretrained !== null) for (const row of found.keys()) factors[row] = lockFactor
    else factors.fill(lockFactor, 0, from!.rows)
  } else {
    for (let row = 0; row < rows; row++) {
      if (row % 1024 === 0) yield
      const word = words === null ? null : words[row]
      factors[row] = checkFactor(lockFactor(word, row), `${where}: lockFactor of ${word ?? row}`)
    }
  }
  check(native.trainerLock(handle, factors))
}

function* beginTable(handle: Handle, outputs: boolean, table: Tensor): Steps<void> {
  const [rows, dim] = table.shape
  const part = Math.max(1, Math.floor(PART / dim))
  for (let at = 0; at < rows; at += part) {
    yield
    const count = Math.min(part, rows - at)
    const targets = Uint32Array.from({ length: count }, (_, i) => at + i)
    check(native.trainerBegin(handle, outputs, targets, rowsOf(table, at, count)))
  }
}

/** A copy of some rows. */
function rowsOf(table: Tensor, from: number, count: number): Float32Array {
  const rows = table.narrow(0, from, count)
  try {
    return rows.checkWhole(Float32Array.from(rows.borrow() as Float32Array))
  } finally {
    rows.dispose()
  }
}

/** Whether rows get their names from words, and not from a tokenizer or ids. */
export function isOfWords(kind: string, tokenizer: Tokenizer | null): boolean {
  return tokenizer === null && kind !== 'ids' && kind !== 'folder'
}

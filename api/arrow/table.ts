// Tables of vectors as plain arrays, between files of Arrow and this package.

import { types } from 'node:util'
import { FormatError, ShapeError, UsageError } from '../base/errors.js'
import { isArray, isObject, show } from '../base/validate.js'
import { Vectors } from '../vectors/vectors.js'

/** Vectors with the names of their rows, in plain arrays. */
export interface VectorTable {
  /** What each row stands for: words, or ids; null if the file has no such column. */
  names: readonly string[] | Int32Array | BigInt64Array | null
  /** All vectors, one after the other: row `i` is `vectors.subarray(i * dim, (i + 1) * dim)`. */
  vectors: Float32Array
  /** Number of elements of a vector. */
  dim: number
}

export interface LoadTableOptions {
  /** The column of the vectors; by default the only one of lists of floats. */
  vectors?: string
  /** The column of the names; by default the only one of texts or integers, if there is one. */
  names?: string
}

export interface SaveTableOptions {
  /** The name of the column of the vectors; default `vector`. */
  vectors?: string
  /** The name of the column of the names; default `word` for texts, `id` for integers. */
  names?: string
}

/** A checked table, and the names of its columns. @internal */
export interface Columns {
  readonly names: VectorTable['names']
  readonly vectors: Float32Array
  readonly dim: number
  readonly rows: number
  readonly named: { readonly vectors: string; readonly names: string }
}

/** Checks what is to be saved. @internal */
export function columnsOf(given: Vectors | VectorTable, options: SaveTableOptions, where: string): Columns {
  const { names, vectors, dim } = given instanceof Vectors ? ofVectors(given) : given
  if (!isObject(given) || !types.isFloat32Array(vectors))
    throw new UsageError(`${where}: expected Vectors, or { names, vectors: Float32Array, dim }, not ${show(given)}`)
  if (!Number.isSafeInteger(dim) || dim < 1)
    throw new UsageError(`${where}: dim must be a whole number from 1 on, not ${show(dim)}`)
  if (vectors.length % dim !== 0)
    throw new ShapeError(`${where}: ${vectors.length} numbers are no whole number of vectors of ${dim}`)
  const rows = vectors.length / dim
  const isList = isArray(names) && names.every((name) => typeof name === 'string')
  if (names !== null && !isList && !types.isInt32Array(names) && !types.isBigInt64Array(names))
    throw new UsageError(
      `${where}: names must be an array of texts, an Int32Array, a BigInt64Array or null, not ${show(names)}`,
    )
  if (names !== null && names.length !== rows)
    throw new ShapeError(`${where}: there are ${names.length} names but ${rows} vectors: each needs one`)
  const named = { vectors: options.vectors ?? 'vector', names: options.names ?? (isList ? 'word' : 'id') }
  for (const name of [named.vectors, named.names])
    if (typeof name !== 'string' || name === '')
      throw new UsageError(`${where}: the name of a column must be a text that is not empty, not ${show(name)}`)
  if (named.vectors === named.names)
    throw new UsageError(`${where}: both columns have the name ${show(named.vectors)}: each needs one of its own`)
  return { names, vectors, dim, rows, named }
}

function ofVectors(vectors: Vectors): VectorTable {
  return { names: vectors.tokens(), vectors: vectors.weight.borrow() as Float32Array, dim: vectors.dim }
}

/** A column of a file. @internal */
export interface Found {
  readonly name: string
  /** What it can be here; null for anything else. */
  readonly kind: 'vectors' | 'names' | null
  /** Its type, as the format calls it. */
  readonly type: string
}

/** Chooses the two columns. @internal */
export function chosenColumns(
  found: readonly Found[],
  { vectors, names }: LoadTableOptions,
  path: string,
  where: string,
): { vectors: string; names: string | null } {
  const list = found.map(({ name, type }) => `${show(name)} (${type})`).join(', ') || 'none'
  const one = (kind: Found['kind'], asked: unknown, option: string, what: string) => {
    if (asked === undefined) {
      const all = found.filter((column) => column.kind === kind)
      if (all.length > 1)
        throw new UsageError(`${where}: ${path} has several columns of ${what}: name one as ${option}; it has ${list}`)
      return all[0]?.name ?? null
    }
    const column = found.find(({ name }) => name === asked)
    if (column === undefined)
      throw new UsageError(`${where}: ${option}: ${path} has no column ${show(asked)}; it has ${list}`)
    if (column.kind !== kind)
      throw new UsageError(`${where}: ${option}: column ${show(asked)} of ${path} is ${column.type}, not ${what}`)
    return column.name
  }
  const chosen = one('vectors', vectors, 'vectors', 'lists of float32 or float64')
  if (chosen === null)
    throw new FormatError(`${path}: no column has lists of float32 or float64, as vectors are; it has ${list}`, path, 0)
  return { vectors: chosen, names: one('names', names, 'names', 'texts or integers') }
}

/** Numbers of vectors, and names, after which the event loop has a turn: some milliseconds' work. @internal */
const NUMBERS = 1 << 18
/** @internal */
export const NAMES = 1 << 14

/** Puts together vectors that come in lists; all must have one length. @internal */
export class Rows {
  #all: Float32Array
  #rows = 0
  #dim: number | undefined
  /** Number of numbers since the last turn of the event loop. */
  #since = 0

  constructor(
    readonly path: string,
    readonly column: string,
    /** Number of rows. */
    readonly count: number,
  ) {
    this.#all = new Float32Array(0)
  }

  /**
   * Appends a vector, and returns whether it is time for a turn of the event loop.
   *
   * @throws FormatError for none, and for one of another length.
   */
  put(row: ArrayLike<number> | null | undefined): boolean {
    const wrong = (why: string) =>
      new FormatError(`${this.path}: row ${this.#rows} of column ${show(this.column)} ${why}`, this.path, 0)
    if (row == null) throw wrong('has no vector')
    if (this.#dim === undefined) {
      if (row.length === 0) throw wrong('has no numbers')
      this.#dim = row.length
      this.#all = new Float32Array(this.count * row.length)
    }
    if (row.length !== this.#dim) throw wrong(`has ${row.length} numbers, where the others have ${this.#dim}`)
    if (this.#rows === this.count) throw wrong('is one more than the file says')
    const start = this.#rows * this.#dim
    for (let i = 0; i < row.length; i++) {
      if (typeof row[i] !== 'number') throw wrong(`has ${show(row[i])} for a number`)
      this.#all[start + i] = row[i]
    }
    this.#rows += 1
    this.#since += row.length
    if (this.#since < NUMBERS) return false
    this.#since = 0
    return true
  }

  /** All vectors, and their length. @throws FormatError if there are too few, or none whose length could be known. */
  done(): { vectors: Float32Array; dim: number } {
    if (this.#dim === undefined)
      throw new FormatError(`${this.path}: it has no rows, so nothing says how long a vector is`, this.path, 0)
    if (this.#rows < this.count)
      throw new FormatError(
        `${this.path}: ${this.#rows} rows, where it says that there are ${this.count}`,
        this.path,
        0,
      )
    return { vectors: this.#all, dim: this.#dim }
  }
}

/** Names as plain values: texts, or integers in an array of the narrowest type. @internal */
export function namesOf(values: readonly unknown[], path: string, column: string): NonNullable<VectorTable['names']> {
  const wrong = values.findIndex((value) => !['string', 'number', 'bigint'].includes(typeof value))
  if (wrong >= 0)
    throw new FormatError(
      `${path}: row ${wrong} of column ${show(column)} has no name: ${show(values[wrong])}`,
      path,
      0,
    )
  if (values.every((value) => typeof value === 'string')) return values
  if (values.every((value) => typeof value === 'number' && Number.isInteger(value) && (value | 0) === value))
    return Int32Array.from(values as number[])
  return BigInt64Array.from(values as (number | bigint)[], (value) => {
    const wide = BigInt(value)
    if (BigInt.asIntN(64, wide) !== wide)
      throw new FormatError(
        `${path}: column ${show(column)} has ${wide}, which 64 bits with a sign do not hold`,
        path,
        0,
      )
    return wide
  })
}

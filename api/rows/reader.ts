// Where rows come from: what every place of rows says of its table, and how rows are asked for.

import { facts, RESULT_TYPES, type ResultType } from '../base/dtype.js'
import { checkFunction, checkSize, checkWord, isObject } from '../base/validate.js'

/** A place that has the rows of a table, by their ids. Any object with these members is one. */
export interface RowReader {
  /** Number of rows; ids are below it. */
  readonly rows: number
  /** Elements of a row. */
  readonly dim: number
  readonly dtype: ResultType
  /** Rows that lie together: ids of different blocks are asked for apart, so that one that fails fails alone. */
  readonly block?: number
  /**
   * The rows of ids, each once and in increasing order; null for a row that is not there. A row is `dim` elements,
   * little endian.
   */
  read(ids: Uint32Array): Promise<readonly (Uint8Array | null)[]>
  /** Replaces rows; `rows` are those of the ids, end to end. */
  write?(ids: Uint32Array, rows: Uint8Array): Promise<void>
  close?(): Promise<void> | void
}

/** The most rows that 32-bit ids can name. */
const MOST_ROWS = 2 ** 32 - 1

/** Checks what a place says of its table. Returns the bytes of a row. */
export function checkReader(source: RowReader, where: string): number {
  const { rows, dim, dtype } = source
  checkSize(rows, `${where}: rows`, 0, MOST_ROWS)
  checkWord(dtype, RESULT_TYPES, `${where}: dtype`)
  checkSize(dim, `${where}: dim`, 1, 2 ** 24)
  if (source.block !== undefined) checkSize(source.block, `${where}: block`, 1)
  checkFunction(source.read, `${where}: read`)
  if (source.write !== undefined) checkFunction(source.write, `${where}: write`)
  if (source.close !== undefined) checkFunction(source.close, `${where}: close`)
  return dim * facts(dtype).bytes
}

export const isReader = (value: unknown): value is RowReader =>
  isObject(value) && typeof (value as { read?: unknown }).read === 'function'

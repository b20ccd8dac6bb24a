// Files of Arrow IPC (Feather), by the package apache-arrow.

import { resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Data, DataType, Vector } from 'apache-arrow'
import { FormatError } from '../base/errors.js'
import { readWhole } from '../base/read-file.js'
import { check, native } from '../native/native.js'
import { checkOptions, checkPath } from '../base/validate.js'
import type { Vectors } from '../vectors/vectors.js'
import { verifyMetadata } from './flatbuffers.js'
import { peer, reading } from './peers.js'
import {
  chosenColumns,
  columnsOf,
  NAMES,
  namesOf,
  Rows,
  type Found,
  type LoadTableOptions,
  type SaveTableOptions,
  type VectorTable,
} from './table.js'

type Arrow = typeof import('apache-arrow')

/**
 * Reads vectors from a file of Arrow IPC (`.arrow`, Feather 2), or a stream of it in a file: a column of lists of
 * float32 or float64, all of one length (FixedSizeList or List), with a column of texts or integers that names the
 * rows. It needs the package `apache-arrow`, whose objects never leave this function. Its work is JavaScript's, on the
 * thread of the caller, who has a turn of the event loop every few milliseconds.
 *
 * @throws UsageError if the package is not installed, and for columns that are not there, are several, or are of other
 * types; FileError if the file cannot be read; FormatError if it is no such file, or its vectors differ in length.
 */
export async function loadArrow(path: string, options?: LoadTableOptions): Promise<VectorTable> {
  const where = 'loadArrow'
  const full = resolve(checkPath(path, where))
  const asked = checkOptions(options, ['vectors', 'names'], where)
  const arrow = await peer('apache-arrow', where)
  const bytes = readWhole(full)
  return reading(full, 'a file of Arrow', async () => {
    verifyMetadata(bytes)
    const table = arrow.tableFromIPC(bytes)
    // A vector is not empty, so that there are fewer of them than numbers.
    if (table.numRows > bytes.length / 4) throw new Error(`${bytes.length} bytes cannot have ${table.numRows} vectors`)
    const found = table.schema.fields.map(({ name, type }) => ({ name, kind: kindOf(type, arrow), type: String(type) }))
    const columns = chosenColumns(found, asked, full, where)
    const rows = new Rows(full, columns.vectors, table.numRows)
    for (const chunk of table.getChild(columns.vectors)!.data) await putChunk(chunk, rows, arrow)
    const names =
      columns.names === null ? null : namesOf(await valuesOf(table.getChild(columns.names)!), full, columns.names)
    return { names, ...rows.done() }
  })
}

function kindOf(type: DataType, { DataType: is, Precision }: Arrow): Found['kind'] {
  if (is.isFixedSizeList(type) || is.isList(type)) {
    const { valueType } = type
    return is.isFloat(valueType) && valueType.precision !== Precision.HALF ? 'vectors' : null
  }
  const value = is.isDictionary(type) ? (type.dictionary as DataType) : type
  return is.isUtf8(value) || is.isLargeUtf8(value) || is.isInt(value) ? 'names' : null
}

/** The values of a column of names. */
async function valuesOf(column: Vector): Promise<unknown[]> {
  const values: unknown[] = []
  for (const value of column) {
    if (values.push(value) % NAMES === 0) await setImmediate()
  }
  return values
}

/** Appends the vectors of one chunk of a column. */
async function putChunk(chunk: Data, rows: Rows, { DataType: is }: Arrow): Promise<void> {
  const [child] = chunk.children
  const values = child.values as Float32Array | Float64Array
  const offsets = is.isList(chunk.type) ? (chunk.valueOffsets as Int32Array) : null
  const size = is.isFixedSizeList(chunk.type) ? chunk.type.listSize : 0
  for (let row = 0; row < chunk.length; row++) {
    const [start, end] = offsets === null ? [row * size, (row + 1) * size] : [offsets[row], offsets[row + 1]]
    if (!(start >= 0 && start <= end && end <= values.length))
      throw new FormatError(`${rows.path}: a vector lies outside of the numbers that are there`, rows.path, 0)
    if (
      child.nullCount > 0 &&
      Array.from({ length: end - start }, (_, i) => start + i).some((at) => !child.getValid(at))
    )
      throw new FormatError(`${rows.path}: a vector has a missing number (null)`, rows.path, 0)
    if (rows.put(chunk.getValid(row) ? values.subarray(start, end) : null)) await setImmediate()
  }
}

/**
 * Writes vectors to a file of Arrow IPC, as FixedSizeList<float32>[dim], with a column of their words or ids; pyarrow,
 * Polars and DuckDB read it. It needs the package `apache-arrow`. The file is put together in memory, in one go on the
 * thread of the caller, and appears whole or not at all.
 *
 * @throws UsageError if the package is not installed, and for names that are neither texts nor integers; ShapeError if
 * there are not as many names as vectors; FileError if the file cannot be written.
 */
export async function saveArrow(path: string, table: Vectors | VectorTable, options?: SaveTableOptions): Promise<void> {
  const where = 'saveArrow'
  const full = resolve(checkPath(path, where))
  const given = columnsOf(table, checkOptions(options, ['vectors', 'names'], where), where)
  const { names, vectors, dim, rows, named } = given
  const arrow = await peer('apache-arrow', where)
  const number = new arrow.Float32()
  const child = arrow.makeData({ type: number, length: vectors.length, nullCount: 0, data: vectors })
  const type = new arrow.FixedSizeList(dim, new arrow.Field('item', number, true))
  const lists = new arrow.Vector([arrow.makeData({ type, length: rows, nullCount: 0, child })])
  const columns: Record<string, Vector> = {}
  if (names !== null) columns[named.names] = columnOf(names, arrow)
  columns[named.vectors] = lists
  check(native.writeWhole(full, arrow.tableToIPC(new arrow.Table(columns), 'file')))
}

function columnOf(names: NonNullable<VectorTable['names']>, arrow: Arrow): Vector {
  return Array.isArray(names)
    ? arrow.vectorFromArray(names as string[], new arrow.Utf8())
    : arrow.makeVector(names as Int32Array | BigInt64Array)
}

// Files of Parquet, by the packages hyparquet and hyparquet-writer.

import { resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { types } from 'node:util'
import type { SchemaTree } from 'hyparquet' with { 'resolution-mode': 'import' }
import { checkOptions, checkPath } from '../base/validate.js'
import { readWhole } from '../base/read-file.js'
import { check, native } from '../native/native.js'
import type { Vectors } from '../vectors/vectors.js'
import { peer, reading } from './peers.js'
import {
  chosenColumns,
  columnsOf,
  namesOf,
  Rows,
  type Found,
  type LoadTableOptions,
  type SaveTableOptions,
  type VectorTable,
} from './table.js'

/**
 * Reads vectors from a file of Parquet: a column of lists of floats, all of one length, with a column of texts or
 * integers that names the rows. It needs the package `hyparquet`, which unpacks Snappy; files with other compressions
 * are a FormatError that names them. Its work is JavaScript's, on the thread of the caller: a group of rows keeps the
 * event loop for as long as it takes to decode (some hundred milliseconds for a million numbers), and between groups
 * the loop has its turn.
 *
 * @throws UsageError if the package is not installed, and for columns that are not there, are several, or are of other
 * types; FileError if the file cannot be read; FormatError if it is no such file, or its vectors differ in length.
 */
export async function loadParquet(path: string, options?: LoadTableOptions): Promise<VectorTable> {
  const where = 'loadParquet'
  const full = resolve(checkPath(path, where))
  const asked = checkOptions(options, ['vectors', 'names'], where)
  const { parquetMetadata, parquetReadObjects, parquetSchema } = await peer('hyparquet', where)
  const bytes = readWhole(full)
  return reading(full, 'a file of Parquet', async () => {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
    const metadata = parquetMetadata(file)
    const found = parquetSchema(metadata).children.map(columnOf)
    const columns = chosenColumns(found, asked, full, where)
    const count = Number(metadata.num_rows)
    const rows = new Rows(full, columns.vectors, count)
    const names: unknown[] = []
    const wanted = columns.names === null ? [columns.vectors] : [columns.vectors, columns.names]
    let start = 0
    // Of lists, the package always decodes a whole group of rows, so that is what it is asked for.
    for (const { num_rows: inGroup } of metadata.row_groups) {
      const range = { rowStart: start, rowEnd: start + Number(inGroup) }
      start = range.rowEnd
      for (const row of await parquetReadObjects({ file, metadata, columns: wanted, ...range })) {
        if (columns.names !== null) names.push(row[columns.names])
        if (rows.put(row[columns.vectors])) await setImmediate()
      }
      await setImmediate()
    }
    return { names: columns.names === null ? null : namesOf(names, full, columns.names), ...rows.done() }
  })
}

/** Number of rows in a group of a file that is written: readers decode a group at a time. */
const GROUP = 16_384

function columnOf({ element, children }: SchemaTree): Found {
  const { name, type, converted_type: converted, logical_type: logical } = element
  const leaf = leafOf(children)
  if (leaf !== null)
    return { name, kind: leaf === 'FLOAT' || leaf === 'DOUBLE' ? 'vectors' : null, type: `lists of ${leaf}` }
  const isText = type === 'BYTE_ARRAY' && (converted === 'UTF8' || logical?.type === 'STRING')
  const isNumber = (type === 'INT32' || type === 'INT64') && !/DATE|TIME|DECIMAL/.test(`${converted} ${logical?.type}`)
  const known = isText ? 'text' : (converted ?? type ?? 'a group')
  return { name, kind: isText || isNumber ? 'names' : null, type: known }
}

/** The type of the elements of a list; null for other groups. */
function leafOf(children: readonly SchemaTree[]): string | null {
  if (children.length !== 1) return null
  const [{ element, children: inner }] = children
  if (element.repetition_type !== 'REPEATED') return null
  const leaf = inner.length === 1 ? inner[0] : inner.length === 0 ? children[0] : null
  return leaf === null || leaf.children.length > 0 ? null : (leaf.element.type ?? null)
}

/**
 * Writes vectors to a file of Parquet, as lists of floats, with a column of their words or ids; pyarrow, Polars and
 * DuckDB read it. It needs the package `hyparquet-writer`. The file is put together in memory, in one go on the thread
 * of the caller, and appears whole or not at all.
 *
 * @throws UsageError if the package is not installed, and for names that are neither texts nor integers; ShapeError if
 * there are not as many names as vectors; FileError if the file cannot be written.
 */
export async function saveParquet(
  path: string,
  table: Vectors | VectorTable,
  options?: SaveTableOptions,
): Promise<void> {
  const where = 'saveParquet'
  const full = resolve(checkPath(path, where))
  const given = columnsOf(table, checkOptions(options, ['vectors', 'names'], where), where)
  const { names, vectors, dim, rows, named } = given
  const { parquetWriteBuffer } = await peer('hyparquet-writer', where)
  const data = Array.from({ length: rows }, (_, row) => Array.from(vectors.subarray(row * dim, (row + 1) * dim)))
  const lists = { name: named.vectors, data }
  const isText = Array.isArray(names)
  const rowNames =
    names === null
      ? null
      : {
          element: isText
            ? { type: 'BYTE_ARRAY', converted_type: 'UTF8' }
            : { type: types.isInt32Array(names) ? 'INT32' : 'INT64' },
          column: { name: named.names, data: Array.from<unknown>(names) },
        }
  const schema = [
    { name: 'root', num_children: rowNames === null ? 1 : 2 },
    ...(rowNames === null ? [] : [{ name: named.names, repetition_type: 'REQUIRED', ...rowNames.element }]),
    { name: named.vectors, converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
  ]
  type Options = Parameters<typeof parquetWriteBuffer>[0]
  const columnData = rowNames === null ? [lists] : [rowNames.column, lists]
  const bytes = parquetWriteBuffer({ columnData, schema, rowGroupSize: GROUP } as Options)
  check(native.writeWhole(full, new Uint8Array(bytes)))
}

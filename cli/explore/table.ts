// The rows that the explorer draws, with their names and columns.

import { concat, Embedding, type Tensor } from '../../index.js'
import type { Asked } from '../options/models.js'
import { linesOf } from '../options/rows.js'
import { WorkFailed } from '../terminal/failure.js'
import { counted, shown } from '../terminal/numbers.js'
import { visibleName } from '../terminal/pieces.js'
import { breathe } from '../terminal/signals.js'
import { categoriesOf, readColumns, type Column } from './columns.js'

export interface Drawn {
  /** Number of rows of the table. */
  readonly size: number
  /** The rows that are drawn, the most important first. */
  readonly ids: Int32Array
  /** (drawn, dim), float32: their vectors, all of them finite. */
  readonly rows: Tensor
  readonly names: readonly string[]
  /** Whether names are more than the rows' numbers. */
  readonly hasNames: boolean
  readonly columns: readonly Column[]
  /** Whether the first rows are the most frequent ones, or at least the first of a vocabulary. */
  readonly isOrdered: boolean
  /** What is to be said of the choice. */
  readonly notes: readonly string[]
}

/** How names are found, and which columns there are. */
export interface TableOptions {
  readonly limit: number
  readonly columns?: string
  readonly texts?: string
}

/** Chooses the rows of a table that are drawn: the most frequent ones, or the first ones, without those not finite. */
export async function drawnOf(
  { vectors, model, label, noun }: Asked,
  path: string,
  options: TableOptions,
): Promise<Drawn> {
  const { limit, columns: file, texts } = options
  const { weight, size } = vectors
  const counts = model?.counts ?? null
  if (size === 0) throw new WorkFailed(`${path}: there are no rows to draw`)
  const lines = texts === undefined ? null : await linesOf(texts, size)
  const others = file === undefined ? [] : readColumns(file, size, '--columns')
  const norms = await normsOf(weight)
  const order = Int32Array.from({ length: size }, (_, id) => id)
  if (counts !== null) order.sort((a, b) => counts[b] - counts[a] || a - b)
  const finite = order.filter((id) => Number.isFinite(norms[id]))
  if (finite.length === 0)
    throw new WorkFailed(`${path}: none of its ${counted(size, 'row')} is finite, so none can be drawn`)
  const ids = finite.subarray(0, limit)
  const notes = [
    ...(finite.length < size ? [`${counted(size - finite.length, 'row')} with NaN or an infinity left out`] : []),
    ...(ids.length < finite.length
      ? [`the ${shown(ids.length)} ${counts === null ? 'first' : 'most frequent'} of ${counted(size, noun)} (--limit)`]
      : []),
  ]
  const columns: Column[] = [
    ...(counts === null ? [] : [numbers('count', counts, ids, true)]),
    numbers('norm', norms, ids, false),
    ...others.map((column) => chosen(column, ids)),
  ]
  const names = Array.from(ids, (id) => (lines === null ? label(id) : visibleName(lines[id])))
  const [hasNames, isOrdered] = [noun !== 'row' || lines !== null, noun !== 'row' || counts !== null]
  return { size, ids, rows: rowsOf(weight, ids), names, hasNames, columns, isOrdered, notes }
}

const numbers = (name: string, values: ArrayLike<number>, ids: Int32Array, log: boolean): Column => ({
  name,
  kind: 'number',
  values: Float32Array.from(ids, (id) => values[id]),
  ...(log ? { log } : {}),
})

/** The part of a column that belongs to the rows which are drawn. */
const chosen = (column: Column, ids: Int32Array): Column =>
  column.kind === 'number'
    ? numbers(column.name, column.values, ids, false)
    : categoriesOf(
        column.name,
        Array.from(ids, (id) => column.categories[column.codes[id]]),
      )

/** The length of each row; NaN or an infinity for one that is not finite. */
async function normsOf(weight: Tensor): Promise<Float64Array> {
  const [rows, dim] = weight.shape
  const norms = new Float64Array(rows)
  const BLOCK = 8192
  for (let from = 0; from < rows; from += BLOCK) {
    const block = weight.narrow(0, from, Math.min(BLOCK, rows - from))
    const { data } = block
    for (let row = 0; row < block.shape[0]; row++) {
      let sum = 0
      for (let i = row * dim; i < (row + 1) * dim; i++) sum += (data[i] as number) ** 2
      norms[from + row] = Math.sqrt(sum)
    }
    block.dispose()
    // eslint-disable-next-line no-await-in-loop -- signals are handled between blocks
    await breathe()
  }
  return norms
}

/** The rows of a tensor by their numbers: the tensor itself, or a part of it, where that is the same. */
export function rowsOf(weight: Tensor, ids: Int32Array): Tensor {
  const isPrefix = ids.every((id, i) => id === i)
  if (isPrefix) return ids.length === weight.shape[0] ? weight : weight.narrow(0, 0, ids.length)
  const lookup = Embedding.fromPretrained(weight)
  const found = lookup.forward(ids)
  const { shape } = found
  return shape.length === 2 ? found : concat([found])
}

// What is wrong with a table, as far as its numbers tell: rows that learned nothing, that died, that everybody uses.

import { facts } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { eachRow } from '../tensor/each-row.js'
import { sameShape, shown } from '../base/shape.js'
import { Tensor } from '../tensor/tensor.js'
import { checkOptions, show, checkNumber, eachOf, isObject } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

export interface TableHealthOptions {
  /** How often each row was looked up in training. */
  counts?: ArrayLike<number>
  /** The table as it was before training. */
  initial?: Tensor
}

/** A row and its norm; `deviation` is how many robust standard deviations its logarithm lies from the median. */
export interface NormOutlier {
  id: number
  norm: number
  deviation: number
}

export interface TableHealth {
  rows: number
  dim: number
  /** Euclidean norms of the rows that are neither zeros nor NaN; null where there is none. */
  norms: { min: number; median: number; mean: number; max: number } | null
  /** Rows of zeros. */
  zero: number[]
  /** Rows with a NaN or an infinity. */
  notFinite: number[]
  /** Rows that were never looked up; null without counts. */
  unseen: number[] | null
  /** Rows that are, to the bit, as they were before training; null without an initial table. */
  unchanged: number[] | null
  /** The fewest rows that take half of all lookups, the most used first; null without counts. */
  hot: { id: number; count: number; share: number }[] | null
  /** Rows whose norm is out of all proportion, the farthest first. */
  outliers: NormOutlier[]
}

/** Of normal deviates one in 500 million lies so far out. */
const FAR = 6
/** From the median of absolute deviations to the standard deviation, of what is normal. */
const TO_DEVIATION = 1.4826

/** Examines a table of floats, (rows, dim). One pass over it, in float64. */
export function tableHealth(table: Tensor, options?: TableHealthOptions): TableHealth {
  const where = 'tableHealth'
  const { counts: given, initial } = checkOptions(options, ['counts', 'initial'], where)
  checkFloats(table, `${where}: the table`)
  const [rows, dim] = table.shape
  const counts = given === undefined ? undefined : countsOf(given, rows, where)
  if (initial !== undefined) {
    checkFloats(initial, `${where}: initial`)
    if (!sameShape(initial.shape, table.shape) || initial.dtype !== table.dtype) {
      throw new ShapeError(`${where}: initial is ${initial.dtype} ${shown(initial.shape)} and the table ${table.dtype} ${shown(table.shape)}: they must be the same`)
    }
  }
  const [zero, notFinite, norms] = [[] as number[], [] as number[], zeroed(Float64Array, rows)]
  eachRow(table, (row, id) => {
    let squares = 0
    for (let d = 0; d < row.length; d++) squares += row[d] * row[d]
    norms[id] = Math.sqrt(squares)
    if (squares === 0) zero.push(id)
    else if (!Number.isFinite(squares)) notFinite.push(id)
  })
  const good = Array.from(norms.keys()).filter((id) => norms[id] > 0 && norms[id] < Infinity)
  return {
    rows,
    dim,
    norms: spread(good.map((id) => norms[id])),
    zero,
    notFinite,
    unseen: counts === undefined ? null : Array.from({ length: rows }, (_, id) => id).filter((id) => counts[id] === 0),
    unchanged: initial === undefined ? null : unchanged(table, initial),
    hot: counts === undefined ? null : hottest(counts),
    outliers: outliersOf(good, norms),
  }
}

function countsOf(counts: unknown, rows: number, where: string): Float64Array {
  const length: unknown = isObject(counts) && 'length' in counts ? counts.length : undefined
  if (length !== rows) throw new ShapeError(`${where}: ${length === undefined ? show(counts) : show(length)} counts for ${rows} rows`)
  return Float64Array.from(eachOf(counts as ArrayLike<unknown>, (count, id) => checkNumber(count, `${where}: counts[${id}]`)))
}

function checkFloats(table: unknown, where: string): asserts table is Tensor {
  if (!(table instanceof Tensor)) throw new UsageError(`${where} is a tensor, not ${show(table)}`)
  if (table.shape.length !== 2 || table.shape[1] === 0) throw new ShapeError(`${where} has the shape [rows, dim], not ${shown(table.shape)}`)
  if (facts(table.dtype).kind !== 'float') throw new DTypeError(`${where} is of floats, not ${table.dtype}`)
}

const median = (sorted: ArrayLike<number>) => (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2

function spread(norms: number[]): TableHealth['norms'] {
  if (norms.length === 0) return null
  const sorted = Float64Array.from(norms).sort()
  return { min: sorted[0], median: median(sorted), mean: norms.reduce((sum, norm) => sum + norm, 0) / norms.length, max: sorted[sorted.length - 1] }
}

function outliersOf(ids: number[], norms: Float64Array): NormOutlier[] {
  if (ids.length < 3) return []
  const logs = Float64Array.from(ids, (id) => Math.log(norms[id]))
  const middle = median(logs.slice().sort())
  const scale = TO_DEVIATION * median(logs.map((log) => Math.abs(log - middle)).sort())
  // Where most rows have the very same norm, nothing is said of the others.
  if (scale < 1e-12) return []
  const far = ids.map((id, i) => ({ id, norm: norms[id], deviation: (logs[i] - middle) / scale })).filter(({ deviation }) => Math.abs(deviation) > FAR)
  return far.sort((a, b) => Math.abs(b.deviation) - Math.abs(a.deviation) || a.id - b.id)
}

function hottest(counts: ArrayLike<number>): NonNullable<TableHealth['hot']> {
  let total = 0
  for (let id = 0; id < counts.length; id++) total += counts[id]
  const order = Array.from({ length: counts.length }, (_, id) => id).sort((a, b) => counts[b] - counts[a] || a - b)
  const hot: NonNullable<TableHealth['hot']> = []
  for (let [at, sum] = [0, 0]; sum * 2 < total; at++) {
    const id = order[at]
    hot.push({ id, count: counts[id], share: counts[id] / total })
    sum += counts[id]
  }
  return hot
}

/** Compared as bits of the tables' own elements. */
function unchanged(table: Tensor, initial: Tensor): number[] {
  const { bytes } = facts(table.dtype)
  const [rows, dim] = table.shape
  const step = Math.max(1, Math.floor(2 ** 24 / (dim * bytes)))
  const bytesOf = (tensor: Tensor, from: number, count: number) => {
    const part = tensor.detach().narrow(0, from, count)
    const { buffer, byteOffset, byteLength } = part.borrow()
    part.dispose()
    return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
  }
  const same: number[] = []
  for (let from = 0; from < rows; from += step) {
    const count = Math.min(step, rows - from)
    const [now, before] = [bytesOf(table, from, count), bytesOf(initial, from, count)]
    for (let i = 0; i < count; i++) {
      const [start, end] = [i * dim * bytes, (i + 1) * dim * bytes]
      if (now.compare(before, start, end, start, end) === 0) same.push(from + i)
    }
  }
  table.checkWhole()
  initial.checkWhole()
  return same
}

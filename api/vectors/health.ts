// Finds what its numbers show to be wrong with a table: rows that learned nothing, that are dead, or that take most
// lookups.

import { facts } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { call, native } from '../native/native.js'
import { sameShape, shown } from '../base/shape.js'
import { Tensor } from '../tensor/tensor.js'
import { checkOptions, show, checkNumber, eachOf, isObject } from '../base/validate.js'

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
  /** Euclidean norms of the rows that are neither all zeros nor with a NaN or infinity; null if there are none. */
  norms: { min: number; median: number; mean: number; max: number } | null
  /** Rows of zeros. */
  zero: number[]
  /** Rows with a NaN or an infinity. */
  notFinite: number[]
  /** Rows that were never looked up; null without counts. */
  unseen: number[] | null
  /** Rows that have the same bits as before training; null without an initial table. */
  unchanged: number[] | null
  /** The fewest rows that take half of all lookups, the most used first; null without counts. */
  hot: { id: number; count: number; share: number }[] | null
  /** Rows whose norm is far from all others, the farthest first. */
  outliers: NormOutlier[]
}

/**
 * Examines a table of floats, (rows, dim). Its numbers are read as float32 and computed with in float64; the results
 * have the same bits with any number of threads.
 */
export function tableHealth(table: Tensor, options?: TableHealthOptions): TableHealth {
  const where = 'tableHealth'
  const { counts: given, initial } = checkOptions(options, ['counts', 'initial'], where)
  checkFloats(table, `${where}: the table`)
  const [rows, dim] = table.shape
  const counts = given === undefined ? undefined : countsOf(given, rows, where)
  if (initial !== undefined) {
    checkFloats(initial, `${where}: initial`)
    if (!sameShape(initial.shape, table.shape) || initial.dtype !== table.dtype) {
      throw new ShapeError(
        `${where}: initial must be ${table.dtype} ${shown(table.shape)} like the table, not ${initial.dtype} ${shown(initial.shape)}`,
      )
    }
  }
  const found = call(native.tableHealth(table.dtype, table.operand(), dim, counts, initial?.operand()))
  const { outliers, hot } = found
  return {
    rows,
    dim,
    norms: found.norms ?? null,
    zero: Array.from(found.zero),
    notFinite: Array.from(found.notFinite),
    unseen: listOf(found.unseen),
    unchanged: listOf(found.unchanged),
    hot: hot ? Array.from(hot.ids, (id, i) => ({ id, count: hot.counts[i], share: hot.shares[i] })) : null,
    outliers: Array.from(outliers.ids, (id, i) => ({ id, norm: outliers.norms[i], deviation: outliers.deviations[i] })),
  }
}

const listOf = (ids: Uint32Array | undefined | null) => (ids ? Array.from(ids) : null)

function countsOf(counts: unknown, rows: number, where: string): Float64Array {
  const length: unknown = isObject(counts) && 'length' in counts ? counts.length : undefined
  if (length !== rows)
    throw new ShapeError(
      `${where}: counts must have one element for each of ${rows} rows, not ${length === undefined ? show(counts) : show(length)}`,
    )
  return Float64Array.from(
    eachOf(counts as ArrayLike<unknown>, (count, id) => checkNumber(count, `${where}: counts[${id}]`)),
  )
}

function checkFloats(table: unknown, where: string): asserts table is Tensor {
  if (!(table instanceof Tensor)) throw new UsageError(`${where} must be a tensor, not ${show(table)}`)
  if (table.shape.length !== 2 || table.shape[1] === 0)
    throw new ShapeError(`${where} must have the shape [rows, dim], not ${shown(table.shape)}`)
  if (facts(table.dtype).kind !== 'float') throw new DTypeError(`${where} must be of floats, not ${table.dtype}`)
}

// The rows of a search: tensors and quantized tables as the native side takes them.

import type { DType } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { shown } from '../base/shape.js'
import { show } from '../base/validate.js'
import { QuantizedTable } from '../layers/quantize.js'
import type { RowFormat } from '../native/native.js'
import { Tensor } from '../tensor/tensor.js'

/** How a row and a vector are compared; `topK` says what each score is. */
export type Metric = 'cosine' | 'dot' | 'euclidean' | 'hamming'

export const METRICS: readonly Metric[] = ['cosine', 'dot', 'euclidean', 'hamming']

/** Rows that passed `checkRows`. */
export interface Rows {
  /** The elements or bytes; a tensor of its own, to be disposed. */
  readonly weight: Tensor
  /** What the native side must know of them. */
  readonly operand: { format?: RowFormat; bits: boolean; rows: number; dim: number }
}

/** The types of tensors whose elements are those of a layout. */
const FORMATS: Partial<Record<DType, RowFormat>> = { float32: 'float32', float16: 'float16', bfloat16: 'bfloat16' }

/** The most rows: ids are int32. */
const MOST_ROWS = 2 ** 31 - 1

/**
 * Checks a table of rows. A uint8 tensor has rows of bits, eight in a byte; an int8 tensor has rows of plain integers.
 */
export function checkRows(rows: unknown, where: string): Rows {
  if (rows instanceof QuantizedTable) {
    const [count, dim] = rows.shape
    checkCount(count, where)
    return { weight: rows.toTensor(), operand: { format: rows.kind, bits: false, rows: count, dim } }
  }
  if (!(rows instanceof Tensor))
    throw new UsageError(`${where}: rows must be a tensor or a QuantizedTable, not ${show(rows)}`)
  const format = FORMATS[rows.dtype]
  const bits = rows.dtype === 'uint8'
  if (format === undefined && !bits && rows.dtype !== 'int8')
    throw new DTypeError(
      `${where}: rows must be float32, float16, bfloat16, int8, or bits as uint8, not ${rows.dtype}: write rows.to('float32')`,
    )
  if (rows.shape.length !== 2 || rows.shape[1] === 0)
    throw new ShapeError(
      `${where}: rows must have the shape [rows, dim], with at least one column, not ${shown(rows.shape)}`,
    )
  const [count, columns] = rows.shape
  checkCount(count, where)
  return { weight: rows.detach(), operand: { format, bits, rows: count, dim: bits ? 8 * columns : columns } }
}

function checkCount(count: number, where: string): void {
  if (count > MOST_ROWS) throw new ShapeError(`${where}: there may be at most ${MOST_ROWS} rows, not ${count}`)
}

/** Checks a metric against the rows. By default bits are compared by hamming, and numbers by cosine. */
export function metricFor<M extends Metric>(metric: M | undefined, words: readonly M[], rows: Rows, where: string): M {
  const { bits } = rows.operand
  const chosen = metric ?? ((bits ? 'hamming' : 'cosine') as M)
  if (!words.includes(chosen))
    throw new UsageError(
      `${where}: metric must be one of ${words.map((word) => `"${word}"`).join(', ')}, not ${show(metric)}`,
    )
  if (bits !== (chosen === 'hamming'))
    throw new UsageError(
      bits
        ? `${where}: uint8 rows are bits, which only the metric "hamming" compares, not "${chosen}"`
        : `${where}: the metric "hamming" compares bits: rows must be a uint8 tensor, eight bits in a byte`,
    )
  return chosen
}

// Makes new tables out of rows of old ones.

import { facts } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { call, check, native } from '../native/native.js'
import { zeroTable } from '../tensor/allocate.js'
import type { Generator } from '../tensor/random.js'
import { type Tensor } from '../tensor/tensor.js'
import { checkBytes, checkNumber, checkOptions, isObject, show, checkSize, eachOf } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

/**
 * The values of a new row: the mean of all rows that stay, zeros, draws from a normal distribution, or the mean of some
 * of the old rows (for example of the pieces that a new word is split into).
 */
export type RowSource =
  | 'mean'
  | 'zeros'
  | { normal: { /** default 0 */ mean?: number; /** default 1 */ std?: number } }
  | { pieces: ArrayLike<number> }

/** A token that is added. */
export interface NewToken {
  /** Its word, if the vocabulary has words. */
  word?: string
  /** How often it was seen; default 0. */
  count?: number
  /**
   * The values of its rows; default 'mean'. In a table with one number per token (a bias) 'normal' gives the mean too.
   */
  from?: RowSource
}

/** A plan that was checked. */
export interface Mapping {
  readonly newIds: Int32Array
  readonly oldIds: Int32Array
  /** The ids that stay, in their new order. */
  readonly kept: Int32Array
  readonly added: readonly NewToken[]
  readonly generator: Generator
}

export function checkRowSource(from: RowSource, size: number, where: string): void {
  if (from === 'mean' || from === 'zeros') return
  if (!isObject(from))
    throw new UsageError(`${where} must be 'mean', 'zeros', { normal } or { pieces }, not ${show(from)}`)
  const { normal, pieces } = checkOptions(
    from as { normal?: { mean?: number; std?: number }; pieces?: ArrayLike<number> },
    ['normal', 'pieces'],
    where,
  )
  if ((normal === undefined) === (pieces === undefined))
    throw new UsageError(`${where} must be either { normal } or { pieces }, not ${show(from)}`)
  if (pieces !== undefined && idsOf(pieces, size, `${where}.pieces`, true).length === 0)
    throw new UsageError(`${where}.pieces must name at least one row`)
  if (normal === undefined) return
  const { mean = 0, std = 1 } = checkOptions(normal, ['mean', 'std'], `${where}.normal`)
  checkNumber(mean, `${where}.normal: mean`)
  if (checkNumber(std, `${where}.normal: std`) < 0)
    throw new UsageError(`${where}.normal: std must not be negative, not ${std}`)
}

/** The most ids in a list that may repeat ids. */
const MOST_REPEATED = 2 ** 24

/** Reads ids of rows; each may come only once, unless `repeats` is true. */
export function idsOf(list: unknown, size: number, where: string, repeats = false): Int32Array {
  const length = isObject(list) ? (list as ArrayLike<unknown>).length : undefined
  if (typeof length !== 'number') throw new UsageError(`${where}: ids must be an array, not ${show(list)}`)
  checkSize(length, `${where}: length`, 0, repeats ? MOST_REPEATED : size)
  const seen = zeroed(Uint8Array, size)
  const ids = eachOf(list as ArrayLike<unknown>, (value, i) => {
    const id = typeof value === 'number' || typeof value === 'bigint' ? Number(value) : NaN
    const isId = Number.isInteger(id) && id >= 0 && id < size
    if (!isId) throw new UsageError(`${where}[${i}] is ${show(value)}, which is not an id of the ${size} rows`)
    if (seen[id] === 1 && !repeats) throw new UsageError(`${where}[${i}]: id ${id} appears twice`)
    seen[id] = 1
    return id
  })
  return Int32Array.from(ids)
}

const sizeOfRow = ({ shape }: Tensor) => shape.slice(1).reduce((size, n) => size * n, 1)
const isMean = (from: RowSource, tensor: Tensor) =>
  from === 'mean' || (typeof from === 'object' && 'normal' in from && tensor.shape.length === 1)
/** The rows whose mean a new row takes: all that stay except the padding row. */
const staying = ({ kept }: Mapping, padding: number | undefined) => kept.filter((id) => id !== padding)

/**
 * @throws UsageError if a table cannot be resized as planned: it would not fit in memory, or a mean has rows that are
 * not finite.
 */
export function checkRows(tensor: Tensor, mapping: Mapping, padding: number | undefined, where: string): void {
  const { added, oldIds } = mapping
  const row = sizeOfRow(tensor)
  checkBytes(
    oldIds.length * row * facts(tensor.dtype).bytes,
    where,
    `[${[oldIds.length, ...tensor.shape.slice(1)].join(', ')}]`,
  )
  // A tensor that another thread reads can be read here too; one that was transferred away throws.
  tensor.operand()
  const all = added.some(({ from = 'mean' }) => isMean(from, tensor))
  const used = added.flatMap(({ from }) =>
    typeof from === 'object' && 'pieces' in from ? Array.from(from.pieces, Number) : [],
  )
  if (row === 0 || (!all && used.length === 0)) return
  const ids = Int32Array.from(all ? [...used, ...staying(mapping, padding)] : used)
  const { row: bad } = call(native.firstRowNotFinite(tensor.dtype, tensor.operand(), row, ids))
  if (bad !== undefined && bad !== null)
    throw new UsageError(
      `${where}: row ${bad} has elements that are not finite, and would make the mean of a new row NaN or infinite: remove it, or give the option from`,
    )
  if (all && padding !== undefined && staying(mapping, padding).length === 0)
    throw new UsageError(
      `${where}: only the padding row stays, so a new row cannot be the mean of the others: give the option from`,
    )
}

/** A new table, in native memory and of the same type, with the rows that stay and those that are added. */
export function newRows(tensor: Tensor, mapping: Mapping, padding: number | undefined): Tensor {
  const row = sizeOfRow(tensor)
  const { kept, added, oldIds } = mapping
  const made = emptied(tensor, oldIds.length)
  copyRows(tensor, kept, made)
  if (added.length === 0 || row === 0) return made
  const ofAll = added.some(({ from = 'mean' }) => isMean(from, tensor))
    ? meanOf(tensor, staying(mapping, padding))
    : null
  added.forEach(({ from = 'mean' }, i) => {
    const at = (kept.length + i) * row
    if (from === 'zeros') return
    if (isMean(from, tensor)) made.set(ofAll!, at)
    else if (typeof from === 'object' && 'pieces' in from)
      made.set(meanOf(tensor, Int32Array.from(from.pieces, Number)), at)
    else if (typeof from === 'object') made.set(drawn(row, from.normal, mapping), at)
  })
  return made
}

/** A tensor of zeros with the type and row shape of a tensor, and this number of rows. */
export function emptied({ dtype, shape }: Tensor, rows: number): Tensor {
  return zeroTable(dtype, [rows, ...shape.slice(1)])
}

/** Copies rows; consecutive ones are copied together. */
export function copyRows(from: Tensor, ids: Int32Array, to: Tensor): void {
  const source = from.detach()
  const row = sizeOfRow(from)
  for (let i = 0; i < ids.length;) {
    let end = i + 1
    while (end < ids.length && ids[end] === ids[end - 1] + 1) end++
    const part = source.narrow(0, ids[i], end - i)
    to.set(part, i * row)
    part.dispose()
    i = end
  }
  source.dispose()
}

/** The mean of some rows in float64, (elements of a row). A row counts as often as it is named. */
function meanOf(tensor: Tensor, ids: Int32Array): Float64Array {
  const row = sizeOfRow(tensor)
  const mean = zeroed(Float64Array, row)
  check(native.sumOfRows(tensor.dtype, tensor.operand(), row, ids, 1 / ids.length, mean))
  return mean
}

/** A row of draws, in float32 as PyTorch makes them. */
function drawn(
  row: number,
  { mean = 0, std = 1 }: { mean?: number; std?: number },
  { generator }: Mapping,
): Float64Array {
  const draws = zeroed(Float32Array, row)
  generator.normal(draws)
  return Float64Array.from(draws, (x) => x * std + mean)
}

// Groups of near copies.

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../base/abortable.js'
import { UsageError } from '../base/errors.js'
import { checkFunction, checkNumber, checkOptions } from '../base/validate.js'
import type { QuantizedTable } from '../layers/quantize.js'
import { resultTensor } from '../layers/async.js'
import { unwritten } from '../memory/arrays.js'
import { untrack } from '../memory/scope.js'
import { check, native, type Handle } from '../native/native.js'
import type { Tensor } from '../tensor/tensor.js'
import { offThread } from './off-thread.js'
import { checkRows, metricFor, type Rows } from './rows.js'

export interface DedupeOptions {
  /** The least similarity, from -1 to 1, of a row and the first of its group; default 0.9. */
  threshold?: number
  /** How rows are compared; default: 'hamming' for uint8 rows, and 'cosine' for all others. */
  metric?: 'cosine' | 'hamming'
}

/**
 * Groups rows that are near copies of each other. Rows are taken in their order: a row joins the earliest group whose
 * first row is similar to it, and begins a group if there is none. So every row is in one group, whose first is its
 * lowest id, and each similarity to the first is at least `threshold`. To drop copies, keep the first of each group.
 *
 * `rows` are those of `topK`: (rows, dim). The similarity is the cosine, which is 0 if a row is zeros; or, for uint8
 * rows of bits, 1 - 2 h / bits, where h is the number of bits that differ. Cosines are computed in float64 and rounded
 * to float32 where that decides, as is the threshold, so equal rows have the similarity 1.
 *
 * It compares each row with the firsts of all groups, on all threads: with few copies among n rows that is n^2 / 2
 * products. It needs memory for a copy of the firsts of bits, and some megabytes besides.
 *
 * @throws UsageError for a threshold outside of [-1, 1], a metric that does not suit the rows, and a row that is not
 * finite; ShapeError and DTypeError for what are not rows.
 */
export function dedupe(rows: Tensor | QuantizedTable, options?: DedupeOptions): number[][] {
  const where = 'dedupe'
  const { table, threshold } = checked(rows, checkOptions(options, ['threshold', 'metric'], where), where)
  try {
    const firsts = unwritten(table.operand.rows)
    check(native.dedupeRows(table.operand, table.weight.operand(), threshold, firsts))
    const grouping = new Grouping(firsts)
    while (grouping.goOn());
    return grouping.groups
  } finally {
    table.weight.dispose()
  }
}

/**
 * `dedupe` on another thread, so that this one goes on: the groups are the same, and errors come as rejections. The
 * rows must not be written meanwhile. `signal` ends it within some milliseconds. `onProgress` hears ten
 * times a second how many rows have a group by then.
 *
 * @throws The errors of `dedupe`; AbortedError if `signal` aborts; what `onProgress` throws.
 */
export async function dedupeAsync(
  rows: Tensor | QuantizedTable,
  options?: DedupeOptions & { signal?: AbortSignal; onProgress?: (rows: number) => void },
): Promise<number[][]> {
  const where = 'dedupeAsync'
  const { signal, onProgress, ...rest } = checkOptions(options, ['threshold', 'metric', 'signal', 'onProgress'], where)
  if (onProgress !== undefined) checkFunction(onProgress, `${where}: onProgress`)
  const { table, threshold } = checked(rows, rest, where)
  try {
    const work = (weight: Handle) => native.dedupeWork(table.operand, weight, threshold)
    const [handle] = await offThread(where, signal, table.weight, work, onProgress)
    const result = resultTensor(handle, 'int32', [table.operand.rows])
    untrack(result)
    const grouping = new Grouping(result.borrow() as Int32Array)
    try {
      while (grouping.goOn()) {
        await setImmediate()
        throwIfAborted(signal, where)
      }
    } finally {
      result.dispose()
    }
    return grouping.groups
  } finally {
    table.weight.dispose()
  }
}

function checked(rows: unknown, options: DedupeOptions, where: string): { table: Rows; threshold: number } {
  const threshold = checkNumber(options.threshold ?? 0.9, `${where}: threshold`)
  if (threshold < -1 || threshold > 1)
    throw new UsageError(`${where}: threshold is a similarity, from -1 to 1, not ${threshold}`)
  const table = checkRows(rows, where)
  try {
    metricFor(options.metric, ['cosine', 'hamming'], table, where)
  } catch (error) {
    table.weight.dispose()
    throw error
  }
  return { table, threshold }
}

/** Rows that are put into their groups in one turn of the event loop. */
const ROWS_A_TURN = 1 << 17

/** Makes lists of rows from the first of each row's group. */
class Grouping {
  readonly groups: number[][] = []
  readonly #firsts: ArrayLike<number>
  /** The number of the group that a row begins. */
  readonly #places: Uint32Array
  #row = 0

  constructor(firsts: ArrayLike<number>) {
    this.#firsts = firsts
    this.#places = unwritten(firsts.length)
  }

  /** Puts some rows into their groups. Returns whether more are left. */
  goOn(): boolean {
    const end = Math.min(this.#row + ROWS_A_TURN, this.#firsts.length)
    for (; this.#row < end; this.#row++) {
      const first = this.#firsts[this.#row]
      if (first === this.#row) this.#places[first] = this.groups.push([first]) - 1
      else this.groups[this.#places[first]].push(this.#row)
    }
    return end < this.#firsts.length
  }
}

// Clusters of rows: k-means.

import { UsageError } from '../base/errors.js'
import { checkElements, checkOptions, checkSize } from '../base/validate.js'
import { resultTensor } from '../layers/async.js'
import type { QuantizedTable } from '../layers/quantize.js'
import { untrack } from '../memory/scope.js'
import { zeroed } from '../memory/arrays.js'
import { check, native } from '../native/native.js'
import { uninitialized } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'
import { offThread } from './off-thread.js'
import { checkRows, type Rows } from './rows.js'

export interface ClusterOptions {
  /** The number of clusters, at most the number of rows. */
  k: number
  /** The seed of all draws; default 0. */
  seed?: number
  /** The largest number of rounds of one run; default 300. */
  iterations?: number
  /** The number of runs, each from centers drawn anew, of which the best is kept; default 10. */
  restarts?: number
}

/** The clusters of rows. */
export interface Clusters {
  /** (k, dim), float32: the mean of the rows of each cluster. */
  centers: Tensor
  /** (rows): the number of the nearest center of each row; the lower one of two that are equally near. */
  labels: Int32Array
  /** The sum over all rows of the square of the distance to the nearest center. */
  inertia: number
}

/**
 * Divides rows into `k` clusters, each around the mean of its rows, such that the squares of the distances of rows to
 * their means are small (k-means, by Lloyd's rounds). Centers are drawn by k-means++ with several candidates for each,
 * as scikit-learn draws them; a run ends when a round lowers the inertia by less than a millionth part, and the best of
 * `restarts` runs is kept. `sklearn.cluster.KMeans(k, n_init=10)`.
 *
 * `rows` are (rows, dim): a float32, float16, bfloat16 or int8 tensor, or a QuantizedTable. To cluster by direction,
 * normalise the rows first. The result has the same bits at any number of threads and on every instruction set.
 *
 * @throws UsageError for a `k` of 0 or beyond the rows, for rows of bits, which have no means, and for a row that is
 * not finite; ShapeError and DTypeError for what are not rows.
 */
export function cluster(rows: Tensor | QuantizedTable, options: ClusterOptions): Clusters {
  const where = 'cluster'
  const { table, request } = checked(rows, checkOptions(options, OPTIONS, where), where)
  const centers = uninitialized('float32', [request.k, table.operand.dim])
  try {
    const labels = zeroed(Int32Array, table.operand.rows)
    const inertia = zeroed(Float64Array, 1)
    const found = { centers: centers.operand(), labels, inertia }
    check(native.clusterRows(table.operand, table.weight.operand(), request, found))
    return { centers, labels, inertia: inertia[0] }
  } catch (error) {
    centers.dispose()
    throw error
  } finally {
    table.weight.dispose()
  }
}

/**
 * `cluster` on another thread, so that this one goes on: the clusters are the same, and errors come as rejections. The
 * rows must not be written meanwhile. `signal` ends it within some milliseconds.
 *
 * @throws The errors of `cluster`; AbortedError if `signal` aborts.
 */
export async function clusterAsync(
  rows: Tensor | QuantizedTable,
  options: ClusterOptions & { signal?: AbortSignal },
): Promise<Clusters> {
  const where = 'clusterAsync'
  const { signal, ...rest } = checkOptions(options, [...OPTIONS, 'signal'], where)
  const { table, request } = checked(rows, rest, where)
  try {
    const [forCenters, forLabels, forInertia] = await offThread(where, signal, table.weight, (weight) =>
      native.clusterWork(table.operand, weight, request),
    )
    const centers = resultTensor(forCenters, 'float32', [request.k, table.operand.dim])
    const labels = resultTensor(forLabels, 'int32', [table.operand.rows])
    const inertia = resultTensor(forInertia, 'float64', [1])
    for (const result of [centers, labels, inertia]) untrack(result)
    const found = { centers, labels: labels.borrow().slice() as Int32Array, inertia: inertia.item() }
    labels.dispose()
    inertia.dispose()
    return found
  } finally {
    table.weight.dispose()
  }
}

const OPTIONS = ['k', 'seed', 'iterations', 'restarts']

interface Request {
  k: number
  seed: number
  iterations: number
  restarts: number
}

function checked(rows: unknown, options: Partial<ClusterOptions>, where: string): { table: Rows; request: Request } {
  const { seed = 0, iterations = 300, restarts = 10 } = options
  const k = checkSize(options.k, `${where}: k`, 1)
  checkSize(seed, `${where}: seed`)
  checkSize(iterations, `${where}: iterations`, 1)
  checkSize(restarts, `${where}: restarts`, 1)
  const table = checkRows(rows, where)
  try {
    const { bits, rows: count, dim } = table.operand
    if (bits)
      throw new UsageError(`${where}: uint8 rows are bits, which have no means: give the vectors they were made of`)
    if (k > count) throw new UsageError(`${where}: k is ${k}, but there are only ${count} rows`)
    checkElements(k * dim, 4, where, [k, dim])
  } catch (error) {
    table.weight.dispose()
    throw error
  }
  return { table, request: { k, seed, iterations, restarts } }
}

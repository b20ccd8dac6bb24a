// The rows that are nearest to vectors.

import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { facts } from '../base/dtype.js'
import { shown } from '../base/shape.js'
import { checkElements, checkOptions, checkSize, show } from '../base/validate.js'
import { resultTensor } from '../layers/async.js'
import type { QuantizedTable } from '../layers/quantize.js'
import { untrack } from '../memory/scope.js'
import { check, native } from '../native/native.js'
import { uninitialized } from '../tensor/allocate.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { Tensor } from '../tensor/tensor.js'
import type { IntArray } from '../base/dtype.js'
import { offThread } from './off-thread.js'
import { checkRows, METRICS, metricFor, type Metric, type Rows } from './rows.js'

export interface TopKOptions {
  /** The number of rows to find for each query; default 10, or all if fewer count. */
  k?: number
  /** How rows and queries are compared; default: 'hamming' for uint8 rows, and 'cosine' for all others. */
  metric?: Metric
  /** The ids of the rows that count; default: all. An id that comes twice counts once. */
  among?: Ids
}

/** The nearest rows of each query, the nearest first. */
export interface TopK {
  /** (queries, k), int32: the rows. */
  ids: Tensor
  /** (queries, k), float32: their scores, which fall along a row. */
  scores: Tensor
}

/**
 * The `k` rows that are nearest to each query: an exact search, in which every row is compared. `queries` are (queries,
 * dim), or (dim) for one, of any float type or int8; `rows` are (rows, dim): a float32, float16, bfloat16 or int8
 * tensor, a QuantizedTable, or uint8 with eight bits in a byte. Both may lie in mapped files.
 *
 * A higher score is nearer, whatever the metric:
 *
 * - `cosine`: the cosine of the angle, from -1 to 1; 0 if either is zeros.
 * - `dot`: the dot product.
 * - `euclidean`: the distance, negated, so that 0 is the nearest.
 * - `hamming`, for bits alone: 1 - 2 h / bits, where h is the number of bits that differ; from -1 to 1.
 *
 * Of rows with the same score the lower id comes first. A score has the same bits with any other queries and rows
 * beside it, at any number of threads, and on every instruction set. Scores are compared as they are made, and memory
 * is needed for k of each query alone. Up to four queries read the rows at the speed of memory; more are multiplied
 * with them in blocks. `faiss.IndexFlatIP`, without an index.
 *
 * @throws UsageError for a `k` of 0 or beyond the rows that count, a metric that does not suit the rows, a query that
 * is not finite, and a row whose score is not a number (which is named); TokenIndexError for an id of `among` without a
 * row; ShapeError for queries of another length; DTypeError for types other than those.
 */
export function topK(queries: Tensor, rows: Tensor | QuantizedTable, options?: TopKOptions): TopK {
  const asked = checked(queries, rows, checkOptions(options, ['k', 'metric', 'among'], 'topK'), 'topK')
  const { table, search, vectors, among, count } = asked
  const shape = [count, search.k]
  const ids = uninitialized('int32', shape)
  const scores = uninitialized('float32', shape)
  const found = { ids: ids.operand(), scores: scores.operand() }
  try {
    const operands = [table.weight.operand(), search, vectors.operand(), among?.array, found] as const
    check(native.topKRows(table.operand, ...operands), among?.shape)
    return { ids, scores }
  } catch (error) {
    ids.dispose()
    scores.dispose()
    throw error
  } finally {
    asked.release()
  }
}

/**
 * `topK` on another thread, so that this one goes on: the results are the same, and errors come as rejections. The
 * queries and `among` are copied at the call; the rows must not be written meanwhile. `signal` ends it within some
 * milliseconds.
 *
 * @throws The errors of `topK`; AbortedError if `signal` aborts.
 */
export async function topKAsync(
  queries: Tensor,
  rows: Tensor | QuantizedTable,
  options?: TopKOptions & { signal?: AbortSignal },
): Promise<TopK> {
  const where = 'topKAsync'
  const { signal, ...rest } = checkOptions(options, ['k', 'metric', 'among', 'signal'], where)
  const asked = checked(queries, rows, rest, where)
  const { table, search, vectors, among, count } = asked
  try {
    const [forIds, forScores] = await offThread(where, signal, table.weight, (handle) =>
      native.topKWork(table.operand, handle, search, vectors.operand(), among?.array, count),
    )
    const shape = () => [count, search.k]
    const ids = resultTensor(forIds, 'int32', shape())
    const scores = resultTensor(forScores, 'float32', shape())
    // No result of an asynchronous call belongs to a scope.
    untrack(ids)
    untrack(scores)
    return { ids, scores }
  } finally {
    asked.release()
  }
}

interface Asked {
  readonly table: Rows
  readonly search: { metric: Metric; k: number }
  /** The queries, float32 or bytes of bits. */
  readonly vectors: Tensor
  readonly among: { array: IntArray; shape: readonly number[] } | undefined
  /** Number of queries. */
  readonly count: number
  /** Frees what was made for the search. */
  release(): void
}

function checked(queries: unknown, rows: unknown, options: TopKOptions, where: string): Asked {
  const table = checkRows(rows, where)
  try {
    const metric = metricFor(options.metric, METRICS, table, where)
    const among = options.among === undefined ? undefined : readIds(options.among, undefined, `${where}: among`)
    const k = kOf(options.k, (most) => (among === undefined ? table.operand.rows : distinct(among.array, most)), where)
    const { vectors, count } = checkQueries(queries, table, where)
    checkElements(count * k, 4, where, [count, k])
    const release = () => {
      vectors.dispose()
      table.weight.dispose()
    }
    return { table, search: { metric, k }, vectors, among, count, release }
  } catch (error) {
    table.weight.dispose()
    throw error
  }
}

/** The number of different ids; counting ends beyond `most`. */
function distinct(ids: IntArray, most: number): number {
  const seen = new Set<number | bigint>()
  for (let i = 0; i < ids.length && seen.size <= most; i++) seen.add(ids[i])
  return seen.size
}

/** The checked `k`. `counted` says how many rows count, up to a number beyond which that does not matter. */
function kOf(k: number | undefined, counted: (most: number) => number, where: string): number {
  const most = k === undefined ? 10 : checkSize(k, `${where}: k`, 1)
  const there = counted(most)
  if (there === 0) throw new UsageError(`${where}: there are no rows to search`)
  if (k === undefined) return Math.min(most, there)
  if (k > there)
    throw new UsageError(`${where}: k is ${k}, but only ${there} rows count: it must be from 1 to ${there}`)
  return k
}

/** The queries in a type that the native side reads, and their number. */
function checkQueries(queries: unknown, rows: Rows, where: string): { vectors: Tensor; count: number } {
  if (!(queries instanceof Tensor)) throw new UsageError(`${where}: queries must be a tensor, not ${show(queries)}`)
  const { bits, dim } = rows.operand
  const suits = bits ? queries.dtype === 'uint8' : facts(queries.dtype).kind === 'float' || queries.dtype === 'int8'
  if (!suits)
    throw new DTypeError(
      `${where}: queries must be ${bits ? 'uint8, as the rows are' : 'floats or int8'}, not ${queries.dtype}`,
    )
  const each = bits ? dim / 8 : dim
  const { shape } = queries
  if (shape.length < 1 || shape.length > 2 || shape.at(-1) !== each)
    throw new ShapeError(
      `${where}: queries must have the shape [queries, ${each}] or [${each}], as rows have ${each} columns, not ${shown(shape)}`,
    )
  const plain = queries.detach()
  if (bits || queries.dtype === 'float32') return { vectors: plain, count: queries.size / each }
  const vectors = plain.to('float32')
  plain.dispose()
  return { vectors, count: queries.size / each }
}

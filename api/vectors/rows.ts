// The rows that queries are answered from: a table, or rows that are made one by one until somebody asks for a table.

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../base/abortable.js'
import { resultTensor } from '../layers/async.js'
import { untrack } from '../memory/scope.js'
import { offThread } from '../search/off-thread.js'
import { MadeRows } from './made-rows.js'
import { zeroed } from '../memory/arrays.js'
import { call, check, native } from '../native/native.js'
import type { Tensor } from '../tensor/tensor.js'

/** A query as the native side takes it, and the rows that are no answers to it. @internal */
export interface Asked {
  readonly direction: Float32Array
  readonly ids: readonly number[]
}

/** The rows that are nearest to a query, and how similar they are. @internal */
export interface Found {
  readonly ids: number[]
  readonly similarities: number[]
}

/** Queries that are answered in one pass over the table. */
const TOGETHER = 64
/** Rows of a list that are compared at a time. */
const LISTED = 4096

/** @internal */
export class Rows {
  readonly size: number
  readonly dim: number
  /** What makes the rows, where they were not given as a table. */
  readonly made: MadeRows | null
  #weight: Tensor | null
  #norms: Float32Array | undefined
  /** Whether they were disposed. */
  isGone = false

  /** @param fixed Whether the rows never change, so that their lengths are computed once. */
  constructor(
    given: Tensor | MadeRows,
    private readonly fixed: boolean,
  ) {
    const isMade = given instanceof MadeRows
    this.made = isMade ? given : null
    this.#weight = isMade ? null : given
    ;[this.size, this.dim] = isMade ? [given.size, given.dim] : given.shape
  }

  /** The table, (size, dim) float32, which is made when it is first read. */
  get weight(): Tensor {
    this.#weight ??= this.made!.table()
    return this.#weight
  }

  /** Frees the table, if there is one. */
  dispose(): void {
    this.isGone = true
    this.#weight?.dispose()
    this.#norms = undefined
  }

  /** Whether there is a table. */
  get isTable(): boolean {
    return this.#weight !== null
  }

  /** What makes the rows, as long as there is no table of them. */
  get #toMake(): MadeRows | null {
    return this.#weight === null ? this.made : null
  }

  /** A copy of a row. */
  row(id: number): Float32Array {
    const made = this.#toMake
    if (made !== null) return made.row(id)
    const row = this.weight.narrow(0, id, 1)
    try {
      const values = Float32Array.from(row.borrow() as Float32Array)
      row.checkWhole()
      return values
    } finally {
      row.dispose()
    }
  }

  /** The `top` nearest of the first rows, for each query. */
  nearest(asked: readonly Asked[], rows: number, top: number): Found[] {
    const made = this.#toMake
    if (made !== null) return asked.map(({ direction, ids }) => made.nearest(direction, top, Uint32Array.from(ids)))
    const answers: Found[] = []
    for (let from = 0; from < asked.length; from += TOGETHER) {
      const some = asked.slice(from, from + TOGETHER)
      const { queries, starts, without } = this.#question(some)
      const found = this.#searching(rows, (searched) =>
        call(native.nearestRows(searched, queries, top, without, starts)),
      )
      let at = 0
      for (const count of found.counts) {
        answers.push({ ids: found.ids.slice(at, at + count), similarities: found.similarities.slice(at, at + count) })
        at += count
      }
    }
    return answers
  }

  /** Queries as the native side takes them. */
  #question(asked: readonly Asked[]): { queries: Float32Array; starts: Uint32Array; without: Uint32Array } {
    const queries = zeroed(Float32Array, asked.length * this.dim)
    asked.forEach(({ direction }, i) => queries.set(direction, i * this.dim))
    const starts = zeroed(Uint32Array, asked.length + 1)
    asked.forEach(({ ids }, i) => (starts[i + 1] = starts[i] + ids.length))
    return { queries, starts, without: Uint32Array.from(asked.flatMap(({ ids }) => ids)) }
  }

  /**
   * `nearest` on another thread, where there is a table; rows that are made are searched here, one query in a turn.
   *
   * @throws AbortedError if the signal aborts.
   */
  async nearestAsync(
    asked: readonly Asked[],
    rows: number,
    top: number,
    { signal, where }: { signal: AbortSignal | undefined; where: string },
  ): Promise<Found[]> {
    const made = this.#toMake
    if (made !== null) {
      const answers: Found[] = []
      for (const { direction, ids } of asked) {
        // eslint-disable-next-line no-await-in-loop -- the event loop runs between two queries
        await setImmediate()
        throwIfAborted(signal, where)
        answers.push(made.nearest(direction, top, Uint32Array.from(ids)))
      }
      return answers
    }
    const { dim } = this
    const front = this.weight.narrow(0, 0, rows)
    untrack(front)
    try {
      const question = { rows, dim, top, ...this.#question(asked) }
      const [ids, similarities, counts] = await offThread(where, signal, front, (handle) =>
        native.nearestRowsWork(handle, question),
      )
      const most = Math.min(top, rows)
      const taken = [
        resultTensor(ids, 'int32', [asked.length, most]),
        resultTensor(similarities, 'float64', [asked.length, most]),
        resultTensor(counts, 'int32', [asked.length]),
      ]
      const [its, scores, lengths] = taken.map((result) => Array.from(result.data as Float64Array))
      for (const result of taken) {
        untrack(result)
        result.dispose()
      }
      return lengths.map((length, i) => ({
        ids: its.slice(i * most, i * most + length),
        similarities: scores.slice(i * most, i * most + length),
      }))
    } finally {
      front.dispose()
    }
  }

  /** Runs a search of the first rows. */
  #searching<T>(rows: number, search: (searched: Parameters<typeof native.nearestRows>[0]) => T): T {
    const norms = this.fixed ? (this.#norms ??= this.#computeNorms()) : undefined
    if (rows === this.size) return search({ weight: this.weight.operand(), rows, dim: this.dim, norms })
    const front = this.weight.narrow(0, 0, rows)
    try {
      return search({ weight: front.operand(), rows, dim: this.dim, norms })
    } finally {
      front.dispose()
    }
  }

  #computeNorms(): Float32Array {
    const norms = zeroed(Float32Array, this.size)
    check(native.rowNorms({ weight: this.weight.operand(), rows: this.size, dim: this.dim }, norms))
    return norms
  }

  /** The similarities of a direction to the first `among` rows, or to these rows. */
  similarities(among: number | readonly number[], direction: Float32Array): Float32Array {
    const made = this.#toMake
    if (made !== null && among === this.size) return made.similarities(direction)
    const out = zeroed(Float32Array, typeof among === 'number' ? among : among.length)
    if (typeof among === 'number') {
      this.#searching(among, (searched) => check(native.rowSimilarities(searched, direction, out)))
      return out
    }
    for (let from = 0; from < among.length; from += LISTED) {
      const some = among.slice(from, from + LISTED)
      const rows = zeroed(Float32Array, some.length * this.dim)
      some.forEach((id, i) => rows.set(this.row(id), i * this.dim))
      const part = out.subarray(from, from + some.length)
      check(native.rowSimilarities({ weight: rows, rows: some.length, dim: this.dim }, direction, part))
    }
    return out
  }

  /** The cosine of the angle between two vectors; 0 if one is all zeros. */
  cosine(a: Float32Array, b: Float32Array): number {
    const out = zeroed(Float32Array, 1)
    check(native.rowSimilarities({ weight: b, rows: 1, dim: this.dim }, a, out))
    return out[0]
  }
}

// Rows of a table that may change while they are looked up, behind a cache of those that are asked for often.

import { setImmediate as turn } from 'node:timers/promises'
import { types } from 'node:util'
import { throwIfAborted, untilAborted } from '../base/abortable.js'
import { Contents } from '../base/contents.js'
import type { IntArray, ResultType } from '../base/dtype.js'
import { ShapeError, TokenIndexError, UsageError } from '../base/errors.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { shown, sizeOf, unravel } from '../base/shape.js'
import {
  checkBoolean,
  checkFunction,
  checkNumber,
  checkOptions,
  checkSize,
  isArray,
  isObject,
  show,
} from '../base/validate.js'
import { checkSignal } from '../layers/async.js'
import { zeroed } from '../memory/arrays.js'
import { untrack } from '../memory/scope.js'
import { call, check, native } from '../native/native.js'
import { asBytes, uninitialized } from '../tensor/allocate.js'
import { copyOf, readIds, type Ids } from '../tensor/ids.js'
import { Tensor } from '../tensor/tensor.js'
import { MOST_IDS, RowStoreError, shownIds } from './errors.js'
import { openFile, type FileRows } from './file.js'
import type { SavedTable, ServedRows } from './place.js'
import { openServed, Server } from './redis.js'
import { checkReader, isReader, type RowReader } from './reader.js'

export interface RowStoreOptions {
  /** How many bytes of rows are kept, bookkeeping included; default 64 MB, and 0 keeps none. */
  cacheBytes?: number
  /**
   * How old a kept row may be, in milliseconds, before it is read again; default 60,000, and for a file Infinity. This
   * is how long a change that somebody else makes may stay unseen.
   */
  maxAgeMs?: number
}

/** What a store's cache did so far. */
export interface RowStoreStats {
  /** Ids whose row was in the cache. */
  readonly hits: number
  /** Ids whose row was not there, or too old. */
  readonly misses: number
  /** Rows that were read where the table is. */
  readonly fetched: number
  /** Rows that made room for others. */
  readonly evicted: number
  /** Rows that are in the cache, and rows for which it has room. */
  readonly rows: number
  readonly room: number
  /** Bytes that the cache takes when it is full. */
  readonly bytes: number
}

export interface SaveRowsOptions {
  /** Whether a table of this name that has other rows is replaced; default false, and it is an error. */
  force?: boolean
  /** Called with the number of rows that are written. */
  onProgress?: (rows: number) => void
  signal?: AbortSignal
}

interface Abortable {
  /** Ends the waiting with an AbortedError. What was asked for is still kept when it comes. */
  signal?: AbortSignal
}

const CONTENTS = new Contents('a RowStore', { instead: 'use lookup(ids)' })
/** Only `open` has it. */
const PRIVATE = Symbol('RowStore.open')
/** Bytes of rows that are copied, or asked for, at once. */
const PIECE = 2 ** 22
/** Pieces of one lookup that are asked for at the same time. */
const AHEAD = 4

/**
 * The rows of a table that is in a file, on a Redis or Valkey server, or in a cluster of them, behind a cache of rows
 * in Rust. What the cache lacks is read where the table is: each row once, however often ids name it, and however many
 * lookups wait for it.
 *
 * When the cache is full, a row that was not found since it was last passed over makes room for a new one (second
 * chance), so that rows which are read once do not drive out those that are read again and again.
 *
 * A table that fits a local disk is faster as a mapped file; `loadSafetensors` and `Embedding` read it without a store.
 */
export class RowStore {
  /** Number of rows; ids are below it. */
  readonly numRows: number
  /** Elements of a row. */
  readonly dim: number
  /** The type of the rows and of results. */
  readonly dtype: ResultType
  /** The SHA-256 of a table on a server, as it was saved; else null. */
  readonly sha256: string | null
  readonly #source: RowReader
  readonly #cache: NonNullable<ReturnType<typeof native.rowCacheNew>>
  readonly #rowBytes: number
  readonly #maxAgeMs: number
  /** The rows that are on their way. */
  readonly #coming = new Map<number, Coming>()
  #fetched = 0
  #isClosed = false
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(source: RowReader, sha256: string | null, options: Required<RowStoreOptions>, key: symbol) {
    if (key !== PRIVATE) throw new UsageError('a RowStore comes from RowStore.open(place), not from new')
    this.#source = source
    this.#rowBytes = checkReader(source, 'RowStore.open')
    this.numRows = source.rows
    this.dim = source.dim
    this.dtype = source.dtype
    this.sha256 = sha256
    this.#maxAgeMs = options.maxAgeMs
    this.#cache = call(native.rowCacheNew(this.numRows, this.#rowBytes, options.cacheBytes))
  }

  /**
   * Opens a table: `{ file }`, an `.npy` or a safetensors file, which is mapped; `{ connection, table }`, which
   * `RowStore.save` wrote to a server; or any object that has rows (`RowReader`). Close it after use.
   *
   * @throws UsageError for a place that cannot be one, and if ioredis is not installed; FileError and FormatError for a
   * file; RowStoreError if the server cannot be reached, has no such table, or is a Redis that may drop rows.
   */
  static async open(place: FileRows | ServedRows | RowReader, options?: RowStoreOptions): Promise<RowStore> {
    const where = 'RowStore.open'
    const isFile = isObject(place) && 'file' in place
    const { cacheBytes = 2 ** 26, maxAgeMs = isFile ? Infinity : 60_000 } = checkOptions(
      options,
      ['cacheBytes', 'maxAgeMs'],
      where,
    )
    checkSize(cacheBytes, `${where}: cacheBytes`, 0, 2 ** 40)
    if (checkNumber(maxAgeMs, `${where}: maxAgeMs`, true) < 0)
      throw new UsageError(`${where}: maxAgeMs must not be negative, not ${maxAgeMs}`)
    const chosen = { cacheBytes, maxAgeMs }
    if (isFile) {
      checkOptions(place, ['file', 'tensor'], where)
      return new RowStore(openFile(place, where), null, chosen, PRIVATE)
    }
    if (isReader(place)) return new RowStore(place, null, chosen, PRIVATE)
    if (!isObject(place) || !('connection' in place))
      throw new UsageError(`${where}: rows must be { file }, { connection, table } or a RowReader, not ${show(place)}`)
    checkOptions(place, SERVED, where)
    const opened = await openServed(place, where)
    try {
      return new RowStore(opened, opened.sha256, chosen, PRIVATE)
    } catch (error) {
      await opened.close?.()
      throw error
    }
  }

  /**
   * Writes a table to a server, or to a cluster, whose stores then read it. A table appears whole: it has its name once
   * all of its rows are there.
   *
   * @param table (rows, dim) of float32, float16 or bfloat16.
   * @returns What the table is. Its `sha256` tells stores whether it is the one that they expect.
   * @throws UsageError for a name that a table with other rows has, unless `force` replaces it; RowStoreError;
   * AbortedError.
   */
  static async save(table: Tensor, place: ServedRows, options?: SaveRowsOptions): Promise<SavedTable> {
    const where = 'RowStore.save'
    const {
      force = false,
      onProgress = () => {},
      signal,
    } = checkOptions(options, ['force', 'onProgress', 'signal'], where)
    checkBoolean(force, `${where}: force`)
    checkFunction(onProgress, `${where}: onProgress`)
    checkSignal(signal, where)
    if (!isObject(place) || !('connection' in place))
      throw new UsageError(`${where}: the place must be { connection, table }, not ${show(place)}`)
    checkOptions(place, SERVED, where)
    if (!Tensor.is(table)) throw new UsageError(`${where}: the table must be a tensor, not ${show(table)}`)
    if (table.shape.length !== 2)
      throw new ShapeError(`${where}: the table must have the shape [rows, dim], not ${shown(table.shape)}`)
    const [rows, dim] = table.shape
    const dtype = table.dtype as ResultType
    const each = checkReader({ rows, dim, dtype, read: async () => [] }, where)
    const sha256 = await digestOf(table, signal, where)
    const saved: SavedTable = { rows, dim, dtype, sha256 }
    const server = new Server(place, where)
    try {
      const before = await server.described()
      if (before && before.sha256 !== sha256 && !force)
        throw new UsageError(
          `${where}: the table ${server.name} is there with the SHA-256 ${before.sha256}, and these rows have ${sha256}: name another table, or replace it with force`,
        )
      await server.refuseEviction()
      const piece = Math.max(1, Math.floor(PIECE / each))
      for (let from = 0; from < rows; from += piece) {
        throwIfAborted(signal, where)
        const ids = Uint32Array.from({ length: Math.min(piece, rows - from) }, (_, i) => from + i)
        // A copy, because the table may learn on.
        await server.write(sha256, ids, bytesOf(table).slice(from * each, (from + ids.length) * each))
        onProgress(from + ids.length)
      }
      await server.describe(saved)
      if (before && before.sha256 !== sha256) await server.remove(before)
      return saved
    } finally {
      server.close()
    }
  }

  /** What the cache did so far: `hits / (hits + misses)` is its hit rate. */
  get stats(): RowStoreStats {
    return { ...call(native.rowCacheCounts(this.#cache)), fetched: this.#fetched }
  }

  /**
   * Looks up the rows of ids: `ids` of any shape give a result of that shape with `dim` appended.
   *
   * @throws TokenIndexError for an id out of range; RowStoreError, which names ids, if a row cannot be had, so that a
   * result is whole or an error; AbortedError; UsageError after `close`.
   */
  async lookup(ids: Ids, options?: Abortable): Promise<Tensor> {
    const where = 'RowStore.lookup'
    const signal = this.#begin(options, where)
    const { array: given, shape } = readIds(ids, undefined, where)
    const count = sizeOf(shape)
    const result = uninitialized(this.dtype, [...shape, this.dim], where)
    // No result of an asynchronous call belongs to a scope.
    untrack(result)
    try {
      const out = bytesOf(result)
      const each = this.#rowBytes
      const piece = Math.max(1, Math.floor(PIECE / each))
      // The caller may change the ids between pieces.
      const array = count > piece ? copyOf(given) : given
      const missing = zeroed(BigUint64Array, count)
      const oldest = performance.now() - this.#maxAgeMs
      let missed = 0
      for (let from = 0; from < count; from += piece) {
        if (from > 0) await turn()
        throwIfAborted(signal, where)
        const size = Math.min(piece, count - from)
        const into = out.subarray(from * each, (from + size) * each)
        const rest = missing.subarray(missed)
        missed += call(native.rowCacheGather(this.#cache, array, { from, count: size, oldest }, into, rest), shape)
      }
      if (missed > 0) await this.#complete(missing.subarray(0, missed), out, signal, where)
      return result
    } catch (error) {
      result.dispose()
      throw error
    }
  }

  /**
   * Replaces rows where the table is, and forgets those that the cache has. A row that another store has kept is older
   * than its `maxAgeMs` before that store reads it again. If it fails, some of the rows may be replaced.
   *
   * @param rows Shape of `ids` with `dim` appended, of the table's type. Of an id that comes twice the last row stays.
   * @throws UsageError for a table that cannot be written, such as that of a file; RowStoreError; AbortedError.
   */
  async set(ids: Ids, rows: Tensor, options?: Abortable): Promise<void> {
    const where = 'RowStore.set'
    const signal = this.#begin(options, where)
    const { write } = this.#source
    if (write === undefined) throw new UsageError(`${where}: the rows of this table cannot be replaced`)
    const { array, shape } = readIds(ids, undefined, where)
    const wanted = [...shape, this.dim]
    if (!Tensor.is(rows) || rows.dtype !== this.dtype || shown(rows.shape) !== shown(wanted))
      throw new ShapeError(
        `${where}: rows must be a ${this.dtype} tensor of the shape ${shown(wanted)}, not ${show(rows)}`,
      )
    const all = this.#checked(array, shape)
    const last = new Map(Array.from(all, (id, i) => [id, i]))
    const sorted = Uint32Array.from(last.keys()).sort()
    const [bytes, each] = [bytesOf(rows), this.#rowBytes]
    const written = new Uint8Array(sorted.length * each)
    sorted.forEach((id, i) => written.set(bytes.subarray(last.get(id)! * each, (last.get(id)! + 1) * each), i * each))
    if (sorted.length === 0) return
    try {
      await untilAborted(Promise.resolve(Reflect.apply(write, this.#source, [sorted, written])), signal, where)
    } finally {
      this.#forget(sorted)
    }
  }

  /** Forgets the rows of ids, or all rows, so that the next lookup reads them where the table is. */
  invalidate(ids?: Ids): void {
    const where = 'RowStore.invalidate'
    if (ids === undefined) return this.#forget(null)
    const { array, shape } = readIds(ids, undefined, where)
    this.#forget(this.#checked(array, shape))
  }

  /** Ends the connection, or the mapping of the file. Lookups that wait fail; a second call does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#forget(null)
    await this.#source.close?.()
  }

  #begin(options: Abortable | undefined, where: string): AbortSignal | undefined {
    const signal = checkSignal(checkOptions(options, ['signal'], where).signal, where)
    if (this.#isClosed) throw new UsageError(`${where}: the store is closed`)
    throwIfAborted(signal, where)
    return signal
  }

  /** Ids as uint32, all below the number of rows. */
  #checked(array: IntArray, shape: readonly number[]): Uint32Array {
    const size = this.numRows
    const bad = Array.from(array, Number).findIndex((id) => id < 0 || id >= size)
    if (bad < 0) return Uint32Array.from(array as ArrayLike<number>, Number)
    const position = shape.length === 0 ? [] : unravel(bad, shape)
    throw new TokenIndexError('id', { position, value: String(array[bad]), size, count: 1 })
  }

  #forget(ids: Uint32Array | null): void {
    // A row that is on its way may be one from before the change: it is not kept.
    if (ids === null) this.#coming.clear()
    else for (const id of ids) this.#coming.delete(id)
    check(native.rowCacheRemove(this.#cache, ids))
  }

  /** Reads the rows that the cache lacks, and copies each to all of its places. */
  async #complete(missing: BigUint64Array, out: Uint8Array, signal: AbortSignal | undefined, where: string) {
    // They come in pieces that are each in order.
    missing.sort()
    const pairs = new Uint32Array(missing.buffer, missing.byteOffset, missing.length * 2)
    const each = this.#rowBytes
    const most = Math.max(1, Math.floor(PIECE / each))
    let at = 0
    /** The next ids, each once, with the numbers of the pairs that they end before. */
    const next = (): { ids: number[]; ends: number[] } => {
      const [ids, ends]: number[][] = [[], []]
      while (at < missing.length && ids.length < most) {
        const id = pairs[2 * at + 1]
        while (at < missing.length && pairs[2 * at + 1] === id) at++
        ids.push(id)
        ends.push(at)
      }
      return { ids, ends }
    }
    const ahead: { rows: Coming[]; ends: number[] }[] = []
    for (let done = 0; done < missing.length;) {
      while (at < missing.length && ahead.length < AHEAD) {
        const { ids, ends } = next()
        ahead.push({ rows: this.#ask(ids), ends })
      }
      const { rows, ends } = ahead.shift()!
      const flights = new Set(rows.map(({ flight }) => flight.done))
      await untilAborted(Promise.all(flights), signal, where)
      const bad = rows.filter(({ flight, index }) => flight.isBad[index] !== undefined)
      if (bad.length > 0) throw this.#refusal(bad, where)
      for (const [i, { flight, index }] of rows.entries()) {
        const row = flight.bytes.subarray(index * each, (index + 1) * each)
        for (; done < ends[i]; done++) out.set(row, pairs[2 * done] * each)
      }
      if (done < missing.length) await turn()
    }
  }

  /** Rows of ids in increasing order: those that are on their way already, and others that are asked for now. */
  #ask(ids: readonly number[]): Coming[] {
    const { block = Infinity } = this.#source
    let flight = new Flight()
    const begin = () => {
      if (flight.ids.length > 0) flight.begin(this.#read(flight))
      flight = new Flight()
    }
    const rows = ids.map((id) => {
      const known = this.#coming.get(id)
      if (known !== undefined) return known
      const [first] = flight.ids
      if (first !== undefined && Math.floor(first / block) !== Math.floor(id / block)) begin()
      const coming = { id, flight, index: flight.ids.length }
      flight.ids.push(id)
      this.#coming.set(id, coming)
      return coming
    })
    begin()
    return rows
  }

  /** Reads the rows of a flight, and keeps those that are as they should be. */
  async #read(flight: Flight): Promise<void> {
    const each = this.#rowBytes
    const own = (id: number) => this.#coming.get(id)?.flight === flight
    try {
      // A change that is made from now on may be missed.
      const now = performance.now()
      const found: unknown = await this.#source.read(Uint32Array.from(flight.ids))
      if (!isArray(found) || found.length !== flight.ids.length)
        throw new UsageError(`RowReader.read must give a list of ${flight.ids.length} rows, not ${show(found)}`)
      flight.bytes = zeroed(Uint8Array, found.length * each)
      const kept: number[] = []
      for (const [i, row] of (found as unknown[]).entries()) {
        if (row === null) flight.isBad[i] = 'missing'
        else if (!types.isUint8Array(row) || row.length !== each) flight.isBad[i] = 'damaged'
        else {
          flight.bytes.set(row, i * each)
          if (own(flight.ids[i])) kept.push(i)
        }
      }
      this.#fetched += found.length
      if (this.#isClosed) return
      const isWhole = kept.length === found.length
      const rows = isWhole ? flight.bytes : joined(kept.map((i) => flight.bytes.subarray(i * each, (i + 1) * each)))
      check(
        native.rowCachePut(
          this.#cache,
          Uint32Array.from(kept, (i) => flight.ids[i]),
          rows,
          now,
        ),
      )
    } finally {
      for (const id of flight.ids) if (own(id)) this.#coming.delete(id)
    }
  }

  #refusal(bad: readonly Coming[], where: string): RowStoreError {
    const damaged = bad.filter(({ flight, index }) => flight.isBad[index] === 'damaged')
    const [rows, reason] = damaged.length > 0 ? ([damaged, 'damaged'] as const) : ([bad, 'missing'] as const)
    const ids = rows.map(({ id }) => id)
    const what = reason === 'missing' ? 'there is no row' : `a row has not the ${this.#rowBytes} bytes of the table's`
    return new RowStoreError(`${where}: ${what} of ${shownIds(ids)}`, reason, { ids: ids.slice(0, MOST_IDS) })
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #cache in value && isInstance(this, RowStore, value)
  }

  static {
    guardReceivers(this, (value) => #cache in value)
    CONTENTS.guard(this, (value) => #cache in value)
  }
}

/** Rows that were asked for together and are on their way. */
class Flight {
  readonly ids: number[] = []
  /** The rows, end to end, once they are here. */
  bytes = new Uint8Array()
  /** What is wrong with rows, by their numbers. */
  readonly isBad: ('missing' | 'damaged' | undefined)[] = []
  done: Promise<void> = Promise.resolve()

  begin(work: Promise<void>): void {
    this.done = work
    // Whoever waits is told.
    work.catch(() => {})
  }
}

/** A row that is on its way. */
interface Coming {
  readonly id: number
  readonly flight: Flight
  readonly index: number
}

const SERVED = ['connection', 'table', 'sha256', 'timeoutMs']

/** The bytes of a tensor, where they are. */
const bytesOf = (tensor: Tensor) => asBytes(tensor).data as Uint8Array

function joined(rows: readonly Uint8Array[]): Uint8Array {
  return rows.length === 0 ? new Uint8Array() : Buffer.concat(rows)
}

/** The SHA-256 of a table's bytes, made in pieces. */
async function digestOf(table: Tensor, signal: AbortSignal | undefined, where: string): Promise<string> {
  const { createHash } = require('node:crypto') as typeof import('node:crypto')
  const hash = createHash('sha256')
  for (let at = 0, size = bytesOf(table).length; at < size; at += PIECE) {
    throwIfAborted(signal, where)
    hash.update(bytesOf(table).subarray(at, at + PIECE))
    await turn()
  }
  return hash.digest('hex')
}

// Lookups off the thread: they are queued, can be ended by a signal, and give a tensor when they are done.

import { GradNode, recorded, type Backward, type Save } from '../autograd/tape.js'
import { facts, type DType } from '../base/dtype.js'
import { AbortedError, UsageError } from '../base/errors.js'
import { binary, call, check, failureOf, native, type Handle, type Work } from '../native/native.js'
import { untrack } from '../memory/scope.js'
import { sizeOf } from '../base/shape.js'
import { adopted, uninitialized } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'
import { checkElements, isObject, show } from '../base/validate.js'

export interface AsyncOptions {
  /** The shape of ids that are given as a flat array. */
  shape?: number[]
  /** Ends the lookup, which then rejects with an AbortedError whose cause is the signal's reason. */
  signal?: AbortSignal
}

export const ASYNC_OPTIONS = ['shape', 'signal']

/** A lookup as a layer describes it. @internal */
export interface Lookup {
  readonly where: string
  readonly signal: unknown
  /** The shape of the ids. The result's shape starts with it, unless `rows` is given. */
  readonly ids: readonly number[]
  /** What the result's shape starts with; default: the shape of the ids. */
  readonly rows?: readonly number[]
  readonly dim: number
  /** The type of the result; default float32. */
  readonly dtype?: DType
  readonly tables: readonly Tensor[]
  /** The result needs a gradient if any of these does; default: the tables. */
  readonly follows?: readonly Tensor[]
  /** Changes the tables at the call, before they are read. */
  prepare?(): void
  /** Makes the work over the handles of the tables, and copies the ids. */
  work(...tables: Handle[]): Work | null
  /** Does the same on this thread. */
  now(): Tensor
  /** The error of a failure; default: that of `failureOf` for the ids. */
  failed?(failure: Settled['failure']): Error
  /** The op's name in PyTorch. `way` makes its backward function, which keeps the ids as they are at the call. */
  readonly name: string
  way(save: Save): Backward
}

/** How work ended: with a result or with a failure. */
type Settled = Awaited<NonNullable<ReturnType<typeof native.workQueue>>>

/**
 * Runs a lookup on a thread of libuv's pool. Everything that can be checked at the call is checked there, and the ids
 * are copied. Tables are borrowed, not copied: until the work has ended the API does not change them, and after
 * `dispose` the work still holds their memory. A table in V8's memory moves to native memory first. If a caller may
 * hold its `data`, which the move would empty, the lookup runs at the call instead.
 *
 * @internal
 */
export async function lookUp(lookup: Lookup): Promise<Tensor> {
  const { where, ids, dim, tables, dtype = 'float32', rows = ids } = lookup
  const signal = checkSignal(lookup.signal, where)
  const aborted = () => new AbortedError(`${where} was aborted`, { cause: signal!.reason })
  if (signal?.aborted) throw aborted()
  const follows = lookup.follows ?? tables
  const shape = [...rows, dim]
  checkElements(sizeOf(shape), facts(dtype).bytes, where, shape)
  if (!tables.every((table) => table.lendable)) {
    const result = lookup.now()
    // No result of an asynchronous call belongs to a scope.
    untrack(result)
    return result
  }
  lookup.prepare?.()
  const node = recorded(follows) ? new GradNode(lookup.name, follows, (save) => lookup.way(save)) : null
  try {
    const { handles, failure } = await readingAll(tables, (read) => ended(call(lookup.work(...read)), signal))
    const result = handles && resultTensor(handles[0], dtype, shape)
    if (signal?.aborted) {
      result?.dispose()
      throw aborted()
    }
    if (!result) throw lookup.failed?.(failure) ?? failureOf(failure, ids)
    if (node !== null) result.from(node)
    return result
  } catch (error) {
    node?.free()
    throw error
  }
}

/** Checks that a value is an AbortSignal, of this realm or another. @internal */
export function checkSignal(signal: unknown, where: string): AbortSignal | undefined {
  if (signal === undefined) return undefined
  const { aborted, addEventListener } = (isObject(signal) ? signal : {}) as Partial<AbortSignal>
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return signal as AbortSignal
  throw new UsageError(`${where}: signal must be an AbortSignal, not ${show(signal)}`)
}

/** Runs work on tables, and marks them as being read until it has ended. @internal */
export async function readingAll<T>(tables: readonly Tensor[], run: (handles: Handle[]) => Promise<T>): Promise<T> {
  const lent = tables.map((table) => table.lend())
  try {
    return await run(lent.map(({ handle }) => handle))
  } finally {
    for (const { done } of lent) done()
  }
}

let listens = false

/**
 * Queues work and resolves with how it ended. If the signal stops work that has not started, it resolves at once; so it
 * does in any case if the work is one to `leave`, because it reads nothing that belongs to anybody else.
 *
 * @internal
 */
export function ended(work: Work, signal: AbortSignal | undefined, leave = false): Promise<Settled> {
  if (!listens) {
    // A process that exits waits for libuv's queue, though nobody will see the results.
    process.once('exit', () => native.workEnd())
    listens = true
  }
  const running = call(native.workQueue(work))
  if (signal === undefined) return running
  return new Promise((resolve, reject) => {
    // napi's own handling of signals is not used: it overwrites the user's `onabort` and cannot end running work.
    const forget = whenAborted(signal, () => {
      if (call(native.workStop(work)) || leave) resolve({})
    })
    void running.then(resolve, reject).then(forget)
  })
}

/**
 * What to do when a signal aborts. Each signal has one listener for all of its lookups, because Node warns about more
 * than ten.
 */
const waiting = new WeakMap<AbortSignal, { stops: Set<() => void>; listener: () => void }>()

/** Calls `stop` if the signal aborts, until the returned function is called. @internal */
export function whenAborted(signal: AbortSignal, stop: () => void): () => void {
  let entry = waiting.get(signal)
  if (entry === undefined) {
    const stops = new Set<() => void>()
    entry = { stops, listener: () => stops.forEach((stop) => stop()) }
    waiting.set(signal, entry)
    signal.addEventListener('abort', entry.listener, { once: true })
  }
  const { stops, listener } = entry
  stops.add(stop)
  return () => {
    if (!stops.delete(stop) || stops.size > 0) return
    waiting.delete(signal)
    signal.removeEventListener('abort', listener)
  }
}

/** The tensor of a result: in native memory, or in V8's if the host forbids live views of native memory. @internal */
export function resultTensor(handle: Handle, dtype: DType, shape: readonly number[]): Tensor {
  const size = sizeOf(shape)
  const { bytes } = facts(dtype)
  if (binary.liveData) return adopted(handle, dtype, shape)
  const result = uninitialized(dtype, shape)
  check(native.copyRun(bytes, size, handle, 0, result.operand(), 0))
  check(native.storageRelease(handle))
  return result
}

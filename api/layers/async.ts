// Lookups off the thread: queued, ended by a signal, and made a tensor when they are done.

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
  /** The shape of flat ids. */
  shape?: number[]
  /** Ends the lookup: it rejects with an AbortedError, whose cause is the signal's reason. */
  signal?: AbortSignal
}

export const ASYNC_OPTIONS = ['shape', 'signal']

/** A lookup as a layer describes it. @internal */
export interface Lookup {
  readonly where: string
  readonly signal: unknown
  /** The shape of the ids, and what stands behind it in the result's. */
  readonly ids: readonly number[]
  /** What stands in its place there; default: the same. */
  readonly rows?: readonly number[]
  readonly dim: number
  /** The type of the result; default float32. */
  readonly dtype?: DType
  readonly tables: readonly Tensor[]
  /** What the result follows in whether it learns; default: the tables. */
  readonly follows?: readonly Tensor[]
  /** What is done to the tables at the call, before they are read. */
  prepare?(): void
  /** The work, over the tables as handles, its ids copied. */
  work(...tables: Handle[]): Work | null
  /** The same on this thread. */
  now(): Tensor
  /** The op as PyTorch names it, and its way back, which keeps the ids as they are at the call. */
  readonly name: string
  way(save: Save): Backward
}

/** How work ended: one of the two. */
type Settled = Awaited<NonNullable<ReturnType<typeof native.workQueue>>>

/**
 * Carries a lookup out on a thread of libuv's pool. All that can be refused at the call is, and the ids are copied
 * then. Tables are held, not copied: until the work has ended they are not changed through the API, and `dispose`
 * leaves their memory to the work. A table in V8's memory moves to native memory first; where somebody may hold its
 * `data`, which would be empty then, the lookup is carried out at the call.
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
    // It belongs to no scope, as no other result of an asynchronous call does.
    untrack(result)
    return result
  }
  lookup.prepare?.()
  const node = recorded(follows) ? new GradNode(lookup.name, follows, (save) => lookup.way(save)) : null
  try {
    const { handle, failure } = await readingAll(tables, (handles) => ended(call(lookup.work(...handles)), signal))
    const result = handle && tensor(handle, dtype, shape)
    if (signal?.aborted) {
      result?.dispose()
      throw aborted()
    }
    if (!result) throw failureOf(failure, ids)
    if (node !== null) result.from(node)
    return result
  } catch (error) {
    node?.free()
    throw error
  }
}

/** An AbortSignal, of this realm or another. @internal */
export function checkSignal(signal: unknown, where: string): AbortSignal | undefined {
  if (signal === undefined) return undefined
  const { aborted, addEventListener } = (isObject(signal) ? signal : {}) as Partial<AbortSignal>
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return signal as AbortSignal
  throw new UsageError(`${where}: signal is an AbortSignal, not ${show(signal)}`)
}

/** Runs work on tables, which are read until it has ended. */
async function readingAll<T>(tables: readonly Tensor[], run: (handles: Handle[]) => Promise<T>): Promise<T> {
  const lent = tables.map((table) => table.lend())
  try {
    return await run(lent.map(({ handle }) => handle))
  } finally {
    for (const { done } of lent) done()
  }
}

let listens = false

/** Queues work; how it ended: by itself, or by the signal, at once where it had not started. */
function ended(work: Work, signal: AbortSignal | undefined): Promise<Settled> {
  if (!listens) {
    // A process that exits waits for libuv's queue, whose results nobody will see.
    process.once('exit', () => native.workEnd())
    listens = true
  }
  const running = call(native.workQueue(work))
  if (signal === undefined) return running
  return new Promise((resolve, reject) => {
    // Not napi's own handling of signals, which overwrites the user's `onabort` and ends nothing that runs.
    const forget = whenAborted(signal, () => {
      if (call(native.workStop(work))) resolve({})
    })
    void running.then(resolve, reject).then(forget)
  })
}

/** What is to be done when a signal aborts: one listener for all of it, as Node warns of more than ten. */
const waiting = new WeakMap<AbortSignal, { stops: Set<() => void>; listener: () => void }>()

/** Calls `stop` if the signal aborts before the function that is returned is called. @internal */
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

/** The tensor of a result: in native memory, or in V8's where the host would not let `data` show that. */
function tensor(handle: Handle, dtype: DType, shape: readonly number[]): Tensor {
  const size = sizeOf(shape)
  const { bytes } = facts(dtype)
  if (binary.liveData) return adopted(handle, dtype, shape)
  const result = uninitialized(dtype, shape)
  check(native.copyRun(bytes, size, handle, 0, result.operand(), 0))
  check(native.storageRelease(handle))
  return result
}

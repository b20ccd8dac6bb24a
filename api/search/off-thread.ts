// Searches on another thread, with several results.

import { throwIfAborted } from '../base/abortable.js'
import { checkSignal, ended, readingAll } from '../layers/async.js'
import { untrack } from '../memory/scope.js'
import { call, failureOf, native, type Handle, type Work } from '../native/native.js'
import { zeroTable } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'

/**
 * Runs work on the rows on a thread of libuv's pool, and returns the handles of its results. Rows in V8's memory move
 * to native memory first, or are copied there if a caller may hold their `data`. `told` hears meanwhile how much is
 * done; if it throws, the work ends with its error.
 */
export async function offThread(
  where: string,
  signal: unknown,
  rows: Tensor,
  work: (rows: Handle) => Work | null,
  told?: (done: number) => void,
): Promise<Handle[]> {
  const stop = checkSignal(signal, where)
  throwIfAborted(stop, where)
  const copy = rows.lendable ? null : zeroTable(rows.dtype, [...rows.shape]).set(rows)
  if (copy !== null) untrack(copy)
  try {
    const progress = new Progress(told)
    const { handles, failure } = await readingAll([copy ?? rows], ([handle]) =>
      progress.during(call(work(handle)), (running) => ended(running, stop)),
    )
    throwIfAborted(stop, where)
    progress.check()
    if (!handles) throw failureOf(failure)
    return handles
  } finally {
    copy?.dispose()
  }
}

/** Milliseconds between two reports. */
const EVERY = 100

/** Asks work how much is done, and tells it. */
class Progress {
  #failed: { error: unknown } | null = null

  constructor(private readonly told: ((done: number) => void) | undefined) {}

  async during<T>(work: Work, run: (work: Work) => Promise<T>): Promise<T> {
    const { told } = this
    if (told === undefined) return run(work)
    const timer = setInterval(() => {
      try {
        told(call(native.workDone(work)))
      } catch (error) {
        this.#failed ??= { error }
        call(native.workStop(work))
      }
    }, EVERY)
    try {
      return await run(work)
    } finally {
      clearInterval(timer)
    }
  }

  /** @throws What a report threw. */
  check(): void {
    if (this.#failed !== null) throw this.#failed.error
  }
}

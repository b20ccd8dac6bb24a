// Iterating and waiting until a signal says otherwise.

import { AbortedError } from './errors.js'

/** What gives things one after the other. */
export type Iterated = AsyncIterable<unknown> | Iterable<unknown>

/** What an iterable gives, until the signal says otherwise; `what` is then said to be aborted. */
export async function* abortable(
  source: Iterated,
  signal: AbortSignal | undefined,
  what: string,
): AsyncGenerator<unknown> {
  throwIfAborted(signal, what)
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let isWaiting = false
  try {
    for (;;) {
      // Whoever throws or is done needs no telling that nothing more is asked for.
      isWaiting = false
      const step = await untilAborted(Promise.resolve(iterator.next()), signal, what)
      if (step.done) return
      isWaiting = true
      yield step.value
    }
  } finally {
    const left = isWaiting || signal?.aborted ? Promise.resolve(iterator.return?.()) : undefined
    // One that is still at work on the next piece may take long to notice.
    if (signal?.aborted) left?.catch(() => {})
    else await left
  }
}

export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new AbortedError(`${what} was aborted`, { cause: signal.reason })
}

/** The outcome of work, or the end that the signal puts to waiting for it. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const abort = () => {
      try {
        throwIfAborted(signal, what)
      } catch (error) {
        reject(error)
      }
    }
    signal.addEventListener('abort', abort, { once: true })
    const settle = () => signal.removeEventListener('abort', abort)
    abort()
    work.then(
      (value) => (settle(), resolve(value)),
      (error: unknown) => (settle(), reject(error)),
    )
  })
}

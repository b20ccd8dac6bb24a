// Iterating and waiting that an AbortSignal can end.

import { AbortedError, UsageError } from './errors.js'
import { checkFunction, isObject, show } from './validate.js'

/** A synchronous or asynchronous iterable. */
export type Iterated = AsyncIterable<unknown> | Iterable<unknown>

/** The values of an iterable, until the signal aborts; `what` names the aborted work in the error. */
export async function* abortable(
  source: Iterated,
  signal: AbortSignal | undefined,
  what: string,
): AsyncGenerator<unknown> {
  throwIfAborted(signal, what)
  const iterator = iteratorOf(source, what)
  let isWaiting = false
  try {
    for (;;) {
      // An iterator that threw or is done needs no `return`.
      isWaiting = false
      const step = await untilAborted(Promise.resolve(iterator.next()), signal, what)
      if (step.done) return
      isWaiting = true
      yield step.value
    }
  } finally {
    const left = isWaiting || signal?.aborted ? Promise.resolve(iterator.return?.()) : undefined
    // After an abort do not wait: the iterator may still be working on its next value.
    if (signal?.aborted) left?.catch(() => {})
    else await left
  }
}

function iteratorOf(source: Iterated, what: string): AsyncIterator<unknown> | Iterator<unknown> {
  const name = Symbol.asyncIterator in source ? Symbol.asyncIterator : Symbol.iterator
  const make: unknown = (source as unknown as Record<symbol, unknown>)[name]
  checkFunction(make, `${what}: [${name.description}] of the source`)
  const iterator: unknown = Reflect.apply(make as () => unknown, source, [])
  if (!isObject(iterator)) throw new UsageError(`${what}: the iterator of the source is ${show(iterator)}`)
  checkFunction((iterator as { next?: unknown }).next, `${what}: next of the source's iterator`)
  return iterator as unknown as AsyncIterator<unknown>
}

export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new AbortedError(`${what} was aborted`, { cause: signal.reason })
}

/** The outcome of `work`, or an AbortedError as soon as the signal aborts. */
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

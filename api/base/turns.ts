// Long work of this thread in turns, between which the event loop runs.

import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from './abortable.js'

/** Work that may pause at each `yield`. */
export type Steps<T> = Generator<void, T, void>

/** For at most so many milliseconds, work keeps the rest of the thread waiting. */
const TURN = 5

/** Does all of it now. */
export function atOnce<T>(steps: Steps<T>): T {
  let step = steps.next()
  while (!step.done) step = steps.next()
  return step.value
}

/** Does it in turns. @throws AbortedError at the next turn after the signal aborted. */
export async function inTurns<T>(steps: Steps<T>, signal: AbortSignal | undefined, where: string): Promise<T> {
  let end = performance.now() + TURN
  let step = steps.next()
  while (!step.done) {
    if (performance.now() > end) {
      await setImmediate()
      end = performance.now() + TURN
    }
    throwIfAborted(signal, where)
    step = steps.next()
  }
  return step.value
}

// Ctrl-C and its like: the process ends at once, and leaves nothing half-done.

import { constants } from 'node:os'
import { setImmediate } from 'node:timers/promises'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const cleanups = new Set<() => void>()

/**
 * A signal runs what `onEnd` was given and exits with 128 and its number, as shells have it. Files that are being written
 * go with the process: a TensorWriter is aborted when it exits. Handlers run when the event loop turns, so they never cut
 * a write in two.
 */
export function endOnSignals(): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      const code = 128 + constants.signals[signal]
      const handler = instead
      instead = null
      if (handler !== null) return handler(code)
      for (const cleanup of cleanups) cleanup()
      process.exit(code)
    })
  }
}

let instead: ((code: number) => void) | null = null

/**
 * Has `handler` answer the next signal, with the exit code that it asks for: for work that saves itself first. The signal
 * after it ends the process as ever. The result takes that back.
 */
export function insteadOfEnding(handler: (code: number) => void): () => void {
  instead = handler
  return () => (instead = null)
}

/** Has `cleanup` run when a signal ends the process; the result takes that back. */
export function onEnd(cleanup: () => void): () => void {
  cleanups.add(cleanup)
  return () => cleanups.delete(cleanup)
}

const TURN_MS = 50
let last = performance.now()

/** Lets the event loop turn if it has not for a while: long loops call this, so that signals are heard. */
export async function breathe(): Promise<void> {
  if (performance.now() - last < TURN_MS) return
  await setImmediate()
  last = performance.now()
}

// Handles Ctrl-C and similar signals: the process ends at once and leaves nothing half done.

import { constants } from 'node:os'
import { setImmediate } from 'node:timers/promises'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const cleanups = new Set<() => void>()

/**
 * Makes a signal run what `onEnd` was given and exit with 128 plus its number, as shells do. Files that are being
 * written disappear with the process: a TensorWriter is aborted when it exits. Handlers run when the event loop
 * turns, so they never cut a write in two.
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
 * Makes `handler` answer the next signal, with the exit code for it, so that work can save itself first. The signal
 * after it ends the process as usual. Call the result to undo this.
 */
export function insteadOfEnding(handler: (code: number) => void): () => void {
  instead = handler
  return () => (instead = null)
}

/** Runs `cleanup` when a signal ends the process. Call the result to undo this. */
export function onEnd(cleanup: () => void): () => void {
  cleanups.add(cleanup)
  return () => cleanups.delete(cleanup)
}

const TURN_MS = 50
let last = performance.now()

/** Lets the event loop turn if it has not for a while. Long loops call this, so that signals are handled. */
export async function breathe(): Promise<void> {
  if (performance.now() - last < TURN_MS) return
  await setImmediate()
  last = performance.now()
}

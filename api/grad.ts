// Whether what is computed is being recorded for gradients.

import { checkNoPromise } from './validate.js'

let depth = 0

/** Whether results of ops would be recorded now. @internal */
export function gradEnabled(): boolean {
  return depth === 0
}

/**
 * Runs `fn` without recording for gradients, and returns what it returns; `torch.no_grad`. May be nested; recording is
 * back on when the outermost ends, also by an error.
 *
 * @throws UsageError for an async function: its work would run after recording is back on.
 */
export function noGrad<T>(fn: () => T): T {
  depth++
  try {
    const result = fn()
    checkNoPromise(result, 'noGrad')
    return result
  } finally {
    depth--
  }
}

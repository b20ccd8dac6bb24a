// Work that an exiting process does not wait for: see src/node/leaving.rs.

import { isMainThread } from '../base/late.js'
import { native } from './native.js'

let leaves = false

/**
 * Work that may take seconds is left where it is when the process exits. When only a worker thread exits, nobody's work
 * is ended. @internal
 */
export function notAwaitedAtExit(): void {
  if (leaves || !isMainThread()) return
  process.once('exit', () => native.processLeaves())
  leaves = true
}

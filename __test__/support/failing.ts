// A build of the native side whose allocator refuses one request, with a record of the exports that are called. Import
// it before anything that loads the native side.

import { createRequire } from 'node:module'
import { BINARY_VARIABLE } from '../../api/native/binary.js'

type Exports = Record<string, (...args: unknown[]) => unknown>
const binary = createRequire(__filename)(process.env[BINARY_VARIABLE]!) as Exports
const { allocatorArm, allocatorLeft, takeFailure } = binary

/** The names of all exports. */
export const exported = Object.keys(binary)
/** The names of the exports that were called. */
export const called = new Set<string>()

for (const name of exported) {
  const real = binary[name]
  if (name === 'takeFailure' || typeof real !== 'function') continue
  binary[name] = (...args) => {
    called.add(name)
    return real(...args)
  }
}
called.add('takeFailure')

/**
 * Runs a function with the request of this number refused, counted over all threads. Also returns whether the request
 * was made.
 */
export async function refusing<T>(
  request: number,
  run: () => T | Promise<T>,
): Promise<{ value?: T; error?: unknown; reached: boolean }> {
  if (!allocatorArm(request)) throw new Error(JSON.stringify(takeFailure()))
  let outcome: { value?: T; error?: unknown }
  try {
    outcome = { value: await run() }
  } catch (error) {
    outcome = { error }
  }
  const reached = allocatorLeft() === 0
  allocatorArm(0)
  return { ...outcome, reached }
}

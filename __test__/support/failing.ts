// The native side built with an allocator that refuses one request, and a record of what is called of it. To be
// imported before anything that loads it.

import { createRequire } from 'node:module'
import { BINARY_VARIABLE } from '../../api/native/binary.js'

type Exports = Record<string, (...args: unknown[]) => unknown>
const binary = createRequire(__filename)(process.env[BINARY_VARIABLE]!) as Exports
const { allocatorArm, allocatorLeft, takeFailure } = binary

/** The names of all exports. */
export const exported = Object.keys(binary)
/** Those that were called. */
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

/** Runs with the request of this number refused, counted over all threads; and whether it was asked for. */
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

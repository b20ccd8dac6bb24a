// What the process holds, as the system and V8 see it.

import { readFileSync } from 'node:fs'

export const MB = 2 ** 20

/** Bytes of anonymous memory; NaN where the system does not say. */
export function anonymous(): number {
  try {
    const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8')
    return Number(/^Anonymous:\s+(\d+) kB/m.exec(rollup)![1]) * 1024
  } catch {
    return NaN
  }
}

/** Bytes of anonymous memory in huge pages; NaN where the system does not say. */
export function hugePages(): number {
  try {
    const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8')
    return Number(/^AnonHugePages:\s+(\d+) kB/m.exec(rollup)![1]) * 1024
  } catch {
    return NaN
  }
}

/** Collects garbage and lets finalizers run. */
export async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Page faults of a call, on average over many. */
export function faultsPerCall(run: () => unknown, calls: number): number {
  const before = process.resourceUsage().minorPageFault
  for (let i = 0; i < calls; i++) run()
  return (process.resourceUsage().minorPageFault - before) / calls
}

/** The highest resident size seen while `run` is called so often. */
export function peakOf(run: () => void, calls: number): number {
  let peak = 0
  const every = Math.ceil(calls / 200)
  for (let i = 0; i < calls; i++) {
    run()
    if (i % every === 0) peak = Math.max(peak, process.memoryUsage.rss())
  }
  return Math.max(peak, process.memoryUsage.rss())
}

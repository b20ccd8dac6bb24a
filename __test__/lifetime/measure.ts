// Measures the memory of the process, as the system and V8 report it.

import { readFileSync } from 'node:fs'

export const MB = 2 ** 20

/** Whether AddressSanitizer runs, which keeps freed memory for a while: growth then says nothing. */
export const isSanitized = process.env.ASAN_OPTIONS !== undefined

/** Bytes of anonymous memory; NaN if the system does not report it. */
export function anonymous(): number {
  try {
    const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8')
    return Number(/^Anonymous:\s+(\d+) kB/m.exec(rollup)![1]) * 1024
  } catch {
    return NaN
  }
}

/** Bytes of anonymous memory in huge pages; NaN if the system does not report it. */
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

/** Page faults per call, averaged over many calls. */
export function faultsPerCall(run: () => unknown, calls: number): number {
  const before = process.resourceUsage().minorPageFault
  for (let i = 0; i < calls; i++) run()
  return (process.resourceUsage().minorPageFault - before) / calls
}

/** The highest resident size while `run` is called this many times. */
export function peakOf(run: () => void, calls: number): number {
  let peak = 0
  const every = Math.ceil(calls / 200)
  for (let i = 0; i < calls; i++) {
    run()
    if (i % every === 0) peak = Math.max(peak, process.memoryUsage.rss())
  }
  return Math.max(peak, process.memoryUsage.rss())
}

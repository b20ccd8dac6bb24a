// Measures candidates side by side. They take turns within one run, so that whatever the machine does meanwhile
// affects all alike.

/** Something to measure. */
export interface Candidate {
  name: string
  /** Does the work once. */
  run: () => unknown
}

/** The result for one candidate. */
export interface Result {
  name: string
  /** Median time of a call, in microseconds. */
  median: number
  /** Mean number of minor page faults of a call. */
  faults: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Runs all candidates in turn, `rounds` times, for about `milliseconds` each. The first rounds warm up. */
export function interleave(candidates: readonly Candidate[], rounds: number, milliseconds: number): Result[] {
  const repeats = candidates.map(({ run }) => repeatsFor(run, milliseconds))
  const times: number[][] = candidates.map(() => [])
  const faults = candidates.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    candidates.forEach(({ run }, i) => {
      const before = process.resourceUsage().minorPageFault
      const start = performance.now()
      for (let k = 0; k < repeats[i]; k++) run()
      times[i].push(((performance.now() - start) * 1e3) / repeats[i])
      faults[i] += (process.resourceUsage().minorPageFault - before) / repeats[i] / rounds
    })
  }
  return candidates.map(({ name }, i) => ({ name, median: median(times[i]), faults: faults[i] }))
}

function repeatsFor(run: () => unknown, milliseconds: number): number {
  let repeats = 1
  for (;;) {
    const start = performance.now()
    for (let k = 0; k < repeats; k++) run()
    const took = performance.now() - start
    if (took >= milliseconds / 2) return Math.max(1, Math.round((repeats * milliseconds) / took))
    repeats *= 2
  }
}

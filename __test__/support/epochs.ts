// Collects what a loader yields, epoch after epoch.

import type { DataLoader } from '../../index.js'

/** The first id of every window, batch by batch, for this many epochs. */
export function orders(loader: DataLoader, epochs: number): number[][][] {
  return Array.from({ length: epochs }, () => [...loader].map(firsts))
}

export function firsts({ inputs }: { inputs: { toArray(): any } }): number[] {
  return inputs.toArray().map((row: number[]) => row[0])
}

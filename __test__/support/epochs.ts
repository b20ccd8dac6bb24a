// What a loader gives, epoch after epoch.

import type { DataLoader } from '../../index.js'

/** The first ids of all windows, batch by batch, of so many epochs. */
export function orders(loader: DataLoader, epochs: number): number[][][] {
  return Array.from({ length: epochs }, () => [...loader].map(firsts))
}

export function firsts({ inputs }: { inputs: { toArray(): any } }): number[] {
  return inputs.toArray().map((row: number[]) => row[0])
}

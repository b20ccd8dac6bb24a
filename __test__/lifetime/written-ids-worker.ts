// A thread that overwrites integers in use by another thread, with valid and invalid values in turn, in an endless
// loop.

import { openSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { Tensor, type SharedTable } from '../../index.js'

export interface Writing {
  /** Shared memory, or a file and the position of the integers in it. */
  readonly to: SharedTable | Int32Array | { path: string; start: number }
  /** The indices of the integers to write, and their initial values. */
  readonly places: readonly number[]
  readonly good: readonly number[]
  readonly bad: readonly number[]
}

const { to, places, good, bad } = workerData as Writing

function writer(): (at: number, value: number) => void {
  if ('path' in to) {
    const file = openSync(to.path, 'r+')
    return (at, value) => void writeSync(file, Int32Array.of(value), 0, 4, to.start + 4 * at)
  }
  const array = to instanceof Int32Array ? to : (Tensor.fromShared(to).data as Int32Array)
  return (at, value) => void Atomics.store(array, at, value)
}

const write = writer()
for (let round = 0; ; round++) {
  // The values are written one after the other, so that all are valid half of the time.
  places.forEach((at, i) => {
    write(at, bad[round % bad.length])
    write(at, good[i])
    write(at, good[i])
  })
  if (round === 0) parentPort!.postMessage('writing')
}

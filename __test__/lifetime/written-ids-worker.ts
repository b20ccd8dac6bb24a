// A thread that writes integers which another one is using: good ones and bad ones in turn, without end.

import { openSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { Tensor, type SharedTable } from '../../index.js'

export interface Writing {
  /** Memory that is shared, or a file with a place where its integers begin. */
  readonly to: SharedTable | Int32Array | { path: string; start: number }
  /** Which of the integers, and what they are at first. */
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
  // One after the other, so that half of the time all are good.
  places.forEach((at, i) => {
    write(at, bad[round % bad.length])
    write(at, good[i])
    write(at, good[i])
  })
  if (round === 0) parentPort!.postMessage('writing')
}

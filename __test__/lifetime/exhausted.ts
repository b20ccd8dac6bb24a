// Runs every function that needs memory, with each of its requests for memory refused in turn. Each run must give an
// error of this package or the right result, and the same objects must give the right result afterwards. The scenarios
// cover every export of the native side.
//
//   node exhausted.js scenario [first request]
//
// prints a line of JSON before each request is refused, so that the parent knows which one ended the process.

import { called, exported, refusing } from '../support/failing.js'
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import * as api from '../../index.js'
import type { Scenarios } from './exhausted-common.js'
import { files } from './exhausted-files.js'
import { layers } from './exhausted-layers.js'
import { tensors } from './exhausted-tensors.js'
import { texts } from './exhausted-text.js'
import { training } from './exhausted-training.js'
import { vectors } from './exhausted-vectors.js'

const scenarios: Scenarios = { ...layers, ...tensors, ...texts, ...files, ...training, ...vectors }

/** A digest of any result. */
function digest(value: unknown): string {
  const hash = createHash('sha256')
  const walk = (it: unknown): void => {
    if (it instanceof api.Tensor) walk([it.dtype, it.shape, it.data])
    else if (ArrayBuffer.isView(it)) hash.update(Buffer.from(it.buffer, it.byteOffset, it.byteLength))
    else if (it instanceof Map) walk([...it])
    else if (Array.isArray(it)) it.forEach(walk)
    else hash.update(JSON.stringify(it) ?? 'nothing')
  }
  walk(value)
  return hash.digest('hex')
}

async function main(name: string, first: number): Promise<void> {
  const run = scenarios[name]
  // The scenario runs twice, so that one-time allocations are made before the test, and results that vary are noticed.
  const wanted = digest(await run())
  if (digest(await run()) !== wanted) throw new Error(`${name} has another result each time`)
  for (let request = first; ; request++) {
    writeSync(1, `${JSON.stringify({ request })}\n`)
    const { value, error, reached } = await refusing(request, async () => digest(await run()))
    if (error !== undefined && !(error instanceof api.MemoryError))
      throw new Error(`${name}, request ${request}: another error`, { cause: error })
    if (error === undefined && value !== wanted) throw new Error(`${name}, request ${request}: a wrong result`)
    if (error !== undefined && !reached)
      throw new Error(`${name}, request ${request}: an error before it`, { cause: error })
    if (digest(await run()) !== wanted) throw new Error(`${name}, request ${request}: another result afterwards`)
    if (!reached) break
  }
  writeSync(1, `${JSON.stringify({ called: [...called] })}\n`)
}

if (process.argv[2] === undefined) writeSync(1, JSON.stringify({ scenarios: Object.keys(scenarios), exported }))
else void main(process.argv[2], Number(process.argv[3] ?? 1))

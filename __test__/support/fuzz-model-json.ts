// Loads models whose model.json was changed at random. Each load must end soon, with a model or with a typed error. Run
// it by itself with: node dist/__test__/support/fuzz-model-json.js [seconds] [first seed].

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel, saveModel, TokenbedError, zeros } from '../../index.js'
import { drawsOf, mutatedJson } from './mutate.js'
import { temporaryFolder } from './temporary.js'

/** Milliseconds that suffice for a file of a few kilobytes on a slow and busy machine. */
const ENOUGH = 5000
/** Bytes that one load may leave in V8's heap. */
const HEAP = 64 << 20

/** A folder with a small model, and a function that changes its description according to a seed. */
export function brokenModels(): (seed: number) => void {
  const folder = join(temporaryFolder(), 'model')
  const training = {
    hyperParameters: { window: 5 },
    corpus: [{ file: 'a.txt', bytes: 12, tokens: 3 }],
    loss: [[1, 4.25]] as const,
    date: '2026-01-02',
  }
  const vocabulary = ['the', 'cat', 'sat']
  saveModel(folder, {
    objective: 'skip-gram',
    tensors: { 'token.weight': zeros([3, 2]) },
    vocabulary,
    counts: [3, 2, 1],
    labels: ['a', 'b'],
    training,
  })
  const path = join(folder, 'model.json')
  const sound = readFileSync(path, 'utf8')
  return (seed) => {
    const text = mutatedJson(sound, drawsOf(seed))
    writeFileSync(path, text)
    const [began, heap] = [performance.now(), process.memoryUsage().heapUsed]
    try {
      loadModel(folder)
    } catch (error) {
      if (!(error instanceof TokenbedError) || error.code === 'INTERNAL')
        throw new Error(`seed ${seed}: ${String(error)}\n${text.slice(0, 2000)}`, { cause: error })
    }
    const [took, more] = [performance.now() - began, process.memoryUsage().heapUsed - heap]
    if (took > ENOUGH || more > HEAP) throw new Error(`seed ${seed}: ${took} ms, ${more} bytes\n${text.slice(0, 2000)}`)
  }
}

function forSeconds(seconds: number, first: number): void {
  const load = brokenModels()
  const until = performance.now() + seconds * 1000
  let seed = first
  while (performance.now() < until) load(seed++)
  process.stdout.write(`model.json: ${seed - first} descriptions, seeds ${first} to ${seed - 1}\n`)
}

if (require.main === module) forSeconds(Number(process.argv[2] ?? 300), Number(process.argv[3] ?? 1))

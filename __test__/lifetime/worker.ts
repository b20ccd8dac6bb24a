// A worker thread that loads the package and uses it once or in an endless loop.

import { parentPort } from 'node:worker_threads'
import {
  createDataLoader,
  Embedding,
  manualSeed,
  memoryUsage,
  randn,
  streamIds,
  tensor,
  Tokenizer,
  TokenPositionEmbedding,
} from '../../index.js'
import { digest } from '../support/compare.js'

function once(): string {
  manualSeed(5)
  const layer = new TokenPositionEmbedding({ vocabSize: 500, contextLength: 8, dim: 96 })
  return digest(
    layer
      .forward([
        [1, 2, 3],
        [4, 5, 499],
      ])
      .add(randn([2, 3, 96]))
      .matmul(tensor(new Float32Array(96).fill(1))),
  )
}

function busy(): void {
  const kept: unknown[] = []
  const ids = Tokenizer.load('gpt2').encode('a rose is a rose is a rose '.repeat(50))
  parentPort!.postMessage('started')
  for (;;) {
    const embedding = new Embedding(2000, 300)
    kept.push(embedding.weight.data, memoryUsage().total)
    for (const { inputs } of createDataLoader(ids, { maxLength: 8, stride: 8 })) {
      if (Math.max(...(inputs.data as Int32Array)) < 2000) embedding.forward(inputs)
    }
    if (kept.length > 20) kept.length = 0
  }
}

async function stream(path: string): Promise<void> {
  for (;;) {
    for await (const ids of streamIds({ files: [path] })) parentPort!.postMessage(ids.length)
  }
}

if (process.argv[2] === 'busy') busy()
else if (process.argv[2] === 'stream') void stream(process.argv[3])
else parentPort!.postMessage(once())

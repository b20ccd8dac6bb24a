// Trains with a checkpoint as often as it can, goes on from one that is there, and says what came out. To be killed.

import { existsSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { Trainer, type TrainerOptions } from '../../index.js'

async function main([checkpoint, objective]: string[]): Promise<void> {
  const ids = Uint32Array.from({ length: 60_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) % 50)
  const options = (objective === 'next-token'
    ? { objective, vocabSize: 50, dim: 16, contextLength: 8, batchSize: 8, epochs: 6 }
    : { objective, vocabSize: 50, dim: 16, sample: 0, epochs: 8 }) as TrainerOptions
  const trainer = existsSync(checkpoint) ? await Trainer.resume(checkpoint, ids) : new Trainer(ids, options)
  let started = false
  let result
  do {
    // Few steps at a time: a checkpoint is made after each.
    result = await trainer.run({ steps: objective === 'next-token' ? 5 : 25, checkpoint: { path: checkpoint, every: 0 } })
    if (!started) console.log('started')
    started = true
  } while (result.progress.tokens < result.progress.totalTokens)
  const hash = createHash('sha256')
  for (const { data } of Object.values(result.tensors)) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  console.log(hash.digest('hex'))
}

void main(process.argv.slice(2))

// Trains, saves a checkpoint as often as it can, resumes an existing one, and prints the result. Gets killed.

import { existsSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { Trainer, type Corpus, type LabelledText, type TrainerOptions } from '../../index.js'

/** Texts of ten words, in four classes. */
function examples(ids: Uint32Array): LabelledText[] {
  return Array.from({ length: ids.length / 60 }, (_, i) => {
    const words = ids.subarray(10 * i, 10 * i + 10)
    return { text: words.join(' '), label: `class ${words[0] % 4}` }
  })
}

async function main([checkpoint, objective]: string[]): Promise<void> {
  const ids = Uint32Array.from({ length: 60_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) % 50)
  const isPair = objective === 'skip-gram' || objective === 'cbow'
  const next = { objective: 'next-token', vocabSize: 50, dim: 16, contextLength: 8, batchSize: 8, epochs: 6 } as const
  const options = ({
    'next-token': next,
    tied: { ...next, tied: true },
    sampled: { ...next, softmax: { samples: 16 } },
    classify: { objective, dim: 16, epochs: 40 },
  }[objective] ?? { objective, vocabSize: 50, dim: 16, sample: 0, epochs: 8 }) as TrainerOptions
  const corpus = (): Corpus => (objective === 'classify' ? examples(ids) : ids)
  const trainer = existsSync(checkpoint) ? await Trainer.resume(checkpoint, corpus()) : new Trainer(corpus(), options)
  let started = false
  let result
  do {
    // Each call runs a few steps and then saves a checkpoint.
    result = await trainer.run({
      steps: isPair ? 25 : objective === 'classify' ? 20 : 5,
      checkpoint: { path: checkpoint, every: 0 },
    })
    if (!started) console.log('started')
    started = true
  } while (result.progress.tokens < result.progress.totalTokens)
  const hash = createHash('sha256')
  for (const { data } of Object.values(result.tensors))
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  console.log(hash.digest('hex'))
}

void main(process.argv.slice(2))

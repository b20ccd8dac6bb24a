// Scenarios of refused memory for training.

import { writeFileSync } from 'node:fs'
import * as api from '../../index.js'
import { PAIRS, ids, file, TEXT, tokenizer, train, corpus, type Scenarios } from './exhausted-common.js'

const { Trainer } = api

const LABELLED = Array.from({ length: 300 }, (_, i) => ({ text: `a${i} b${i % 7} c`, label: i % 2 ? 'x' : 'y' }))

export const training: Scenarios = {
  nextTokenFolder: async () => {
    const { path } = await corpus()
    return train({ objective: 'next-token', dim: 4, contextLength: 16, seed: 1, softmax: { samples: 16 } }, () => ({
      folder: path,
    }))
  },
  pairsFolder: async () => {
    const { path } = await corpus()
    return train({ ...PAIRS, dim: 4, objective: 'skip-gram' }, () => ({ folder: path }))
  },
  skipGram: () => train({ ...PAIRS, objective: 'skip-gram' }),
  cbow: () => train({ ...PAIRS, objective: 'cbow' }),
  nextToken: () => train({ objective: 'next-token', dim: 16, contextLength: 16, seed: 1, minCount: 1 }),
  nextTokenSampled: () =>
    train(
      {
        objective: 'next-token',
        dim: 16,
        contextLength: 16,
        seed: 1,
        tied: true,
        softmax: { samples: 64 },
        vocabSize: 300,
      },
      () => Uint32Array.from(ids(9000, 300)),
    ),
  classify: () => train({ objective: 'classify', dim: 16, seed: 1 }, () => LABELLED),
  classifyTexts: () =>
    train({ objective: 'classify', dim: 16, seed: 1, tokenizer: tokenizer() }, () => ({ examples: LABELLED })),
  tokens: () =>
    train({ ...PAIRS, objective: 'skip-gram' }, () => ({
      tokens: TEXT.split('\n').map((line) => line.match(/\S+/g) ?? []),
    })),
  classifyFiles: () => {
    const lines = Array.from({ length: 300 }, (_, i) => `__label__${i % 2} a${i} b${i % 7} c\n`).join('')
    writeFileSync(file('lines.txt'), lines)
    return train({ objective: 'classify', dim: 16, seed: 1, tokenizer: tokenizer() }, () => ({
      files: [file('lines.txt')],
    }))
  },
  checkpoint: async () => {
    const path = file('run.safetensors')
    const source = Uint32Array.from(ids(9000, 300))
    await new Trainer(source, { ...PAIRS, objective: 'skip-gram', vocabSize: 300 }).run({
      steps: 2,
      checkpoint: { path },
    })
    const resumed = await Trainer.resume(path, source)
    const { tensors } = await resumed.run({ steps: 2 })
    resumed.dispose()
    return Object.values(tensors)
  },
}

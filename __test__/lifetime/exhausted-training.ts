// Scenarios of refused memory for training.

import { writeFileSync } from 'node:fs'
import * as api from '../../index.js'
import { PAIRS, drawn, ids, file, TEXT, tokenizer, train, corpus, type Scenarios } from './exhausted-common.js'

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
  /** From an earlier model and vectors of a file, with locked rows, and a loss over held-out text. */
  goingOn: async () => {
    const texts = { texts: [TEXT] }
    const options = { ...PAIRS, objective: 'skip-gram', minCount: 1 } as const
    const from = await new Trainer(texts, options).run({ steps: 1 })
    const words = from.vocabulary as readonly string[]
    const pretrained = new api.Vectors(
      drawn(Math.min(900, words.length), from.embedding.weight.shape[1]),
      words.slice(0, 900),
    )
    const { tensors, training } = await new Trainer(texts, { ...options, from, pretrained, lockFactor: 0.5 }).run({
      steps: 2,
      heldOut: { corpus: { texts: [TEXT.slice(0, 6000)] }, every: 1 },
    })
    return [...Object.values(tensors), training.heldOut!.length]
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

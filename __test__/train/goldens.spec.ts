// The trainer compared with PyTorch: the same tables, batches and samples must give the same losses and tables.

import test, { type ExecutionContext } from 'ava'
import {
  Trainer,
  type ClassifyTrainerOptions,
  type Corpus,
  type NextTokenTrainerOptions,
  type TrainerOptions,
  type TrainResult,
} from '../../index.js'
import { readGolden, type Golden } from '../support/golden.js'

interface Run {
  /** The mean loss of each step. */
  losses: number[]
  /** The tables at the end. */
  tables: Record<string, Golden>
}

const golden = readGolden<{
  nextToken: (Run & { options: NextTokenTrainerOptions; ids: number[] })[]
  classify: Run & {
    options: ClassifyTrainerOptions
    texts: string[]
    labels: string[]
    vocabulary: string[]
    names: string[]
  }
}>('train/train.json')

/** Both compute in float32, but sum in different orders. */
const [LOSS, ELEMENT] = [2e-6, 4e-6]

async function learns(
  t: ExecutionContext,
  corpus: Corpus,
  options: TrainerOptions,
  { losses, tables }: Run,
): Promise<TrainResult> {
  const trainer = new Trainer(corpus, options)
  let result = await trainer.run({ steps: 0 })
  for (const [step, wanted] of losses.entries()) {
    result = await trainer.run({ steps: 1 })
    t.true(
      Math.abs(result.progress.loss! - wanted) <= LOSS * wanted,
      `step ${step}: the loss is ${result.progress.loss}, and ${wanted} in PyTorch`,
    )
  }
  t.is(result.progress.tokens, result.progress.totalTokens)
  t.deepEqual(Object.keys(result.tensors).sort(), Object.keys(tables).sort())
  for (const [name, { s, v }] of Object.entries(tables)) {
    const { data, shape } = result.tensors[name]
    t.deepEqual(shape, s)
    const far = v.reduce<number>((most, x, i) => Math.max(most, Math.abs(Number(data[i]) - Number(x))), 0)
    t.true(far <= ELEMENT, `${name}: an element is ${far} off`)
  }
  return result
}

for (const run of golden.nextToken) {
  const { tied = false, softmax = 'full' } = run.options
  test(`next token equals PyTorch${tied ? ', tied' : ''}, ${softmax === 'full' ? 'all tokens' : 'a sample'}`, async (t) => {
    await learns(t, Uint32Array.from(run.ids), run.options, run)
  })
}

test("classes of bags equal PyTorch's", async (t) => {
  const { options, texts, labels, vocabulary, names } = golden.classify
  const result = await learns(
    t,
    texts.map((text, i) => ({ text, label: labels[i] })),
    options,
    golden.classify,
  )
  t.deepEqual(result.vocabulary, vocabulary)
  t.deepEqual(result.labels, names)
})
